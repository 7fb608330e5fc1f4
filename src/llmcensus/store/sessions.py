"""
What sessions cost: medians by app, model and number of turns, made of the session cube.

A session is all requests of one app that share a session id; what it did with one model within the window is one
sample: its turns are those requests, its cost is their sum. A sample of which some cost is unknown has no cost, and is
left out. Medians are exact: they are not of cells but of sessions, so they are made once for a window and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, case, delete, func, select

from llmcensus.cells import Cells
from llmcensus.permaslug import UNKNOWN
from llmcensus.store import sql
from llmcensus.store.schema import apps, cubes, meta, session_costs, session_costs_made
from llmcensus.store.sql import AnyRow

VERSION = "sessions"
# Turn ranges by their first turn, in order.
TURN_RANGES = {1: "1-turn", 2: "2-9-turns", 10: "10-49-turns", 50: "50-plus-turns"}
# What arrives late for past days is taken up after this time.
GOOD_FOR_MS = 10 * 60 * 1000


class Costs(NamedTuple):
    """Rows of `session_costs`, and when they were made, in milliseconds since 1970."""

    rows: Sequence[AnyRow]
    made_at: int


class Making(NamedTuple):
    """Rows of `session_costs` that are not kept yet, and what they were made of."""

    first_day: str
    last_day: str
    sessions_version: int
    made_at: int
    rows: Sequence[AnyRow]


def note(connection: Connection, cells: Cells, today: date) -> None:
    """Notes that sessions of past days changed: medians that were made of them are stale."""
    day = today.isoformat()
    if any(str(key[0]) < day for key in cells["session"]):
        touch(connection)


def touch(connection: Connection) -> None:
    sql.add(connection, meta, [(VERSION, 1)])


def forget(connection: Connection) -> None:
    """Drops what was made: what an operator says of apps and models takes effect at once."""
    connection.execute(delete(session_costs_made))


def current(connection: Connection, first: str, last: str, now_ms: int) -> Costs | None:
    """Returns the costs of a window of days if they were made of the sessions as they are, or are young."""
    made = connection.execute(
        select(session_costs_made).where(session_costs_made.c.first_day == first, session_costs_made.c.last_day == last)
    ).first()
    if made is None:
        return None
    young = 0 <= now_ms - made.made_at < GOOD_FOR_MS
    if made.sessions_version != _version(connection) and not young:
        return None
    rows = connection.execute(select(session_costs)).all()
    return Costs(rows, made.made_at)


def made(connection: Connection, first: str, last: str, now_ms: int) -> Making:
    """Returns the costs of a window of days, made anew. Takes a scan of its sessions, and writes nothing."""
    version = _version(connection)
    return Making(first, last, version, now_ms, connection.execute(_medians(first, last)).all())


def keep(connection: Connection, making: Making) -> None:
    """Keeps costs in place of those that were there."""
    connection.execute(delete(session_costs))
    connection.execute(delete(session_costs_made))
    sql.put(connection, session_costs, [tuple(row) for row in making.rows])
    about = (making.first_day, making.last_day, making.sessions_version, making.made_at)
    sql.put(connection, session_costs_made, [about])


def _version(connection: Connection) -> int:
    return connection.execute(select(meta.c.value).where(meta.c.name == VERSION)).scalar() or 0


def _medians(first: str, last: str) -> Select[Any]:
    cells = cubes["session"].c
    app_id = func.coalesce(apps.c.merged_into, cells.app_id)
    turns = func.sum(cells.requests)
    samples = (
        select(
            app_id.label("app_id"),
            cells.permaslug.label("permaslug"),
            case(*((turns >= turn, name) for turn, name in sorted(TURN_RANGES.items(), reverse=True))).label(
                "turn_range"
            ),
            func.sum(cells.cost_nanousd).label("cost"),
        )
        .outerjoin_from(cubes["session"], apps, apps.c.app_id == cells.app_id)
        .where(cells.date.between(first, last), cells.permaslug.not_like(f"{UNKNOWN}%"))
        .group_by(app_id, cells.session, cells.permaslug)
        .having(func.sum(cells.requests_with_cost) == turns)
        .subquery()
    ).c
    cell = (samples.app_id, samples.permaslug, samples.turn_range)
    place = func.row_number().over(partition_by=cell, order_by=samples.cost)
    size = func.count().over(partition_by=cell)
    ranked = select(*cell, samples.cost, place.label("place"), size.label("size")).subquery().c
    # Of n in order, the middle ones are number (n + 1) / 2 and (n + 2) / 2, rounded down.
    middle = (2 * ranked.place).between(ranked.size, ranked.size + 2)
    return (
        select(
            ranked.app_id,
            ranked.permaslug,
            ranked.turn_range,
            func.max(ranked.size).label("sessions"),
            func.min(ranked.cost).label("low"),
            func.max(ranked.cost).label("high"),
        )
        .where(middle)
        .group_by(ranked.app_id, ranked.permaslug, ranked.turn_range)
    )
