"""Whatever the order, the batches and the repetitions in which sources are heard: the same cells, each call once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.catalog import Catalog
from llmcensus.ingest import Intake
from llmcensus.spans import Spans, Window
from llmcensus.store import Store, sql
from tests.conftest import FIRST_DAY, NOW
from tests.sources import create, posted, slp, update
from tests.telemetry import Record, Span, asked, body, call
from tests.worlds import Spelled, cells, record, total

LIMIT = 1 << 24
SAID = [{"role": "user", "content": "math"}]
BROADCAST = {
    "span.type": "generation",
    "gen_ai.prompt": json.dumps({"messages": SAID}),
    "trace.metadata.openrouter_generation.http_referer": "https://a.example",
    "session.id": "s-1",
}


class Told(NamedTuple):
    """One record, as a way in takes it: a format of the wire, or `spans`, or `records`."""

    way: str
    record: Any


def call_of(way: str, number: int) -> list[Told]:
    """Returns all that is told of a call: by some ways in, in more than one record."""
    name, tokens = f"{number + 1:016x}", 10 + number
    if way == "native":
        return [Told(way, record(id=name, messages=SAID, tokens_prompt=tokens, session_id="s"))]
    if way == "litellm":
        return [Told(way, slp(litellm_call_id=name, messages=SAID, prompt_tokens=tokens, session_id="s"))]
    if way == "langfuse":
        about = {"id": name, "traceId": "t"}
        return [Told(way, create(**about, input=SAID)), Told(way, update(**about))]
    if way == "openrouter":
        given = BROADCAST | {"gen_ai.response.id": f"gen-{name}", "gen_ai.usage.input_tokens": tokens}
        return [Told("spans", call(given, id=name, trace="a" * 32, resource={"service.name": "openrouter"}))]
    return [
        Told("spans", call({"gen_ai.usage.input_tokens": tokens}, id=name)),
        Told("records", asked("math", id=name)),
    ]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "census.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


WAYS = ("native", "litellm", "langfuse", "openrouter", "otlp")


@given(
    calls=st.lists(st.tuples(st.sampled_from(WAYS), st.integers(0, 3)), min_size=1, max_size=8, unique=True),
    seed=st.integers(0, 2**32),
    parts=st.integers(1, 5),
)
def test_any_batches_order_repetition_and_interleaving_give_the_same_cells(
    empty: Path, folder: Path, calls: list[tuple[str, int]], seed: int, parts: int
) -> None:
    told = [piece for way, number in calls for piece in call_of(way, number)]
    generator = Random(seed)  # noqa: S311
    shuffled = told + generator.choices(told, k=4)
    generator.shuffle(shuffled)
    once = after(empty, folder, [[piece] for piece in told])
    assert after(empty, folder, [shuffled[part::parts] for part in range(parts)]) == once
    assert once[1] == len(calls)


def after(empty: Path, folder: Path, bodies: Sequence[Sequence[Told]]) -> tuple[object, int]:
    """Returns the cells after bodies were taken, and how many requests were accepted."""
    for left in folder.iterdir():
        left.unlink()
    path = shutil.copy(empty, folder / "census.db")
    with closing(Store(sql.connect(f"sqlite:///{path}", "NORMAL"), clock=lambda: NOW)) as store:
        intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
        spans = Spans(intake, Window(300, 1 << 20))
        for pieces in bodies:
            for way in dict.fromkeys(piece.way for piece in pieces):
                take(intake, spans, way, [piece.record for piece in pieces if piece.way == way])
        return cells(store), store.tally()["accepted"]


def take(intake: Intake, spans: Spans, way: str, records: list[Any]) -> None:
    if way in ("spans", "records"):
        some: list[Span] | list[Record] = records
        (spans.take_spans if way == "spans" else spans.take_records)(body(some))
    elif way == "langfuse":
        assert intake.take_body(way, posted(*records), "identity", LIMIT).refusals == []
    else:
        assert intake.take_body(way, json.dumps(records).encode(), "identity", LIMIT).refusals == []


def test_two_gateways_that_use_one_id_are_both_counted(intake: Intake, store: Store) -> None:
    intake.take_body("native", json.dumps([record(source="a"), record(source="b")]).encode(), "identity", LIMIT)
    intake.take_body("litellm", json.dumps([slp(litellm_call_id="gen-1")]).encode(), "identity", LIMIT)
    assert (store.tally()["accepted"], store.tally()["id_collision"]) == (3, 0)


@pytest.mark.parametrize("way", ["native", "litellm", "spans"])
def test_one_id_with_another_payload_is_kept_and_shown_as_one_collision(way: str, intake: Intake, store: Store) -> None:
    pairs: dict[str, list[Any]] = {
        "native": [record(), record(tokens_prompt=7)],
        "litellm": [slp(), slp(prompt_tokens=7)],
        "spans": [call(), call({"gen_ai.usage.input_tokens": 7})],
    }
    spans = Spans(intake, Window(300, 1 << 20))
    for _ in range(2):
        for one in pairs[way]:
            take(intake, spans, way, [one])
    tally = store.tally()
    assert (tally["accepted"], tally["id_collision"], tally["duplicate"]) == (2, 1, 2)
    assert total(store, "model", "requests") == 2
