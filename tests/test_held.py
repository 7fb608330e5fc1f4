"""A request that is told in parts is counted once, when it is told, in whatever order and however often they come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from llmcensus.catalog import Catalog
from llmcensus.cells import Cube
from llmcensus.ingest import Intake, Receipt
from llmcensus.store import Store, held
from llmcensus.store.schema import cubes
from llmcensus.store.schema import held as table
from llmcensus.wire import named
from llmcensus.wire.lines import Line
from tests.conftest import FIRST_DAY, NOW
from tests.sources import SAID, Record, create, event, posted, row, trace_create, update
from tests.worlds import Spelled, cells, total

MODEL = "openai/gpt-4o-mini"


def take(intake: Intake, *events: Record) -> Receipt:
    return intake.take_body("langfuse", posted(*events), "identity", 1 << 20)


def waiting(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def rows(store: Store, cube: Cube) -> list[dict[str, Any]]:
    with store.reading() as connection:
        return [dict(found) for found in connection.execute(select(cubes[cube])).mappings()]


@pytest.fixture
def intake(store: Store) -> Intake:
    """Tags are spelled out by the request."""
    return Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)


def translate(**changes: Any) -> Record:
    return create(input=[SAID[0] | {"content": "translation"}], **changes)


@pytest.mark.parametrize("apart", [False, True], ids=["in one post", "in two"])
@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "the end first"])
def test_a_request_is_counted_when_it_is_told(store: Store, intake: Intake, apart: bool, swapped: bool) -> None:
    parts = [translate(), update()]
    parts = parts[::-1] if swapped else parts
    if apart:
        first = take(intake, parts[0])
        assert (first.tally["accepted"], first.tally["part"], waiting(store)) == (0, 1, 1)
        assert rows(store, "model") == []
        last = take(intake, parts[1])
        assert (last.tally["accepted"], last.tally["part"]) == (1, 0)
    else:
        both = take(intake, *parts)
        assert (both.tally["accepted"], both.tally["part"], both.tally.records()) == (1, 1, 2)
    assert waiting(store) == 0
    [model] = rows(store, "model")
    assert (model["date"], model["permaslug"], model["context_bucket"]) == ("2026-11-20", MODEL, "1K")
    assert (model["requests"], model["tokens_prompt"], model["tokens_completion"]) == (1, 100, 20)
    [task] = rows(store, "task")
    assert (task["tag"], task["permaslug"]) == ("translation", MODEL)


def test_a_cost_is_that_of_the_model_of_one_part_and_the_tokens_of_another(store: Store, intake: Intake) -> None:
    take(intake, translate(model="anthropic/claude-sonnet-4.5"))
    take(intake, update(model=None, usageDetails={"prompt_tokens": 1000, "completion_tokens": 100}))
    [model] = rows(store, "model")
    assert (model["permaslug"], model["requests_with_cost"]) == ("anthropic/claude-sonnet-4.5", 1)
    assert model["cost_nanousd"] == 4_500_000
    assert store.tally()["priced"] == 1


def test_a_cost_that_was_told_stays(store: Store, intake: Intake) -> None:
    take(intake, translate(), update(costDetails={"total": 0.25}))
    assert [model["cost_nanousd"] for model in rows(store, "model")] == [250_000_000]


def test_a_name_that_only_one_part_knows_is_the_name(store: Store, intake: Intake) -> None:
    take(intake, translate(model=None), update())
    take(intake, translate(id="2", model="house"), update(id="2"))
    take(intake, translate(id="3", model="house"), update(id="3", model="other"))
    take(intake, translate(id="4", model=None), update(id="4", model=None))
    assert sorted(model["permaslug"] for model in rows(store, "model")) == ["?house", "?unknown", MODEL]
    assert total(store, "model", "requests") == 4


def test_an_error_without_a_reply_is_one_and_with_a_reply_is_none(store: Store, intake: Intake) -> None:
    take(intake, translate(), update(level="ERROR", usage=None, usageDetails=None))
    take(intake, translate(id="2"), update(id="2", level="ERROR"))
    assert (store.tally()["accepted"], store.tally()["error"]) == (2, 1)
    assert total(store, "model", "requests") == 1


def test_what_is_told_again_is_a_duplicate_before_and_after(store: Store, intake: Intake) -> None:
    take(intake, translate())
    assert take(intake, translate()).tally["duplicate"] == 1
    take(intake, update())
    again = take(intake, translate(), update(), update(level="ERROR"))
    assert (again.tally["duplicate"], again.tally["accepted"], again.tally["part"]) == (3, 0, 0)
    assert (total(store, "model", "requests"), waiting(store)) == (1, 0)


def test_an_export_of_what_was_sent_live_adds_nothing(intake: Intake) -> None:
    take(intake, translate(), update())
    exported = [Line(1, msgspec.json.encode(row())), Line(2, msgspec.json.encode(row(total_cost=0.5)))]
    receipt = intake.take(named("langfuse"), exported)
    assert (receipt.tally["duplicate"], receipt.tally["id_collision"]) == (2, 0)


def test_an_export_tells_the_rest_of_what_waits(store: Store, intake: Intake) -> None:
    take(intake, translate())
    receipt = intake.take(named("langfuse"), [Line(1, msgspec.json.encode(row(input="math")))])
    assert (receipt.tally["accepted"], waiting(store)) == (1, 0)
    assert [task["tag"] for task in rows(store, "task")] == ["translation"]


def test_a_first_token_ends_nothing(store: Store, intake: Intake) -> None:
    take(intake, translate())
    take(intake, event("generation-update", {"id": "obs-1", "completionStartTime": "2026-11-20T10:00:00.5Z"}))
    assert (waiting(store), rows(store, "model")) == (1, [])
    take(intake, update())
    assert (waiting(store), total(store, "model", "requests")) == (0, 1)


def test_a_session_is_that_of_the_trace_in_its_post(store: Store, intake: Intake) -> None:
    take(intake, trace_create(), translate())
    take(intake, update())
    assert (store.tally()["with_session"], store.tally()["ignored"]) == (1, 1)


@pytest.fixture
def later(url: str) -> Iterator[Any]:
    """Gives what takes posts after some time, in a process of its own."""
    stores = []

    def at(after: timedelta, *events: Record) -> Store:
        store = Store.open(url, clock=lambda: NOW + after)
        stores.append(store)
        if events:
            take(Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW + after), *events)
        return store

    yield at
    for store in stores:
        store.close()


def test_what_waits_outlives_the_process_that_took_it(later: Any) -> None:
    later(timedelta(), translate())
    store = later(timedelta(minutes=59), update())
    assert total(store, "model", "tokens_prompt") == 100


def test_what_waits_too_long_is_counted_as_far_as_it_is_told(later: Any) -> None:
    later(timedelta(), translate())
    assert rows(later(timedelta(minutes=59), trace_create()), "model") == []
    store = later(timedelta(minutes=61), trace_create())
    [model] = rows(store, "model")
    assert (model["requests"], model["requests_with_usage"], model["permaslug"]) == (1, 0, MODEL)
    tally = store.tally()
    assert (tally["accepted"], tally["part"], tally.records()) == (1, 0, 3)
    late = later(timedelta(minutes=62), update())
    assert (total(late, "model", "requests"), late.tally()["duplicate"]) == (1, 1)


def test_what_is_due_is_counted_in_portions(later: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "COUNTED_AT_ONCE", 4)
    later(timedelta(), *(translate(id=str(n)) for n in range(10)))
    left = [waiting(later(timedelta(minutes=61 + n), trace_create())) for n in range(3)]
    assert left == [6, 2, 0]


def test_a_log_that_was_read_to_its_end_leaves_nothing_waiting(store: Store, intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\n".join(posted(translate(id=str(n))) for n in range(5)) + b"\n" + posted(update(id="0")))
    *_, last = intake.take_file(path)
    assert (last.tally["accepted"], last.tally["part"], last.tally.records()) == (1, 5, 6)
    settled = intake.settle()
    assert (settled["accepted"], settled["part"]) == (4, -4)
    assert (total(store, "model", "requests"), waiting(store)) == (5, 0)
    assert intake.settle().records() == 0


def test_what_has_just_begun_goes_on_waiting(store: Store, intake: Intake) -> None:
    take(intake, translate(startTime="2026-11-21T11:59:00Z"))
    assert intake.settle().records() == 0
    assert waiting(store) == 1


reports = st.one_of(
    st.builds(translate, id=st.sampled_from("abc"), model=st.sampled_from(["gpt-4o-mini", "house", None])),
    st.builds(
        update,
        id=st.sampled_from("abc"),
        model=st.sampled_from(["gpt-4o-mini", None]),
        level=st.sampled_from([None, "ERROR"]),
        usageDetails=st.sampled_from([None, {"input": 7, "output": 3}]),
        costDetails=st.sampled_from([None, {"total": 0.5}]),
    ),
)


@given(
    seen=st.lists(reports, max_size=6, unique_by=lambda one: one["id"]),
    seed=st.integers(0, 2**32),
    parts=st.integers(1, 4),
)
def test_any_split_order_or_repetition_of_reports_gives_the_same_store(
    seen: list[Record], seed: int, parts: int
) -> None:
    generator = Random(seed)  # noqa: S311
    shuffled = seen + generator.choices(seen, k=3) if seen else []
    generator.shuffle(shuffled)
    assert in_posts([seen]) == in_posts([shuffled[part::parts] for part in range(parts)])


def in_posts(posts: list[list[Record]]) -> object:
    store = Store.open("sqlite:///:memory:", clock=lambda: NOW)
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
    for events in posts:
        take(intake, *events)
    intake.settle()
    found = cells(store)
    store.close()
    return found
