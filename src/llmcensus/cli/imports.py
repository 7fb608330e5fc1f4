"""`llmcensus import`: files into the census."""

from __future__ import annotations

import gc
import re
import stat
import time
from collections.abc import Iterable
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn

from llmcensus.classify import choose
from llmcensus.cli import report
from llmcensus.cli.options import err, opened, out, setting
from llmcensus.cli.times import day
from llmcensus.errors import InputError
from llmcensus.ingest import Intake, Refusal
from llmcensus.printable import printable
from llmcensus.store import Tally
from llmcensus.taxonomy import in_force
from llmcensus.wire import FORMATS, Format, named

LONGEST_PATH = 500
# `.json`, `.jsonl`, `.ndjson`, with what programs append to rotate and compress: `.jsonl.1.gz`.
TRAFFIC = re.compile(r"\.(json|jsonl|ndjson)(\.[\w-]+)*$", re.IGNORECASE)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--format", "format_name", default="auto", show_default=True, help=f"auto, {', '.join(sorted(FORMATS))}")
@click.option("--show", default=20, show_default=True, help="So many refused lines are explained; all are counted.")
@setting("db")
@setting("taxonomy")
@setting("classifier")
def command(paths: tuple[Path, ...], format_name: str, show: int, **options: str | None) -> None:
    """
    Count the traffic in PATHS: files of JSON lines, plain, .gz or .zst, and folders of them.

    An import that was stopped goes on where it was when it is run again. Counting a file twice changes nothing.
    """
    wire = None if format_name == "auto" else named(format_name)
    failed = False
    with opened(**options) as (store, settings):
        taxonomy = in_force(settings.taxonomy)
        classifier = choose(settings, taxonomy)
        intake = Intake.open(store, classifier, settings.first_day, taxonomy=taxonomy, weights=settings.weights())
        # Records hold no cycles. Looking for some among thousands of live ones took a fifth of the time, so what is
        # loaded by now is left alone, and the rest is looked at once a batch.
        gc.freeze()
        gc.disable()
        total = Tally()
        started = time.monotonic()
        with bar(DownloadColumn(binary_units=True), "{task.fields[detail]}") as progress:
            refused = Refused(show)
            for given in paths:
                try:
                    for path in files(given):
                        total.merge(count(intake, path, wire, progress, refused))
                except InputError as error:
                    err.print(str(error), style="red")
                    failed = True
        seconds = time.monotonic() - started
    refused.rest()
    out.print(report.outcomes(total))
    if total["accepted"]:
        out.print()
        out.print(report.coverage(total))
    out.print(f"\n{total.records():,} records in {seconds:.1f} s, {total.records() / max(seconds, 1e-9):,.0f} a second")
    if failed:
        raise click.exceptions.Exit(1)


def count(intake: Intake, path: Path, wire: Format | None, progress: Progress, refused: Refused) -> Tally:
    """Counts one file, showing where it is."""
    try:
        known = path.stat()
    except OSError as error:
        raise InputError(f"Cannot read {shown(path)}: {error.strerror}") from error
    if not stat.S_ISREG(known.st_mode):
        # It is read twice, for its digest and for its lines; a pipe would wait for a second writer for ever.
        raise InputError(f"Cannot read {shown(path)}: expected a file or a folder")
    task: TaskID = progress.add_task(shown(Path(path.name)), total=known.st_size, detail="")
    started = time.monotonic()
    tally = Tally()
    before = None
    for step in intake.take_file(path, wire):
        tally = step.tally
        # The first step tells what an earlier, stopped import did.
        before = tally.records() if before is None else before
        rate = (tally.records() - before) / max(time.monotonic() - started, 1e-9)
        progress.update(task, completed=step.bytes_read, detail=f"{rate:,.0f} generations/s")
        refused.show(path, step.refusals)
        if step.imported_at is not None:
            err.print(f"{shown(path)}: imported before, on {day(step.imported_at)}; nothing was read")
        if step.changed:
            err.print(f"{shown(path)} changed while it was read: import it again for the rest", style="red")
        gc.collect()
    return tally


class Refused:
    """Prints the first refused lines, and how many more there were."""

    def __init__(self, shown: int) -> None:
        self._shown = shown
        self._seen = 0

    def show(self, path: Path, refusals: Iterable[Refusal]) -> None:
        for refusal in refusals:
            self._seen += 1
            if self._seen <= self._shown:
                err.print(f"{shown(path)}:{refusal.number} {refusal.reason}: {refusal.message}", style="red")

    def rest(self) -> None:
        if self._seen > self._shown:
            err.print(f"… and {self._seen - self._shown:,} more refused lines; --show says how many are explained")


def files(path: Path) -> list[Path]:
    """Returns a file itself, or the files of JSON in a folder, in order of their names."""
    try:
        if not path.is_dir():
            return [path]
        everything = sorted(found for found in path.rglob("*") if found.is_file())
    except OSError as error:
        raise InputError(f"Cannot read {shown(path)}: {error.strerror}") from error
    chosen = [found for found in everything if TRAFFIC.search(found.name)]
    if len(chosen) < len(everything):
        err.print(
            f"{shown(path)}: {len(everything) - len(chosen):,} files passed over; names end in .json, .jsonl or .ndjson"
        )
    if not chosen:
        raise InputError(f"Cannot read {shown(path)}: expected a folder with files of JSON lines")
    return chosen


def shown(path: Path) -> str:
    """Returns a path as one line of bounded length."""
    return printable(str(path)[:LONGEST_PATH], "\ufffd")


def bar(*columns: str | ProgressColumn) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn(), console=err)
