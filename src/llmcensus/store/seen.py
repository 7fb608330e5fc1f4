"""
Which events were counted before.

An event is known by its key (source and id). The same key with the same fingerprint is a duplicate; with another it is
somebody else's request under a re-used id, and both are kept. One that is told in parts is admitted with the last part.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, select, tuple_, update

from llmcensus.event import Event
from llmcensus.store import sql
from llmcensus.store.held import Waiting
from llmcensus.store.schema import seen
from llmcensus.store.tally import PART, Tally

# Forgetting is part of a commit, so it is done in portions that do not hold up who waits for it.
FORGOTTEN_AT_ONCE = 20_000


class Admitted(NamedTuple):
    events: list[Event]
    tally: Tally


Identity = tuple[bytes, bytes]


def counted(connection: Connection, identities: Sequence[Identity]) -> set[Identity]:
    """Returns those keys and fingerprints that were counted before."""
    wanted = set(identities)
    rows = sql.among(connection, seen, "key", [key for key, _ in identities])
    return {(key, fingerprint) for key, fingerprint, _ in rows} & wanted


def admit(connection: Connection, events: Sequence[Event], today: date, waiting: Waiting) -> Admitted:
    """Returns the events that were not counted before, and remembers them."""
    day = today.isoformat()
    # Key → fingerprint → the day it was last seen.
    known: dict[bytes, dict[bytes, str]] = {}
    for key, fingerprint, seen_on in sql.among(connection, seen, "key", [event.key for event in events]):
        known.setdefault(key, {})[fingerprint] = seen_on
    again: list[tuple[bytes, bytes]] = []
    fresh: list[Event] = []
    tally = Tally()
    for event in events:
        fingerprints = known.setdefault(event.key, {})
        seen_on = fingerprints.get(event.fingerprint)
        if seen_on is None:
            told = event if event.told is None else _joined(event, waiting, tally)
            if told is None:
                continue
            if fingerprints:
                tally.add(event.source, "id_collision")
            fresh.append(told)
        else:
            tally.add(event.source, "duplicate")
            if seen_on < day:
                again.append((event.key, event.fingerprint))
        fingerprints[event.fingerprint] = day
    _remember(connection, again, day)
    remember(connection, fresh, today)
    tally.accept(fresh)
    return Admitted(fresh, tally)


def _joined(event: Event, waiting: Waiting, tally: Tally) -> Event | None:
    """Returns a request as far as it is told, or None and a note in `tally` while there is more to come."""
    request, again = waiting.join(event)
    if request is None:
        tally.add(event.source, "duplicate" if again else PART)
    return request


def remember(connection: Connection, events: Sequence[Event], today: date) -> None:
    """Notes that events are counted."""
    day = today.isoformat()
    sql.put(connection, seen, sorted([(event.key, event.fingerprint, day) for event in events]))


def _remember(connection: Connection, again: list[tuple[bytes, bytes]], day: str) -> None:
    """
    Starts the window of duplicates anew: what is still being sent is not forgotten.

    A log that is imported every day, each time a little longer, would else be counted again after the window.
    """
    if again:
        same = and_(seen.c.key == bindparam("k"), seen.c.fingerprint == bindparam("f"))
        rows = [{"k": key, "f": fingerprint} for key, fingerprint in sorted(again)]
        connection.execute(update(seen).where(same).values(seen_on=day), rows)


def forget(connection: Connection, today: date, days: int) -> bool:
    """Drops some of what was last seen more than `days` ago; says whether that was all."""
    oldest = (today - timedelta(days=days)).isoformat()
    old = select(seen.c.key, seen.c.fingerprint).where(seen.c.seen_on < oldest).limit(FORGOTTEN_AT_ONCE)
    dropped = connection.execute(delete(seen).where(tuple_(seen.c.key, seen.c.fingerprint).in_(old))).rowcount
    return dropped < FORGOTTEN_AT_ONCE
