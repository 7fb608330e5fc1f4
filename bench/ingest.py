"""
How long an import takes, against only decoding the same lines with msgspec, in one run.

Two ratios a round, since a machine's speed drifts: against decoding the lines from memory into `Generation`s, held a
batch at a time as an import has to hold them; and against reading the file as well, which an import does too.
Goal: at most 6. Reads the traffic in $LLMCENSUS_SHARED if that is set, else the demo's. Run with `make bench`.
"""

from __future__ import annotations

import gc
import gzip
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from llmcensus.catalog import Catalog
from llmcensus.classify import shipped
from llmcensus.classify.features import segments
from llmcensus.demo import traffic
from llmcensus.enrich import enrich
from llmcensus.generation import Generation
from llmcensus.ingest import BATCH_RECORDS, Intake
from llmcensus.store import Store
from llmcensus.wire.lines import read_lines

ROUNDS = 5
FIRST_DAY = date(2025, 1, 1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = source(Path(folder))
        catalog, classifier = Catalog(), shipped()
        ratios = []
        for round_ in range(1 + ROUNDS):
            store = Store.open(f"sqlite:///{folder}/{round_}.db")
            lines: list[bytes] = []
            reading = seconds(lambda: lines.extend(line.data for line in read_lines(path)))  # noqa: B023
            decoding = seconds(lambda: decode(lines))  # noqa: B023
            intake = Intake(store, catalog, classifier, FIRST_DAY)
            gc.freeze()
            gc.disable()  # as the command does
            importing = seconds(lambda: list(intake.take_file(path)))  # noqa: B023
            gc.enable()
            gc.unfreeze()
            store.close()
            if round_:  # the first one warms up
                ratios.append((importing / decoding, importing / (reading + decoding)))
                print(
                    f"read {reading:.2f} s   decode {decoding:.2f} s   import {importing:.2f} s   "
                    f"{len(lines) / importing:,.0f}/s   "
                    f"ratio {ratios[-1][0]:.1f} to decoding, {ratios[-1][1]:.1f} to reading and decoding"
                )
        alone, whole = (statistics.median(column) for column in zip(*ratios, strict=True))
        print(f"\n{len(lines):,} lines of {path.name}, medians: import / decode = {alone:.1f},", end=" ")
        print(f"import / (read + decode) = {whole:.1f}")
        stages(path, Path(folder), catalog)


def decode(lines: list[bytes]) -> None:
    decoder = msgspec.json.Decoder(Generation)
    for at in range(0, len(lines), BATCH_RECORDS):
        held = [decoder.decode(line) for line in lines[at : at + BATCH_RECORDS]]
        del held


def source(folder: Path) -> Path:
    shared = os.environ.get("LLMCENSUS_SHARED")
    if shared:
        return Path(shared) / "traffic" / "native-20k.jsonl.gz"
    path = folder / "demo.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=3) as file:
        file.writelines(line + b"\n" for line in traffic(datetime.now(UTC), 20_000))
    return path


def stages(path: Path, folder: Path, catalog: Catalog) -> None:
    """Prints where the time goes, each stage by itself on what the one before it made."""
    classifier = shipped()
    decoder = msgspec.json.Decoder(Generation)
    lines = [line.data for line in read_lines(path)]
    generations = [decoder.decode(line) for line in lines]
    events = enrich(generations, catalog, classifier)
    store = Store.open(f"sqlite:///{folder}/stages.db")
    parts = [events[at : at + BATCH_RECORDS] for at in range(0, len(events), BATCH_RECORDS)]
    measured = {
        "read and split lines": seconds(lambda: list(read_lines(path))),
        "decode": seconds(lambda: [decoder.decode(line) for line in lines]),
        "cut the fields out": seconds(lambda: segments(generations)),
        "classify, with cutting": seconds(lambda: classifier.classify(generations)),
        "enrich, with classifying": seconds(lambda: enrich(generations, catalog, classifier)),
        "count and commit": seconds(lambda: [store.commit(part) for part in parts]),
    }
    store.close()
    for name, took in measured.items():
        print(f"  {name:26} {took:5.2f} s   {1e6 * took / len(lines):5.1f} µs a generation")


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
