"""Cells add up: merging is adding, unknown adds nothing, excluded events are nowhere."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from llmcensus.apps import App
from llmcensus.cells import MEASURES, Cube, fold, merge
from llmcensus.event import Event

APP = App(7, "https://a.example", None, ())

events = st.builds(
    Event,
    key=st.just(b"k"),
    fingerprint=st.just(b"f"),
    source=st.just("s"),
    date=st.sampled_from(["2026-01-01", "2026-01-02"]),
    created_ms=st.just(0),
    permaslug=st.sampled_from(["a/b", "?c"]),
    tag=st.sampled_from(["math", "other"]),
    classifier=st.sampled_from(["v1", "v2"]),
    context_bucket=st.sampled_from(["1K", "unknown"]),
    tools=st.integers(0, 1),
    modality=st.just("text"),
    app=st.sampled_from([None, APP]),
    session=st.sampled_from([None, b"s"]),
    tokens_prompt=st.none() | st.integers(0, 2**31 - 1),
    tokens_completion=st.none() | st.integers(0, 2**31 - 1),
    cost_nanousd=st.none() | st.integers(0, 10**15),
    priced=st.booleans(),
    excluded=st.sampled_from([None, None, "private", "error"]),
    operation=st.sampled_from(["chat", "chat", "embeddings"]),
)


def counted(found: list[Event]) -> list[Event]:
    """Returns the events that are in datasets: an embedding without tokens says nothing."""
    return [event for event in found if event.excluded is None and (event.operation == "chat" or event.has_usage)]


@given(st.lists(events), st.lists(events))
def test_merging_is_folding_together(left: list[Event], right: list[Event]) -> None:
    assert merge(fold(left), fold(right)) == fold(left + right)


@given(st.lists(events))
def test_each_counted_request_is_in_one_cell_of_the_model_cube_and_chats_of_the_task_cube(found: list[Event]) -> None:
    chats = [event for event in counted(found) if event.operation == "chat"]
    cubes: dict[Cube, list[Event]] = {"model": counted(found), "task": chats}
    for cube, expected in cubes.items():
        sums = [sum(column) for column in zip(*fold(found)[cube].values(), strict=True)] or [0] * len(MEASURES)
        assert sums == [
            len(expected),
            sum(event.tokens_prompt is not None and event.tokens_completion is not None for event in expected),
            sum(event.tokens_prompt or 0 for event in expected),
            sum(event.tokens_completion or 0 for event in expected),
            sum(event.cost_nanousd or 0 for event in expected),
            sum(event.cost_nanousd is not None for event in expected),
        ]


@given(st.lists(events), st.lists(events))
def test_what_is_taken_back_was_never_there(stays: list[Event], goes: list[Event]) -> None:
    assert fold(stays + goes, goes) == fold(stays)


@given(st.lists(events), st.lists(events))
def test_what_is_taken_back_later_leaves_nothing(stays: list[Event], goes: list[Event]) -> None:
    found = merge(fold(stays + goes), fold([], goes))
    left = {cube: {key: sums for key, sums in cells.items() if any(sums)} for cube, cells in found.items()}
    assert left == fold(stays)


@given(events, st.integers(1, 10_000))
def test_a_sample_counts_for_the_others_but_in_sessions(event: Event, weight: int) -> None:
    one, many = fold([event]), fold([structs.replace(event, weight=weight)])
    for cube, cells in one.items():
        times = 1 if cube == "session" else weight
        assert many[cube] == {key: tuple(times * number for number in sums) for key, sums in cells.items()}


@given(st.lists(events))
def test_what_a_classifier_made_stays_apart(found: list[Event]) -> None:
    versions = {key[3] for key in fold(found)["task"]}
    assert versions == {event.classifier for event in counted(found) if event.operation == "chat"}


@given(st.lists(events))
def test_only_requests_of_apps_are_in_app_and_session_cells(found: list[Event]) -> None:
    of_apps = [event for event in counted(found) if event.app]
    assert sum(cell[0] for cell in fold(found)["app"].values()) == len(of_apps)
    in_sessions = [event for event in of_apps if event.session is not None and event.operation == "chat"]
    assert sum(cell[0] for cell in fold(found)["session"].values()) == len(in_sessions)
