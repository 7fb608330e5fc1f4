"""Records and stores that tests are made of."""

from __future__ import annotations

import gzip
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, Label
from llmcensus.demo import traffic
from llmcensus.generation import Generation
from llmcensus.ingest import Intake, Receipt
from llmcensus.store import Store, benchmarks
from llmcensus.store.schema import app_categories, apps, counters, cubes
from llmcensus.wire import named
from llmcensus.wire.lines import Line
from tests.serving import Server, serving

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


AA = {"source": "artificial-analysis", "intelligence_index": None, "coding_index": None, "agentic_index": None}
DA = {"source": "design-arena", "arena": "models", "category": "codecategories"}
OWN = {"source": "openrouter", "last_run_timestamp": "2026-11-01T00:00:00Z", "avg_cost_per_task": None}
GPQA = OWN | {"benchmark_type": "gpqa_diamond", "total_tasks": 198}
TAU = OWN | {"benchmark_type": "tau_bench_verified_airline", "total_tasks": 50}
BROWSECOMP = OWN | {"benchmark_type": "search_browsecomp", "primary_metric": "accuracy", "total_tasks": 100}
WIDESEARCH = OWN | {
    "benchmark_type": "search_widesearch",
    "primary_metric": "f1_by_item",
    "total_tasks": 40,
    "avg_latency_per_task_ms": 8100.5,
}
PRICING = {"prompt": "0.0000001", "completion": "0.0000004"}
PLACES = {"first_place": 12, "second_place": 8, "third_place": 5, "fourth_place": 2, "total": 27}
RUN = {"max_agent_turns": 40, "reasoning_effort": "high", "temperature": 0.2}
SERVER_TOOL = {"search_engine": "exa", "search_surface": "server-tool"}
PLUGIN = {"search_engine": "native", "search_surface": "plugin"}
# Each source and form of row, each value that may be null both ways, and no model that exists.
SCORES: list[dict[str, Any]] = [
    AA | {"model_permaslug": "openlab/small-01", "intelligence_index": 61.5, "coding_index": 55.25, "pricing": PRICING},
    AA | {"model_permaslug": "openlab/small-02", "intelligence_index": 70, "agentic_index": 48.5},
    AA | {"model_permaslug": "openlab/small-03"},
    DA | {"model_permaslug": "openlab/small-01", "elo": 1423, "win_rate": 72, "tournament_stats": PLACES},
    DA | {"model_permaslug": "openlab/small-02", "elo": 1250.5, "win_rate": 41.5, "avg_generation_time_ms": 3200},
    DA | {"model_permaslug": "openlab/small-01", "elo": 1100, "win_rate": 50, "category": "website"},
    DA | {"model_permaslug": "openlab/small-03", "elo": 1300, "win_rate": 60, "arena": "builders"},
    GPQA | {"model_permaslug": "openlab/small-01", "accuracy": 0.53, "accuracy_stddev": 0.01, "avg_cost_per_task": 0.2},
    GPQA | {"model_permaslug": "openlab/small-02", "accuracy": 0.68},
    TAU | {"model_permaslug": "openlab/small-01", "accuracy": 0.4},
    BROWSECOMP | SERVER_TOOL | {"model_permaslug": "openlab/small-01", "primary_score": 0.31, "run_config": RUN},
    BROWSECOMP | PLUGIN | {"model_permaslug": "openlab/small-02", "primary_score": 0.2, "run_config": {}},
    WIDESEARCH | SERVER_TOOL | {"model_permaslug": "openlab/small-01", "primary_score": 0.5, "avg_cost_per_task": 1.5},
]


def score(store: Store, now: datetime) -> None:
    """Imports the benchmarks that `SCORES` are, as `llmcensus benchmarks import` would."""
    reading = read(msgspec.json.encode(SCORES), Names(Catalog(), now))
    assert not reading.refusals
    with store.writing() as connection:
        boards = reading.boards().items()
        benchmarks.record(connection, store.now_ms(), ((*name, msgspec.json.encode(items)) for name, items in boards))


def talks(now: datetime) -> Iterator[dict[str, Any]]:
    """Yields sessions of yesterday in one app with one model, five of each range of turns; a turn costs 0.001 USD."""
    at = (now - timedelta(days=1)).isoformat()
    for turns, session in itertools.product((1, 3, 12, 50), range(5)):
        for turn in range(turns):
            name = f"talk-{turns}-{session}"
            told = {"id": f"{name}-{turn}", "created_at": at, "model": "openlab/small-01", "session_id": name}
            yield record(**told, http_referer="https://longtalk.example", app_title="Longtalk")


@contextmanager
def demonstration(folder: Path, classifier: Classifier, now: datetime, **settings: str) -> Iterator[Server]:
    """Runs a server that stands at a time, with the traffic of the demo, long sessions and every benchmark."""
    with closing(Store.open(f"sqlite:///{folder}/census.db", clock=lambda: now)) as store:
        intake = Intake(store, Catalog(), classifier, date(2025, 1, 1), clock=lambda: now)
        intake.take(named("native"), [Line(number, line) for number, line in enumerate(traffic(now, 3000), 1)])
        count(intake, *talks(now))
        score(store, now)
        with serving(store, lambda: now, **settings) as running:
            yield running
