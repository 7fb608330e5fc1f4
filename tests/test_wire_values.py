"""Values come out of arrays and of files that spread them over lines, wherever the pieces are cut."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.wire.files import open_records, spread
from llmcensus.wire.values import split_values
from tests.worlds import encoded, record

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('ab"\\[]{},é\n'), max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('a"\\{'), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
objects = st.dictionaries(st.text(st.sampled_from('a"\\{'), max_size=3), values, max_size=3)


class Cut:
    """Gives a text in pieces of one size."""

    def __init__(self, text: str, size: int) -> None:
        self._stream = io.BytesIO(text.encode())
        self._size = size

    def read(self, _: int, /) -> bytes:
        return self._stream.read(self._size)


def split(text: str, size: int, **more: Any) -> list[Any]:
    return [
        json.loads(line.data) if line.problem is None else line.problem.reason
        for line in split_values(Cut(text, size), **more)
    ]


@given(st.lists(objects | st.none() | st.integers(), max_size=5), st.sampled_from([None, 1]), st.integers(1, 9))
def test_the_values_of_an_array_are_its_values(found: list[Any], indent: int | None, size: int) -> None:
    assert split(json.dumps(found, indent=indent, ensure_ascii=False), size) == found


@given(st.lists(objects, max_size=4), st.integers(1, 9))
def test_values_one_after_another_are_values(found: list[Any], size: int) -> None:
    assert split("\n".join(json.dumps(one, indent=2) for one in found), size) == found


def test_arrays_one_after_another_are_one() -> None:
    assert split('[{"a": 1}]\n[{"b": 2}, null]\n[]', 3) == [{"a": 1}, {"b": 2}, None]


def test_a_value_too_long_is_passed_over() -> None:
    text = json.dumps([{"a": 1}, {"b": ["x" * 20] * 20}, {"c": "y" * 500}, {"d": 4}])
    for size in (5, 50, 5000):
        assert split(text, size, longest=100) == [{"a": 1}, "too_long", "too_long", {"d": 4}]


def test_what_breaks_off_is_the_last_value(tmp_path: Path) -> None:
    assert [line.data for line in split_values(Cut('[{"a": 1}, {"b": ', 4))] == [b'{"a": 1}', b'{"b": ']
    path = tmp_path / "cut.json.gz"
    path.write_bytes(gzip.compress(json.dumps([{"n": n} for n in range(50_000)]).encode())[:-3000])
    with open_records(path) as body:
        *good, last = body.lines
    assert last.problem is not None
    assert last.problem.reason == "truncated_file"
    assert [json.loads(line.data) for line in good] == [{"n": n} for n in range(len(good))]
    assert len(good) > 1000


def test_memory_holds_one_value(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    with path.open("wb") as out:
        out.write(b"[")
        out.writelines(b'{"n": "%s"},' % (b"x" * 1000) for _ in range(100_000))
        out.write(b"{}]")
    tracemalloc.start()
    with open_records(path) as body:
        assert sum(1 for _ in body.lines) == 100_001
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (encoded(record()), False),
        (b"\n\n" + encoded(record()), False),
        (encoded(record()).strip(), False),
        (b"{broken\n" + encoded(record()), False),
        (b"{broken", False),
        (b"dear diary\n", False),
        (b"", False),
        (b"[" + encoded(record()) + b"]", True),
        (b"\xef\xbb\xbf [", True),
        (json.dumps(record(), indent=1).encode(), True),
        (b'{\n"a": 1}', True),
    ],
)
def test_how_a_file_is_written_is_told_from_its_beginning(text: bytes, said: bool) -> None:
    assert spread(text) is said


def test_what_was_looked_at_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(json.dumps([record(id="1")], indent=1).encode())
    with open_records(path) as body:
        assert [json.loads(line.data)["id"] for line in body.lines] == ["1"]
        assert body.position() == path.stat().st_size
    assert body.raw.closed
