"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(milliseconds: int) -> str:
    """Returns a time of day, to the minute."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def ago(milliseconds: int) -> str:
    """Returns a time that passed, in the unit that suits it."""
    seconds = max(milliseconds, 0) / 1000
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"


def day(milliseconds: int | None) -> str:
    """Returns a UTC day for milliseconds since 1970; nothing for None."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d}" if milliseconds is not None else ""
