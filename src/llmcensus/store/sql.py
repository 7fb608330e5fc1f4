"""
The few statements that every part of the store is made of: an engine, a write transaction, adding, keeping.

SQLite is opened in WAL mode with `synchronous=FULL`: a commit that returned survives a power cut. Writers take the lock
when they begin, so that what they read is what they change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Literal, TypeAlias

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Insert,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    inspect,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from llmcensus.errors import ConfigError, StoreError, Unavailable

Values = Mapping[str, Any]
# A result row, read by attribute; SQLAlchemy types each position, which says nothing here.
AnyRow: TypeAlias = Any
# Writers wait so long for each other, threads for their turn and processes for the lock: exporters give up after ten
# seconds, and should have been told to come back by then.
BUSY_MS = 4_000
# SQLite takes at most 32,766 values in a statement.
LOOKUP = 32_000
INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def connect(url: str, synchronous: Literal["FULL", "NORMAL"] = "FULL") -> Engine:
    """Returns an engine; with `NORMAL`, commits survive a crash of the process and not of the machine."""
    try:
        # Statements carry no values into messages.
        engine = create_engine(url, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"db {url!r}: expected an SQLAlchemy URL such as sqlite:///census.db ({error})") from error
    if engine.dialect.name != "sqlite":
        raise ConfigError(f"db {url!r}: expected a URL that begins with sqlite")
    event.listen(engine, "connect", partial(_prepare, synchronous))
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(synchronous: str, connection: Any, _: object) -> None:
    # The driver begins no transactions of its own: `_begin` does.
    connection.isolation_level = None
    # The time to wait comes first: others may open the database too, and only one at a time can switch it to WAL.
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "cache_size=-65536",
    ):
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
    except (DBAPIError, OverflowError, UnicodeEncodeError) as error:
        raise StoreError(f"The store failed: {getattr(error, 'orig', error)}") from error


def insert(connection: Connection, table: Table) -> Any:
    """Returns the dialect's INSERT, which has ON CONFLICT."""
    return INSERTS[connection.dialect.name](table)


def add(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts rows, as tuples in the order of the columns, or adds their measures to the row with the same key."""
    if rows:
        connection.exec_driver_sql(_adding(connection.dialect, table), list(rows))


@cache
def _adding(dialect: Dialect, table: Table) -> str:
    """
    Returns the driver's own text of the statement.

    It runs on tuples as they are; naming every value of every row to the statement took four times as long as the
    database did.
    """
    statement = INSERTS[dialect.name](table)
    sums = {column.name: column + statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return _compiled(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums), dialect, table)


@cache
def _inserting(dialect: Dialect, table: Table) -> str:
    return _compiled(INSERTS[dialect.name](table), dialect, table)


def _compiled(statement: Insert, dialect: Dialect, table: Table) -> str:
    compiled: Any = statement.compile(dialect=dialect)
    if list(compiled.positiontup) != [column.name for column in table.columns]:
        raise StoreError(f"{table.name}: values would not be bound in the order of the columns")
    return str(compiled)


def put(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Inserts rows that are not there, as tuples in the order of the columns."""
    if rows:
        connection.exec_driver_sql(_inserting(connection.dialect, table), list(rows))


def raise_to(connection: Connection, table: Table, rows: Sequence[Values], *, largest: str) -> None:
    """Inserts rows; of two with the same key the one with the larger `largest` stays."""
    statement = insert(connection, table)
    new = statement.excluded[largest]
    run: Insert = statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={largest: new}, where=new > table.c[largest]
    )
    connection.execute(run, rows)


def drop_empty(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
    """Drops those of the rows with these keys that count no request any more."""
    if keys:
        named = {column.name: column == bindparam(column.name) for column in table.primary_key}
        empty = delete(table).where(*named.values(), table.c.requests == 0)
        connection.execute(empty, [dict(zip(named, key, strict=True)) for key in keys])


def among(connection: Connection, table: Table, column: str, values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yields the rows whose `column` is one of the values; there may be any number of them."""
    for at in range(0, len(values), LOOKUP):
        part = tuple(values[at : at + LOOKUP])
        # Names of our own tables; the values are bound.
        statement = f"SELECT * FROM {table.name} WHERE {column} IN ({','.join('?' * len(part))})"  # noqa: S608
        for row in connection.exec_driver_sql(statement, part):
            yield tuple(row)


def keep(connection: Connection, table: Table, rows: Sequence[Values], *, smallest: str) -> None:
    """Inserts rows; of two with the same key the one with the smaller `smallest` stays."""
    if rows:
        statement = insert(connection, table)
        new = statement.excluded[smallest]
        run: Insert = statement.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={smallest: new}, where=new < table.c[smallest]
        )
        connection.execute(run, rows)
