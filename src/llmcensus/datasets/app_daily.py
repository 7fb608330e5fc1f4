"""
One app, day by day. Traffic of apps that were merged into it is its own; a hidden one is not shown.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta as Said
from sqlalchemy import select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.listed import registry
from llmcensus.datasets.meta import VERSION, AsOf, Day, Version
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.window import resolve, timestamp
from llmcensus.errors import NotFound
from llmcensus.store.schema import cubes

MOST_ID = 2**48


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    app_id: Annotated[int, Said(ge=0, le=MOST_ID, description="The app, as in the app rankings.")] = 0
    start_date: StartDate = None
    end_date: EndDate = None


class AppDailyItem(msgspec.Struct):
    date: Day
    total_tokens: Annotated[str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.")]
    total_requests: int


class AppDailyMeta(msgspec.Struct):
    as_of: AsOf
    version: Version
    start_date: Day
    end_date: Day
    app_id: int
    app_name: str
    app_slug: str
    categories: list[str]


class AppDailyResponse(msgspec.Struct):
    data: list[AppDailyItem]
    meta: AppDailyMeta


def read(census: Census, parameters: Parameters) -> AppDailyResponse:
    """Days without requests have no rows. Raises `NotFound` for an app that is not listed."""
    window = resolve(parameters.start_date, parameters.end_date, census)
    cells = cubes["app"].c
    with census.store.reading() as connection:
        listed, canonical = registry(connection)
        app = listed.get(parameters.app_id)
        if app is None:
            raise NotFound(f"No app {parameters.app_id} is listed")
        own = [one for one, counts_as in canonical.items() if counts_as == parameters.app_id]
        statement = (
            select(cells.date, *volume.sums(cubes["app"]))
            .where(cells.date.between(*window.texts()), cells.app_id.in_(own))
            .group_by(cells.date)
            .order_by(cells.date)
        )
        items = [AppDailyItem(row.date, str(row.tokens), int(row.requests)) for row in connection.execute(statement)]
    meta = AppDailyMeta(
        timestamp(census.now), VERSION, *window.texts(), parameters.app_id, app.name, app.slug, sorted(app.categories)
    )
    return AppDailyResponse(items, meta)
