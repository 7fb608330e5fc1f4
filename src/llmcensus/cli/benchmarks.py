"""`llmcensus benchmarks`: scores of models, from files."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich import box
from rich.table import Table

from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.cli.options import err, opened, out, setting
from llmcensus.cli.times import moment
from llmcensus.errors import InputError
from llmcensus.printable import printable
from llmcensus.store import benchmarks, registry, utc_now

SHOWN = 20


@click.group("benchmarks")
def command() -> None:
    """Import and list benchmarks of models."""


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--arena", help="The arena of a Design Arena leaderboard that does not name it.")
@click.option("--category", help="The category of a Design Arena leaderboard that does not name it.")
@setting("db")
def import_(files: tuple[Path, ...], arena: str | None, category: str | None, db: str | None) -> None:
    """
    Take in benchmarks from FILES: Artificial Analysis or Design Arena JSON, or neutral JSON or CSV.

    A board (a source, or one ranking of it) is taken in as a whole, in place of what was there.
    """
    named = (("arenaType", arena), ("arena", arena), ("category", category))
    given = {name: value for name, value in named if value}
    with opened(db=db) as (store, _):
        with store.reading() as connection:
            catalog = Catalog(registry.aliases(connection))
        for path in files:
            names = Names(catalog, utc_now())
            reading = read(path.read_bytes(), names, given)
            for refusal in reading.refusals[:SHOWN]:
                err.print(f"{path}, row {refusal.number}: {refusal.message}", style="red")
            if not reading.items:
                raise InputError(f"{path}: none of {len(reading.refusals):,} rows could be read; nothing was imported")
            boards = reading.boards()
            with store.writing() as connection:
                benchmarks.record(connection, store.now_ms(), reading.encoded())
            out.print(
                f"{path}: {len(reading.items):,} rows of {', '.join(sorted(reading.formats))}, "
                f"{len(boards):,} boards, {len(reading.refusals):,} refused"
            )
            explain_unresolved(list(names.unresolved))


def explain_unresolved(names: list[str]) -> None:
    if names:
        some = ", ".join(printable(name) for name in names[:SHOWN])
        out.print(f"{len(names):,} models are unknown here, and listed under their own names: {some}")
        out.print("`llmcensus models alias NAME PERMASLUG` says what a name means; then import the file again.")


@command.command("list")
@setting("db")
def list_(db: str | None) -> None:
    """Show the boards that are served, and when each was imported."""
    table = Table("source", "board", "rows", "imported", box=box.SIMPLE_HEAD, show_edge=False)
    with opened(db=db) as (store, _), store.reading() as connection:
        for board in benchmarks.newest(connection):
            rows = len(msgspec.json.decode(board.items, type=list[msgspec.Raw]))
            table.add_row(board.source, board.board, f"{rows:,}", moment(board.as_of))
    out.print(table)
