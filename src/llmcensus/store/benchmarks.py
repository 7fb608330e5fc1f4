"""
Imported benchmarks. A board is what is imported as a whole: a source, or one ranking of a source that has several; each
import of it is a snapshot, and the newest one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, and_, func, select

from llmcensus.store import sql
from llmcensus.store.schema import benchmarks
from llmcensus.store.sql import AnyRow


def record(connection: Connection, as_of_ms: int, boards: Iterable[tuple[str, str, bytes]]) -> None:
    """Keeps (source, board, items as JSON) as of a time; of two imports at one time the second stays."""
    statement = sql.insert(connection, benchmarks)
    kept = statement.on_conflict_do_update(
        index_elements=list(benchmarks.primary_key), set_={"items": statement.excluded["items"]}
    )
    connection.execute(
        kept,
        [
            {"source": source, "board": board, "as_of": as_of_ms, "items": items.decode()}
            for source, board, items in boards
        ],
    )


def newest(connection: Connection) -> Sequence[AnyRow]:
    """Returns source, board, as_of (in milliseconds since 1970) and items of the newest snapshot of each board."""
    latest = (
        select(benchmarks.c.source, benchmarks.c.board, func.max(benchmarks.c.as_of).label("as_of"))
        .group_by(benchmarks.c.source, benchmarks.c.board)
        .subquery()
    )
    same = and_(
        benchmarks.c.source == latest.c.source,
        benchmarks.c.board == latest.c.board,
        benchmarks.c.as_of == latest.c.as_of,
    )
    columns = (benchmarks.c.source, benchmarks.c.board, benchmarks.c.as_of, benchmarks.c["items"])
    return connection.execute(
        select(*columns).join_from(benchmarks, latest, same).order_by(benchmarks.c.source, benchmarks.c.board)
    ).all()
