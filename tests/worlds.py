"""Records and stores that tests are made of."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from llmcensus.classify import Label
from llmcensus.demo import traffic
from llmcensus.generation import Generation
from llmcensus.ingest import Intake, Receipt
from llmcensus.store import Store
from llmcensus.store.schema import app_categories, apps, counters, cubes
from llmcensus.wire import named
from llmcensus.wire.lines import Line

RECORD = {
    "source": "gateway",
    "id": "gen-1",
    "created_at": "2026-11-20T10:00:00Z",
    "model": "openai/gpt-4o",
    "tokens_prompt": 100,
    "tokens_completion": 20,
    "cost_usd": 0.001,
    "messages": [{"role": "user", "content": "Translate 'good morning' into French."}],
}


class Spelled:
    """A classifier for tests of what comes after it: the last turn says its own tag."""

    version = "spelled"

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]:
        return [Label(one.messages[-1].text(), 1.0) if one.messages is not None else None for one in generations]


def record(**changes: Any) -> dict[str, Any]:
    """Returns a good native record; a change to None takes the field out."""
    return {name: value for name, value in (RECORD | changes).items() if value is not None}


def encoded(*records: dict[str, Any]) -> bytes:
    return b"".join(msgspec.json.encode(one) + b"\n" for one in records)


def lines(*records: dict[str, Any] | bytes) -> list[Line]:
    return [
        Line(number, one if isinstance(one, bytes) else msgspec.json.encode(one))
        for number, one in enumerate(records, 1)
    ]


def count(intake: Intake, *records: dict[str, Any] | bytes) -> Receipt:
    return intake.take(named("native"), lines(*records))


def cells(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Returns everything that datasets are made of, in a comparable form."""
    tables = {**{str(name): table for name, table in cubes.items()}, "apps": apps, "app_categories": app_categories}
    with store.reading() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in tables.items()
        }


def counted(store: Store) -> list[tuple[str, str, int]]:
    with store.reading() as connection:
        return sorted(tuple(row) for row in connection.execute(select(counters)))


def total(store: Store, cube: str, measure: str) -> int:
    with store.reading() as connection:
        table = cubes[cube]  # type: ignore[index]
        return sum(row[0] for row in connection.execute(select(table.c[measure])))


def numbered(count_: int, **changes: Any) -> Iterable[dict[str, Any]]:
    return (record(id=f"gen-{number}", **changes) for number in range(count_))


def traffic_file(folder: Path, now: datetime, keep: Callable[[bytes], bool] = bool) -> Path:
    """Returns a file of traffic: the real one where there is one, else the lines of the demo that `keep` keeps."""
    shared = os.environ.get("LLMCENSUS_SHARED")
    if shared:
        return Path(shared) / "traffic" / "native-20k.jsonl.gz"
    path = folder / "demo.jsonl.gz"
    with gzip.open(path, "wb") as out:
        out.writelines(line + b"\n" for line in traffic(now, 12_000) if keep(line))
    return path
