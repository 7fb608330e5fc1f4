"""One conversation in all the forms that programs write it in, on spans and in log records, is one conversation."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.generation import Message, Part
from llmcensus.wire import otlp
from llmcensus.wire.otlp import Content, Told
from llmcensus.wire.otlp.messages import conversation, flat_conversation, known, offered
from tests.telemetry import ASKED, START, Record, asked, details, encode

CITY = {"city": "Oslo"}
OTEL: list[dict[str, Any]] = [
    {"role": "system", "parts": [{"type": "text", "content": "Be terse."}]},
    {"role": "user", "parts": [{"type": "text", "content": "Weather?"}, {"type": "blob", "modality": "image"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "look_up", "arguments": CITY}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "7C, rain"}]},
]
OPENAI: list[dict[str, Any]] = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "image_url", "image_url": {}}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look_up", "arguments": CITY}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "7C, rain"},
]
ANTHROPIC = [
    {"role": "system", "content": [{"type": "text", "text": "Be terse."}]},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "image", "source": {}}]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hidden"},
            {"type": "tool_use", "id": "c", "name": "look_up", "input": CITY},
        ],
    },
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "7C, rain"}]}],
    },
]
VERCEL = [
    {"role": "system", "content": "Be terse."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}, {"type": "file", "mediaType": "image/png"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "hidden"},
            {"type": "tool-call", "toolCallId": "c", "toolName": "look_up", "input": CITY},
        ],
    },
    {
        "role": "tool",
        "content": [{"type": "tool-result", "toolName": "look_up", "output": {"type": "text", "value": "7C, rain"}}],
    },
]
# LiteLLM's older callback has texts as parts, and calls as OpenAI has them.
MIXED: list[dict[str, Any]] = [
    OTEL[0],
    OTEL[1],
    {**OPENAI[2], "parts": []},
    {"role": "tool", "parts": [{"type": "text", "content": "7C, rain"}]},
]
FORMS = {"otel": OTEL, "openai": OPENAI, "anthropic": ANTHROPIC, "vercel": VERCEL, "mixed": MIXED}


def shown(messages: list[Message] | None) -> list[tuple[str, str, list[tuple[str, str]]]]:
    assert messages is not None
    return [
        (message.role, message.text(), [(call.called(), call.given()) for call in message.tool_calls or ()])
        for message in messages
    ]


EXPECTED = [
    ("system", "Be terse.", []),
    ("user", "Weather?\n", []),
    ("assistant", "", [("look_up", str(CITY))]),
    ("tool", "7C, rain", []),
]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("as_json", [True, False])
def test_every_form_is_the_same_conversation(name: str, as_json: bool) -> None:
    messages = conversation(json.dumps(FORMS[name]) if as_json else FORMS[name])
    assert shown(messages) == EXPECTED
    assert messages is not None
    assert messages[1].content == [Part(text="Weather?"), Part(type="image")]


@pytest.mark.parametrize(
    "attributes",
    [
        {
            "p.0.role": "system",
            "p.0.content": "Be terse.",
            "p.1.role": "user",
            "p.1.content": '[{"type": "text", "text": "Weather?"}, {"type": "image_url", "image_url": {}}]',
            "p.2.role": "assistant",
            "p.2.tool_calls.0.name": "look_up",
            "p.2.tool_calls.0.arguments": str(CITY),
            "p.10.role": "tool",
            "p.10.content": "7C, rain",
        },
        {
            "p.0.message.role": "system",
            "p.0.message.content": "Be terse.",
            "p.1.message.role": "user",
            "p.1.message.contents.0.message_content.type": "text",
            "p.1.message.contents.0.message_content.text": "Weather?",
            "p.1.message.contents.1.message_content.type": "image",
            "p.1.message.contents.1.message_content.image.image.url": "data:…",
            "p.2.message.role": "assistant",
            "p.2.message.tool_calls.0.tool_call.function.name": "look_up",
            "p.2.message.tool_calls.0.tool_call.function.arguments": str(CITY),
            "p.10.message.role": "tool",
            "p.10.message.content": "7C, rain",
        },
    ],
    ids=["openllmetry", "openinference"],
)
def test_flat_attributes_are_the_same_conversation(attributes: dict[str, Any]) -> None:
    backwards = dict(reversed(attributes.items()))
    assert shown(flat_conversation(backwards, "p")) == EXPECTED


@pytest.mark.parametrize(
    "attributes",
    [{"p": "text"}, {"p.x.role": "user"}, {"p." + "9" * 5000 + ".content": "x"}, {"p.0": "x"}, {"p.0.content": 7}],
)
def test_attributes_that_only_look_flat_are_no_conversation(attributes: dict[str, Any]) -> None:
    assert flat_conversation(attributes, "p") is None


def test_a_flat_attribute_below_another_one_is_left_out() -> None:
    odd = {"p.0.content": "said", "p.0.content.0.text": "lost", "p.0.role": "user"}
    assert shown(flat_conversation(odd, "p")) == [("user", "said", [])]


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "name": "look_up"}],
        [{"type": "function", "function": {"name": "look_up"}}],
        ['{"type": "function", "name": "look_up"}'],
        '[{"name": "look_up", "input_schema": {}}]',
        [{"name": "look_up"}, {"name": None}, "nothing", 7],
    ],
)
def test_tools_are_known_by_name(tools: Any) -> None:
    assert offered(tools) == ["look_up"]


@pytest.mark.parametrize("said", [None, "", " ", "redacted-by-litellm", "__REDACTED__"])
def test_a_conversation_without_a_word_is_unknown(said: str | None) -> None:
    assert known([Message(content=said), Message(role="assistant", content=[Part(text=said)])]) is None


def test_an_image_says_something() -> None:
    assert known([Message(content=[Part(type="image")])]) is not None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "text", "tool_calls", "function", "name", "output"]),
            inner | st.sampled_from(["text", "tool_call", "tool_result", "image", "user"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_whatever_was_said_becomes_messages_or_nothing(value: Any) -> None:
    messages = conversation(value)
    assert messages is None or all(isinstance(message.text(), str) for message in messages)


# --- Log records

TURNS = [
    Record("gen_ai.system.message", {"content": "Be terse."}, time=START),
    Record("gen_ai.user.message", {"content": OPENAI[1]["content"]}, time=START + 1),
    Record("gen_ai.assistant.message", {"tool_calls": OPENAI[2]["tool_calls"]}, time=START + 2),
    Record("gen_ai.tool.message", {"id": "c", "content": "7C, rain"}, time=START + 3),
    Record("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}, time=START + 4),
]


def told(*records: Record) -> list[Told]:
    found = map(otlp.told, otlp.read_records(encode(records, "json"), "json"))
    return [piece for piece in found if piece is not None]


def test_records_in_any_order_are_one_conversation() -> None:
    for order in itertools.permutations(TURNS):
        content = otlp.joined(told(*order))
        assert shown(content.messages) == EXPECTED
        assert content.finish_reason == "stop"


def test_litellms_records_have_the_role_inside() -> None:
    records = [
        Record("gen_ai.content.prompt", {"role": "system", "content": "Be terse."}),
        Record("gen_ai.content.prompt", {"role": "user", "content": "Weather?"}, time=START + 1),
        Record("gen_ai.content.completion", {"finish_reason": "tool_calls", "message": {}}, time=START + 2),
    ]
    content = otlp.joined(told(*records))
    assert shown(content.messages) == [("system", "Be terse.", []), ("user", "Weather?", [])]
    assert content.finish_reason == "tool_calls"


def test_one_record_with_everything_is_a_conversation() -> None:
    [piece] = told(details())
    assert shown(otlp.joined([piece]).messages) == [("user", "Translate good morning into French.", [])]
    assert otlp.joined([*told(*TURNS), piece]).messages == piece.content.messages


@pytest.mark.parametrize("said", [None, {}, {"content": ""}, {"content": "__REDACTED__"}, "", 7])
def test_records_without_content_leave_it_unknown(said: Any) -> None:
    content = otlp.joined(told(Record("gen_ai.user.message", said), TURNS[-1]))
    assert content == Content(None, None, "stop")


def test_a_record_is_known_by_what_it_says() -> None:
    [one], [again], [other] = told(asked("a")), told(asked("a")), told(asked("b"))
    assert one.digest == again.digest != other.digest
    assert len("a") < one.size < 2048


@pytest.mark.parametrize(
    "record",
    [
        Record("http.server.request", "text"),
        Record("gen_ai.client.operation.exception", None, {"exception.message": "text"}),
        asked(trace=""),
        asked(id=""),
        Record("", None),
    ],
)
def test_other_records_tell_of_no_call(record: Record) -> None:
    assert told(record) == []


def test_a_system_prompt_may_be_apart() -> None:
    attributes = {
        "gen_ai.system_instructions": [{"type": "text", "content": "Be terse."}],
        "gen_ai.input.messages": ASKED,
    }
    [piece] = told(Record("gen_ai.client.inference.operation.details", None, attributes))
    assert [role for role, *_ in shown(piece.content.messages)] == ["system", "user"]
