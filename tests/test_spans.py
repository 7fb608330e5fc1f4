"""Every call is counted once, under its task, in whatever order and however often its spans and records are sent."""

from __future__ import annotations

import json
import shutil
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.catalog import Catalog
from llmcensus.errors import TooLarge, Unavailable
from llmcensus.ingest import Intake
from llmcensus.spans import Outcome, Spans, Window
from llmcensus.store import Store, registry, sql
from llmcensus.wire.otlp import Content, Encoding, Told
from tests.conftest import FIRST_DAY, NOW
from tests.sources import slp
from tests.telemetry import START, Record, Span, asked, body, call, details
from tests.worlds import Spelled, cells, counted, total

SECONDS = 300
PARENT = "00f067aa0ba902b7"
OUTER = "a000000000000001"
OPENROUTER = {
    "span.type": "generation",
    "gen_ai.response.id": "gen-1",
    "gen_ai.prompt": json.dumps({"messages": [{"role": "user", "content": "math"}]}),
    "trace.metadata.openrouter_generation.http_referer": "https://a.example",
    "session.id": "s-1",
}


@dataclass
class World:
    """A store, and what counts spans into it. `now` is the time of the window's clock."""

    store: Store
    spans: Spans
    window: Window
    intake: Intake
    now: float = 0.0

    def send(self, *told: Span | Record, encoding: Encoding = "json") -> Outcome:
        """Sends spans, or records, as one body."""
        sent = body(told, encoding)  # type: ignore[arg-type]
        return self.spans.take_records(sent) if isinstance(told[0], Record) else self.spans.take_spans(sent)

    def tasks(self) -> dict[str, int]:
        return {row[1]: row[4] for row in cells(self.store)["task"]}


def world(store: Store, most: int = 64 << 20, weights: dict[str, int] | None = None) -> World:
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, lambda: NOW, weights=weights or {})
    window = Window(SECONDS, most, lambda: made.now)
    made = World(store, Spans(intake, window), window, intake)
    return made


@pytest.fixture
def here(store: Store) -> World:
    return world(store)


def known(store: Store) -> list[tuple[str, str, int]]:
    """Returns the counters of what is known of accepted requests: others count what was sent, too."""
    return [row for row in counted(store) if row[2] and row[1] not in ("duplicate", "ignored")]


# --- Joining


def test_a_span_is_counted_at_once_and_classified_when_its_messages_come(here: World) -> None:
    here.send(call())
    assert here.tasks() == {"unclassified": 1}
    before = cells(here.store)["model"]
    here.send(asked("math"))
    assert here.tasks() == {"math": 1}
    assert cells(here.store)["model"] == before
    assert known(here.store) == [
        ("otlp", "accepted", 1),
        ("otlp", "classified", 1),
        ("otlp", "priced", 1),
        ("otlp", "with_model", 1),
        ("otlp", "with_tokens", 1),
    ]


def test_messages_may_come_first(here: World) -> None:
    here.send(asked("math"))
    assert here.tasks() == {}
    here.send(call())
    assert here.tasks() == {"math": 1}


def test_one_record_may_have_everything(here: World) -> None:
    here.send(call())
    here.send(details())
    assert here.tasks() == {"Translate good morning into French.": 1}


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_messages_may_come_in_pieces(here: World, encoding: Encoding) -> None:
    here.send(asked("debugging"), encoding=encoding)
    here.send(call({"gen_ai.response.finish_reasons": None}), encoding=encoding)
    assert here.tasks() == {"debugging": 1}
    here.send(asked("math", time=START + 5), encoding=encoding)
    choice = Record("gen_ai.choice", {"finish_reason": "tool_calls"}, time=START + 9)
    here.send(choice, asked("legal", time=START - 5), encoding=encoding)
    assert here.tasks() == {"math": 1}
    [model] = cells(here.store)["model"]
    assert model[3:6] == (1, "text", 1), "the tool that the reply called is counted"


def test_whatever_is_sent_again_changes_nothing(here: World) -> None:
    here.send(call())
    here.send(asked("math"))
    once = (cells(here.store), known(here.store))
    version = here.store.versions().data
    here.send(asked("math"))
    assert here.store.versions().data == version, "a record that is known is not even looked at again"
    again = here.send(call(), call())
    assert again.tally["duplicate"] == 2
    here.send(asked("math"))
    assert (cells(here.store), known(here.store)) == once


