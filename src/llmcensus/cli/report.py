"""A tally as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.table import Table

from llmcensus.cli.options import percent
from llmcensus.store import Tally

OUTCOMES = (
    ("accepted", "accepted"),
    ("duplicate", "duplicates"),
    ("id_collision", "re-used ids, both kept"),
    ("private", "private, in no dataset"),
    ("error", "errors, in no dataset"),
)
COVERAGE = (
    ("with_tokens", "tokens"),
    ("with_cost", "cost, from the gateway"),
    ("priced", "cost, from the price list"),
    ("with_app", "app"),
    ("with_model", "model"),
    ("with_session", "session"),
    ("classified", "task"),
    ("other", "task: fits no tag"),
    ("unclassified", "task: no text"),
)


def outcomes(tally: Tally) -> Table:
    """Returns what became of the records; lines that are zero are left out, but for the first two."""
    table = _table("records")
    for number, (name, title) in enumerate(OUTCOMES):
        if tally[name] or number < 2:
            table.add_row(title, f"{tally[name]:,}")
    for reason, count in tally.refused().items():
        table.add_row(f"refused: {reason}", f"{count:,}", style="red")
    return table


def coverage(tally: Tally) -> Table:
    """Returns of how many accepted records each thing was known."""
    table = _table("known of accepted records", "")
    for name, title in COVERAGE:
        if tally[name]:
            table.add_row(title, f"{tally[name]:,}", percent(tally[name], tally["accepted"]))
    return table


def _table(title: str, *more: str) -> Table:
    table = Table(title, "", *more, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
