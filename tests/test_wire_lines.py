"""Lines come out of files whatever their compression, their length and their end; memory stays bounded."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.errors import InputError, TooLarge
from llmcensus.wire import lines
from llmcensus.wire.lines import inflate, read_lines, split_body, split_lines

RANDOM = random.Random(1)  # noqa: S311 - digits that stay long when they are compressed
TEXT = b"".join(b'{"n": %d}\n' % number for number in RANDOM.choices(range(1 << 60), k=20_000))


def read(path: Path) -> list[bytes]:
    return [line.data for line in read_lines(path)]


@pytest.mark.parametrize(
    "written",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT[:5000]) + gzip.compress(TEXT[5000:]),
        zstandard.compress(TEXT),
        zstandard.compress(TEXT[:5000]) + zstandard.compress(TEXT[5000:]),
        gzip.compress(TEXT) + bytes(100_000),
        b"\x52\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard.compress(TEXT),
    ],
    ids=["plain", "gzip", "two gzip members", "zstd", "two zstd frames", "gzip and zeros", "zstd after another"],
)
def test_compression_is_told_by_content(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "traffic.log"
    path.write_bytes(written)
    assert read(path) == TEXT.splitlines()


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path, compress: object) -> None:
    path = tmp_path / "cut"
    whole = gzip.compress(TEXT) if compress is gzip.compress else zstandard.compress(TEXT)
    path.write_bytes(whole[: len(whole) // 2])
    *good, last = read_lines(path)
    assert last.problem is not None
    assert last.problem.reason == "truncated_file"
    assert [line.data for line in good] == TEXT.splitlines()[: len(good)]
    assert len(good) > 1000


def test_a_line_too_long_is_passed_over() -> None:
    long = b"x" * (5 * lines.CHUNK)
    found = list(split_lines(io.BytesIO(b"one\n" + long + b"\nthree\n"), longest=2 * lines.CHUNK))
    assert [(line.number, line.data, line.problem and line.problem.reason) for line in found] == [
        (1, b"one", None),
        (2, b"", "too_long"),
        (3, b"three", None),
    ]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_a_line_too_long_is_passed_over_in_any_compression(
    tmp_path: Path, compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines.split_lines, "__defaults__", (1 << 20,))
    path = tmp_path / "long"
    path.write_bytes(compress(b"one\n" + b"x" * (300 << 20) + b"\nthree\n"))
    tracemalloc.start()
    found = [(line.number, line.data, line.problem and line.problem.reason) for line in read_lines(path)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(1, b"one", None), (2, b"", "too_long"), (3, b"three", None)]
    assert peak < 128 << 20


def test_a_mark_of_byte_order_is_not_part_of_a_line() -> None:
    assert [line.data for line in split_lines(io.BytesIO(b"\xef\xbb\xbfa\nb"))] == [b"a", b"b"]
    assert split_body(b'\xef\xbb\xbf{"a": 1}') == [b'{"a": 1}']


def test_the_last_line_needs_no_end() -> None:
    assert [line.data for line in split_lines(io.BytesIO(b"a\n\n  \nb"))] == [b"a", b"b"]


@given(st.lists(st.binary(max_size=30).filter(lambda data: b"\n" not in data), max_size=40), st.integers(1, 50))
def test_chunks_may_end_anywhere(texts: list[bytes], size: int) -> None:
    class Slow:
        stream = io.BytesIO(b"\n".join(texts))

        def read(self, _: int) -> bytes:
            return self.stream.read(size)

    found = [(line.number, line.data) for line in split_lines(Slow())]
    # A mark of byte order at the very beginning is not part of a line.
    whole = b"\n".join(texts).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert found == [(n, text) for n, text in enumerate(whole, 1) if text and not text.isspace()]


@pytest.mark.parametrize(
    ("body", "records"),
    [
        (b'[{"a": 1}, {"b": 2}]', [b'{"a": 1}', b'{"b": 2}']),
        (b'{"generations": [{"a": 1}]}', [b'{"a": 1}']),
        (b'{"a":\n 1}', [b'{"a":\n 1}']),
        (b'{"a": 1}\n\n{"b": 2}\n', [b'{"a": 1}', b'{"b": 2}']),
        (b'{"a": 1}\n{broken\n{"b": 2}', [b'{"a": 1}', b"{broken", b'{"b": 2}']),
        (b'nonsense\n{"b": 2}', [b"nonsense", b'{"b": 2}']),
        (b"[]", []),
    ],
    ids=["array", "envelope", "one object", "lines", "a broken line", "a broken first line", "nothing"],
)
def test_bodies_are_told_apart_by_content(body: bytes, records: list[bytes]) -> None:
    assert split_body(body) == records


@pytest.mark.parametrize("body", [b"", b"7", b"text", b"[{]", b"\xff"])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="Expected a JSON array"):
        split_body(body)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(b"0" * (64 << 20))
    with pytest.raises(TooLarge, match="1 MiB after decompression"):
        inflate(bomb, "gzip", 1 << 20)


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"no gzip", "no gzip"), (gzip.compress(TEXT)[:-9], "cut off"), (b"\x1f\x8b" + b"x" * 99, "broken")],
)
def test_a_broken_body_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        inflate(body, "gzip", 4 << 20)
