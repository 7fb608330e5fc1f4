"""
How long spans take to be counted, against only decoding the same bodies, in one run; and what Protobuf's classes cost.

Bodies have 512 spans, as exporters send them, of calls with the texts of the demo's traffic, or of that in
$LLMCENSUS_SHARED. Decoding is from bytes to generations. Goal: counting takes at most four times as long as decoding.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.ingest import source
from llmcensus.catalog import Catalog
from llmcensus.classify import shipped
from llmcensus.ingest import Intake
from llmcensus.spans import Body, Spans, Window
from llmcensus.store import Store
from llmcensus.wire import otlp
from llmcensus.wire.lines import read_lines
from llmcensus.wire.otlp import Encoding
from tests.telemetry import CALL, Span, encode

ROUNDS = 5
SPANS = 5_000
A_BODY = 512
ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")


def main() -> None:
    imported = [milliseconds_to_import() for _ in range(ROUNDS)]
    print(f"importing Protobuf's classes takes {statistics.median(imported):.0f} ms, once a process")
    with tempfile.TemporaryDirectory() as folder:
        told = list(spans(source(Path(folder))))
        for encoding in ENCODINGS:
            bodies = [encode(told[at : at + A_BODY], encoding) for at in range(0, len(told), A_BODY)]
            measure(bodies, encoding, len(told), Path(folder))


def measure(bodies: list[bytes], encoding: Encoding, number: int, folder: Path) -> None:
    catalog, classifier = Catalog(), shipped()
    ratios = []
    for round_ in range(1 + ROUNDS):
        store = Store.open(f"sqlite:///{folder}/{encoding}-{round_}.db")
        taker = Spans(Intake(store, catalog, classifier, date(2025, 1, 1)), Window(300, 64 << 20))
        gc.collect()
        parsing = seconds(lambda: [otlp.read_spans(body, encoding) for body in bodies])
        decoding = seconds(lambda: [[*map(otlp.generation, otlp.read_spans(body, encoding))] for body in bodies])
        taking = seconds(lambda: [taker.take_spans(Body(body, encoding)) for body in bodies])  # noqa: B023
        counted = store.tally()["accepted"]
        assert counted == number, f"{counted} of {number} were counted"
        store.close()
        if round_:  # the first one warms up
            ratios.append(taking / decoding)
            print(
                f"{encoding:9} µs a span: parse {1e6 * parsing / number:5.1f}  decode {1e6 * decoding / number:5.1f}  "
                f"count {1e6 * taking / number:5.1f}   {number / taking:,.0f} spans/s   ratio {ratios[-1]:.1f}"
            )
    print(
        f"{number:,} spans, {sum(map(len, bodies)) / number:,.0f} bytes each: median {statistics.median(ratios):.1f}\n"
    )


def spans(path: Path) -> Iterator[Span]:
    """Yields the calls of a file of native records as the GenAI conventions tell them."""
    now = int(datetime.now(UTC).timestamp() * 1e9) - 10**12
    for number, line in enumerate(read_lines(path)):
        if number == SPANS:
            return
        record: dict[str, Any] = msgspec.json.decode(line.data)
        said = [{"role": one["role"], "parts": parts(one)} for one in record.get("messages") or ()]
        attributes = CALL | {
            "server.address": "api.openai.com",
            "gen_ai.response.id": record["id"],
            "gen_ai.request.model": record["model"],
            "gen_ai.input.messages": json.dumps(said),
        }
        yield Span(attributes, id=f"{number + 1:016x}", start=now + number, resource={"service.name": "bench"})


def parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    texts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
    return [{"type": "text", "content": text} for text in texts if text]


def milliseconds_to_import() -> float:
    timed = (
        "import time; start = time.perf_counter(); import llmcensus.wire.otlp.bodies; "
        "print(1e3 * (time.perf_counter() - start))"
    )
    before = "import msgspec, re; import llmcensus.wire.problems; " + timed
    return float(subprocess.run([sys.executable, "-c", before], capture_output=True, text=True, check=True).stdout)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
