"""
`/datasets/session-cost`: what a session with a model costs in an app, by its number of turns.

A session is all requests of an app with one session id. See: `store.sessions` for how medians are made.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta as Said

from llmcensus.datasets.census import Census
from llmcensus.datasets.listed import Listed, registry
from llmcensus.datasets.meta import VERSION, AsOf, Day, Version
from llmcensus.datasets.window import timestamp, trailing
from llmcensus.store.sql import AnyRow

DAYS = 30
NANO = 1_000_000_000

TurnRange = Literal["1-turn", "2-9-turns", "10-49-turns", "50-plus-turns"]
ORDER = {name: place for place, name in enumerate(get_args(TurnRange))}


class Parameters(msgspec.Struct, frozen=True):
    app_slug: Annotated[str | None, Said(description="Cells of one app.", examples=["cline.bot"])] = None
    model: Annotated[
        str | None, Said(description="Cells of one model, by its permaslug.", examples=["openai/gpt-4o"])
    ] = None
    turn_range: Annotated[TurnRange | None, Said(description="Cells of sessions with so many requests.")] = None
    limit: Annotated[int, Said(ge=1, le=500, description="Rows at most.")] = 100
    offset: Annotated[int, Said(ge=0, le=5000, description="Rows passed over.")] = 0


class SessionCostItem(msgspec.Struct):
    app_slug: Annotated[str, Said(description="The app, by its host.", examples=["cline.bot"])]
    app_name: Annotated[str, Said(description="Its newest title, or its host.", examples=["Cline"])]
    turn_range: Annotated[TurnRange, Said(description="How many requests the sessions had with the model.")]
    model_permaslug: Annotated[str, Said(examples=["anthropic/claude-sonnet-4"])]
    median_session_cost_usd: Annotated[float, Said(description="Of sessions whose cost is known.", examples=[0.42])]


class SessionCostMeta(msgspec.Struct):
    as_of: AsOf
    version: Version
    window_days: Annotated[int, Said(description="Days in the window.", examples=[DAYS])]
    window_end_date: Day


class SessionCostResponse(msgspec.Struct):
    data: list[SessionCostItem]
    meta: SessionCostMeta


def read(census: Census, parameters: Parameters) -> SessionCostResponse:
    window = trailing(DAYS, census.now)
    costs = census.store.session_costs(*window.texts())
    with census.store.reading() as connection:
        listed, _ = registry(connection)
    items = [
        _item(row, listed[row.app_id])
        for row in costs.rows
        if row.app_id in listed and row.sessions >= census.min_sessions
    ]
    chosen = sorted((item for item in items if _asked(item, parameters)), key=_place)
    return SessionCostResponse(
        data=chosen[parameters.offset : parameters.offset + parameters.limit],
        meta=SessionCostMeta(
            as_of=timestamp(datetime.fromtimestamp(costs.made_at / 1000, UTC)),
            version=VERSION,
            window_days=window.days,
            window_end_date=window.end.isoformat(),
        ),
    )


def _item(row: AnyRow, app: Listed) -> SessionCostItem:
    median = (row.low + row.high) / (2 * NANO)
    return SessionCostItem(app.slug, app.name, row.turn_range, row.permaslug, median)


def _asked(item: SessionCostItem, parameters: Parameters) -> bool:
    return (
        parameters.app_slug in (None, item.app_slug)
        and parameters.model in (None, item.model_permaslug)
        and parameters.turn_range in (None, item.turn_range)
    )


def _place(item: SessionCostItem) -> tuple[str, str, int, str]:
    return item.app_slug, item.model_permaslug, ORDER[item.turn_range], item.app_name
