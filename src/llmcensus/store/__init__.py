"""
Cells, seen ids, requests told in part, apps, keys, imports, benchmarks and what is derived of sessions, in SQL.

A commit is one transaction: new ids, increments of cells, claims of apps, counters, progress of an import. What it
returned from is on disk; what it did not return from left no trace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Engine, func, select

from llmcensus.cells import fold
from llmcensus.errors import ConfigError, Unavailable
from llmcensus.event import Event
from llmcensus.store import benchmarks, held, imports, keys, registry, seen, sessions, sql
from llmcensus.store.hits import SUFFIX, HitStorage
from llmcensus.store.imports import Progress
from llmcensus.store.schema import counters, cubes, meta
from llmcensus.store.seen import Admitted
from llmcensus.store.tally import PART, Tally
from llmcensus.taxonomy import UNCLASSIFIED

# The newest of the migrations.
HEAD = "0003"

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Amendment(NamedTuple):
    """An event as it was counted, and as it is to be counted now; None where it is to count no more."""

    before: Event
    after: Event | None


class Versions(NamedTuple):
    """`data` is raised by every commit, `keys` by every change of a key."""

    data: int
    keys: int


class Counted(NamedTuple):
    """
    When the newest counted request was made and when something was last counted, in milliseconds since 1970, None where
    nothing was; and how many requests are told in part.
    """

    newest_ms: int | None
    counted_ms: int | None
    waiting: int


NEWEST, COUNTED = "newest_ms", "counted_ms"


class Store:
    """One database. Safe to share between threads; writers of one process take turns."""

    def __init__(self, engine: Engine, clock: Clock = utc_now, dedup_days: int = 35) -> None:
        self._engine = engine
        self._clock = clock
        self._dedup_days = dedup_days
        self._forgot: date | None = None
        self._turn = threading.Lock()

    @classmethod
    def open(cls, url: str, clock: Clock = utc_now, dedup_days: int = 35) -> Store:
        """Opens the database at `url`, creating or upgrading its tables."""
        engine = sql.connect(url)
        migrate(engine)
        return cls(engine, clock, dedup_days)

    def close(self) -> None:
        self._engine.dispose()

    def hits(self) -> HitStorage:
        """Returns where requests are counted for rate limits: a database beside this one."""
        if self._engine.url.database in (None, "", ":memory:"):
            raise ConfigError("limits is 'store', and this store is in memory: expected one in a file")
        url = self._engine.url.set(database=f"{self._engine.url.database}{SUFFIX}")
        return HitStorage(url.render_as_string(hide_password=False), wrap_exceptions=True)

    def now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

    def reading(self) -> AbstractContextManager[Connection]:
        return sql.reading(self._engine)

    @contextmanager
    def writing(self, changes: bool = True) -> Iterator[Connection]:
        """Gives a connection inside a transaction; unless it `changes` nothing, answers made before it are stale."""
        if not self._turn.acquire(timeout=sql.BUSY_MS / 1000):
            raise Unavailable("The store is busy: another write has not ended yet")
        try:
            with sql.writing(self._engine) as connection:
                yield connection
                if changes:
                    sql.add(connection, meta, [("version", 1)])
        finally:
            self._turn.release()

    def versions(self) -> Versions:
        """Returns numbers by which changes of any process are noticed."""
        with self.reading() as connection:
            found = {row.name: row.value for row in connection.execute(select(meta))}
        return Versions(found.get("version", 0), found.get(keys.VERSION, 0))

    def commit(
        self,
        events: Sequence[Event],
        refused: Tally | None = None,
        progress: Progress | None = None,
        completed: held.Completed = lambda event: event,
    ) -> Tally:
        """
        Counts the events that were not counted before, all or none; returns what became of each.

        `refused` is counted with them. `progress` is recorded with them, its tally being added to by this one.
        `completed` is asked for what an event that was joined from parts lacks.
        """
        with self.writing() as connection:
            admitted = self._count(connection, events, (), refused, completed)
            if progress is not None:
                progress.tally.merge(admitted.tally)
                imports.record(connection, progress)
        return admitted.tally

    def amend(
        self,
        amendments: Sequence[Amendment],
        events: Sequence[Event],
        refused: Tally,
        completed: held.Completed = lambda event: event,
    ) -> Admitted:
        """
        Counts as `commit` does, and puts right what was counted before, all in one transaction.

        Who amends has counted that event, and replaces what it knows of it: the store does not keep events.
        """
        with self.writing() as connection:
            return self._count(connection, events, amendments, refused, completed)

    def _count(
        self,
        connection: Connection,
        events: Sequence[Event],
        amendments: Sequence[Amendment],
        refused: Tally | None,
        completed: held.Completed,
    ) -> Admitted:
        now, today = self.now_ms(), self._clock().date()
        self._forget(connection, today)
        waiting = held.Waiting(connection, events, completed)
        fresh, tally = seen.admit(connection, events, today, waiting)
        waiting.settle(now)
        late = held.due(connection, now, completed)
        amended = [amendment.after for amendment in amendments if amendment.after is not None]
        self._fold(connection, [*fresh, *late, *amended], [amendment.before for amendment in amendments], today)
        for amendment in amendments:
            tally.amend(*amendment)
        if refused is not None:
            tally.merge(refused)
        # What waited is none of what was sent now, so the answer does not tell of it.
        counted = self._late(connection, late, today)
        counted.merge(tally)
        _note(connection, counted)
        if fresh:
            at = ((NEWEST, max(event.created_ms for event in fresh)), (COUNTED, now))
            sql.raise_to(connection, meta, [{"name": name, "value": value} for name, value in at], largest="value")
        return Admitted(fresh, tally)

    def _fold(self, connection: Connection, events: Sequence[Event], withdrawn: Sequence[Event], today: date) -> None:
        cells = fold(events, withdrawn)
        for name, cube in cells.items():
            sql.add(connection, cubes[name], sorted((*key, *sums) for key, sums in cube.items()))
            if withdrawn:
                sql.drop_empty(connection, cubes[name], sorted(key for key, sums in cube.items() if sums[0] < 0))
        sessions.note(connection, cells, today)
        registry.claim(connection, events)

    def counted(self, identities: Sequence[seen.Identity]) -> set[seen.Identity]:
        """Returns those keys and fingerprints whose events were counted before."""
        with self.reading() as connection:
            return seen.counted(connection, identities)

    def settle(self, completed: held.Completed) -> Tally:
        """
        Counts requests that are an hour old and still wait for a part, as far as they are told; returns how many.

        For when everything was read: nothing more will be told of them.
        """
        now, today = self.now_ms(), self._clock().date()
        total = Tally()
        while self._any_due(now):
            with self.writing() as connection:
                late = held.due(connection, now, completed, old=True)
                self._fold(connection, late, (), today)
                tally = self._late(connection, late, today)
                _note(connection, tally)
            total.merge(tally)
        return total

    def _any_due(self, now: int) -> bool:
        with self.reading() as connection:
            return held.any_due(connection, now, old=True)

    def _late(self, connection: Connection, events: Sequence[Event], today: date) -> Tally:
        """Returns the counts of requests that waited: a part is accepted that was no request till now."""
        seen.remember(connection, events, today)
        tally = Tally()
        tally.accept(events)
        for event in events:
            tally.add(event.source, PART, -1)
        return tally

    def _forget(self, connection: Connection, today: date) -> None:
        """Each day, ids that left the window are dropped, a portion a commit."""
        if self._forgot != today and seen.forget(connection, today, self._dedup_days):
            self._forgot = today

    def session_costs(self, first: str, last: str) -> sessions.Costs:
        """Returns what sessions of a window of days cost. Who asks after a change waits until it is made."""
        now = self.now_ms()
        with self.reading() as connection:
            costs = sessions.current(connection, first, last, now)
            if costs is not None:
                return costs
            making = sessions.made(connection, first, last, now)
        # Kept outside of it: a scan would hold up who writes. What is derived is no change of the data, and where it
        # cannot be kept now, it is made again.
        with suppress(Unavailable), self.writing(changes=False) as connection:
            sessions.keep(connection, making)
        return sessions.Costs(making.rows, making.made_at)

    def tally(self) -> Tally:
        """Returns the counters since the store was made."""
        total = Tally()
        with self.reading() as connection:
            for source, name, count in connection.execute(select(counters)):
                total.add(source, name, count)
        return total

    def judged(self) -> dict[str, int]:
        """Returns how many requests each classifier judged, by what it stamped on their cells; most first."""
        cells = cubes["task"].c
        requests = func.sum(cells.requests)
        statement = (
            select(cells.classifier, requests)
            .where(cells.tag != UNCLASSIFIED)
            .group_by(cells.classifier)
            .order_by(requests.desc(), cells.classifier)
        )
        with self.reading() as connection:
            return {stamp: int(count) for stamp, count in connection.execute(statement)}

    def progress(self) -> Counted:
        """Returns how far counting is."""
        with self.reading() as connection:
            found = {row.name: row.value for row in connection.execute(select(meta))}
            return Counted(found.get(NEWEST), found.get(COUNTED), held.waiting(connection))

    def newest_day(self) -> str | None:
        with self.reading() as connection:
            day: str | None = connection.execute(select(func.max(cubes["model"].c.date))).scalar()
            return day


def _note(connection: Connection, tally: Tally) -> None:
    sql.add(connection, counters, sorted((*key, count) for key, count in tally.counts.items() if count))


def migrate(engine: Engine) -> None:
    """Brings the tables to the version this code was written for."""
    if sql.revision(engine) == HEAD:
        return
    # Imported where it is needed, once in the life of a database: it takes longer to load than everything else here.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    with sql.writing(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(f"The database cannot be brought to this version of the program: {error}") from error


__all__ = [
    "Admitted",
    "Amendment",
    "Clock",
    "Progress",
    "Store",
    "Tally",
    "Versions",
    "benchmarks",
    "held",
    "imports",
    "keys",
    "migrate",
    "registry",
    "sessions",
    "utc_now",
]
