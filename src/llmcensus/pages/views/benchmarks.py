"""`/benchmarks`: scores of models against their price."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from llmcensus.benchmarks.items import ARTIFICIAL_ANALYSIS, DESIGN_ARENA, OWN
from llmcensus.datasets.benchmarks import INDICES
from llmcensus.pages.asked import Asked, Page
from llmcensus.pages.views.every import every_model
from llmcensus.pages.words import MILLION

# Models of so many days are linked to.
COUNTED_DAYS = 90
TASKS = {"intelligence": "Intelligence", "coding": "Coding", "agentic": "Agentic"}


class Board(NamedTuple):
    """One list of one source: its rows have one score in common, from 0 to `top` where that is known."""

    source: str
    title: str
    score: str
    unit: str


BOARDS = {
    "artificial-analysis": Board(ARTIFICIAL_ANALYSIS, "Artificial Analysis", "", "index"),
    "design-arena": Board(DESIGN_ARENA, "Design Arena", "elo", "Elo"),
    "openrouter": Board(OWN, "Own runs", "accuracy", "accuracy"),
}


class Row(NamedTuple):
    """
    A model's score and prices, in USD a token; None is unknown. `mean` is of both prices and a million tokens.

    `counted` says that the model has a page here.
    """

    item: Any
    score: float | None
    prompt: str | None
    completion: str | None
    mean: str | None
    about: str
    counted: bool


def benchmarks(asked: Asked) -> Page:
    name = asked.choice("source", tuple(BOARDS))
    task = asked.choice("task", TASKS)
    board = BOARDS[name]
    # Of Design Arena only coding is a category of its own there; without a task, all its categories are shown.
    kind = task if name == ARTIFICIAL_ANALYSIS or asked.query.get("task") else None
    reading = asked.read("benchmarks", source=board.source, task_type=kind, max_results=100)
    counted = frozenset(item.model_permaslug for item in every_model(asked.census, COUNTED_DAYS))
    shown = {
        "board": board,
        "boards": BOARDS,
        "name": name,
        "task": task,
        "asked_task": kind,
        "tasks": TASKS,
        "benchmarks": reading,
        "rows": [row(item, board.score or INDICES[task], counted) for item in reading.answer.data],
    }
    return Page("benchmarks.html", "Benchmarks", shown)


def row(item: Any, score: str, counted: frozenset[str]) -> Row:
    pricing = getattr(item, "pricing", None)
    found = getattr(item, score, None)
    if found is None:
        found = getattr(item, "primary_score", None)
    about: str = getattr(item, "category", "") or getattr(item, "benchmark_type", "")
    if arena := getattr(item, "arena", None):
        about = f"{arena}: {about}"
    prompt, completion = (pricing.prompt, pricing.completion) if pricing else (None, None)
    mean = f"{(Decimal(pricing.prompt) + Decimal(pricing.completion)) / 2 * MILLION:f}" if pricing else None
    return Row(item, found, prompt, completion, mean, about, item.model_permaslug in counted)
