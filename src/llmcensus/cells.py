"""
Events → additive cells. A cube is a set of cells: a key each, and the same six sums.

Cells of any two batches are merged by adding; so order, splitting and merging of batches change nothing. An event that
was counted is taken back by adding it with the opposite sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import add
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
Sums = tuple[int, ...]
Cells = dict[Cube, dict[Key, Sums]]


def keys(event: Event) -> Iterator[tuple[Cube, Key]]:
    """
    Yields the cells that an event adds to. Sessions are those of apps.

    An embedding has no task and is no turn of a session; without tokens it says nothing and is in no cell.
    """
    date, permaslug = event.date, event.permaslug
    chat = event.operation == "chat"
    if not chat and not event.has_usage:
        return
    yield "model", (date, permaslug, event.context_bucket, event.tools, event.modality)
    if chat:
        yield "task", (date, event.tag, permaslug, event.classifier)
    if event.app is not None:
        app_id = event.app.app_id
        yield "app", (date, app_id)
        if event.session is not None and chat:
            yield "session", (date, event.session, app_id, permaslug)


def fold(events: Iterable[Event], withdrawn: Sequence[Event] = ()) -> Cells:
    """
    Returns the cells of the events that belong into datasets: private requests and errors belong into none.

    Those `withdrawn` are subtracted. Cells that come to nothing are left out.
    """
    cells: Cells = {cube: {} for cube in CUBES}
    for event in events:
        _count(cells, event, 1)
    if not withdrawn:
        return cells
    for event in withdrawn:
        _count(cells, event, -1)
    return {cube: {key: sums for key, sums in found.items() if any(sums)} for cube, found in cells.items()}


def _count(cells: Cells, event: Event, sign: int) -> None:
    if event.excluded is not None:
        return
    sums = measures(event)
    weighted = sums if event.weight * sign == 1 else tuple(event.weight * sign * number for number in sums)
    for cube, key in keys(event):
        # Samples are taken of whole sessions: one has as many turns as it has, however many it stands for.
        _add(cells[cube], key, tuple(sign * number for number in sums) if cube == "session" else weighted)


def measures(event: Event) -> Sums:
    """Returns the sums of one request, as `MEASURES` has them. Unknown adds nothing, also to its `with` count."""
    prompt, completion, cost = event.tokens_prompt, event.tokens_completion, event.cost_nanousd
    return (1, int(event.has_usage), prompt or 0, completion or 0, cost or 0, int(cost is not None))


def merge(left: Cells, right: Cells) -> Cells:
    """Returns the sum of both."""
    merged = {cube: cells.copy() for cube, cells in left.items()}
    for cube, cells in right.items():
        for key, sums in cells.items():
            _add(merged[cube], key, sums)
    return merged


def _add(cells: dict[Key, Sums], key: Key, sums: Sums) -> None:
    known = cells.get(key)
    cells[key] = sums if known is None else tuple(map(add, known, sums))
