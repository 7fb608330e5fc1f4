"""
Events → additive cells. A cube is a set of cells: a key each, and the same six sums.

Cells of any two batches are merged by adding; so order, splitting and merging of batches change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from llmcensus.event import Event

Cube = Literal["model", "task", "app", "session"]
Key = tuple[str | int | bytes, ...]

# Names of the key columns; `date` is a UTC day as YYYY-MM-DD.
CUBES: dict[Cube, tuple[str, ...]] = {
    "model": ("date", "permaslug", "context_bucket", "tools", "modality"),
    "task": ("date", "tag", "permaslug", "classifier"),
    "app": ("date", "app_id"),
    "session": ("date", "session", "app_id", "permaslug"),
}
MEASURES = (
    "requests",
    "requests_with_usage",
    "tokens_prompt",
    "tokens_completion",
    "cost_nanousd",
    "requests_with_cost",
)
Cells = dict[Cube, dict[Key, list[int]]]


def _model(event: Event) -> Key:
    return (event.date, event.permaslug, event.context_bucket, event.tools, event.modality)


def _task(event: Event) -> Key:
    return (event.date, event.tag, event.permaslug, event.classifier)


def _app(event: Event) -> Key | None:
    return (event.date, event.app.app_id) if event.app else None


def _session(event: Event) -> Key | None:
    if event.session is None or event.app is None:
        return None
    return (event.date, event.session, event.app.app_id, event.permaslug)


KEYS: dict[Cube, Callable[[Event], Key | None]] = {"model": _model, "task": _task, "app": _app, "session": _session}


def fold(events: Iterable[Event]) -> Cells:
    """Returns the cells of the events that belong into datasets: private requests and errors belong into none."""
    cells: Cells = {cube: {} for cube in CUBES}
    columns = [(cells[cube], KEYS[cube]) for cube in CUBES]
    for event in events:
        if event.excluded is not None:
            continue
        sums = measures(event)
        for cube, key_of in columns:
            key = key_of(event)
            if key is None:
                continue
            cell = cube.get(key)
            if cell is None:
                cube[key] = sums.copy()
            else:
                for position, value in enumerate(sums):
                    cell[position] += value
    return cells


def measures(event: Event) -> list[int]:
    """Returns the sums of one request in the order of `MEASURES`. Unknown adds nothing, also to its `with` count."""
    prompt, completion, cost = event.tokens_prompt, event.tokens_completion, event.cost_nanousd
    return [
        1,
        int(event.has_usage),
        prompt or 0,
        completion or 0,
        cost or 0,
        int(cost is not None),
    ]


def merge(left: Cells, right: Cells) -> Cells:
    """Returns the sum of both."""
    merged: Cells = {cube: {key: sums.copy() for key, sums in left[cube].items()} for cube in CUBES}
    for cube, cells in right.items():
        for key, sums in cells.items():
            known = merged[cube].get(key)
            merged[cube][key] = [a + b for a, b in zip(known, sums, strict=True)] if known else sums.copy()
    return merged
