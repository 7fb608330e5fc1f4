"""`llmcensus status`: what was taken in, and how much is known of it."""

from __future__ import annotations

import click

from llmcensus.catalog import Catalog
from llmcensus.classify import choose
from llmcensus.cli import report
from llmcensus.cli.options import opened, out, setting
from llmcensus.cli.times import ago, moment
from llmcensus.config import Settings
from llmcensus.errors import CensusError
from llmcensus.taxonomy import Taxonomy, in_force


def version(settings: Settings, taxonomy: Taxonomy) -> str:
    """Returns the version of the classifier, or why there is none: what was counted is shown all the same."""
    try:
        return choose(settings, taxonomy).version
    except CensusError as error:
        return f"none: {error}"


@click.command("status")
@setting("db")
@setting("taxonomy")
@setting("classifier")
def command(**given: str | None) -> None:
    """Show counts, coverage, reasons of refusal, the newest day and the versions in use."""
    with opened(**given) as (store, settings):
        taxonomy = in_force(settings.taxonomy)
        tally = store.tally()
        judged = store.judged()
        newest = store.newest_day()
        progress = store.progress()
        now = store.now_ms()
    out.print(f"store            {settings.db}")
    out.print(f"newest day       {newest or 'none: nothing was counted yet'}")
    if progress.newest_ms is not None:
        out.print(f"newest request   {moment(progress.newest_ms)}, {ago(now - progress.newest_ms)}")
    if progress.counted_ms is not None:
        out.print(f"last counted     {moment(progress.counted_ms)}, {ago(now - progress.counted_ms)}")
    if progress.waiting:
        out.print(f"told in part     {progress.waiting:,} requests wait for the rest")
    out.print(f"taxonomy         {taxonomy.name}, {len(taxonomy.tags)} tags")
    out.print(f"classifier       {version(settings, taxonomy)}")
    out.print(f"model names      {Catalog().version}")
    out.print()
    out.print(report.outcomes(tally))
    if tally.counts:
        out.print()
        out.print(report.sources(tally))
    if tally["accepted"]:
        out.print()
        out.print(report.coverage(tally))
    if judged:
        out.print()
        out.print(report.judged(judged, taxonomy))