def test_after_a_crash_nothing_is_counted_twice_and_nothing_is_amended(here: World, store: Store) -> None:
    here.send(call())
    here.send(asked("math"))
    once = cells(store)
    restarted = world(store)
    restarted.send(asked("math"), asked("legal", time=START + 1))
    restarted.send(call())
    restarted.send(asked("debugging", time=START + 2))
    assert cells(store) == once


def test_after_a_crash_messages_that_came_before_are_gone_and_their_call_counts(store: Store) -> None:
    world(store).send(asked("math"))
    restarted = world(store)
    restarted.send(call())
    assert restarted.tasks() == {"unclassified": 1}


def test_messages_of_the_span_itself_are_not_replaced(here: World) -> None:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "legal"}]}])
    here.send(asked("math"))
    here.send(call({"gen_ai.input.messages": said}))
    size = here.window.size
    here.send(asked("debugging", time=START + 1))
    assert here.tasks() == {"legal": 1}
    assert here.window.size == size, "what cannot be used is not kept"


def test_a_failed_call_counts_when_a_record_says_that_it_was_answered(here: World) -> None:
    here.send(call({"gen_ai.usage.output_tokens": None, "gen_ai.response.finish_reasons": None}, failed=True))
    assert here.tasks() == {}
    here.send(asked("math"), Record("gen_ai.choice", {"finish_reason": "length"}))
    assert here.tasks() == {"math": 1}


def test_a_body_that_could_not_be_counted_is_counted_when_it_is_sent_again(
    here: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.send(call())
    monkeypatch.setattr(sql, "BUSY_MS", 10)
    with store.writing():
        with pytest.raises(Unavailable):
            here.send(asked("math"))
        with pytest.raises(Unavailable):
            here.send(call(id=OUTER))
    here.send(asked("math"))
    here.send(call(id=OUTER))
    assert here.tasks() == {"math": 1, "unclassified": 1}


def test_what_an_operator_said_of_a_name_meanwhile_holds(here: World, store: Store) -> None:
    here.send(call({"gen_ai.request.model": "house", "gen_ai.response.model": None}))
    with store.writing() as connection:
        registry.alias_model(connection, "house", "acme/house", "?house")
    here.send(asked("math"))
    assert [row[:5] for row in cells(store)["task"]] == [("2026-11-20", "math", "acme/house", "spelled", 1)]
    assert [row[1] for row in cells(store)["model"]] == ["acme/house"]


# --- The window


def test_what_comes_after_the_window_changes_nothing(here: World) -> None:
    here.send(call())
    here.send(asked("math", id=OUTER))
    here.now = SECONDS
    here.send(asked("math"))
    here.send(call(id=OUTER))
    assert here.tasks() == {"unclassified": 2}


def test_within_the_window_it_does(here: World) -> None:
    here.send(call())
    here.now = SECONDS - 0.001
    here.send(asked("math"))
    assert here.tasks() == {"math": 1}


def test_the_window_forgets_by_itself(here: World) -> None:
    for number in range(100):
        here.now += SECONDS / 10
        here.send(asked("math" * 100, id=f"{number + 1:016x}"))
    assert len(here.window) == 10
    assert here.window.size < 10 * 2048


def test_what_is_too_old_can_be_forgotten_when_nothing_comes(here: World) -> None:
    here.send(asked("math"))
    here.now = SECONDS - 1
    assert here.spans.forget()
    assert len(here.window) == 1
    here.now = SECONDS
    assert not here.spans.forget()
    assert (len(here.window), here.window.size) == (0, 0)


def ids(numbers: Sequence[int]) -> Iterator[str]:
    return (f"{number + 1:016x}" for number in numbers)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2000), st.integers(0, 400)), max_size=30), st.integers(1, 9000)
)
def test_the_window_never_holds_more_than_it_may(steps: list[tuple[int, int, int]], most: int) -> None:
    now = 0.0
    window = Window(SECONDS, most, lambda: now)
    for number, size, later in steps:
        now += later
        key = ("trace", str(number))
        piece = Told("trace", str(number), size.to_bytes(2), 0, size, Content(), whole=False)
        entry = window.find(key)
        assert now - entry.since < SECONDS
        window.keep({key: entry.with_told(piece)})
        entries = list(window._entries.values())
        assert window.size == sum(entry.size() for entry in entries) <= most
        assert all(now - entry.since < SECONDS for entry in entries)
        assert [entry.since for entry in entries] == sorted(entry.since for entry in entries)


