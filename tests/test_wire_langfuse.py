"""Events that a Langfuse SDK posts and rows that Langfuse exports become reports of the same generation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.generation import Message, Report
from llmcensus.wire import detect, langfuse
from tests.sources import CALLS, SAID, TOOLS, USAGE, Record, create, event, posted, row, trace_create, update

BEGAN = datetime(2026, 11, 20, 10, 0, 0, 250_000, UTC)
ENDED = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)


def decode(record: Record) -> Report:
    found = langfuse.decode(msgspec.json.encode(record))
    assert isinstance(found, Report)
    return found


def test_a_create_tells_what_was_sent() -> None:
    found = decode(create())
    assert (found.source, found.id, found.occasion) == ("langfuse", "obs-1", "")
    assert (found.created_at, found.model) == (BEGAN, "gpt-4o-mini")
    assert found.messages == [Message("user", SAID[0]["content"])]
    assert (found.tokens_prompt, found.cost_usd, found.session_id) == (None, None, None)
    assert (found.begins, found.ends) == (True, False)


def test_an_update_tells_what_came_back() -> None:
    found = decode(update())
    assert (found.created_at, found.model) == (ENDED, "gpt-4o-mini-2024-07-18")
    assert (found.tokens_prompt, found.tokens_completion) == (100, 20)
    assert (found.tokens_cached, found.tokens_reasoning) == (40, 5)
    assert (found.messages, found.begins, found.ends) == (None, False, True)


def test_a_generation_that_is_told_at_once_is_whole() -> None:
    found = decode(create(endTime="2026-11-20T10:00:01Z", usage={"input": 7, "output": 3}))
    assert (found.begins, found.ends, found.latency_ms) == (True, True, 750)
    assert (found.tokens_prompt, found.tokens_completion) == (7, 3)


def test_a_first_token_is_no_end() -> None:
    body = {"id": "obs-1", "completionStartTime": "2026-11-20T10:00:00.500Z"}
    found = decode(event("generation-update", body))
    assert (found.begins, found.ends, found.streamed) == (False, False, True)
    assert found.created_at == datetime(2026, 11, 20, 10, 0, 2, tzinfo=UTC)
    assert found.model == "unknown"


def test_a_post_is_its_events_with_the_session_of_their_trace() -> None:
    records = langfuse.unpack(
        posted(trace_create(), create(), update(traceId="trace-2"), event("span-create", {"id": "x"}))
    )
    found = [langfuse.decode(record) for record in records]
    assert [one and (one.id, one.session_id) for one in found] == [None, ("obs-1", "talk-1"), ("obs-1", None), None]
    assert [langfuse.label(record) for record in records] == [
        "trace-create-trace-1",
        "generation-create-obs-1",
        "generation-update-obs-1",
        "span-create-x",
    ]


def test_a_post_with_a_broken_event_keeps_the_others() -> None:
    records = langfuse.unpack(msgspec.json.encode({"batch": [7, create(model=7), create()]}))
    assert len(records) == 3
    for record in records[:2]:
        with pytest.raises(DecodeError):
            langfuse.decode(record)
    assert langfuse.decode(records[2]) is not None


@pytest.mark.parametrize(
    ("kind", "body", "operation"),
    [
        ("generation-create", {}, "chat"),
        ("embedding-create", {}, "embeddings"),
        ("observation-create", {"type": "GENERATION"}, "chat"),
        ("observation-update", {"type": "EMBEDDING"}, "embeddings"),
    ],
)
def test_generations_and_embeddings_are_requests(kind: str, body: Record, operation: str) -> None:
    found = decode(event(kind, create()["body"] | body))
    assert found.operation == operation
    assert (found.messages is None) == (operation == "embeddings")


@pytest.mark.parametrize(
    "record",
    [
        trace_create(),
        event("span-create", {"id": "s", "input": SAID, "level": 5}),
        event("score-create", {"id": "s", "value": 1, "observationId": "obs-1"}),
        event("sdk-log", {"log": "x"}),
        event("observation-create", {"id": "s", "type": "SPAN"}),
        row(type="SPAN"),
        row(type="TOOL"),
        {"id": "trace-1", "timestamp": "2026-11-20 10:00:00.0", "project_id": "p", "session_id": "s", "user_id": "u"},
        {"id": "s", "timestamp": "2026-11-20 10:00:00.0", "project_id": "p", "trace_id": "t", "value": 1, "name": "n"},
    ],
)
def test_what_is_no_request_is_ignored(record: Record) -> None:
    found = detect(msgspec.json.encode(record))
    assert found is not None
    assert found.name == "langfuse"
    assert langfuse.decode(msgspec.json.encode(record)) is None


def test_an_exported_row_is_a_whole_request() -> None:
    found = decode(row())
    assert (found.id, found.created_at, found.model) == ("obs-1", BEGAN, "gpt-4o-mini")
    assert (found.tokens_prompt, found.tokens_completion) == (100, 20)
    assert (found.tokens_cached, found.tokens_reasoning) == (40, 5)
    assert (found.cost_usd, found.latency_ms, found.session_id) == (0.0015, 750, "talk-1")
    assert found.messages == [Message("user", SAID[0]["content"])]
    assert (found.tools, found.streamed, found.error, found.finish_reason) == (["lookup"], False, None, None)
    assert (found.begins, found.ends, found.public) == (True, True, None)


def test_a_row_of_before_has_no_session() -> None:
    old = {name: value for name, value in row().items() if name not in ("session_id", "user_id", "public")}
    assert decode(old).session_id is None
    assert decode(row(session_id="")).session_id is None


def test_a_row_that_has_not_ended_waits() -> None:
    found = decode(row(end_time=None, usage_details={}, cost_details={}, total_cost=None))
    assert (found.begins, found.ends, found.tokens_prompt) == (True, False, None)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (USAGE, (100, 20, 40, 5)),
        ({"input": 60, "input_cached_tokens": 40, "output": 15, "output_reasoning_tokens": 5}, (100, 20, 40, 5)),
        (
            {"input_tokens": 50, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 10, "output_tokens": 20},
            (100, 20, 40, None),
        ),
        ({"input": 70, "input_cache_read": 30, "output": 20, "total": 120}, (100, 20, 30, None)),
        ({"promptTokens": 100, "completionTokens": 20}, (100, 20, None, None)),
        ({"input": "100", "output": 20.0}, (100, 20, None, None)),
        ('{"input": 100, "output": 20}', (100, 20, None, None)),
        ({"total": 120}, (None, None, None, None)),
        ({"input": 100, "output": 20, "unit": "CHARACTERS"}, (None, None, None, None)),
        ({}, (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_counts_of_every_kind_add_up(usage: Any, counts: tuple[int | None, ...]) -> None:
    found = decode(row(usage_details=usage))
    assert (found.tokens_prompt, found.tokens_completion, found.tokens_cached, found.tokens_reasoning) == counts


@pytest.mark.parametrize(
    ("details", "total", "cost"),
    [
        ({"total": 0.5, "input": 0.25}, 0.5, 0.5),
        ({"input": 0.25, "output": 0.5}, None, 0.75),
        ({}, 0.5, 0.5),
        ({}, "0.5", 0.5),
        ({}, 0, None),
        (None, None, None),
        ({"total": 0}, 0, 0.0),
    ],
)
def test_a_cost_of_zero_needs_details(details: Any, total: Any, cost: float | None) -> None:
    assert decode(row(cost_details=details, total_cost=total)).cost_usd == cost


def test_a_total_cost_of_an_event_is_its_cost() -> None:
    assert decode(update(usage={"input": 1, "output": 1, "totalCost": 0.5})).cost_usd == 0.5
    assert decode(update(costDetails={"total": 0.25})).cost_usd == 0.25


@pytest.mark.parametrize(
    ("sent", "said", "offered"),
    [
        (SAID, [SAID[0]["content"]], None),
        ({"messages": SAID, "tools": TOOLS}, [SAID[0]["content"]], ["lookup"]),
        (SAID[0], [SAID[0]["content"]], None),
        ("say hello", ["say hello"], None),
        (msgspec.json.encode(SAID).decode(), [SAID[0]["content"]], None),
        ("[not json", ["[not json"], None),
        ({"question": "?"}, None, None),
        ("<truncated due to size exceeding limit>", None, None),
        ("<fully masked due to failed mask function>", None, None),
        ("", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_what_was_sent_comes_in_many_forms(sent: Any, said: list[str] | None, offered: list[str] | None) -> None:
    found = decode(create(input=sent))
    assert (None if found.messages is None else [message.text() for message in found.messages]) == said
    names = None if found.tools is None else [tool if isinstance(tool, str) else tool.offered() for tool in found.tools]
    assert names == offered


@pytest.mark.parametrize(
    ("changes", "finish"),
    [
        ({"output": {"role": "assistant", "tool_calls": CALLS}}, "tool_calls"),
        ({"output": [{"role": "assistant", "tool_calls": CALLS}]}, "tool_calls"),
        ({"output": msgspec.json.encode({"tool_calls": CALLS}).decode()}, "tool_calls"),
        ({"output": {"content": [{"type": "tool_use", "name": "lookup", "input": {}}]}}, "tool_calls"),
        ({"output": {"role": "assistant", "tool_calls": []}}, None),
        ({"output": "one speaks of tool_calls here"}, None),
        ({"output": None}, None),
    ],
)
def test_a_reply_that_calls_tools_says_so(changes: Record, finish: str | None) -> None:
    assert decode(update(**changes)).finish_reason == finish
    assert decode(row(**changes)).finish_reason == finish


def test_names_of_called_tools_say_so_too() -> None:
    assert decode(row(tool_call_names=["lookup"], output="")).finish_reason == "tool_calls"


def test_an_error_is_told_without_its_text() -> None:
    assert decode(update(level="ERROR", statusMessage="the secret")).error == "error"
    assert decode(row(level="ERROR", status_message="the secret")).error == "error"


@pytest.mark.parametrize(
    ("record", "reason", "says"),
    [
        (create(id=None), "missing_field", "`body.id`"),
        (row(id=""), "missing_field", "`id`"),
        (create(id="the secret" * 30), "bad_name", "`id`"),
        (create(model=["the secret"]), "wrong_type", "`model`"),
        (row(provided_model_name="the secret" * 30), "bad_name", "`provided_model_name`"),
        (create(startTime="the secret"), "bad_time", "`body.startTime` is a text of 10 characters"),
        (row(start_time=None), "missing_field", "`start_time`"),
        (row(start_time="2026-13-01"), "bad_time", "`start_time` is '2026-13-01'"),
        (event("generation-update", {"id": "x"}) | {"timestamp": None}, "missing_field", "`timestamp`"),
        (update(usageDetails={"input": -1}), "out_of_range", "a count of tokens is -1"),
        (update(usageDetails={"input_the secret": "the secret"}), "wrong_type", "is a text of 10 characters"),
        (row(usage_details={"input": 1.5}), "wrong_type", "a count of tokens is 1.5"),
        (row(usage_details="the secret"), "bad_json", "not JSON"),
        (row(cost_details={"total": -1}), "out_of_range", "a cost is -1"),
        (row(cost_details={"total": "the secret"}), "wrong_type", "a cost is a text of 10 characters"),
        (row(cost_details={"total": 1e300}), "out_of_range", "a cost is 1e+300"),
    ],
)
def test_a_hostile_value_is_refused_by_name(record: Record, reason: str, says: str) -> None:
    with pytest.raises(DecodeError) as caught:
        langfuse.decode(msgspec.json.encode(record))
    assert caught.value.reason == reason
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "record", [b"{", b"[]", b"7", b'"the secret"', b'{"the secret": tru', b'{"id": "the secret \xff"}']
)
def test_what_is_no_event_is_refused(record: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        langfuse.decode(record)
    assert "secret" not in str(caught.value)


def test_a_post_that_is_broken_is_refused_as_one() -> None:
    with pytest.raises(DecodeError):
        langfuse.unpack(b'{"batch": [{"id": "the secret"')


@pytest.mark.parametrize("record", [posted(create()), msgspec.json.encode(create()), msgspec.json.encode(row())])
def test_posts_events_and_rows_are_recognised(record: bytes) -> None:
    found = detect(record)
    assert found is not None
    assert found.name == "langfuse"
