"""
How long an import of other formats takes, against only decoding the same lines, in one run.

The demo's traffic is written down as native lines, OpenAI pairs, LiteLLM's payloads and Langfuse's exported rows. For
each: decoding into `Generation`s, held a batch at a time as an import has to hold them, and the whole import. Goal: at
most 4. Run with `make bench`.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, shipped
from llmcensus.demo import traffic
from llmcensus.ingest import BATCH_RECORDS, Intake
from llmcensus.store import Store
from llmcensus.wire import named

RECORDS = 10_000
ROUNDS = 3
FIRST_DAY = date(2025, 1, 1)
# As long as the list of prices that LiteLLM puts into every payload.
PRICES = {f"price_per_token_of_kind_{n}": n / 7 for n in range(160)}

Record = dict[str, Any]


def main() -> None:
    records = [msgspec.json.decode(line) for line in traffic(datetime.now(UTC), RECORDS)]
    catalog, classifier = Catalog(), shipped()
    with tempfile.TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            lines = [msgspec.json.encode(write(record)) for record in records]
            path = Path(folder) / f"{name}.jsonl"
            path.write_bytes(b"\n".join(lines))
            measured = [measure(name, lines, path, catalog, classifier, round_) for round_ in range(1 + ROUNDS)][1:]
            plain, decoding, importing = (
                1e6 * statistics.median(column) / len(lines) for column in zip(*measured, strict=True)
            )
            print(
                f"{name:9} {len(lines):,} lines of {sum(map(len, lines)) // len(lines):,} bytes   "
                f"plain JSON {plain:5.1f} µs   decode {decoding:5.1f} µs   import {importing:6.1f} µs   "
                f"import / decode = {importing / decoding:.1f}"
            )


def measure(
    name: str, lines: list[bytes], path: Path, catalog: Catalog, classifier: Classifier, round_: int
) -> tuple[float, float, float]:
    """Returns how long reading plain JSON, decoding and importing take, in seconds."""
    store = Store.open(f"sqlite:///{path}.{round_}.db")
    intake = Intake(store, catalog, classifier, FIRST_DAY)
    gc.freeze()
    gc.disable()  # as the command does
    plain = seconds(lambda: batches(lines, msgspec.json.decode))
    decoding = seconds(lambda: batches(lines, named(name).decode))
    importing = seconds(lambda: list(intake.take_file(path)))
    gc.enable()
    gc.unfreeze()
    store.close()
    return plain, decoding, importing


def batches(lines: list[bytes], decode: Callable[[bytes], object]) -> None:
    for at in range(0, len(lines), BATCH_RECORDS):
        held = [decode(line) for line in lines[at : at + BATCH_RECORDS]]
        del held


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def litellm(record: Record) -> Record:
    began = datetime.fromisoformat(record["created_at"].replace("Z", "+00:00")).timestamp()
    app = {"http-referer": record.get("http_referer"), "x-title": record.get("app_title")}
    usage = usage_of(record)
    return {
        "litellm_call_id": record["id"],
        "trace_id": "54f21e932f04f56f19538b3d9c5c12bd",
        "call_type": "acompletion",
        "status": "success",
        "startTime": began,
        "endTime": began + 1,
        "model": record["model"],
        "model_group": record["model"],
        "metadata": {
            "requester_metadata": {"headers": app, "session_id": record.get("session_id")},
            "usage_object": usage,
        },
        "response_cost": record.get("cost_usd"),
        "prompt_tokens": record.get("tokens_prompt"),
        "completion_tokens": record.get("tokens_completion"),
        "messages": record["messages"],
        "response": {
            "model": record["model"],
            "choices": [{"finish_reason": "stop", "message": {"content": "x" * 200}}],
        },
        "model_parameters": {"tools": [{"function": {"name": name}} for name in record.get("tools") or ()]},
        "model_map_information": {"model_map_value": PRICES},
    }


def openai(record: Record) -> Record:
    answer = {
        "id": record["id"],
        "model": record["model"],
        "choices": [{"finish_reason": "stop"}],
        "usage": usage_of(record),
    }
    return {
        "request": {"model": record["model"], "messages": record["messages"]},
        "response": answer,
        "started_at": record["created_at"],
    }


def langfuse(record: Record) -> Record:
    at = record["created_at"].replace("T", " ").rstrip("Z")
    return {
        "id": record["id"],
        "project_id": "p",
        "trace_id": "t",
        "type": "GENERATION",
        "start_time": at,
        "end_time": at,
        "input": msgspec.json.encode(record["messages"]).decode(),
        "output": "x" * 200,
        "provided_model_name": record["model"],
        "usage_details": {"input": record.get("tokens_prompt"), "output": record.get("tokens_completion")},
        "cost_details": {"total": record.get("cost_usd")},
        "session_id": record.get("session_id"),
    }


def usage_of(record: Record) -> Record:
    return {"prompt_tokens": record.get("tokens_prompt"), "completion_tokens": record.get("tokens_completion")}


WRITERS: dict[str, Callable[[Record], Record]] = {
    "native": lambda record: record,
    "openai": openai,
    "litellm": litellm,
    "langfuse": langfuse,
}

if __name__ == "__main__":
    main()
