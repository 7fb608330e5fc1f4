"""
Models by tokens in a window, or by how far they are above their own recent past.

Unlike `rankings-daily` it adds up the window, and lists every known model with requests in it. The past is up to three
periods of the same length right before, as far as the census reaches back: a period that it lacks is not one without
traffic.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta as Said
from sqlalchemy import Connection, func, select

from llmcensus.datasets import volume
from llmcensus.datasets.app_rankings import PERIODS_BEFORE
from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.task_classification import share
from llmcensus.datasets.volume import NOTHING, Volume, ratio
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes


class Parameters(msgspec.Struct, frozen=True):
    sort: Annotated[
        Literal["popular", "trending"],
        Said(
            description="`popular`: by tokens in the window, then requests. `trending`: by tokens above the mean of "
            "the periods of the same length right before it."
        ),
    ] = "popular"
    author: Annotated[str | None, Said(description="Models of one author.", examples=["openai"])] = None
    start_date: StartDate = None
    end_date: EndDate = None
    limit: Annotated[int, Said(ge=1, le=1000, description="Rows at most.")] = 100
    offset: Annotated[int, Said(ge=0, le=100_000, description="Rows passed over.")] = 0


class ModelRankingsItem(msgspec.Struct):
    rank: Annotated[int, Said(description="The place among all models that the filters let through, from 1.")]
    model_permaslug: Annotated[str, Said(examples=["openai/gpt-4o-2024-05-13"])]
    total_tokens: Annotated[str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.")]
    total_requests: int
    token_share: Annotated[float, share("all tokens of the window, those of unknown models included", 0.12)]
    growth: Annotated[
        float | None,
        Said(
            description="Tokens over the mean of the periods before, less 1; null where there are none, or "
            "no tokens in them."
        ),
    ]


class ModelRankingsResponse(msgspec.Struct):
    data: list[ModelRankingsItem]
    meta: Meta


def read(census: Census, parameters: Parameters) -> ModelRankingsResponse:
    window = resolve(parameters.start_date, parameters.end_date, census)
    with census.store.reading() as connection:
        volumes = _volumes(connection, window)
        periods = _periods(connection, window)
        past = _volumes(connection, window.before(periods)) if periods else {}
    whole = volume.total(volumes.values()).tokens
    gains = {
        slug: used.tokens * periods - past.get(slug, NOTHING).tokens
        for slug, used in volumes.items()
        if known(slug) and parameters.author in (None, slug.split("/")[0])
    }
    if parameters.sort == "trending":
        order = sorted((slug for slug, gain in gains.items() if gain > 0), key=lambda slug: (-gains[slug], slug))
    else:
        order = sorted(gains, key=lambda slug: (-volumes[slug].tokens, -volumes[slug].requests, slug))
    page = list(enumerate(order, 1))[parameters.offset : parameters.offset + parameters.limit]
    return ModelRankingsResponse(
        data=[
            ModelRankingsItem(
                rank,
                slug,
                str(volumes[slug].tokens),
                volumes[slug].requests,
                ratio(volumes[slug].tokens, whole),
                volumes[slug].tokens * periods / past[slug].tokens - 1 if slug in past and past[slug].tokens else None,
            )
            for rank, slug in page
        ],
        meta=Meta.of(window, timestamp(census.now)),
    )


def _periods(connection: Connection, window: Window) -> int:
    """Returns how many whole periods before the window the census has."""
    first = connection.execute(select(func.min(cubes["model"].c.date))).scalar()
    days = (window.start - date.fromisoformat(first)).days if first else 0
    return max(0, min(PERIODS_BEFORE, days // window.days))


def _volumes(connection: Connection, window: Window) -> dict[str, Volume]:
    cells = cubes["model"].c
    statement = (
        select(cells.permaslug, *volume.sums(cubes["model"]))
        .where(cells.date.between(*window.texts()))
        .group_by(cells.permaslug)
    )
    return {row.permaslug: volume.of(row) for row in connection.execute(statement)}