def test_a_call_has_no_end_of_records(here: World) -> None:
    here.send(*(asked(str(number), time=START + number) for number in range(3000)))
    assert here.window.size < 3000 * 700
    here.send(call())
    assert here.tasks() == {"1999": 1}


def test_an_entry_takes_about_what_it_says(here: World) -> None:
    texts = [[asked(f"{number} " + "x" * 2000, id=name)] for number, name in enumerate(ids(range(300)))]
    here.send(*texts[0])
    tracemalloc.start()
    for told in texts[1:]:
        here.send(*told)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 < taken / here.window.size < 1.5


# --- Calls inside of calls


def outer(**changes: Any) -> Span:
    return call({"gen_ai.input.messages": None}, id=OUTER, **changes)


def inner(**changes: Any) -> Span:
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "math"}]}])
    return call({"gen_ai.input.messages": said}, parent=OUTER, **changes)


@pytest.mark.parametrize("bodies", [[[0, 1]], [[1, 0]], [[0], [1]], [[1], [0]], [[0], [1], [0], [1]], [[1], [0], [0]]])
def test_a_call_seen_from_further_out_is_the_same_call(here: World, bodies: list[list[int]]) -> None:
    for numbers in bodies:
        here.send(*([outer(), inner()][number] for number in numbers))
    assert here.tasks() == {"math": 1}
    assert total(here.store, "model", "requests") == 1
    assert known(here.store)[0] == ("otlp", "accepted", 1)


def test_of_a_chain_the_innermost_counts(here: World) -> None:
    middle = "a000000000000002"
    chain = [outer(), call(id=middle, parent=OUTER), inner(), call(id="b000000000000001", parent=middle)]
    for span in chain:
        here.send(span)
    assert total(here.store, "model", "requests") == 2


def test_spans_in_between_and_in_other_traces_are_no_calls_around(here: World) -> None:
    here.send(Span({}, id=OUTER), inner(), call(trace="c" * 32, id=OUTER))
    assert total(here.store, "model", "requests") == 2


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_a_call_of_another_kind_inside_is_another_call(here: World, order: list[int]) -> None:
    embedding = {"gen_ai.operation.name": "embeddings"}
    told = [
        call({"gen_ai.input.messages": None}, id=OUTER),
        call(embedding, parent=OUTER, id="b000000000000001"),
        call(embedding, parent="b000000000000001", id="b000000000000002"),
    ]
    for number in order:
        here.send(told[number])
    here.send(asked("math", id=OUTER))
    assert total(here.store, "model", "requests") == 2
    assert here.tasks()["math"] == 1


def test_a_span_that_names_no_other_as_its_parent_counts(here: World) -> None:
    here.send(call(id=OUTER, parent=OUTER), call(id=PARENT, parent="0" * 16))
    assert here.tasks() == {"unclassified": 2}
    assert len(here.window) == 2


def test_messages_of_a_call_around_are_of_no_use(here: World) -> None:
    here.send(inner())
    here.send(asked("legal", id=OUTER))
    here.send(outer())
    assert here.tasks() == {"math": 1}


# --- Any order


