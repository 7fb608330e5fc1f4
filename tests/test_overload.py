"""
Overload: real exporters send four times what a server can count. Nothing that was acknowledged is lost, memory stays
bounded, and when they stop it is as fast as before.

A program beside it that writes to the same database makes the server as slow as the test needs it, on any machine.
"""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmcensus.store import Store, keys

pytest.importorskip("opentelemetry.sdk", reason="the group `traced` is not installed")
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

SECONDS = float(os.environ.get("LLMCENSUS_OVERLOAD_SECONDS", "60"))
TIMES = 4
SPANS = 100
QUEUE_MB = 8
# The store is held so long of each second by the program beside.
HELD_S = 0.6
TEXT = "Translate good morning into French, and say how it is pronounced. " * 40


class Kept(SpanExporter):  # type: ignore[misc]  # the group need not be installed
    """Keeps spans instead of sending them: these are sent by the test."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Any) -> Any:
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        pass


def batches() -> Iterator[list[ReadableSpan]]:
    """Yields batches of spans as an instrumentation writes them, for ever, each of other calls."""
    kept = Kept()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("opentelemetry.instrumentation.genai.openai")
    while True:
        for _ in range(SPANS):
            with tracer.start_as_current_span("chat gpt-4o") as span:
                span.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.request.model": "gpt-4o",
                        "gen_ai.usage.input_tokens": 31,
                        "gen_ai.usage.output_tokens": 9,
                        "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{TEXT}"}}]}}]',
                    }
                )
        sent, kept.spans = kept.spans, []
        yield sent


@dataclass
class Census:
    """A server in a process of its own."""

    url: str
    key: str
    path: Path
    pid: int

    def resident(self) -> int:
        """Returns how many bytes of memory it has."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) << 10
        raise AssertionError("the server has ended")

    def counted(self) -> int:
        store = Store.open(f"sqlite:///{self.path}")
        accepted = store.tally()["accepted"]
        store.close()
        return accepted


@contextmanager
def census(folder: Path) -> Iterator[Census]:
    path = folder / "census.db"
    store = Store.open(f"sqlite:///{path}")
    with store.writing() as connection:
        key = keys.create(connection, "tests", "ingest", 0)
    store.close()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "llmcensus", "serve", "--db", f"sqlite:///{path}", "--port", str(port)]
    environ = os.environ | {"LLMCENSUS_QUEUE_MB": str(QUEUE_MB)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ) as running:
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + 60
            while True:
                with suppress(httpx.TransportError):
                    assert httpx.get(f"{url}/readyz").status_code == 200
                    break
                assert time.monotonic() < until, "the server did not begin"
                time.sleep(0.1)
            yield Census(url, key, path, running.pid)
        finally:
            running.terminate()


@contextmanager
def beside(path: Path) -> Iterator[None]:
    """Holds the database for the most part of each second, as another writer would."""
    ended = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        while not ended.is_set():
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(HELD_S)
            connection.execute("ROLLBACK")
            time.sleep(1 - HELD_S)
        connection.close()

    holding = threading.Thread(target=hold)
    holding.start()
    try:
        yield
    finally:
        ended.set()
        holding.join()


@dataclass
class Sender:
    """Exporters, and what became of the batches that they were given."""

    server: Census
    acknowledged: int = 0
    given_up: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def exporter(self) -> OTLPSpanExporter:
        return OTLPSpanExporter(
            endpoint=f"{self.server.url}/v1/traces", headers={"x-api-key": self.server.key}, timeout=10
        )

    def send(self, exporter: OTLPSpanExporter, batch: list[ReadableSpan]) -> None:
        done = exporter.export(batch) is SpanExportResult.SUCCESS
        with self.lock:
            self.acknowledged += done
            self.given_up += not done

    def run(self, threads: int, seconds: float, batches: Callable[[], list[ReadableSpan]], every_s: float = 0) -> float:
        """Sends for so many seconds, each thread a batch `every_s`; returns acknowledged batches a second."""
        before, started = self.acknowledged, time.monotonic()

        def work() -> None:
            exporter = self.exporter()
            due = time.monotonic()
            while time.monotonic() < started + seconds:
                self.send(exporter, batches())
                due = max(due + every_s, time.monotonic() - every_s)
                time.sleep(max(0, due - time.monotonic()))

        working = [threading.Thread(target=work) for _ in range(threads)]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        return (self.acknowledged - before) / (time.monotonic() - started)


@pytest.mark.heavy
def test_overload_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    made = batches()
    lock = threading.Lock()

    def batch() -> list[ReadableSpan]:
        with lock:
            return next(made)

    with census(tmp_path) as server:
        sender = Sender(server)
        sender.run(1, 3, batch)
        with beside(server.path):
            capacity = sender.run(8, 10, batch)
            calm = server.resident()
            most = [0]
            ended = threading.Event()

            def watch() -> None:
                while not ended.wait(0.2):
                    most[0] = max(most[0], server.resident())

            watching = threading.Thread(target=watch)
            watching.start()
            # As many as are needed to offer so much even where each waits for its answer: most of them do.
            threads = 32
            offered = TIMES * capacity
            sender.run(threads, SECONDS, batch, every_s=threads / offered)
            ended.set()
            watching.join()
        after = sender.run(8, 5, batch)
        given_up = sender.given_up
        assert sender.run(1, 1, batch) > 0
        assert sender.given_up == given_up, "it has recovered"
        counted = server.counted()
    assert counted >= sender.acknowledged * SPANS
    assert counted % SPANS == 0, "a batch is counted whole or not at all"
    assert counted <= (sender.acknowledged + sender.given_up) * SPANS, "and once, however often it was sent"
    assert most[0] - calm < (QUEUE_MB << 20) * 16
    assert after >= capacity
