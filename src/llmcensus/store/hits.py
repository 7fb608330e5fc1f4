"""
Requests counted for rate limits, in a small database beside the store: shared by all processes of a machine, and still
there when they start anew.

It is a storage of the `limits` library, and a file of its own because a hit is a write, and would else wait for
imports. It is not synced at each commit, so a power cut (not a crash) may forget the last hits.

See: https://limits.readthedocs.io/en/stable/custom-storage.html
"""

from __future__ import annotations

import time
from typing import Any

from limits.storage import MovingWindowSupport, Storage
from sqlalchemy import Column, Connection, Float, Integer, MetaData, String, Table, delete, func, insert, select

from llmcensus.errors import CensusError
from llmcensus.store import sql

SUFFIX = "-limits"

metadata = MetaData()
entries = Table(
    "entries",
    metadata,
    Column("key", String, index=True, nullable=False),
    Column("at", Float, nullable=False),
    Column("until", Float, index=True, nullable=False),
)
counts = Table(
    "counts",
    metadata,
    Column("key", String, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("until", Float, index=True, nullable=False),
)


class HitStorage(Storage, MovingWindowSupport):
    """Keeps hits in the database at `url`; times are in seconds since 1970."""

    STORAGE_SCHEME = None

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._engine = sql.connect(url, synchronous="NORMAL")
        with sql.writing(self._engine) as connection:
            metadata.create_all(connection)

    @property
    def base_exceptions(self) -> type[Exception]:
        return CensusError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.time()
        with sql.writing(self._engine) as connection:
            for table in (entries, counts):
                connection.execute(delete(table).where(table.c.until <= now))
            if self._entries(connection, key, now - expiry)[1] + amount > limit:
                return False
            row = {"key": key, "at": now, "until": now + expiry}
            connection.execute(insert(entries), [row] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002
        now = time.time()
        with sql.reading(self._engine) as connection:
            first, number = self._entries(connection, key, now - expiry)
        return first or now, number

    def _entries(self, connection: Connection, key: str, after: float) -> tuple[float | None, int]:
        within = (entries.c.key == key) & (entries.c.at > after)
        first, number = connection.execute(select(func.min(entries.c.at), func.count()).where(within)).one()
        return first, number

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = time.time()
        with sql.writing(self._engine) as connection:
            number = self._count(connection, key, now) + amount
            statement = sql.insert(connection, counts).values(key=key, n=number, until=now + expiry)
            changes = {"n": number} if number > amount else {"n": number, "until": now + expiry}
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changes))
        return number

    def get(self, key: str) -> int:
        with sql.reading(self._engine) as connection:
            return self._count(connection, key, time.time())

    def _count(self, connection: Connection, key: str, now: float) -> int:
        alive = (counts.c.key == key) & (counts.c.until > now)
        return connection.execute(select(counts.c.n).where(alive)).scalar() or 0

    def get_expiry(self, key: str) -> float:
        with sql.reading(self._engine) as connection:
            return connection.execute(select(counts.c.until).where(counts.c.key == key)).scalar() or time.time()

    def check(self) -> bool:
        with sql.reading(self._engine) as connection:
            return connection.execute(select(1)).scalar() == 1

    def reset(self) -> int:
        with sql.writing(self._engine) as connection:
            return sum(connection.execute(delete(table)).rowcount for table in (entries, counts))

    def clear(self, key: str) -> None:
        with sql.writing(self._engine) as connection:
            for table in (entries, counts):
                connection.execute(delete(table).where(table.c.key == key))
