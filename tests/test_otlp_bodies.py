"""Protobuf and JSON tell the same; what is neither is refused whole, and no message quotes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.errors import DecodeError, InputError
from llmcensus.wire.otlp import generation, read_records, read_spans, told
from llmcensus.wire.otlp.bodies import mended
from tests.telemetry import START, TRACE, Record, Span, call, details, encode

ENCODINGS = ("protobuf", "json")
READERS: list[Callable[[bytes, Any], Any]] = [read_spans, read_records]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = words | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3))


@given(st.dictionaries(words, values, max_size=5), st.booleans())
def test_both_encodings_tell_the_same_of_a_span(attributes: dict[str, Any], failed: bool) -> None:
    span = Span(attributes, failed=failed, parent="00f067aa0ba902b7", resource={"service.name": "shop"})
    of_protobuf, of_json = (read_spans(encode([span], encoding), encoding) for encoding in ENCODINGS)  # type: ignore[arg-type]
    assert of_protobuf == of_json
    [read] = of_json
    assert read.attributes == attributes
    assert (read.trace_id, read.span_id, read.parent_id) == (TRACE, span.id, span.parent)
    assert (read.scope, read.start_ns, read.end_ns, read.failed) == ("tests", START, START + 1_500_000_000, failed)
    assert read.resource == {"service.name": "shop"}


@given(st.dictionaries(words, values, max_size=3), values)
def test_both_encodings_tell_the_same_of_a_record(attributes: dict[str, Any], said: Any) -> None:
    record = Record("gen_ai.choice", said, attributes)
    of_protobuf, of_json = (read_records(encode([record], encoding), encoding) for encoding in ENCODINGS)  # type: ignore[arg-type]
    assert of_protobuf == of_json
    [read] = of_json
    assert (read.name, read.time_ns, read.attributes, read.body) == ("gen_ai.choice", START, attributes, said)


def test_json_may_be_written_in_many_ways() -> None:
    whole = json.loads(encode([call()], "json"))
    [span] = whole["resourceSpans"][0]["scopeSpans"][0]["spans"]
    [usual] = read_spans(json.dumps(whole).encode(), "json")
    span |= {
        "traceId": TRACE.upper(),
        "startTimeUnixNano": START,
        "kind": "SPAN_KIND_CLIENT",
        "links": None,
        "events": [{"name": "x", "unknown": 1}],
        "aFieldOfTheFuture": {"deep": [1, None]},
        "attributes": [*span["attributes"], {"key": "n", "value": {"intValue": 7}}, {"key": "empty"}],
    }
    [read] = read_spans(json.dumps(whole).encode(), "json")
    assert read.attributes == usual.attributes | {"n": 7, "empty": None}
    assert (read.trace_id, read.start_ns) == (TRACE, START)


@pytest.mark.parametrize(
    ("status", "failed"),
    [({}, False), (None, False), ({"code": 2}, True), ({"code": "STATUS_CODE_ERROR"}, True), ({"code": 1}, False)],
)
def test_an_error_is_a_number_or_a_name(status: object, failed: bool) -> None:
    whole = json.loads(encode([call()], "json"))
    whole["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"] = status
    [read] = read_spans(json.dumps(whole).encode(), "json")
    assert read.failed is failed


@pytest.mark.parametrize("attribute", ["event.name", "event_name"])
def test_the_name_of_an_event_was_an_attribute_once(attribute: str) -> None:
    [read] = read_records(encode([Record("", None, {attribute: "gen_ai.choice"})], "json"), "json")
    assert read.name == "gen_ai.choice"


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("body", "encoding"), [(b"", "protobuf"), (b"{}", "json"), (b'{"other": 1}', "json")])
def test_a_body_may_hold_nothing(read: Callable[[bytes, Any], Any], body: bytes, encoding: str) -> None:
    assert read(body, encoding) == []


SECRET = b"canary-51c2"
BROKEN = [
    (b"{" + SECRET, "json"),
    (b'{"resourceSpans": "' + SECRET + b'", "resourceLogs": "' + SECRET + b'"}', "json"),
    (b"[" * 100_000 + SECRET, "json"),
    (b'{"resourceSpans": [{"scopeSpans": [{"scope": {"name": "\xff' + SECRET + b'"}}]}], "resourceLogs": [}', "json"),
    (b"", "json"),
    (b"\x0a\xff" + SECRET, "protobuf"),
    (b"\xff\xff\xff" + SECRET, "protobuf"),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(("body", "encoding"), BROKEN)
def test_a_broken_body_is_refused_without_a_word_of_it(
    read: Callable[[bytes, Any], Any], body: bytes, encoding: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(body, encoding)
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.__cause__ is None


@given(st.binary(max_size=200), st.sampled_from(ENCODINGS), st.sampled_from(READERS))
def test_any_bytes_are_read_or_refused(body: bytes, encoding: str, read: Callable[[bytes, Any], Any]) -> None:
    with suppress(InputError):
        assert isinstance(read(body, encoding), list)


@pytest.mark.parametrize("depth", [50, 200, 400, 700, 5_000])
def test_nesting_without_end_is_refused_or_read(depth: int) -> None:
    deep = '{"arrayValue": {"values": [' * depth + "]}}" * depth
    attribute = '{"key": "gen_ai.input.messages", "value": ' + deep + "}"
    body = encode([call()], "json").replace(b'"attributes": [{', f'"attributes": [{attribute}, {{'.encode())
    with suppress(InputError, DecodeError):
        [span] = read_spans(body, "json")
        generation(span)
    record = encode([details()], "json").replace(b'"attributes": [{', f'"attributes": [{attribute}, {{'.encode())
    with suppress(InputError):
        [read] = read_records(record, "json")
        told(read)


def test_half_of_a_character_costs_no_more_than_itself() -> None:
    body = encode([call({"note": "cut off: HALF"})], "json").replace(b"HALF", b"\\ud83d")
    [read] = read_spans(body, "json")
    assert read.attributes["note"] == "cut off: \ufffd"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ude00\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d\""', rb'"\\\ufffd\""'),
    ],
)
def test_only_halves_are_mended(text: bytes, whole: bytes) -> None:
    assert mended(text) == whole
    json.loads(mended(text)).encode()
