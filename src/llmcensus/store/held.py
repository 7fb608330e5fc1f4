"""
Requests of which only a part is told so far. They wait here, as events without text, until the rest of them comes.

What waits too long is counted as far as it is known: a program may have ended before its request did, or its source may
never tell the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, or_, select

from llmcensus.event import Event, joined
from llmcensus.store import sql
from llmcensus.store.schema import held

# Calls of models that take longer are few. A request is also not waited for where all its records are old.
WAITS_MS = 60 * 60 * 1000
# Counting what waited too long is part of a commit of others.
COUNTED_AT_ONCE = 5_000

Name = tuple[bytes, bytes]
Completed = Callable[[Event], Event]

_decoder = msgspec.msgpack.Decoder(Event)
_encoder = msgspec.msgpack.Encoder()


class Waiting:
    """The requests among those of a batch that wait, and what becomes of them; `settle` writes that down."""

    def __init__(self, connection: Connection, events: Sequence[Event], completed: Completed) -> None:
        self._connection = connection
        self._completed = completed
        keys = [event.key for event in events if event.told is not None]
        self._known = {
            (key, fingerprint): _decoder.decode(event)
            for key, fingerprint, _, _, event in sql.among(connection, held, "key", keys)
        }
        self._changed: dict[Name, Event | None] = {}

    def join(self, event: Event) -> Joined:
        """Returns what is known of a request with this report of it."""
        name = (event.key, event.fingerprint)
        before = self._known.get(name)
        whole = event if before is None else joined(before, event)
        if whole.told != "whole":
            self._known[name] = self._changed[name] = whole
            return Joined(None, whole == before)
        if before is not None:
            whole = self._completed(whole)
            del self._known[name]
            self._changed[name] = None
        return Joined(whole, False)

    def settle(self, now_ms: int) -> None:
        drop(self._connection, [name for name, event in self._changed.items() if event is None])
        rows = [
            {
                "key": event.key,
                "fingerprint": event.fingerprint,
                "since": now_ms,
                "created_ms": event.created_ms,
                "event": _encoder.encode(event),
            }
            for event in self._changed.values()
            if event is not None
        ]
        if rows:
            statement = sql.insert(self._connection, held)
            changes = {name: statement.excluded[name] for name in ("created_ms", "event")}
            self._connection.execute(
                statement.on_conflict_do_update(index_elements=list(held.primary_key), set_=changes), rows
            )


class Joined(NamedTuple):
    """`event` is there once the request is told; `again` says that the report told nothing new."""

    event: Event | None
    again: bool


def due(connection: Connection, now_ms: int, completed: Completed, *, old: bool = False) -> list[Event]:
    """
    Takes out what has waited too long, some at a time; with `old`, also what is of that age by its own time.

    The latter is for when all that is there was read: a log of last year will not be told more of.
    """
    rows = connection.execute(select(held).where(_waited(now_ms, old)).limit(COUNTED_AT_ONCE)).all()
    drop(connection, [(row.key, row.fingerprint) for row in rows])
    return [completed(_decoder.decode(row.event)) for row in rows]


def waiting(connection: Connection) -> int:
    """Returns how many requests are told in part."""
    return connection.execute(select(func.count()).select_from(held)).scalar_one()


def any_due(connection: Connection, now_ms: int, *, old: bool = False) -> bool:
    """Says whether `due` would take something out."""
    return connection.execute(select(held.c.key).where(_waited(now_ms, old)).limit(1)).first() is not None


def _waited(now_ms: int, old: bool) -> ColumnElement[bool]:
    earliest = now_ms - WAITS_MS
    return or_(held.c.since < earliest, held.c.created_ms < earliest) if old else held.c.since < earliest


def drop(connection: Connection, names: Sequence[Name]) -> None:
    if names:
        same = and_(held.c.key == bindparam("k"), held.c.fingerprint == bindparam("f"))
        rows = [{"k": key, "f": fingerprint} for key, fingerprint in sorted(names)]
        connection.execute(delete(held).where(same), rows)
