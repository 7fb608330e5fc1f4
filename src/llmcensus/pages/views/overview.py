"""`/`: how much is used, of which models, for what, by which apps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llmcensus.datasets.census_daily import CensusDailyItem
from llmcensus.datasets.volume import ratio
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.shapes import stacked
from llmcensus.pages.views.tasks import MEASURES, ordered

LISTED = 8


class Totals(NamedTuple):
    """Sums of a window, and shares of its requests of which something is known; None where there were none."""

    requests: int
    tokens: int
    with_tokens: float | None
    with_model: float | None
    with_app: float | None
    with_task: float | None


def overview(asked: Asked) -> Page:
    span = asked.span(windows_only=True)
    measure = asked.choice("by", MEASURES)
    census = asked.read("census-daily", **span.dates())
    daily = asked.read("rankings-daily", **span.dates())
    tasks = asked.read("task-classification", window=span.chosen)
    shown = {
        "span": span,
        "measure": measure,
        "census": census,
        "totals": summed(census.answer.data),
        "daily": daily,
        "stack": stacked(daily.answer.data, span.window),
        "tasks": tasks,
        "classifications": ordered(tasks, measure),
        "movers": asked.read("model-rankings", sort="trending", limit=LISTED, **span.dates()),
        "apps": asked.read("app-rankings", limit=LISTED, **span.dates()),
        "newest": asked.census.store.newest_day(),
    }
    return Page("overview.html", "Overview", shown)


def summed(days: Sequence[CensusDailyItem]) -> Totals:
    requests = sum(day.total_requests for day in days)
    known = (
        sum(day.requests_with_tokens for day in days),
        sum(day.requests_with_model for day in days),
        sum(day.requests_with_app for day in days),
        sum(day.requests_with_task for day in days),
    )
    tokens = sum(int(day.total_tokens) for day in days)
    return Totals(requests, tokens, *(ratio(part, requests) if requests else None for part in known))
