"""`/models` and `/models/{author}/{slug}`: which models are used, and what for."""

from __future__ import annotations

from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.shapes import days_of
from llmcensus.pages.views.pager import paged

SORTS = {"popular": "Most tokens", "trending": "Fastest growing"}
# Of so many models a model's place is looked for.
RANKED = 1000
FURTHEST = 100_000


def models(asked: Asked) -> Page:
    span = asked.span()
    sort = asked.choice("sort", SORTS)
    author = asked.query.get("author") or None
    pager = paged(asked, "model-rankings", FURTHEST, sort=sort, author=author, **span.dates())
    shown = {
        "span": span,
        "sort": sort,
        "sorts": SORTS,
        "author": author,
        "models": pager.reading,
        "pager": pager,
        "newest": asked.census.store.newest_day(),
    }
    return Page("models.html", "Models", shown)


def model(asked: Asked, permaslug: str) -> Page:
    span = asked.span()
    daily = asked.read("model-daily", model=permaslug, **span.dates())
    ranking = asked.read("model-rankings", limit=RANKED, **span.dates())
    days = {item.date: item for item in daily.answer.data}
    shown = {
        "span": span,
        "permaslug": permaslug,
        "author": permaslug.split("/")[0],
        "daily": daily,
        "days": [(day, days.get(day)) for day in days_of(span.window)],
        "item": next((item for item in ranking.answer.data if item.model_permaslug == permaslug), None),
        "places": len(ranking.answer.data),
        "tasks": asked.read("model-tasks", model=permaslug, **span.dates()),
        "costs": asked.read("session-cost", model=permaslug),
    }
    return Page("model.html", permaslug, shown)
