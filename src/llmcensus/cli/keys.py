"""`llmcensus keys`: who may read and who may send."""

from __future__ import annotations

import click
from rich import box
from rich.table import Table

from llmcensus.cli.options import opened, out, setting
from llmcensus.cli.times import day
from llmcensus.store import keys
from llmcensus.store.keys import SCOPES, Scope


@click.group("keys")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command()
@click.option("--account", required=True, help="Whose key it is; the daily limit is the account's.")
@click.option("--scope", type=click.Choice(SCOPES), default="read", show_default=True)
@setting("db")
def create(account: str, scope: Scope, db: str | None) -> None:
    """Make a key and print it, this once."""
    with opened(db=db) as (store, _), store.writing() as connection:
        key = keys.create(connection, account, scope, store.now_ms())
    click.echo(key)


@command.command("list")
@setting("db")
def list_(db: str | None) -> None:
    """Show all keys; of each only the hint is known."""
    table = Table("key", "account", "scope", "created", "revoked", box=box.SIMPLE_HEAD, show_edge=False)
    with opened(db=db) as (store, _), store.reading() as connection:
        for key in keys.listed(connection):
            table.add_row(key.hint, key.account, key.scope, day(key.created_at), day(key.revoked_at))
    out.print(table)


@command.command()
@click.argument("key")
@click.argument("scope", type=click.Choice(SCOPES))
@setting("db")
def scope(key: str, scope: Scope, db: str | None) -> None:
    """Change what KEY, given whole or as the hint that `list` shows, may do."""
    with opened(db=db) as (store, _), store.writing() as connection:
        keys.change_scope(connection, key, scope)
    click.echo("Changed.")


@command.command()
@click.argument("key")
@setting("db")
def revoke(key: str, db: str | None) -> None:
    """End the use of KEY, given whole or as the hint that `list` shows."""
    with opened(db=db) as (store, _), store.writing() as connection:
        keys.revoke(connection, key, store.now_ms())
    click.echo("Revoked.")
