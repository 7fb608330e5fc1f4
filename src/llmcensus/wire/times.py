"""
When something was, as sources write it: seconds since 1970, or ISO 8601, which is UTC where it names no zone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from llmcensus.errors import DecodeError
from llmcensus.wire.problems import shown

Seconds = Annotated[float, Meta(ge=0)]


def of_seconds(seconds: float, field: str) -> datetime:
    """Returns the instant `seconds` after 1970 began; `field` is named where there is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise DecodeError("bad_time", f"`{field}` is {shown(seconds)}: expected seconds since 1970") from None


def of_text(text: str, field: str) -> datetime:
    """Returns the instant that `text` writes."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DecodeError("bad_time", f"`{field}` is {shown(text)}: expected ISO 8601 or seconds since 1970") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def of(value: float | str, field: str) -> datetime:
    return of_text(value, field) if isinstance(value, str) else of_seconds(value, field)


def between_ms(start: datetime | None, end: datetime | None) -> float | None:
    """Returns how long something took; None where that is not known, or cannot be."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds() * 1000
