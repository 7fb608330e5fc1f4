"""
The share of each task, day by day: of the classified requests and tokens of that day.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

import msgspec
from msgspec import Meta as Said
from sqlalchemy import select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.judged import judged
from llmcensus.datasets.meta import Day, Meta
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.task_classification import share
from llmcensus.datasets.volume import NOTHING, Volume
from llmcensus.datasets.window import resolve, timestamp
from llmcensus.store.schema import cubes


class Parameters(msgspec.Struct, frozen=True):
    start_date: StartDate = None
    end_date: EndDate = None
    tag: Annotated[str | None, Said(description="Rows of one task; a day without it has a row of 0.")] = None


class TaskDailyItem(msgspec.Struct):
    date: Day
    tag: str
    usage_share: Annotated[float, share("the day's classified requests", 0.23)]
    token_share: Annotated[float, share("the day's classified tokens", 0.31)]


class TaskDailyResponse(msgspec.Struct):
    data: list[TaskDailyItem]
    meta: Meta


def read(census: Census, parameters: Parameters) -> TaskDailyResponse:
    window = resolve(parameters.start_date, parameters.end_date, census)
    cells = cubes["task"].c
    statement = (
        select(cells.date, cells.tag, *volume.sums(cubes["task"]))
        .where(cells.date.between(*window.texts()), judged(census.taxonomy))
        .group_by(cells.date, cells.tag)
    )
    days: dict[str, dict[str, Volume]] = defaultdict(dict)
    with census.store.reading() as connection:
        for row in connection.execute(statement):
            days[row.date][row.tag] = volume.of(row)
    return TaskDailyResponse(
        data=[item for day, volumes in sorted(days.items()) for item in _items(day, volumes, parameters.tag)],
        meta=Meta.of(window, timestamp(census.now)),
    )


def _items(day: str, volumes: dict[str, Volume], tag: str | None) -> list[TaskDailyItem]:
    whole = volume.total(volumes.values())
    tags = sorted(volumes) if tag is None else [tag]
    return [TaskDailyItem(day, name, *volumes.get(name, NOTHING).share(whole)) for name in tags]
