"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(milliseconds: int) -> str:
    """Returns a time of day, to the minute."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def day(milliseconds: int | None) -> str:
    """Returns a UTC day for milliseconds since 1970; nothing for None."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}" if milliseconds is not None else ""