@st.composite
def traffic(draw: st.DrawFn) -> list[Span | Record]:
    """Draws calls: with messages on the span or in records, in one piece or several, nested or not, and noise."""
    told: list[Span | Record] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"{number + 1:016x}"
        how = draw(st.sampled_from(["span", "records", "details", "nothing"]))
        operation = draw(st.sampled_from(["chat", "chat", "chat", "embeddings"]))
        parent = draw(st.sampled_from(["", "", *ids(range(number))]))
        tags = draw(st.lists(st.sampled_from(["math", "legal", "debugging"]), min_size=1, max_size=3))
        said = (
            json.dumps([{"role": "user", "parts": [{"type": "text", "content": tags[0]}]}]) if how == "span" else None
        )
        finish = draw(st.sampled_from([None, ["stop"]]))
        changes: dict[str, Any] = {"gen_ai.operation.name": operation, "gen_ai.input.messages": said}
        changes |= {"gen_ai.response.finish_reasons": finish}
        told.append(call(changes, id=name, parent=parent, failed=draw(st.booleans())))
        if how == "records":
            told += [asked(tag, id=name, time=START + at) for at, tag in enumerate(tags)]
            if draw(st.booleans()):
                told.append(Record("gen_ai.choice", {"finish_reason": "tool_calls"}, id=name, time=START + 9))
        elif how == "details":
            told.append(replace(details(id=name), attributes={"gen_ai.input.messages": [{"content": tags[0]}]}))
    return [*told, Span({}, id="f" * 16), asked("math", id="e" * 16)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@given(
    told=traffic(), seed=st.integers(0, 2**32), parts=st.integers(1, 6), encoding=st.sampled_from(["protobuf", "json"])
)
def test_any_batches_order_and_repetition_give_the_same_cells(
    empty: Path, folder: Path, told: list[Span | Record], seed: int, parts: int, encoding: Encoding
) -> None:
    generator = Random(seed)  # noqa: S311
    shuffled = told + generator.choices(told, k=4)
    generator.shuffle(shuffled)
    bodies = [[one] for one in told], [shuffled[part::parts] for part in range(parts)]
    path = folder / "census.db"
    found = []
    for told_in, written_in in zip(bodies, ("json", encoding), strict=True):
        for left in folder.iterdir():
            left.unlink()
        shutil.copy(empty, path)
        found.append(after(path, told_in, written_in))
    assert found[0] == found[1]


def after(path: Path, bodies: list[list[Span | Record]], encoding: Encoding) -> object:
    """Returns what is in an empty store after bodies were sent to it."""
    with closing(Store(sql.connect(f"sqlite:///{path}", "NORMAL"), clock=lambda: NOW)) as store:
        here = world(store)
        for told in bodies:
            for kind in (Record, Span):
                if some := [one for one in told if isinstance(one, kind)]:
                    here.send(*some, encoding=encoding)
        return cells(store), known(store)


def test_threads_that_send_at_once_count_the_same(here: World) -> None:
    told: list[Span | Record] = [call(id=name) for name in ids(range(20))]
    told += [asked("math", id=name) for name in ids(range(20))]
    told *= 2
    Random(1).shuffle(told)  # noqa: S311

    def send(some: Sequence[Span | Record]) -> None:
        for one in some:
            here.send(one)

    threads = [threading.Thread(target=send, args=(told[number::8],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert here.tasks() == {"math": 20}


# --- Sources


def test_a_gateway_wired_to_two_callbacks_counts_once(here: World) -> None:
    logged = slp(startTime=START / 1e9 + 0.004, endTime=START / 1e9 + 1, prompt_tokens=31, completion_tokens=9)
    here.intake.take_body("litellm", json.dumps([logged]).encode(), "identity", 1 << 20)
    again = here.send(call({"litellm.call_id": "call-1"}))
    assert again.tally["duplicate"] == 1
    assert total(here.store, "model", "requests") == 1


def test_a_call_id_that_a_client_pinned_hides_no_other_request(here: World) -> None:
    pinned = [call({"litellm.call_id": "mine", "gen_ai.usage.input_tokens": n}, id=f"{n:016x}") for n in (1, 2, 3)]
    outcome = here.send(*pinned)
    assert (outcome.tally["accepted"], outcome.tally["id_collision"]) == (3, 2)


def test_a_sample_counts_for_those_that_were_not_sent(store: Store) -> None:
    here = world(store, weights={"openrouter": 10})
    here.send(call(OPENROUTER, resource={"service.name": "openrouter"}))
    here.send(call(id=OUTER))
    assert here.tasks() == {"math": 10, "unclassified": 1}
    assert total(store, "model", "tokens_prompt") == 11 * 31
    assert total(store, "app", "requests") == 10
    assert total(store, "session", "requests") == 1, "whole sessions are sampled, and have the turns that they have"
    assert store.tally()["accepted"] == 2


def test_bad_spans_are_refused_one_by_one(here: World) -> None:
    bad = [
        call({"gen_ai.usage.input_tokens": -1}, id="a" * 16),
        call(id="b" * 16, start=1),
        call(id="c" * 16, start=START * 2),
        call({"gen_ai.usage.output_tokens": "secret"}, id="d" * 16),
    ]
    outcome = here.send(call(), Span({}), *bad)
    assert outcome.rejected == 4
    assert outcome.tally.refused() == {"out_of_range": 1, "before_first_day": 1, "in_future": 1, "wrong_type": 1}
    assert (outcome.tally["accepted"], outcome.tally["ignored"]) == (1, 1)
    assert "4 of 6 spans were refused" in outcome.message
    assert "`tokens_prompt` is -1" in outcome.message
    assert "secret" not in outcome.message


def test_a_body_has_no_more_spans_than_one_transaction_may(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmcensus.spans.BODY_RECORDS", 2)
    with pytest.raises(TooLarge, match="3 spans"):
        here.send(*(call(id=name) for name in ids(range(3))))
