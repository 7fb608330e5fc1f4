"""
How long each dataset takes to be read from the store, without any answer kept, for stores of 10^4, 10^6 and (with
--all, which takes minutes) 10^7 generations of equal shape: the same days, models, apps and tags. Goal: within 1.5
times. Run with `make bench`.

Session cost is read as it is served, with its medians made; how long making them takes is printed, too: it grows with
the number of sessions, and is done once a day.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime

from bench.stores import fill
from llmcensus import config
from llmcensus.datasets import DATASETS, Census
from llmcensus.store import Store
from llmcensus.taxonomy import SHIPPED

NOW = datetime(2026, 10, 31, 12, tzinfo=UTC)
SIZES = (10_000, 1_000_000)
LARGEST = 10_000_000
ROUNDS = 15
YEAR = {"start_date": "2025-11-01", "end_date": "2026-10-31"}
QUERIES = {
    "/classifications/task": {"window": "90d"},
    "/datasets/rankings-daily": YEAR,
    "/datasets/app-rankings": YEAR | {"end_date": "2026-01-31", "sort": "trending"},
    "/datasets/session-cost": {},
    "/benchmarks": {},
}


def main() -> None:
    sizes = (*SIZES, LARGEST) if "--all" in sys.argv else SIZES
    taken: dict[str, list[float]] = {path: [] for path in QUERIES}
    with tempfile.TemporaryDirectory() as folder:
        censuses = []
        for size in sizes:
            store = Store.open(f"sqlite:///{folder}/{size}.db", clock=lambda: NOW)
            fill(store, size, SIZES[0])
            census = Census.of(store, NOW, config.load(environ={}), SHIPPED)
            made = seconds(census, "/datasets/session-cost")
            print(f"{size:>10,} generations: medians of their sessions made in {made:.2f} s")
            censuses.append(census)
        # In turns, so that a machine whose speed drifts drifts for all.
        for path, figures in taken.items():
            rounds = [[seconds(census, path) for census in censuses] for _ in range(ROUNDS)]
            figures += [statistics.median(column) for column in zip(*rounds, strict=True)]
        for census in censuses:
            census.store.close()
    print(f"{'cold read':26} " + " ".join(f"{size:>12,}" for size in sizes) + "   largest / smallest")
    for path, figures in taken.items():
        row = " ".join(f"{1000 * figure:9.2f} ms" for figure in figures)
        print(f"{path:26} {row}   {max(figures) / min(figures):.2f}")


def seconds(census: Census, path: str) -> float:
    started = time.perf_counter()
    DATASETS[path].read(census, QUERIES[path])
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
