"""
What was counted, day by day, and of how much of it the tokens, cost, model, app and task are known.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta as Said
from sqlalchemy import ColumnElement, Connection, Table, case, func, select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.judged import judged
from llmcensus.datasets.listed import registry
from llmcensus.datasets.meta import VERSION, AsOf, Day, Version
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.permaslug import UNKNOWN
from llmcensus.store.schema import cubes


class Parameters(msgspec.Struct, frozen=True):
    start_date: StartDate = None
    end_date: EndDate = None


class CensusDailyItem(msgspec.Struct):
    date: Day
    total_requests: int
    total_tokens: Annotated[str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.")]
    requests_with_tokens: Annotated[int, Said(description="Requests whose tokens are known.")]
    requests_with_cost: Annotated[int, Said(description="Requests whose cost is known.")]
    requests_with_model: Annotated[int, Said(description="Requests whose model is known.")]
    requests_with_app: Annotated[int, Said(description="Requests that named an app, listed or not.")]
    requests_with_task: Annotated[int, Said(description="Requests that are in the shares of tasks.")]


class CensusDailyMeta(msgspec.Struct):
    as_of: AsOf
    version: Version
    start_date: Day
    end_date: Day
    model_count: Annotated[int, Said(description="Known models with requests in the window.")]
    app_count: Annotated[int, Said(description="Listed apps with requests in the window.")]


class CensusDailyResponse(msgspec.Struct):
    data: list[CensusDailyItem]
    meta: CensusDailyMeta


def read(census: Census, parameters: Parameters) -> CensusDailyResponse:
    window = resolve(parameters.start_date, parameters.end_date, census)
    with census.store.reading() as connection:
        of_apps = _by_day(connection, cubes["app"], window)
        of_tasks = _by_day(connection, cubes["task"], window, judged(census.taxonomy))
        items = _items(connection, window, of_apps, of_tasks)
        counts = _models(connection, window), _apps(connection, window)
    return CensusDailyResponse(items, CensusDailyMeta(timestamp(census.now), VERSION, *window.texts(), *counts))


def _items(
    connection: Connection, window: Window, of_apps: dict[str, int], of_tasks: dict[str, int]
) -> list[CensusDailyItem]:
    cells = cubes["model"].c
    statement = (
        select(
            cells.date,
            *volume.sums(cubes["model"]),
            func.sum(cells.requests_with_usage).label("with_tokens"),
            func.sum(cells.requests_with_cost).label("with_cost"),
            func.sum(case((cells.permaslug.like(f"{UNKNOWN}%"), 0), else_=cells.requests)).label("with_model"),
        )
        .where(cells.date.between(*window.texts()))
        .group_by(cells.date)
        .order_by(cells.date)
    )
    return [
        CensusDailyItem(
            row.date,
            int(row.requests),
            str(row.tokens),
            int(row.with_tokens),
            int(row.with_cost),
            int(row.with_model),
            of_apps.get(row.date, 0),
            of_tasks.get(row.date, 0),
        )
        for row in connection.execute(statement)
    ]


def _by_day(connection: Connection, cube: Table, window: Window, *only: ColumnElement[bool]) -> dict[str, int]:
    day = cube.c.date
    statement = select(day, volume.requests(cube)).where(day.between(*window.texts()), *only).group_by(day)
    return {date: int(requests) for date, requests in connection.execute(statement)}


def _models(connection: Connection, window: Window) -> int:
    cells = cubes["model"].c
    statement = select(func.count(cells.permaslug.distinct())).where(
        cells.date.between(*window.texts()), cells.permaslug.not_like(f"{UNKNOWN}%")
    )
    return int(connection.execute(statement).scalar() or 0)


def _apps(connection: Connection, window: Window) -> int:
    cells = cubes["app"].c
    listed, canonical = registry(connection)
    statement = select(cells.app_id).where(cells.date.between(*window.texts())).distinct()
    return len({canonical.get(app_id, app_id) for (app_id,) in connection.execute(statement)} & listed.keys())
