"""
`/datasets/rankings-daily`: the fifty models with the most tokens of each day, week or month, and the rest in one row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from itertools import combinations
from typing import Annotated, Literal

import msgspec
from msgspec import Meta as Said
from sqlalchemy import ColumnElement, select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes

TOP = 50
REST = "other"
PERIODS: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}
# What the cells say of input besides text, and of replies that hold an image: any of these, joined. Replies that are
# embeddings have a kind of their own, which is none that can be asked for.
KINDS = ("audio", "image", "image_output")
MIXES = ["+".join(mix) or "text" for size in range(len(KINDS) + 1) for mix in combinations(KINDS, size)]
_cells = cubes["model"].c
_with = {kind: _cells.modality.in_([mix for mix in MIXES if kind in mix.split("+")]) for kind in KINDS}
MODALITIES: dict[str, ColumnElement[bool]] = {
    "text": ~_with["image_output"] & (_cells.modality != "embeddings"),
    **_with,
    "tool_calling": _cells.tools == 1,
}


class Parameters(msgspec.Struct, frozen=True):
    start_date: StartDate = None
    end_date: EndDate = None
    period: Annotated[
        Literal["day", "week", "month"],
        Said(description="What a row is of: a day, the week that starts with it (ISO, Monday), or its month."),
    ] = "day"
    modality: Annotated[
        Literal["text", "image", "image_output", "audio", "tool_calling"] | None,
        Said(
            description="Requests of one kind: whose reply was `text` or held an image (`image_output`), that were "
            "sent an `image` or `audio`, or in which a tool was called (`tool_calling`)."
        ),
    ] = None
    context_bucket: Annotated[
        Literal["1K", "10K", "100K", "1M", "10M"] | None,
        Said(description="Requests whose prompt plus completion fit this bound and no smaller one."),
    ] = None


class RankingsDailyItem(msgspec.Struct):
    date: Annotated[str, Said(description="The day, or the first day of the week or month.", examples=["2026-05-11"])]
    model_permaslug: Annotated[
        str, Said(description="A model, or `other`: all the rest.", examples=["openai/gpt-4o-2024-05-13"])
    ]
    total_tokens: Annotated[
        str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.", examples=["1234567890"])
    ]


class RankingsDailyResponse(msgspec.Struct):
    data: list[RankingsDailyItem]
    meta: Meta


def read(census: Census, parameters: Parameters) -> RankingsDailyResponse:
    window = resolve(parameters.start_date, parameters.end_date, census)
    start_of = PERIODS[parameters.period]
    buckets: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for day, slug, tokens in _totals(census, window, parameters):
        buckets[start_of(date.fromisoformat(day))][slug] += tokens
    return RankingsDailyResponse(
        data=[row for start, totals in sorted(buckets.items()) for row in ranked(start.isoformat(), totals)],
        meta=Meta.of(window, timestamp(census.now)),
    )


def ranked(day: str, totals: Mapping[str, int]) -> list[RankingsDailyItem]:
    """
    Returns the rows of one day, week or month.

    Tokens of models that are unknown are in the rest: its rows add up to all its tokens.
    """
    models = sorted((-tokens, slug) for slug, tokens in totals.items() if known(slug))
    rows = [RankingsDailyItem(day, slug, str(-tokens)) for tokens, slug in models[:TOP]]
    rest = sum(totals.values()) + sum(tokens for tokens, _ in models[:TOP])
    return [*rows, RankingsDailyItem(day, REST, str(rest))] if rest else rows


def _totals(census: Census, window: Window, asked: Parameters) -> list[tuple[str, str, int]]:
    """Returns (day, permaslug, tokens); models without tokens are left out."""
    tokens = volume.tokens(cubes["model"])
    statement = (
        select(_cells.date, _cells.permaslug, tokens.label("tokens"))
        .where(_cells.date.between(*window.texts()))
        .group_by(_cells.date, _cells.permaslug)
        .having(tokens > 0)
    )
    if asked.modality:
        statement = statement.where(MODALITIES[asked.modality])
    if asked.context_bucket:
        statement = statement.where(_cells.context_bucket == asked.context_bucket)
    with census.store.reading() as connection:
        return [(row.date, row.permaslug, int(row.tokens)) for row in connection.execute(statement)]
