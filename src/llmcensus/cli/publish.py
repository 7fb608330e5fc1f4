"""`llmcensus publish`: the census as a folder of files."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import click

from llmcensus.classify import choose
from llmcensus.cli.options import opened, out, setting
from llmcensus.pages.publish import moment, publish
from llmcensus.store import utc_now
from llmcensus.taxonomy import in_force


@click.command("publish")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--last-day", type=click.DateTime(["%Y-%m-%d"]), help="Last day to show; the newest that is over.")
@setting("db")
@setting("publisher")
@setting("site")
@setting("data_licence")
@setting("taxonomy")
@setting("classifier")
def command(folder: Path, last_day: datetime | None, **given: str | None) -> None:
    """Write pages and data into FOLDER, for any web host."""
    with opened(**given) as (store, settings):
        taxonomy = in_force(settings.taxonomy)
        at = moment(store, utc_now())
        if last_day is not None:
            at = datetime.combine(last_day.date() + timedelta(days=1), time(), UTC)
        written = publish(store, settings, taxonomy, choose(settings, taxonomy).version, at, folder)
    out.print(f"{written:,} files in {folder}, up to {(at - timedelta(days=1)).date()}.")
