"""`llmcensus evaluate`: how good the classifier is."""

from __future__ import annotations

from pathlib import Path

import click

from llmcensus.classify.evaluate import leave_sources_out, report
from llmcensus.cli.train import DATA, read_rows


@click.command("evaluate")
@DATA
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2, 20))
def command(paths: tuple[Path, ...], folds: int) -> None:
    """Measure the classifier on sources that it did not learn from."""
    click.echo(report(leave_sources_out(read_rows(paths), folds)))
