"""
What one model is used for: its classified requests and tokens by task.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta as Said
from sqlalchemy import select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.judged import judged
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.task_classification import share
from llmcensus.datasets.window import resolve, timestamp
from llmcensus.store.schema import cubes
from llmcensus.taxonomy import macro_category


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str, Said(description="The model's permaslug.", examples=["openai/gpt-4o"])] = ""
    start_date: StartDate = None
    end_date: EndDate = None


class ModelTasksItem(msgspec.Struct):
    tag: str
    display_name: str
    macro_category: str
    usage_share: Annotated[float, share("the model's classified requests", 0.23)]
    token_share: Annotated[float, share("the model's classified tokens", 0.31)]


class ModelTasksResponse(msgspec.Struct):
    data: list[ModelTasksItem]
    meta: Meta


def read(census: Census, parameters: Parameters) -> ModelTasksResponse:
    window = resolve(parameters.start_date, parameters.end_date, census)
    cells = cubes["task"].c
    statement = (
        select(cells.tag, *volume.sums(cubes["task"]))
        .where(cells.date.between(*window.texts()), cells.permaslug == parameters.model, judged(census.taxonomy))
        .group_by(cells.tag)
    )
    with census.store.reading() as connection:
        volumes = {row.tag: volume.of(row) for row in connection.execute(statement)}
    whole = volume.total(volumes.values())
    names = census.taxonomy.tags
    return ModelTasksResponse(
        data=[
            ModelTasksItem(tag, names[tag], macro_category(tag), *used.share(whole))
            for tag, used in sorted(volumes.items(), key=lambda item: (-item[1].requests, item[0]))
        ],
        meta=Meta.of(window, timestamp(census.now)),
    )
