"""
Records out of files and bodies, bounded in memory.

Files are plain, gzip (RFC 1952) or Zstandard (RFC 8878), told apart by their first bytes, never by their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import zstandard
from isal import igzip_lib, isal_zlib

from llmcensus.errors import DecodeError, InputError, TooLarge
from llmcensus.wire.problems import UNREADABLE

CHUNK = 1 << 20
# So much compressed data is expanded at once: gzip makes at most 1,032 bytes of one, Zstandard some 30,000.
GZIP_PIECE = 16 << 10
ZSTD_PIECE = 1 << 10
MAX_RECORD = 32 << 20
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
# A frame of anything, which may stand before those of the file.
SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
BOM = b"\xef\xbb\xbf"
# What decompressors raise on bytes that break off or were never theirs.
IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]  # its stub has an instance
BROKEN = (EOFError, OSError, IsalError, zstandard.ZstdError)


class Line(NamedTuple):
    """Line `number` (from 1) of a file: its bytes, or why there are none."""

    number: int
    data: bytes
    problem: DecodeError | None = None


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Decompressed:
    """
    The bytes of a file that is a chain of compressed frames.

    The libraries' own readers will not do: one takes a file that breaks off for its end, the other forgets the last
    megabyte that it could read.
    """

    def __init__(self, raw: Readable, piece: int, new_frame: Callable[[], Frame]) -> None:
        self._raw = raw
        self._piece = piece
        self._new_frame = new_frame
        self._frame = new_frame()
        self._rest = b""
        self._inside = False

    def read(self, _: int) -> bytes:
        """Returns some bytes, none at the end; how many depends on the compression."""
        while compressed := self._rest or self._raw.read(self._piece):
            self._rest = b""
            if self._frame.eof:
                # Some programs fill up with zeros after a frame.
                compressed = compressed.lstrip(b"\0")
                if not compressed:
                    continue
                self._frame = self._new_frame()
            text = self._frame.decompress(compressed)
            self._rest = self._frame.unused_data
            self._inside = not self._frame.eof
            if text:
                return text
        if self._inside:
            raise EOFError("it ends before its end mark")
        return b""


class Frame(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def gzip_frame() -> Frame:
    frame: Frame = isal_zlib.decompressobj(wbits=31)
    return frame


def zstd_frame() -> Frame:
    frame: Frame = zstandard.ZstdDecompressor().decompressobj()
    return frame


@dataclass
class Body:
    """An open file: `stream` gives decompressed bytes, `raw` knows how many compressed ones were read."""

    stream: Readable
    raw: BufferedReader

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()


def open_body(path: Path) -> Body:
    try:
        raw = path.open("rb")
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!a}: {error.strerror}") from error
    # Not read and rewound: a pipe has no way back.
    head = raw.peek(4)[:4]
    if head.startswith(GZIP):
        return Body(Decompressed(raw, GZIP_PIECE, gzip_frame), raw)
    if head == ZSTD or SKIPPABLE.match(head):
        return Body(Decompressed(raw, ZSTD_PIECE, zstd_frame), raw)
    return Body(raw, raw)


def read_lines(path: Path) -> Iterator[Line]:
    """Yields the lines of a file, as `split_lines` does, and closes it."""
    with open_body(path) as body:
        yield from split_lines(body.stream)


def split_lines(stream: Readable, longest: int = MAX_RECORD) -> Iterator[Line]:
    """
    Yields the lines of `stream` that are not blank. One above `longest` bytes is skipped, not held: its problem is
    yielded in its place. A stream that breaks off inside its compression ends with a problem, after all that could be
    read.
    """
    number, rest, skipping = 0, b"", False
    for chunk in _chunks(stream):
        if isinstance(chunk, DecodeError):
            yield Line(number + 1, b"", chunk)
            return
        first, *others = chunk.split(b"\n")
        rest = b"" if skipping else rest + first
        for data in others:
            number += 1
            if not skipping:
                yield from _line(number, rest, longest)
            rest, skipping = data, False
        if len(rest) > longest:
            yield from _line(number + 1, rest, longest)
            rest, skipping = b"", True
    if not skipping:
        yield from _line(number + 1, rest, longest)


def _line(number: int, data: bytes, longest: int) -> Iterator[Line]:
    if number == 1:
        data = data.removeprefix(BOM)
    if len(data) > longest:
        yield Line(number, b"", DecodeError("too_long", f"a line above {longest >> 20} MiB"))
    elif data and not data.isspace():
        yield Line(number, data)


def _chunks(stream: Readable) -> Iterator[bytes | DecodeError]:
    while True:
        try:
            chunk = stream.read(CHUNK)
        except BROKEN as error:
            yield DecodeError("truncated_file", f"the file ends or breaks inside its compression: {error}")
            return
        if not chunk:
            return
        yield chunk


def inflate(body: bytes, encoding: str, limit: int, grown: Callable[[int], None] = lambda _: None) -> bytes:
    """
    Returns a body without its content encoding. It stops at `limit` bytes: a bomb costs no more than that.

    `grown` is told on the way how many bytes there are, and may raise.
    """
    if encoding == "identity" and not body.startswith(GZIP):
        return body
    if encoding not in ("identity", "gzip"):
        raise InputError(f"Content-Encoding {encoding[:40]!r}: expected gzip or none")
    if not body.startswith(GZIP):
        raise InputError("The body is no gzip, as its Content-Encoding says")
    text = bytearray()
    while body:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        for piece in _inflated(member, body):
            if len(text) + len(piece) > limit:
                raise TooLarge(f"The body is above {limit >> 20} MiB after decompression")
            grown(len(text) + len(piece))
            text += piece
        if not member.eof:
            raise InputError("The body is cut off: its gzip stream does not end")
        body = member.unused_data.lstrip(b"\0")
    return bytes(text)


def _inflated(member: igzip_lib.IgzipDecompressor, body: bytes) -> Iterator[bytes]:
    try:
        yield member.decompress(body, CHUNK)
        while not (member.eof or member.needs_input):
            yield member.decompress(b"", CHUNK)
    except IsalError as error:
        raise InputError(f"The body is broken gzip: {error}") from None


class Envelope(msgspec.Struct):
    generations: list[msgspec.Raw] | None = None


def split_body(body: bytes) -> list[bytes]:
    """
    Returns the records of an HTTP body: a JSON array, `{"generations": […]}`, one object, or one object a line.

    Told apart by content, because senders label lines of JSON as JSON.
    """
    text = body.removeprefix(BOM).strip()
    try:
        if text.startswith(b"["):
            return [bytes(record) for record in msgspec.json.decode(text, type=list[msgspec.Raw])]
        if text.startswith(b"{"):
            records = msgspec.json.decode(text, type=Envelope).generations
            return [text] if records is None else [bytes(record) for record in records]
    except UNREADABLE:
        pass  # not one JSON value: lines, or nothing we know
    lines = [line for line in text.split(b"\n") if line and not line.isspace()]
    if not text.startswith(b"[") and any(line.lstrip().startswith(b"{") for line in lines):
        return lines
    raise InputError("Expected a JSON array of generations, an object with `generations`, or one object a line")
