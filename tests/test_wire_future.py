"""What sources will write one day, or should never have written, is no surprise: it changes nothing, or is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation
from llmcensus.wire import FORMATS, Format, detect
from tests.sources import CALLS, Record, batched, create, posted, row, slp, trace, trace_create, update
from tests.worlds import record

PAIR = {
    "request": {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream": False},
    "response": {"id": "c", "created": 1795168800, "model": "gpt-4o", "choices": [{"message": {"tool_calls": CALLS}}]},
    "headers": {"X-Title": "T"},
}
RECORDS: dict[str, tuple[str, Record]] = {
    "litellm": ("litellm", slp()),
    "langfuse create": ("langfuse", create()),
    "langfuse update": ("langfuse", update()),
    "langfuse post": ("langfuse", msgspec.json.decode(posted(trace_create(), create(), update()))),
    "langfuse row": ("langfuse", row()),
    "openrouter": ("openrouter", trace()),
    "openai": ("openai", PAIR),
    "openai-batch": ("openai-batch", batched()),
    "native": ("native", record(tools=["look"], error={"code": 1}, operation="chat")),
}
# Whose names are data: parts of a cost, names of tools, what an error says, a client's headers.
NAMED = frozenset({"cost_details", "tool_definitions", "error", "headers"})
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1e300,
    "the secret",
    ["the secret"],
    {"the secret": "the secret"},
    [[[]]],
    "",
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def decoded(wire: Format, value: Record) -> list[Generation | None]:
    return [wire.decode(one) for one in wire.unpack(msgspec.json.encode(value))]


def places(value: Any) -> Iterator[Record]:
    """Yields every object in a value whose names are those of its format."""
    if isinstance(value, dict):
        yield value
        for name, inner in value.items():
            if name not in NAMED:
                yield from places(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner)


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
def test_fields_of_the_future_change_nothing(name: str, data: st.DataObject) -> None:
    wire, now = FORMATS[RECORDS[name][0]], RECORDS[name][1]
    later = copy.deepcopy(now)
    for place in data.draw(st.lists(st.sampled_from(list(places(later))), min_size=1, max_size=4)):
        place[f"future_{data.draw(st.integers(0, 9))}"] = data.draw(values)
    assert detect(msgspec.json.encode(later)) == wire
    assert decoded(wire, later) == decoded(wire, now)


def outcomes(wire: Format, value: bytes) -> list[Generation | DecodeError | None]:
    """Returns what becomes of the records in a value; anything raised but a refusal is raised here, too."""
    found: list[Generation | DecodeError | None] = []
    try:
        for one in wire.unpack(value):
            try:
                found.append(wire.decode(one))
            except DecodeError as error:
                found.append(error)
    except DecodeError as error:
        found.append(error)
    return found


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
def test_a_hostile_value_anywhere_is_a_refusal_without_text_or_no_harm(name: str, data: st.DataObject) -> None:
    wire, now = FORMATS[RECORDS[name][0]], RECORDS[name][1]
    hostile = copy.deepcopy(now)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([one for one in places(hostile) if one]))
        place[data.draw(st.sampled_from(sorted(place)))] = copy.deepcopy(data.draw(st.sampled_from(HOSTILE)))
    for found in outcomes(wire, msgspec.json.encode(hostile)):
        if isinstance(found, DecodeError):
            assert "secret" not in str(found)
            assert found.__cause__ is None
        elif found is not None:
            assert 0 < len(found.id) <= 256
            assert 0 < len(found.model) <= 256


@pytest.mark.parametrize("name", RECORDS)
@given(data=st.data())
def test_bytes_that_are_broken_anywhere_are_a_refusal_or_no_harm(name: str, data: st.DataObject) -> None:
    text = bytearray(msgspec.json.encode(RECORDS[name][1]))
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    assert outcomes(FORMATS[RECORDS[name][0]], bytes(text))
