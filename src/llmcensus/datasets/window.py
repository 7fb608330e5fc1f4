"""
The days a dataset covers. Days are UTC, both ends are in it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from llmcensus.datasets.census import Census
from llmcensus.errors import BadParameter

LONGEST = timedelta(days=366)
DEFAULT_DAYS = 30
DAY = timedelta(days=1)


class Window(NamedTuple):
    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    def before(self, periods: int) -> Window:
        """Returns the given number of periods of this length, right before this one."""
        return Window(self.start - self.days * periods * DAY, self.start - DAY)

    def texts(self) -> tuple[str, str]:
        return self.start.isoformat(), self.end.isoformat()


def resolve(start: date | None, end: date | None, census: Census) -> Window:
    """
    Returns the window asked for. Without `end` it ends with the last complete day, without `start` it has 30 days.

    A start before the dataset's first day is moved there; the answer's `meta` says so.
    """
    # A census that began today has no complete day: its window is its first one.
    last = end or max(yesterday(census.now), census.first_day)
    if last < census.first_day:
        raise BadParameter("end_date", last.isoformat(), f"{census.first_day}, the first day of this dataset, or later")
    if start is not None and start > last:
        raise BadParameter("start_date", start.isoformat(), f"a day on or before end_date {last}")
    asked = start or last - (DEFAULT_DAYS - 1) * DAY
    begin = max(asked, census.first_day)
    if last - begin > LONGEST:
        raise BadParameter("start_date", asked.isoformat(), f"at most {LONGEST.days} days before end_date {last}")
    return Window(begin, last)


def yesterday(now: datetime) -> date:
    return now.astimezone(UTC).date() - DAY


def trailing(days: int, now: datetime) -> Window:
    """Returns the given number of complete days up to yesterday."""
    end = yesterday(now)
    return Window(end - (days - 1) * DAY, end)


def timestamp(now: datetime) -> str:
    """Returns ISO 8601 in UTC with milliseconds and `Z`."""
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
