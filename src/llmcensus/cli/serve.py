"""`llmcensus serve`: the census over HTTP."""

from __future__ import annotations

import click

from llmcensus import server
from llmcensus.cli.options import opened, setting


@click.command("serve")
@setting("db")
@setting("host")
@setting("port")
def command(db: str | None, host: str | None, port: str | None) -> None:
    """Serve the Data API and take traffic at POST /api/v1/generations."""
    with opened(db=db, host=host, port=port) as (store, settings):
        server.serve(settings, store)
