"""`llmcensus models`: names of models."""

from __future__ import annotations

import click
from rich import box
from rich.table import Table

from llmcensus import permaslug
from llmcensus.catalog import Catalog
from llmcensus.cli.options import opened, out, setting
from llmcensus.store import registry


@click.group("models")
def command() -> None:
    """List models, and say what unknown names mean."""


@command.command("list")
@click.option("--unknown", is_flag=True, help="Only names that could not be resolved.")
@setting("db")
def list_(unknown: bool, db: str | None) -> None:
    """Show all models, those with the most requests first; `?` stands before names that are unknown."""
    table = Table("model", "requests", "tokens", "newest day", box=box.SIMPLE_HEAD, show_edge=False)
    for column in table.columns[1:3]:
        column.justify = "right"
    with opened(db=db) as (store, _), store.reading() as connection:
        for model in registry.list_models(connection):
            if not (unknown and permaslug.known(model.permaslug)):
                table.add_row(model.permaslug, f"{model.requests:,}", f"{model.tokens:,}", model.newest)
    out.print(table)


@command.command()
@click.argument("name")
@click.argument("target", metavar="PERMASLUG")
@setting("db")
def alias(name: str, target: str, db: str | None) -> None:
    """Let NAME, as gateways send it, mean PERMASLUG (author/slug); what was counted as unknown moves there."""
    checked = permaslug.checked(target)
    name = permaslug.sent(name)
    with opened(db=db) as (store, _), store.writing() as connection:
        before = Catalog(registry.aliases(connection)).permaslug(name)
        moved = registry.alias_model(connection, name, checked, permaslug.unknown(name))
    click.echo(f"{name} is {checked} from now on; {moved:,} requests that were counted as unknown are its own now.")
    if permaslug.known(before) and before != checked:
        click.echo(f"Till now it was {before}: what was counted there stays there.")


@command.command()
@setting("db")
def sync(db: str | None) -> None:
    """Resolve unknown names again, with the tables of this version and your aliases; past traffic included."""
    with opened(db=db) as (store, _), store.writing() as connection:
        catalog = Catalog(registry.aliases(connection))
        for model in registry.list_models(connection):
            name = permaslug.sent(model.permaslug)
            resolved = catalog.permaslug(name)
            if not permaslug.known(model.permaslug) and permaslug.known(resolved):
                moved = registry.move_model(connection, model.permaslug, resolved)
                click.echo(f"{name} is {resolved}; {moved:,} requests.")
