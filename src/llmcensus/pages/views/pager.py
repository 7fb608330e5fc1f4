"""Lists that are longer than a page."""

from __future__ import annotations

from typing import NamedTuple

from llmcensus.errors import BadParameter
from llmcensus.pages.asked import Asked, Reading

PAGE = 100


class Pager(NamedTuple):
    """`before` and `after` are offsets of the pages around this one, or None where there are none."""

    reading: Reading
    before: int | None
    after: int | None


def paged(asked: Asked, name: str, furthest: int, **query: str | None) -> Pager:
    """Returns a page of a ranking, from the offset that the address has; `furthest` is the largest one."""
    text = asked.query.get("offset") or "0"
    if not (text.isascii() and text.isdigit() and int(text) <= furthest):
        raise BadParameter("offset", text, f"a whole number from 0 to {furthest}")
    offset = int(text)
    reading = asked.read(name, limit=PAGE, offset=offset or None, **query)
    full = len(reading.answer.data) == PAGE and offset + PAGE <= furthest
    return Pager(reading, max(0, offset - PAGE) if offset else None, offset + PAGE if full else None)
