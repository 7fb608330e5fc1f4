"""A tally as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from llmcensus.classify.verdict import explained
from llmcensus.cli.options import percent
from llmcensus.store import Tally
from llmcensus.store.tally import KNOWN
from llmcensus.taxonomy import Taxonomy

OF_ACCEPTED = (
    ("id_collision", "re-used ids, both kept"),
    ("private", "private, in no dataset"),
    ("error", "errors, in no dataset"),
)
OTHERS = (
    ("part", "parts of requests, others told the rest or will"),
    ("ignored", "ignored, no requests"),
)
OUTCOMES = (
    ("accepted", "accepted"),
    ("duplicate", "duplicates"),
    ("id_collision", "re-used ids"),
    ("ignored", "ignored"),
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
    ("embeddings", "task: none, an embedding"),
)
ALWAYS = frozenset({"with_tokens", "with_cost", "with_app", "with_model", "with_session", "classified"})


def outcomes(tally: Tally) -> Table:
    """Returns what became of the records."""
    table = _table("records", "")
    table.add_row("accepted", f"{tally['accepted']:,}")
    for name, title in OF_ACCEPTED:
        if tally[name]:
            table.add_row(f"  of these {title}", f"{tally[name]:,}")
    table.add_row("duplicates", f"{tally['duplicate']:,}")
    for name, title in OTHERS:
        if tally[name]:
            table.add_row(title, f"{tally[name]:,}")
    refused = tally.refused()
    table.add_row("refused", f"{sum(refused.values()):,}", style="red" if refused else None)
    for reason, count in refused.items():
        table.add_row(f"  {reason}", f"{count:,}", style="red")
    table.add_row("read", f"{tally.records():,}")
    return table


def coverage(tally: Tally) -> Table:
    """Returns of how many accepted records each thing was known. That it was never known is shown, too."""
    table = _table("known of accepted records", "", "")
    for name, title in COVERAGE:
        if tally[name] or name in ALWAYS:
            table.add_row(title, f"{tally[name]:,}", percent(tally[name], tally["accepted"]))
    for title, count in untold(tally):
        table.add_row(f"task: {title}", f"{count:,}", percent(count, tally["accepted"]))
    return table


def sources(tally: Tally) -> Table:
    """Returns of each source what became of its records, what was known of them, and why some were refused."""
    table = _table("by source", *(title for _, title in OUTCOMES), "refused", *KNOWN)
    for source in tally.sources():
        own = tally.of(source)
        known, refused = own.known(), own.refused()
        counts = [f"{own[name]:,}" for name, _ in OUTCOMES]
        shares = [percent(known[what], own["accepted"]) for what in KNOWN]
        table.add_row(source, *counts, f"{sum(refused.values()):,}", *shares)
        for reason, count in refused.items():
            table.add_row(f"  {reason}", *("" for _ in OUTCOMES), f"{count:,}", *("" for _ in KNOWN), style="red")
    return table


def judged(stamps: Mapping[str, int], taxonomy: Taxonomy) -> Table:
    """Returns how many requests were judged by which classifier; by tags that are not in force, they are left out."""
    table = _table("tasks judged by", "", "")
    for stamp, count in stamps.items():
        table.add_row(stamp, f"{count:,}", "" if taxonomy.stamped(stamp) else "by other tags: in no share")
    return table


def untold(tally: Tally) -> list[tuple[str, int]]:
    """Returns why records have no task, and how many: no text, or what the classifier said."""
    reasons = tally.unjudged()
    causes = {"no text": tally["unclassified"] - sum(reasons.values())}
    causes.update({explained(reason): count for reason, count in reasons.items()})
    return [(cause, count) for cause, count in causes.items() if count]


def _table(title: str, *more: str) -> Table:
    table = Table(title, *more, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    return table
