"""`llmcensus evaluate`: how good the classifier is."""

from __future__ import annotations

from pathlib import Path

import click

from llmcensus.classify import shipped
from llmcensus.classify.evaluate import by_source, by_text, hold_out
from llmcensus.classify.report import Figures, measure_speed, report, write_card
from llmcensus.classify.typos import mistyped
from llmcensus.cli.options import tags
from llmcensus.cli.train import learned_from, material, several_sources


@click.command("evaluate")
@material
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2, 20))
@click.option("--card", type=click.Path(path_type=Path), help="A Markdown file whose figures are to be replaced.")
def command(
    paths: tuple[Path, ...],
    instructions: tuple[Path, ...],
    readings: tuple[Path, ...],
    taxonomy: str | None,
    folds: int,
    card: Path | None,
) -> None:
    """Measure the classifier on sources that it did not learn from, and on rows of those that it did."""
    of = tags(taxonomy)
    rows, bank = learned_from(paths, instructions, readings, of)
    unseen = hold_out(rows, bank, folds, deal=by_source, outcomes=of.outcomes) if several_sources(rows, folds) else None
    seen = hold_out(rows, bank, folds, deal=by_text, outcomes=of.outcomes)
    figures = Figures(
        unseen=unseen.judged() if unseen else None,
        mistyped=unseen.judged(mistyped) if unseen else None,
        # What may not be learned from is not seen, whichever way the rows are dealt.
        seen=seen.judged().where(lambda row: row.train_ok),
        # A row costs what it costs, whatever its outputs are called.
        speed=measure_speed(shipped(), [row for row in rows if not row.written]),
    )
    if figures.unseen is None:
        click.echo(
            "too few sources to hold one out: the figures are of sources that were learned from, which are kinder"
        )
    click.echo(report(figures))
    if card is not None:
        write_card(card, figures)
