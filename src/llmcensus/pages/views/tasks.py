"""`/tasks` and `/tasks/{tag}`: what models are used for."""

from __future__ import annotations

from llmcensus.datasets.task_classification import TaskClassificationItem
from llmcensus.errors import NotFound
from llmcensus.pages.asked import Asked, Page, Reading
from llmcensus.pages.shapes import days_of

MEASURES = {"requests": "Requests", "tokens": "Tokens"}


def tasks(asked: Asked) -> Page:
    span = asked.span(windows_only=True)
    measure = asked.choice("by", MEASURES)
    reading = asked.read("task-classification", window=span.chosen)
    shown = {
        "span": span,
        "measure": measure,
        "tasks": reading,
        "classifications": ordered(reading, measure),
        "definitions": asked.census.taxonomy.definitions,
        "newest": asked.census.store.newest_day(),
    }
    return Page("tasks.html", "Tasks", shown)


def task(asked: Asked, tag: str) -> Page:
    taxonomy = asked.census.taxonomy
    if tag not in taxonomy.tags:
        raise NotFound(f"There is no task {tag[:80]!r} in {taxonomy.name}")
    span = asked.span(windows_only=True)
    reading = asked.read("task-classification", window=span.chosen)
    daily = asked.read("task-daily", tag=tag, **span.dates())
    shares = {item.date: item for item in daily.answer.data}
    order = [item.tag for item in reading.answer.data.classifications]
    shown = {
        "span": span,
        "tag": tag,
        "name": taxonomy.tags[tag],
        "definition": taxonomy.definitions[tag],
        "tasks": reading,
        "item": next((item for item in reading.answer.data.classifications if item.tag == tag), None),
        "place": order.index(tag) + 1 if tag in order else None,
        "places": len(order),
        "daily": daily,
        "days": [(day, shares.get(day)) for day in days_of(span.window)],
    }
    return Page("task.html", taxonomy.tags[tag], shown)


def ordered(reading: Reading, measure: str) -> list[TaskClassificationItem]:
    """Returns the tasks by their share of what is measured, largest first."""
    items: list[TaskClassificationItem] = reading.answer.data.classifications
    return sorted(items, key=lambda item: (-share(item, measure), item.tag))


def share(item: TaskClassificationItem, measure: str) -> float:
    return item.token_share if measure == "tokens" else item.usage_share
