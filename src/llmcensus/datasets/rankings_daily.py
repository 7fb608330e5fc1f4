"""
`/datasets/rankings-daily`: the fifty models with the most tokens of each day, and the rest in one row.
"""

from __future__ import annotations

from datetime import date
from itertools import groupby

import msgspec
from sqlalchemy import func, select

from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes

TOP = 50
REST = "other"


class Parameters(msgspec.Struct, frozen=True):
    start_date: date | None = None
    end_date: date | None = None


class Row(msgspec.Struct):
    date: str
    model_permaslug: str
    total_tokens: str


class Answer(msgspec.Struct):
    data: list[Row]
    meta: Meta


def read(census: Census, parameters: Parameters) -> Answer:
    window = resolve(parameters.start_date, parameters.end_date, census)
    days = groupby(_totals(census, window), key=lambda total: total[0])
    return Answer(
        data=[row for day, totals in days for row in ranked(day, [(slug, tokens) for _, slug, tokens in totals])],
        meta=Meta.of(window, timestamp(census.now)),
    )


def ranked(day: str, totals: list[tuple[str, int]]) -> list[Row]:
    """
    Returns the rows of one day.

    Tokens of models that are unknown are in the rest: a day's rows add up to the day's tokens.
    """
    models = sorted((-tokens, slug) for slug, tokens in totals if known(slug))
    rows = [Row(day, slug, str(-tokens)) for tokens, slug in models[:TOP]]
    rest = sum(tokens for _, tokens in totals) + sum(tokens for tokens, _ in models[:TOP])
    return [*rows, Row(day, REST, str(rest))] if rest else rows


def _totals(census: Census, window: Window) -> list[tuple[str, str, int]]:
    """Returns (day, permaslug, tokens) by day; models without tokens are left out."""
    cells = cubes["model"].c
    tokens = func.sum(cells.tokens_prompt + cells.tokens_completion)
    statement = (
        select(cells.date, cells.permaslug, tokens.label("tokens"))
        .where(cells.date.between(*window.texts()))
        .group_by(cells.date, cells.permaslug)
        .having(tokens > 0)
        .order_by(cells.date)
    )
    with census.store.reading() as connection:
        return [(row.date, row.permaslug, int(row.tokens)) for row in connection.execute(statement)]
