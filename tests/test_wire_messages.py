"""Messages of any vendor's form become turns with calls and results; what has no form is None, and never an error."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.generation import Message, Part, ToolCall
from llmcensus.wire import messages

ANTHROPIC = [
    {"role": "user", "content": "fix a.py"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a.py"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x = 1"}]},
            {"type": "tool_result", "tool_use_id": "t2", "content": "y = 2", "is_error": False},
            {"type": "tool_result", "tool_use_id": "t3"},
            {"type": "text", "text": "go on"},
            {"type": "image", "source": {"type": "base64", "data": "aGk="}},
        ],
    },
]
RESPONSES = [
    {"role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
    {"type": "message", "role": "user", "content": "fix a.py"},
    {"type": "reasoning", "summary": [], "content": None},
    {"type": "function_call", "name": "read", "arguments": '{"path": "a.py"}', "call_id": "c"},
    {"type": "function_call_output", "call_id": "c", "output": "x = 1"},
]


def read(value: Any) -> list[Message] | None:
    return messages.read(msgspec.json.encode(value))[0]


def test_blocks_become_calls_and_results() -> None:
    assert read(ANTHROPIC) == [
        Message("user", "fix a.py"),
        Message("assistant", [Part("thinking"), Part("text", "I look.")], [ToolCall("Read", '{"path":"a.py"}')]),
        Message("tool", [Part("text", "x = 1")]),
        Message("tool", "y = 2"),
        Message("tool", None),
        Message("user", [Part("text", "go on"), Part("image")]),
    ]


def test_items_of_responses_become_turns() -> None:
    assert read(RESPONSES) == [
        Message("developer", [Part("input_text", "be brief")]),
        Message("user", "fix a.py"),
        Message("user", None),
        Message("assistant", None, [ToolCall("read", '{"path": "a.py"}')]),
        Message("tool", "x = 1"),
    ]


def test_a_word_in_a_text_is_no_form() -> None:
    said = [{"role": "user", "content": 'what is a "tool_use" block?'}]
    assert read(said) == [Message("user", 'what is a "tool_use" block?')]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ([], False),
        ([{"role": "user", "content": ""}], False),
        ([{"role": "user", "content": None}], False),
        ([{"role": "user", "content": "__REDACTED__"}], False),
        ([{"role": "user", "content": [{"type": "text", "text": "redacted-by-litellm"}]}], False),
        ([{"role": "user", "content": "redacted-by-litellm"}, {"role": "user", "content": "x"}], True),
        ([{"role": "user", "content": [{"type": "image_url"}]}], True),
        ([{"role": "assistant", "tool_calls": [{"name": "look"}]}], True),
    ],
)
def test_messages_that_say_nothing_are_unknown(said: Any, known: bool) -> None:
    assert (read(said) is not None) is known


NAMES = ["role", "content", "messages", "type", "tool_use", "tool_result", "input", "text"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
)


@given(values)
def test_any_value_is_read_or_none(value: Any) -> None:
    found, offered = messages.read(json.dumps(value).encode())
    assert found is None or all(isinstance(message, Message) for message in found)
    assert offered is None or isinstance(offered, list)


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"{", b"[", b"\xff", b'"\\ud800"', b"[" * 100_000, b'{"messages":' * 5000]
)
def test_no_bytes_are_an_error(raw: bytes) -> None:
    assert messages.read(raw) == (None, None)
    assert messages.tools(raw) is None
