"""
The few statements that every part of the store is made of: an engine, a write transaction, adding, keeping.

SQLite is opened in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut. Writers take the lock
when they begin, so that what they read is what they change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from llmcensus.errors import ConfigError, StoreError, Unavailable

Values = Mapping[str, Any]
# A result row, read by attribute; SQLAlchemy types each position, which says nothing here.
AnyRow: TypeAlias = Any
BUSY_MS = 30_000


def connect(url: str) -> Engine:
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"db {url!r}: expected an SQLAlchemy URL such as sqlite:///census.db ({error})") from error
    if engine.dialect.name != "sqlite":
        raise ConfigError(f"db {url!r}: expected a URL that begins with sqlite")
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _: object) -> None:
    # The driver begins no transactions of its own: `_begin` does.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Gives a connection inside one transaction, committed at the end, rolled back if anything is raised."""
    with translated(), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Gives a connection that sees one state of the store throughout."""
    with translated(), engine.connect() as connection, connection.begin():
        yield connection


def revision(engine: Engine) -> str | None:
    """Returns the version of the tables, or None where there are none."""
    with reading(engine) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def translated() -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(f"The store cannot be used now: {error.orig}") from error
    except DBAPIError as error:
        raise StoreError(f"The store failed: {error.orig}") from error


def insert(connection: Connection, table: Table) -> Any:
    """Returns the dialect's INSERT, which has ON CONFLICT."""
    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[connection.dialect.name](table)


def add(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Inserts rows, or adds their other columns to those of the row with the same key."""
    if rows:
        statement = insert(connection, table)
        sums = {
            column.name: column + statement.excluded[column.name] for column in table.columns if not column.primary_key
        }
        run: Insert = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums)
        connection.execute(run, rows)


def keep(connection: Connection, table: Table, rows: Sequence[Values], *, smallest: str) -> None:
    """Inserts rows; of two with the same key the one with the smaller `smallest` stays."""
    if rows:
        statement = insert(connection, table)
        new = statement.excluded[smallest]
        run: Insert = statement.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={smallest: new}, where=new < table.c[smallest]
        )
        connection.execute(run, rows)
