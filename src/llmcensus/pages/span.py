"""The days that a page shows, as they are kept in its address: a window up to yesterday, or two dates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from llmcensus.datasets import Census, census_daily
from llmcensus.datasets.parameters import parse
from llmcensus.datasets.window import Window, resolve, trailing
from llmcensus.errors import BadParameter

WINDOWS = {"7d": "7 days", "30d": "30 days", "90d": "90 days"}
DEFAULT = "30d"


class Span(NamedTuple):
    """`chosen` is a key of `WINDOWS`, or None where dates were chosen."""

    chosen: str | None
    window: Window

    def dates(self) -> dict[str, str]:
        start, end = self.window.texts()
        return {"start_date": start, "end_date": end}


def spanned(census: Census, query: Mapping[str, str], windows_only: bool = False) -> Span:
    """Returns the span that a query string asks for; fields that were left empty count as not given."""
    given = {name: query[name] for name in ("start_date", "end_date") if query.get(name)}
    if given and not windows_only:
        dates = parse(census_daily.Parameters, given)
        return Span(None, resolve(dates.start_date, dates.end_date, census))
    chosen = query.get("window") or DEFAULT
    if chosen not in WINDOWS:
        raise BadParameter("window", chosen, f"one of {', '.join(WINDOWS)}")
    window = trailing(int(chosen.removesuffix("d")), census.now)
    # As datasets move a start there. A census that began today has its first day.
    return Span(chosen, Window(max(window.start, census.first_day), max(window.end, census.first_day)))
