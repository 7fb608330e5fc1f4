"""`llmcensus serve`: the census over HTTP."""

from __future__ import annotations

import click

from llmcensus import server
from llmcensus.cli.options import opened, setting


@click.command("serve")
@setting("db")
@setting("host")
@setting("port")
@setting("workers")
@setting("pages")
@setting("limits")
@setting("redis")
@setting("log")
@setting("taxonomy")
@setting("classifier")
def command(**given: str | None) -> None:
    """Serve pages and the Data API, and take traffic at POST /api/v1/generations."""
    with opened(**given) as (store, settings):
        server.serve(settings, store)
