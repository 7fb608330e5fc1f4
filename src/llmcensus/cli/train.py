"""`llmcensus train`: weights from labelled requests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from llmcensus.classify.train import Row, read_row, train
from llmcensus.errors import InputError
from llmcensus.wire.lines import read_lines

DATA = click.option(
    "--data",
    "paths",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON lines of {messages, tools, tag, source}; may be given more than once.",
)


@click.command("train")
@DATA
@click.option("--out", "target", required=True, type=click.Path(path_type=Path), help="Where to write the weights.")
def command(paths: tuple[Path, ...], target: Path) -> None:
    """Train the classifier. The same rows give the same weights."""
    model = train(read_rows(paths))
    model.save(target)
    rows = model.card.rows
    click.echo(f"{target}: {model.version}, from {rows['tagged']:,} tagged and {rows['weak']:,} weakly labelled rows")


def read_rows(paths: Iterable[Path]) -> list[Row]:
    rows = []
    for path in paths:
        for line in read_lines(path):
            try:
                if line.problem is not None:
                    raise InputError(str(line.problem))
                rows.append(read_row(line.data))
            except InputError as error:
                raise InputError(f"{path}, line {line.number}: {error}") from None
    return rows
