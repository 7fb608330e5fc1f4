"""`llmcensus train`: weights from labelled requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from llmcensus.classify.evaluate import by_source, by_text, calibrated, hold_out
from llmcensus.classify.instructions import Instruction
from llmcensus.classify.rows import Reading, Row, read
from llmcensus.classify.train import train
from llmcensus.cli.options import setting, tags
from llmcensus.errors import InputError
from llmcensus.taxonomy import OTHER, Taxonomy
from llmcensus.wire.lines import read_lines


class Folds(click.IntRange):
    """A number of folds: one alone would leave nothing to learn from."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        folds = int(super().convert(value, param, ctx))
        if folds == 1:
            self.fail("1 leaves nothing to learn from: expected 0, or 2 or more", param, ctx)
        return folds


Thing = TypeVar("Thing", Row, Instruction, Reading)
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


def material(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that say what there is to learn from."""
    for option in (
        setting("taxonomy"),
        click.option("--readings", multiple=True, type=EXISTING, help="JSON lines of {id, tag, sure}: tags of rows."),
        click.option("--instructions", multiple=True, type=EXISTING, help="JSON lines of {kind, text, tag, takes}."),
        click.option(
            "--data",
            "paths",
            multiple=True,
            required=True,
            type=EXISTING,
            help="JSON lines of {messages, tools, tag, source}; may be given more than once.",
        ),
    ):
        command = option(command)
    return command


@click.command("train")
@material
@click.option("--out", "target", required=True, type=click.Path(path_type=Path), help="Where to write the weights.")
@click.option(
    "--folds", default=5, show_default=True, type=Folds(0, 20), help="To calibrate by, two or more; 0: not at all."
)
def command(
    paths: tuple[Path, ...],
    instructions: tuple[Path, ...],
    readings: tuple[Path, ...],
    taxonomy: str | None,
    target: Path,
    folds: int,
) -> None:
    """
    Train the classifier, and calibrate its confidence on sources held out in turn.

    The same material gives the same weights.
    """
    of = tags(taxonomy)
    rows, bank = learned_from(paths, instructions, readings, of)
    model = train(rows, bank, outcomes=of.outcomes)
    if missing := unlearned(rows, bank, of):
        click.echo(f"no rows, so it will never be found: {', '.join(missing)}")
    if folds and not any(row.tag and not row.written for row in rows):
        click.echo("not calibrated: every row was written for training, so none can be held out")
    elif folds:
        judged = hold_out(rows, bank, folds, deal=_deal(rows, folds), outcomes=of.outcomes).judged()
        model = calibrated(model, judged)
        click.echo(f"kappa {judged.kappa():.3f} on {len(judged.rows):,} rows of sources held out")
    model.save(target)
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(model.card.rows.items()))
    click.echo(f"{target}: {model.version}, from rows: {counts}")


def unlearned(rows: Sequence[Row], bank: Sequence[Instruction], taxonomy: Taxonomy) -> list[str]:
    """Returns the outcomes that there is nothing to learn of."""
    learned = {row.label for row in rows if row.train_ok} | {one.tag for one in bank}
    # Instructions come with noise.
    return [tag for tag in taxonomy.outcomes if tag not in learned and not (bank and tag == OTHER)]


def _deal(rows: list[Row], folds: int) -> Callable[[Row, int], int]:
    """Rows of too few sources to hold one out are dealt by their text."""
    return by_source if several_sources(rows, folds) else by_text


def several_sources(rows: Sequence[Row], folds: int) -> bool:
    """Says whether sources are left to learn from where those of a fold are held out."""
    return len({by_source(row, folds) for row in rows if not row.written}) > 1


def learned_from(
    paths: Iterable[Path], instructions: Iterable[Path], readings: Iterable[Path], taxonomy: Taxonomy
) -> tuple[list[Row], list[Instruction]]:
    found = {reading.id: reading for reading in _read(readings, Reading, taxonomy)}
    return read(_read(paths, Row, taxonomy), found), _read(instructions, Instruction, taxonomy)


def _read(paths: Iterable[Path], kind: type[Thing], taxonomy: Taxonomy) -> list[Thing]:
    decoder = msgspec.json.Decoder(kind)
    things = []
    for path in paths:
        for line in read_lines(path):
            try:
                if line.problem is not None:
                    raise InputError(str(line.problem))
                thing = decoder.decode(line.data)
                taxonomy.require(thing.tag)
                if isinstance(thing, Row):
                    taxonomy.require(thing.weak_label)
                    taxonomy.require(thing.read_tag)
                things.append(thing)
            except (InputError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise InputError(f"{path}, line {line.number}: {error}") from None
    return things
