"""
Imported files, by the digest of their bytes: how far each was read, so that an import goes on where it was stopped and
a file that was imported once is never counted again, however long ago.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from llmcensus.store import sql
from llmcensus.store.schema import imports
from llmcensus.store.tally import Tally


class Progress(NamedTuple):
    """`lines` are committed, with the given tally; `finished_at` is None while there are more."""

    digest: bytes
    name: str
    lines: int
    tally: Tally
    finished_at: int | None = None


def find(connection: Connection, digest: bytes) -> Progress | None:
    row = connection.execute(select(imports).where(imports.c.digest == digest)).first()
    if row is None:
        return None
    return Progress(row.digest, row.name, row.lines, Tally.from_json(row.tally), row.finished_at)


def record(connection: Connection, progress: Progress) -> None:
    row = progress._asdict() | {"name": progress.name[:256], "tally": progress.tally.to_json()}
    statement = sql.insert(connection, imports).values(row)
    changes = {name: statement.excluded[name] for name in row if name != "digest"}
    connection.execute(statement.on_conflict_do_update(index_elements=["digest"], set_=changes))
