"""
Which events were counted before.

An event is known by its key (source and id). The same key with the same fingerprint is a duplicate; with another it is
somebody else's request under a re-used id, and both are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from llmcensus.event import Event
from llmcensus.store.schema import seen
from llmcensus.store.tally import Tally

# SQLite takes at most 32,766 values in a statement.
LOOKUP = 10_000


class Admitted(NamedTuple):
    events: list[Event]
    tally: Tally


def admit(connection: Connection, events: Sequence[Event], today: date) -> Admitted:
    """Returns the events that were not counted before, and remembers them."""
    known = _known(connection, [event.key for event in events])
    fresh: list[Event] = []
    tally = Tally()
    for event in events:
        fingerprints = known.setdefault(event.key, set())
        if event.fingerprint in fingerprints:
            tally.add(event.source, "duplicate")
            continue
        if fingerprints:
            tally.add(event.source, "id_collision")
        fingerprints.add(event.fingerprint)
        fresh.append(event)
    if fresh:
        rows = sorted((event.key, event.fingerprint) for event in fresh)
        connection.execute(
            insert(seen), [{"key": key, "fingerprint": mark, "counted_on": today.isoformat()} for key, mark in rows]
        )
    tally.accept(fresh)
    return Admitted(fresh, tally)


def _known(connection: Connection, keys: list[bytes]) -> dict[bytes, set[bytes]]:
    known: dict[bytes, set[bytes]] = {}
    for at in range(0, len(keys), LOOKUP):
        found = select(seen.c.key, seen.c.fingerprint).where(seen.c.key.in_(keys[at : at + LOOKUP]))
        for key, fingerprint in connection.execute(found):
            known.setdefault(key, set()).add(fingerprint)
    return known


def forget(connection: Connection, today: date, days: int) -> int:
    """Drops what was counted more than `days` ago; returns how many."""
    oldest = (today - timedelta(days=days)).isoformat()
    return connection.execute(delete(seen).where(seen.c.counted_on < oldest)).rowcount
