"""
One model, day by day, with its list price.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta as Said
from sqlalchemy import select

from llmcensus.benchmarks.items import UnifiedBenchmarkPricing
from llmcensus.benchmarks.names import pricing
from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import VERSION, AsOf, Day, Version
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.window import resolve, timestamp
from llmcensus.errors import NotFound
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str, Said(description="The model's permaslug.", examples=["openai/gpt-4o"])] = ""
    start_date: StartDate = None
    end_date: EndDate = None


class ModelDailyItem(msgspec.Struct):
    date: Day
    total_tokens: Annotated[str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.")]
    total_requests: int


class ModelDailyMeta(msgspec.Struct):
    as_of: AsOf
    version: Version
    start_date: Day
    end_date: Day
    model_permaslug: str
    pricing: Annotated[UnifiedBenchmarkPricing | None, Said(description="List prices now, or null if none is known.")]


class ModelDailyResponse(msgspec.Struct):
    data: list[ModelDailyItem]
    meta: ModelDailyMeta


def read(census: Census, parameters: Parameters) -> ModelDailyResponse:
    """Days without requests have no rows. Raises `NotFound` for a model that never had any."""
    window = resolve(parameters.start_date, parameters.end_date, census)
    cells = cubes["model"].c
    statement = (
        select(cells.date, *volume.sums(cubes["model"]))
        .where(cells.permaslug == parameters.model)
        .group_by(cells.date)
        .order_by(cells.date)
    )
    with census.store.reading() as connection:
        rows = connection.execute(statement).all() if known(parameters.model) else []
    if not rows:
        raise NotFound(f"No model {parameters.model[:80]!r} was counted")
    first, last = window.texts()
    return ModelDailyResponse(
        [ModelDailyItem(row.date, str(row.tokens), int(row.requests)) for row in rows if first <= row.date <= last],
        ModelDailyMeta(
            timestamp(census.now), VERSION, first, last, parameters.model, pricing(parameters.model, census.now)
        ),
    )
