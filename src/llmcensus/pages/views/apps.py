"""`/apps` and `/apps/{id}`: who uses models."""

from __future__ import annotations

from llmcensus.apps import CATEGORIES
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.shapes import days_of
from llmcensus.pages.views.pager import paged

SORTS = {"popular": "Popular", "trending": "Trending"}
# The largest offset that the dataset has.
FURTHEST = 100


def apps(asked: Asked) -> Page:
    span = asked.span()
    sort = asked.choice("sort", SORTS)
    category = asked.choice("category", ("", *CATEGORIES)) or None
    subcategory = asked.query.get("subcategory") or None
    kind = {"category": category, "subcategory": subcategory}
    pager = paged(asked, "app-rankings", FURTHEST, sort=sort, **kind, **span.dates())
    shown = {
        "span": span,
        "sort": sort,
        "sorts": SORTS,
        "category": category,
        "categories": CATEGORIES,
        "subcategory": subcategory,
        "apps": pager.reading,
        "pager": pager,
        "newest": asked.census.store.newest_day(),
    }
    return Page("apps.html", "Apps", shown)


def app(asked: Asked, app_id: str) -> Page:
    span = asked.span()
    daily = asked.read("app-daily", app_id=app_id, **span.dates())
    meta = daily.answer.meta
    days = {item.date: item for item in daily.answer.data}
    ranking = asked.read("app-rankings", limit=100, **span.dates())
    shown = {
        "span": span,
        "meta": meta,
        "daily": daily,
        "days": [(day, days.get(day)) for day in days_of(span.window)],
        "tokens": sum(int(item.total_tokens) for item in daily.answer.data),
        "requests": sum(item.total_requests for item in daily.answer.data),
        "item": next((item for item in ranking.answer.data if item.app_id == meta.app_id), None),
        "costs": asked.read("session-cost", app_slug=meta.app_slug),
    }
    return Page("app.html", meta.app_name, shown)
