"""
Records out of files that are no lines: a JSON array, or values that go over several lines, one after another.

A file is read in pieces; only the value that is being read is held. Where values begin and end is found for a whole
piece at once, by counting quotes and brackets: a bracket is one if the quotes before it are even in number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from llmcensus.errors import DecodeError
from llmcensus.wire import lines
from llmcensus.wire.lines import BOM, BROKEN, MAX_RECORD, Line, Readable

QUOTE, BACKSLASH = ord('"'), ord("\\")
# Turns a bracket that opens into 1, one that closes into -1, and all else into 0.
STEPS = bytes({"[": 1, "{": 1, "]": 255, "}": 255}.get(chr(byte), 0) for byte in range(256))
# What stands between values, and is none.
BETWEEN = re.compile(rb"[\s,\[\]]+")


class Values:
    """Cuts text into its values; one above `longest` bytes is passed over, and None in its place."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._in_text = False
        self._escaped = False
        self._depth = 0
        # How many brackets values stand in: one, if the outermost is an array.
        self._level: int | None = None
        self._within = False
        self._held = b""
        self._skipping = False

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        at = 0
        for position, opens in self._edges(piece):
            if opens:
                yield from self._loose(self._held + piece[at:position])
                self._held, self._within, at = b"", True, position
            else:
                whole = self._held + piece[at : position + 1]
                yield None if self._skipping or len(whole) > self._longest else whole
                self._held, self._within, self._skipping, at = b"", False, False, position + 1
        self._held += piece[at:]
        if len(self._held) > self._longest:
            self._skipping = self._within
            self._held = b""

    def rest(self) -> Iterator[bytes | None]:
        """Yields what was begun and did not end, and what stands behind the last value."""
        if self._within:
            yield None if self._skipping else self._held
        else:
            yield from self._loose(self._held)

    def _edges(self, piece: bytes) -> list[tuple[int, bool]]:
        """Returns where values begin (True) and end (False) in a piece, in order."""
        kinds = np.frombuffer(piece.translate(STEPS), np.int8)
        brackets = np.flatnonzero(kinds)
        quotes = self._quotes(np.frombuffer(piece, np.uint8))
        brackets = brackets[(np.searchsorted(quotes, brackets) + self._in_text) % 2 == 0]
        if self._level is None and len(brackets):
            self._level = int(piece[brackets[0]] == ord("["))
        steps = kinds[brackets]
        depths = self._depth + np.cumsum(steps, dtype=np.int64)
        level = self._level or 0
        edges = np.flatnonzero(np.where(steps > 0, depths == level + 1, depths == level))
        self._in_text ^= bool(len(quotes) % 2)
        self._depth = int(depths[-1]) if len(depths) else self._depth
        return list(zip(brackets[edges].tolist(), (steps[edges] > 0).tolist(), strict=True))

    def _quotes(self, text: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Returns where quotes are that begin or end a text: before others stands an odd number of backslashes."""
        quotes = np.flatnonzero(text == QUOTE)
        slashes = np.flatnonzero(text == BACKSLASH)
        # A backslash that ended the piece before stands right before this one.
        slashes = np.concatenate(([-1], slashes)) if self._escaped else slashes
        if not len(slashes):
            return quotes
        # Each backslash → how many stand in a row up to it.
        order = np.arange(len(slashes))
        breaks = np.concatenate(([True], np.diff(slashes) != 1))
        row = order - np.maximum.accumulate(np.where(breaks, order, 0)) + 1
        before = np.searchsorted(slashes, quotes) - 1
        escaped = (slashes[before] == quotes - 1) & (before >= 0) & (row[before] % 2 == 1)
        self._escaped = bool(slashes[-1] == len(text) - 1 and row[-1] % 2)
        found: NDArray[np.int64] = quotes[~escaped]
        return found

    def _loose(self, text: bytes) -> Iterator[bytes]:
        """Yields values that have no brackets: `null`, numbers, texts."""
        yield from (value for value in BETWEEN.split(text) if value)


def split_values(stream: Readable, longest: int = MAX_RECORD) -> Iterator[Line]:
    """Yields the values of `stream`, numbered from 1. A stream that breaks off ends with a problem."""
    for number, found in enumerate(_found(stream, Values(longest)), 1):
        if isinstance(found, bytes):
            yield Line(number, found)
        else:
            problem = found or DecodeError("too_long", f"a value above {longest >> 20} MiB")
            yield Line(number, b"", problem)


def _found(stream: Readable, values: Values) -> Iterator[bytes | DecodeError | None]:
    first = True
    try:
        while piece := stream.read(lines.CHUNK):
            yield from values.feed(piece.removeprefix(BOM) if first else piece)
            first = False
    except BROKEN as error:
        yield DecodeError("truncated_file", f"the file ends or breaks inside its compression: {error}")
        return
    yield from values.rest()
