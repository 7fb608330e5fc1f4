"""Every field of a native record may be unknown but four; what is wrong is refused with a reason and a message."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.errors import DecodeError
from llmcensus.generation import Part
from llmcensus.wire import detect, native
from tests.worlds import record


def decode(**changes: object) -> object:
    return native.decode(msgspec.json.encode(record(**changes)))


def refused(line: bytes) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        native.decode(line)
    return caught.value


def test_only_four_fields_are_needed() -> None:
    line = b'{"source":"s","id":"1","created_at":"2026-11-20T10:00:00Z","model":"m"}'
    generation = native.decode(line)
    assert (generation.tokens_prompt, generation.cost_usd, generation.messages, generation.public) == (None,) * 4


def test_unknown_fields_change_nothing() -> None:
    assert decode(of_the_future={"a": [1]}) == decode()


@pytest.mark.parametrize("content", ["hi", None, [{"type": "text", "text": "hi"}, {"type": "image_url"}, "loose"]])
def test_content_may_be_text_nothing_or_parts(content: object) -> None:
    generation = native.decode(msgspec.json.encode(record(messages=[{"role": "user", "content": content}])))
    assert generation.messages is not None
    assert generation.messages[0].text() in ("hi", "", "hi\n\nloose")


def test_parts_keep_their_kind() -> None:
    generation = native.decode(msgspec.json.encode(record(messages=[{"content": [{"type": "image_url"}]}])))
    assert generation.messages is not None
    assert generation.messages[0].content == [Part(type="image_url")]


@pytest.mark.parametrize(
    "call",
    [
        {"name": "look", "arguments": '{"at": 1}'},
        {"function": {"name": "look", "arguments": '{"at": 1}'}, "type": "function", "id": "c1"},
    ],
    ids=["short", "openai"],
)
def test_tool_calls_come_in_two_forms(call: object) -> None:
    generation = native.decode(msgspec.json.encode(record(messages=[{"role": "assistant", "tool_calls": [call]}])))
    assert generation.messages is not None
    assert generation.messages[0].tool_calls is not None
    [made] = generation.messages[0].tool_calls
    assert (made.called(), made.given()) == ("look", '{"at": 1}')


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"tokens_prompt": -1}, "out_of_range", "`tokens_prompt` is -1: expected `int` >= 0"),
        ({"tokens_prompt": 2**31}, "out_of_range", "is 2147483648: expected `int` <= 2147483647"),
        ({"tokens_prompt": "12"}, "wrong_type", "`tokens_prompt` is '12': expected `int | null`, got `str`"),
        ({"tokens_completion": 1.5}, "wrong_type", "`tokens_completion` is 1.5: expected"),
        ({"tokens_completion": [1]}, "wrong_type", "is a list: expected"),
        ({"public": "secret"}, "wrong_type", "is a text of 6 characters: expected"),
        ({"cost_usd": -0.1}, "out_of_range", "`cost_usd` is -0.1: expected"),
        ({"created_at": "yesterday"}, "bad_time", "is a text of 9 characters: expected a time with a zone, such as"),
        (
            {"created_at": "2026-11-20T10:00:00"},
            "bad_time",
            "`created_at` is '2026-11-20T10:00:00': expected a time with a zone",
        ),
        ({"created_at": 1795231743}, "bad_time", "`created_at` is 1795231743: expected a time"),
        ({"operation": "secret"}, "wrong_type", "`operation`: expected one of the values that it may have"),
        ({"id": ""}, "bad_name", "length >= 1"),
        ({"id": 7}, "wrong_type", "`id`: expected `str`, got `int`"),
        ({"model": "m" * 257}, "bad_name", "length <= 256"),
    ],
)
def test_a_bad_value_is_named(changes: dict[str, object], reason: str, says: str) -> None:
    error = refused(msgspec.json.encode(record(**changes)))
    assert error.reason == reason
    assert says in str(error)


@pytest.mark.parametrize("field", ["source", "id", "created_at", "model"])
def test_a_missing_field_is_named(field: str) -> None:
    error = refused(msgspec.json.encode(record(**{field: None})))
    assert (error.reason, f"`{field}`" in str(error)) == ("missing_field", True)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"",
        b"nonsense",
        b'{"cost_usd": NaN}',
        b'{"id": "\xff\xfe"}',
        b'{"id": "\\ud800"}',
        b'{"error": {"a": ' + b"[" * 100_000,
        b'{"id": "a\x01b"}',
    ],
    ids=["cut", "empty", "words", "nan", "latin-1", "lone surrogate", "deep", "control character"],
)
def test_what_is_no_json_is_refused(line: bytes) -> None:
    assert refused(line).reason == "bad_json"


@pytest.mark.parametrize("line", [b"[]", b"null", b"7", b'"text"'])
def test_json_that_is_no_object_is_refused(line: bytes) -> None:
    assert refused(line).reason == "wrong_type"


def test_a_wrong_type_before_bytes_that_are_no_text_is_refused() -> None:
    line = b'{"tokens_prompt":"1","source":"s","id":"1","created_at":"2026-11-20T10:00:00Z","model":"\xff"}'
    assert refused(line).reason in ("wrong_type", "bad_json")


@given(st.data())
def test_whatever_is_broken_it_is_a_refusal(data: st.DataObject) -> None:
    line = bytearray(msgspec.json.encode(record(error={"a": [1, "x"]}, tools=["t"])))
    for _ in range(data.draw(st.integers(1, 4))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DecodeError):
        native.decode(bytes(line))


@pytest.mark.parametrize(
    "line",
    [
        b'{"source":"s","id":"1","created_at":"2026-11-20T10:00:00Z","model":"m","messages":"the secret"}',
        b'{"source":"s","id":"1","created_at":"2026-11-20T10:00:00Z","model":"m","tokens_prompt":"'
        + b"secret " * 9
        + b'"}',
        b'{"source":"s","id":"1","created_at":"2026-11-20T10:00:00Z","model":"m","operation":"the secret"}',
        b'{"the secret": tru',
        b'{"id": "the secret \xff"}',
    ],
)
def test_a_refusal_never_quotes_text(line: bytes) -> None:
    error = refused(line)
    assert "secret" not in str(error)
    assert error.__cause__ is None


def test_a_native_record_is_recognised() -> None:
    found = detect(msgspec.json.encode(record()))
    assert found is not None
    assert found.name == "native"


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_what_is_not_ours_is_not_recognised(line: bytes) -> None:
    assert detect(line) is None
