"""
Files → records, whatever way they are written down: lines, JSON values that go over several lines, an array, Parquet.

Told apart by content. Nothing is held but the record that is being read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import msgspec

from llmcensus.errors import InputError
from llmcensus.wire import detect, lines
from llmcensus.wire.lines import BOM, BROKEN, Line, Readable, open_body, split_lines
from llmcensus.wire.parquet import MAGIC, Rows
from llmcensus.wire.problems import UNREADABLE
from llmcensus.wire.values import split_values

# Of a file that does not begin with a whole record, so many lines are looked at: its first may be broken.
LOOKED_AT = 20


@dataclass
class Records:
    """An open file. `position` is how many of its bytes were read."""

    lines: Iterator[Line]
    raw: BufferedReader
    position: Callable[[], int]

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()


class Peeked:
    """A stream whose first bytes can be looked at before they are read."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._broken: Exception | None = None
        self.head = b""
        try:
            self.head = stream.read(lines.CHUNK)
        except BROKEN as error:
            self._broken = error

    def read(self, size: int, /) -> bytes:
        if self._broken is not None:
            raise self._broken
        head, self.head = self.head, b""
        return head or self._stream.read(size)


def open_records(path: Path) -> Records:
    body = open_body(path)
    if body.raw.peek(len(MAGIC))[: len(MAGIC)] == MAGIC:
        return _of_rows(path, body.raw)
    stream = Peeked(body.stream)
    records = split_values(stream) if spread(stream.head) else split_lines(stream)
    return Records(records, body.raw, body.raw.tell)


def _of_rows(path: Path, raw: BufferedReader) -> Records:
    try:
        rows = Rows(path)
    except InputError:
        raw.close()
        raise
    size = path.stat().st_size
    return Records(rows.lines(), raw, lambda: int(size * rows.share))


def spread(head: bytes) -> bool:
    """Says whether the values of a file, judged by its first bytes, are not one a line."""
    text = head.removeprefix(BOM).lstrip()
    if text.startswith(b"["):
        return True
    first, *others = text.split(b"\n", LOOKED_AT)
    if not text.startswith(b"{") or not others or whole(first):
        return False
    return not any(detect(line) for line in others)


def whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except UNREADABLE:
        return False
    return True
