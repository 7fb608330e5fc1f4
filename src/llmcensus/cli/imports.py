"""`llmcensus import`: files into the census."""

from __future__ import annotations

import gc
import re
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeRemainingColumn

from llmcensus.classify import choose
from llmcensus.cli import report
from llmcensus.cli.options import err, opened, out, setting
from llmcensus.cli.times import day
from llmcensus.errors import InputError
from llmcensus.ingest import Intake, Refusal, Step
from llmcensus.printable import printable
from llmcensus.store import Tally
from llmcensus.taxonomy import in_force
from llmcensus.wire import FORMATS, Format, named

LONGEST_PATH = 500
# Of so many files in a folder each has its bar and its line; of more, only what differs is said.
FEW = 20
# `.json`, `.jsonl`, `.ndjson`, `.parquet`, with what programs append to rotate and compress: `.jsonl.1.gz`.
TRAFFIC = re.compile(r"\.(json|jsonl|ndjson|parquet)(\.[\w-]+)*$", re.IGNORECASE)


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, readable=False))
@click.option("--format", "format_name", default="auto", show_default=True, help=f"auto, {', '.join(sorted(FORMATS))}")
@click.option("--show", default=20, show_default=True, help="So many refused lines are explained; all are counted.")
@setting("db")
@setting("taxonomy")
@setting("classifier")
def command(paths: tuple[Path, ...], format_name: str, show: int, **options: str | None) -> None:
    """
    Count the traffic in PATHS: files of JSON lines or arrays, plain, .gz or .zst, of Parquet, and folders of them.

    An import that was stopped goes on where it was when it is run again. Counting a file twice changes nothing.
    """
    wire = None if format_name == "auto" else named(format_name)
    with opened(**options) as (store, settings):
        taxonomy = in_force(settings.taxonomy)
        classifier = choose(settings, taxonomy)
        intake = Intake.open(store, classifier, settings.first_day, taxonomy=taxonomy, weights=settings.weights())
        # Records hold no cycles. Looking for some among thousands of live ones took a fifth of the time, so what is
        # loaded by now is left alone, and the rest is looked at once a batch.
        gc.freeze()
        gc.disable()
        started = time.monotonic()
        with bar(DownloadColumn(binary_units=True), "{task.fields[detail]}") as progress:
            work = Import(intake, wire, progress, Refused(show))
            for given in paths:
                work.take(given)
            work.total.merge(intake.settle())
        seconds = time.monotonic() - started
    work.refused.rest()
    total = work.total
    out.print(report.outcomes(total))
    if total["accepted"]:
        out.print()
        out.print(report.coverage(total))
    out.print(f"\n{total.records():,} records in {seconds:.1f} s, {total.records() / max(seconds, 1e-9):,.0f} a second")
    if work.failed:
        raise click.exceptions.Exit(1)


@dataclass
class Import:
    """Counts files one by one, showing where it is; what cannot be read is said, and the others are counted."""

    intake: Intake
    wire: Format | None
    progress: Progress
    refused: Refused
    total: Tally = field(default_factory=Tally)
    failed: bool = False
    _said: Format | None = None

    def take(self, given: Path) -> None:
        try:
            found = files(given)
        except InputError as error:
            self._fail(error)
            return
        many = len(found) > FEW
        for path in found:
            task = self.progress.add_task(shown(Path(path.name)), total=None, detail="")
            try:
                self.total.merge(self._count(path, task, many))
            except InputError as error:
                self._fail(error)
            if many:
                self.progress.remove_task(task)

    def _fail(self, error: InputError) -> None:
        err.print(str(error), style="red")
        self.failed = True

    def _count(self, path: Path, task: TaskID, many: bool) -> Tally:
        self.progress.update(task, total=regular(path))
        started = time.monotonic()
        tally = Tally()
        before = None
        for step in self.intake.take_file(path, self.wire):
            tally = step.tally
            if before is None:
                # The first step tells what an earlier, stopped import did.
                before = tally.records()
                self._say(path, step, many)
            rate = (tally.records() - before) / max(time.monotonic() - started, 1e-9)
            self.progress.update(task, completed=step.bytes_read, detail=f"{rate:,.0f} records/s")
            self.refused.show(path, step.refusals)
            if step.changed:
                err.print(f"{shown(path)} changed while it was read: import it again for the rest", style="red")
            gc.collect()
        return tally

    def _say(self, path: Path, step: Step, many: bool) -> None:
        """Says what a file is read as, unless that was asked for, or is what the many before it were."""
        if step.imported_at is not None:
            err.print(f"{shown(path)}: imported before, on {day(step.imported_at)}; nothing was read")
        elif self.wire is None and not (many and step.wire == self._said):
            err.print(f"{shown(path)}{', and what follows' if many else ''}: {step.wire.title} ({step.wire.name})")
            self._said = step.wire


def regular(path: Path) -> int:
    """Returns the size of a file that is one."""
    try:
        known = path.stat()
    except OSError as error:
        raise InputError(f"Cannot read {shown(path)}: {error.strerror}") from error
    if not stat.S_ISREG(known.st_mode):
        # It is read twice, for its digest and for its lines; a pipe would wait for a second writer for ever.
        raise InputError(f"Cannot read {shown(path)}: expected a file or a folder")
    return known.st_size


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
    """Returns a file itself, or the files of JSON or Parquet in a folder, in order of their names."""
    try:
        if not path.is_dir():
            return [path]
        everything = sorted(found for found in path.rglob("*") if found.is_file())
    except OSError as error:
        raise InputError(f"Cannot read {shown(path)}: {error.strerror}") from error
    chosen = [found for found in everything if TRAFFIC.search(found.name)]
    if len(chosen) < len(everything):
        err.print(
            f"{shown(path)}: {len(everything) - len(chosen):,} files passed over; "
            "names end in .json, .jsonl, .ndjson or .parquet"
        )
    if not chosen:
        raise InputError(f"Cannot read {shown(path)}: expected a folder with files of JSON lines or Parquet")
    return chosen


def shown(path: Path) -> str:
    """Returns a path as one line of bounded length."""
    return printable(str(path)[:LONGEST_PATH], "\ufffd")


def bar(*columns: str | ProgressColumn) -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn(), console=err)
