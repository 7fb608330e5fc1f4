"""Rows of datasets in the shape of a chart and its table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from llmcensus.datasets.rankings_daily import REST, RankingsDailyItem
from llmcensus.datasets.window import Window

SERIES = 10


class Stack(NamedTuple):
    """Days with a value for each series: the models with most tokens of the window, then all the rest."""

    series: list[str]
    rest: bool
    days: list[tuple[str, list[int]]]


def stacked(items: Sequence[RankingsDailyItem], window: Window) -> Stack:
    totals: dict[str, int] = defaultdict(int)
    by_day: dict[str, dict[str, int]] = defaultdict(dict)
    for item in items:
        by_day[item.date][item.model_permaslug] = int(item.total_tokens)
        totals[item.model_permaslug] += int(item.total_tokens)
    models = sorted(totals.keys() - {REST}, key=lambda slug: (-totals[slug], slug))[:SERIES]
    rest = sum(totals.values()) > sum(totals[slug] for slug in models)
    days = []
    for day in days_of(window):
        values = [by_day[day].get(slug, 0) for slug in models]
        days.append((day, [*values, sum(by_day[day].values()) - sum(values)] if rest else values))
    return Stack(models, rest, days)


def days_of(window: Window) -> Iterable[str]:
    """Yields every day of a window, those without traffic too."""
    first = window.start.toordinal()
    return (date.fromordinal(first + number).isoformat() for number in range(window.days))
