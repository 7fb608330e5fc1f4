"""
Source → wire → enrich → store: records in batches, each counted once, the refused ones by reason.

A batch is one transaction. Files are known by the digest of their bytes, and how far one was read is committed with
what was read, so an import that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, shipped
from llmcensus.enrich import enrich
from llmcensus.errors import DecodeError, InputError
from llmcensus.generation import Generation
from llmcensus.store import Clock, Progress, Store, Tally, imports, registry, utc_now
from llmcensus.store.tally import REFUSED
from llmcensus.wire import Format, detect, named
from llmcensus.wire.lines import Line, inflate, open_body, split_body, split_lines

# A batch ends at whichever comes first; both keep memory flat whatever the size of a file.
BATCH_RECORDS = 16_384
BATCH_BYTES = 48 << 20
# Clocks of senders may be ahead of ours by this much.
AHEAD = timedelta(minutes=5)


class Refusal(NamedTuple):
    """Line (or record) `number` was refused, and why."""

    number: int
    reason: str
    message: str


class Receipt(NamedTuple):
    tally: Tally
    refusals: list[Refusal]


class Step(NamedTuple):
    """Where an import is: bytes of the file read so far, what was counted, what was refused since the last step."""

    bytes_read: int
    tally: Tally
    refusals: list[Refusal]


@dataclass
class Intake:
    """Takes records of one format at a time into a store."""

    store: Store
    catalog: Catalog
    classifier: Classifier
    first_day: date
    clock: Clock = utc_now
    # Called between the decoding of a batch and its commit, with the number of its last line; tests stop here.
    before_commit: Callable[[int], None] = field(default=lambda _: None, repr=False)

    @classmethod
    def open(cls, store: Store, first_day: date, clock: Clock = utc_now) -> Intake:
        """Returns an intake with the operator's aliases and the shipped classifier."""
        with store.reading() as connection:
            aliases = registry.aliases(connection)
        return cls(store, Catalog(aliases), shipped(), first_day, clock)

    def take(self, wire: Format, lines: Sequence[Line], progress: Progress | None = None) -> Receipt:
        """Counts one batch; when this returns, it is on disk."""
        generations, refusals = decode(wire, lines, self._bounds())
        refused = Tally()
        for refusal in refusals:
            refused.add(wire.name, REFUSED + refusal.reason)
        events = enrich(generations, self.catalog, self.classifier)
        self.before_commit(lines[-1].number if lines else 0)
        return Receipt(self.store.commit(events, refused, progress), refusals)

    def take_body(self, format_name: str, body: bytes, encoding: str, limit: int) -> Receipt:
        """Counts the records of an HTTP body of at most `limit` bytes, all in one transaction."""
        records = split_body(inflate(body, encoding, limit))
        return self.take(named(format_name), [Line(number, data) for number, data in enumerate(records, 1)])

    def take_file(self, path: Path, wire: Format | None = None) -> Iterator[Step]:
        """
        Counts a file, yielding at the start and after each batch. What an earlier import of the same bytes committed is
        passed over.

        The last step has the tally of the whole file, over all attempts. A file that was finished before yields one
        step: nothing accepted, its records all duplicates; and nothing is written.
        """
        digest = fingerprint(path)
        with self.store.reading() as connection:
            earlier = imports.find(connection, digest)
        if earlier and earlier.finished_at is not None:
            yield Step(path.stat().st_size, already_counted(earlier.tally), [])
            return
        progress = earlier or Progress(digest, path.name, 0, Tally())
        yield Step(0, progress.tally, [])
        body = open_body(path)
        with body.raw:
            lines = split_lines(body.stream)
            first = next(lines, None)
            wire = wire or recognise(path, first)
            rest = after(progress.lines, [first] if first else [], lines)
            for batch in batches(rest):
                progress = progress._replace(lines=batch[-1].number)
                receipt = self.take(wire, batch, progress)
                yield Step(body.raw.tell(), progress.tally, receipt.refusals)
        finished = progress._replace(finished_at=self.store.now_ms())
        with self.store.writing() as connection:
            imports.record(connection, finished)
        yield Step(path.stat().st_size, finished.tally, [])

    def _bounds(self) -> tuple[datetime, datetime]:
        return datetime.combine(self.first_day, time(), UTC), self.clock() + AHEAD


def decode(
    wire: Format, lines: Iterable[Line], bounds: tuple[datetime, datetime]
) -> tuple[list[Generation], list[Refusal]]:
    generations: list[Generation] = []
    refusals: list[Refusal] = []
    earliest, latest = bounds
    for line in lines:
        try:
            if line.problem is not None:
                raise line.problem
            generation = wire.decode(line.data)
            if not earliest <= generation.created_at <= latest:
                raise out_of_time(generation.created_at, earliest, latest)
        except DecodeError as error:
            refusals.append(Refusal(line.number, error.reason, str(error)))
        else:
            generations.append(generation)
    return generations, refusals


def out_of_time(created_at: datetime, earliest: datetime, latest: datetime) -> DecodeError:
    if created_at < earliest:
        message = f"`created_at` is {created_at.isoformat()}: expected {earliest:%Y-%m-%d} (UTC) or later"
        return DecodeError("before_first_day", message)
    message = f"`created_at` is {created_at.isoformat()}: expected {latest:%Y-%m-%dT%H:%M:%SZ} or earlier"
    return DecodeError("in_future", message)


def recognise(path: Path, first: Line | None) -> Format:
    found = detect(first.data) if first else None
    if found is None:
        raise InputError(f"Cannot tell the format of {path} from its first line: name it with --format")
    return found


def batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(islice(lines, 1)):
        size = len(batch[0].data)
        while size < BATCH_BYTES and len(batch) < BATCH_RECORDS and (line := next(lines, None)):
            batch.append(line)
            size += len(line.data)
        yield batch


def after(number: int, *sources: Iterable[Line]) -> Iterator[Line]:
    """Yields the lines whose numbers are above `number`."""
    for lines in sources:
        for line in lines:
            if line.number > number:
                yield line


def already_counted(tally: Tally) -> Tally:
    """Returns what a second import of a file finds: what was accepted or a duplicate is all duplicates now."""
    again = Tally()
    for (source, name), count in tally.counts.items():
        if name in ("accepted", "duplicate"):
            again.add(source, "duplicate", count)
        elif name.startswith(REFUSED):
            again.add(source, name, count)
    return again


def fingerprint(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}") from error
