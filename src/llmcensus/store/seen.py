"""
Which events were counted before.

An event is known by its key (source and id). The same key with the same fingerprint is a duplicate; with another it is
somebody else's request under a re-used id, and both are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, delete

from llmcensus.event import Event
from llmcensus.store import sql
from llmcensus.store.schema import seen
from llmcensus.store.tally import Tally


class Admitted(NamedTuple):
    events: list[Event]
    tally: Tally


def admit(connection: Connection, events: Sequence[Event], today: date) -> Admitted:
    """Returns the events that were not counted before, and remembers them."""
    known: dict[bytes, list[bytes]] = {}
    for key, fingerprint, _ in sql.among(connection, seen, "key", [event.key for event in events]):
        known.setdefault(key, []).append(fingerprint)
    fresh: list[Event] = []
    tally = Tally()
    for event in events:
        fingerprints = known.get(event.key)
        if fingerprints is None:
            known[event.key] = [event.fingerprint]
        elif event.fingerprint in fingerprints:
            tally.add(event.source, "duplicate")
            continue
        else:
            tally.add(event.source, "id_collision")
            fingerprints.append(event.fingerprint)
        fresh.append(event)
    counted_on = today.isoformat()
    sql.put(connection, seen, sorted([(event.key, event.fingerprint, counted_on) for event in fresh]))
    tally.accept(fresh)
    return Admitted(fresh, tally)


def forget(connection: Connection, today: date, days: int) -> int:
    """Drops what was counted more than `days` ago; returns how many."""
    oldest = (today - timedelta(days=days)).isoformat()
    return connection.execute(delete(seen).where(seen.c.counted_on < oldest)).rowcount
