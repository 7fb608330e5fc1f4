"""`llmcensus apps`: what the operator says of apps."""

from __future__ import annotations

import click
from rich import box
from rich.table import Table

from llmcensus.cli.options import opened, out, setting
from llmcensus.store import registry


@click.group("apps")
def command() -> None:
    """List, merge, hide and rename apps."""


@command.command("list")
@setting("db")
def list_(db: str | None) -> None:
    """Show all apps, those with the most requests first."""
    table = Table("app_id", "name", "identity", "requests", "", box=box.SIMPLE_HEAD, show_edge=False)
    table.columns[3].justify = "right"
    with opened(db=db) as (store, _), store.reading() as connection:
        for app in registry.list_apps(connection):
            state = "hidden" if app.hidden else f"merged into {app.merged_into}" if app.merged_into else ""
            table.add_row(
                str(app.app_id), app.renamed or app.title or "", app.identity, f"{app.requests:,}", state, style=None
            )
    out.print(table)


@command.command()
@click.argument("app_id", type=int)
@click.argument("into", type=int, required=False)
@click.option("--undo", is_flag=True, help="Let APP_ID be an app of its own again.")
@setting("db")
def merge(app_id: int, into: int | None, undo: bool, db: str | None) -> None:
    """Count the traffic of APP_ID, past and to come, as that of INTO."""
    if undo == (into is not None):
        raise click.UsageError("Give either the app to merge into, or --undo.")
    with opened(db=db) as (store, _), store.writing() as connection:
        registry.merge_app(connection, app_id, into)


@command.command()
@click.argument("app_id", type=int)
@click.option("--undo", is_flag=True, help="Show it again.")
@setting("db")
def hide(app_id: int, undo: bool, db: str | None) -> None:
    """Keep APP_ID out of every dataset; its traffic still counts for models and tasks."""
    with opened(db=db) as (store, _), store.writing() as connection:
        registry.hide_app(connection, app_id, hidden=not undo)


@command.command()
@click.argument("app_id", type=int)
@click.argument("name")
@setting("db")
def rename(app_id: int, name: str, db: str | None) -> None:
    """Call APP_ID by NAME, whatever it calls itself; an empty NAME takes that back."""
    with opened(db=db) as (store, _), store.writing() as connection:
        registry.rename_app(connection, app_id, name[:100] or None)
