"""
Source → wire → enrich → store: records in batches, each counted once, the refused ones by reason.

A batch is one transaction. Files are known by the digest of their bytes, and how far one was read is committed with
what was read, so an import that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, Selective, Unasked
from llmcensus.enrich import enrich, identity
from llmcensus.errors import DecodeError, InputError, TooLarge
from llmcensus.event import Event
from llmcensus.generation import Generation
from llmcensus.printable import printable
from llmcensus.store import Clock, Progress, Store, Tally, imports, registry, utc_now
from llmcensus.store.tally import REFUSED
from llmcensus.taxonomy import SHIPPED, Taxonomy
from llmcensus.wire import Format, detect, named
from llmcensus.wire.lines import CHUNK, Line, inflate, open_body, split_body, split_lines

# A batch ends at whichever comes first; both keep memory flat whatever the size of a file.
BATCH_RECORDS = 16_384
BATCH_BYTES = 48 << 20
# The format of a file is told from so many of its first lines, or bytes.
LOOKED_AT = 20
LOOKED_AT_BYTES = 1 << 20
# A body is one transaction; it holds up others for as long as it takes.
BODY_RECORDS = 200_000
# Clocks of senders may be ahead of ours by this much.
AHEAD = timedelta(minutes=5)


class Refusal(NamedTuple):
    """Line (or record) `number` was refused, and why."""

    number: int
    reason: str
    message: str


@dataclass
class Batch:
    """Decoded records; `last` is the number of the last line that was looked at, None where there was none."""

    generations: list[Generation] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    last: int | None = None


class Receipt(NamedTuple):
    tally: Tally
    refusals: list[Refusal]


class Step(NamedTuple):
    """
    Where an import is: bytes of the file read so far, what was counted, what was refused since the last step.

    `imported_at`, in milliseconds since 1970, is set where all of it was imported before;
    `changed` where the file was written to while it was read.
    """

    bytes_read: int
    tally: Tally
    refusals: list[Refusal]
    imported_at: int | None = None
    changed: bool = False


@dataclass
class Intake:
    """Takes records of one format at a time into a store."""

    store: Store
    catalog: Catalog
    classifier: Classifier
    first_day: date
    clock: Clock = utc_now
    taxonomy: Taxonomy = SHIPPED

    @classmethod
    def open(
        cls,
        store: Store,
        classifier: Classifier,
        first_day: date,
        clock: Clock = utc_now,
        taxonomy: Taxonomy = SHIPPED,
    ) -> Intake:
        """Returns an intake with the table of names that comes with the package."""
        return cls(store, Catalog(), classifier, first_day, clock, taxonomy)

    def take(self, wire: Format, lines: Iterable[Line]) -> Receipt:
        """Counts records, all in one transaction; when this returns, they are on disk."""
        return self._count(wire, decode(wire, lines, self._bounds()))

    def take_body(self, format_name: str, body: bytes, encoding: str, limit: int) -> Receipt:
        """Counts the records of an HTTP body of at most `limit` bytes, all in one transaction."""
        records = split_body(inflate(body, encoding, limit))
        if len(records) > BODY_RECORDS:
            raise TooLarge(f"The body has {len(records):,} records: expected at most {BODY_RECORDS:,}")
        return self.take(named(format_name), [Line(number, data) for number, data in enumerate(records, 1)])

    def take_file(self, path: Path, wire: Format | None = None) -> Iterator[Step]:
        """
        Counts a file, yielding at the start and after each batch. What an earlier import of the same bytes committed is
        passed over.

        The last step has the tally of the whole file, over all attempts. A file that was finished before yields one
        step: nothing accepted, its records all duplicates; and nothing is written.
        """
        with open_body(path) as body:
            before = os.fstat(body.raw.fileno())
            head, lines = peek(split_lines(body.stream))
            wire = wire or recognise(path, head)
            del head
            progress = self._progress(path, wire)
            if progress.finished_at is not None:
                yield Step(before.st_size, already_counted(progress.tally), [], progress.finished_at)
                return
            yield Step(0, progress.tally.copy(), [])
            rest = (line for line in lines if line.number > progress.lines)
            while (batch := decode(wire, portion(rest), self._bounds())).last is not None:
                # Looked at after reading: what was read till now is what the digest is of, or it is not.
                changed = not same(before, os.fstat(body.raw.fileno()))
                progress = progress._replace(lines=batch.last)
                receipt = self._count(wire, batch, None if changed else progress)
                if changed:
                    # Counted; but how far was read of other bytes says nothing of these.
                    progress.tally.merge(receipt.tally)
                yield Step(body.raw.tell(), progress.tally.copy(), batch.refusals)
            changed = not same(before, os.fstat(body.raw.fileno()))
        if changed:
            yield Step(before.st_size, progress.tally, [], changed=True)
            return
        with self.store.writing() as connection:
            imports.record(connection, progress._replace(finished_at=self.store.now_ms()))
        yield Step(before.st_size, progress.tally, [])

    def _progress(self, path: Path, wire: Format) -> Progress:
        """A file is known by its bytes and the format that it was read as: read as another, it has other records."""
        digest = fingerprint(path, wire)
        with self.store.reading() as connection:
            return imports.find(connection, digest) or Progress(digest, printable(path.name, "\ufffd"), 0, Tally())

    def _count(self, wire: Format, batch: Batch, progress: Progress | None = None) -> Receipt:
        refused = Tally()
        for refusal in batch.refusals:
            refused.add(wire.name, REFUSED + refusal.reason)
        with self.store.reading() as connection:
            self.catalog.use(registry.aliases(connection))
        return Receipt(self.store.commit(self._events(batch.generations), refused, progress), batch.refusals)

    def _events(self, generations: Sequence[Generation]) -> list[Event]:
        if not isinstance(self.classifier, Selective):
            return self._enriched(generations, self.classifier)
        # A log that is imported every day, each time a little longer, would else be paid for every day.
        identities = [identity(generation) for generation in generations]
        seen = self.store.counted(identities)
        fresh: list[Generation] = []
        again: list[Generation] = []
        for name, generation in zip(identities, generations, strict=True):
            (again if name in seen else fresh).append(generation)
            seen.add(name)
        return [
            *self._enriched(fresh, self.classifier),
            *self._enriched(again, Unasked(self.classifier.version)),
        ]

    def _enriched(self, generations: Sequence[Generation], classifier: Classifier) -> list[Event]:
        return enrich(generations, self.catalog, classifier, self.taxonomy)

    def _bounds(self) -> tuple[datetime, datetime]:
        return datetime.combine(self.first_day, time(), UTC), self.clock() + AHEAD


def decode(wire: Format, lines: Iterable[Line], bounds: tuple[datetime, datetime]) -> Batch:
    batch = Batch()
    earliest, latest = bounds
    for line in lines:
        try:
            if line.problem is not None:
                raise line.problem
            generation = wire.decode(line.data)
            if not earliest <= generation.created_at <= latest:
                raise out_of_time(generation.created_at, earliest, latest)
        except DecodeError as error:
            batch.refusals.append(Refusal(line.number, error.reason, str(error)))
        else:
            batch.generations.append(generation)
        batch.last = line.number
    return batch


def portion(lines: Iterator[Line]) -> Iterator[Line]:
    """Yields lines until a batch is full; the rest stays in `lines`."""
    size = 0
    for number, line in enumerate(lines, 1):
        yield line
        size += len(line.data)
        if number >= BATCH_RECORDS or size >= BATCH_BYTES:
            break


def out_of_time(created_at: datetime, earliest: datetime, latest: datetime) -> DecodeError:
    if created_at < earliest:
        message = f"`created_at` is {created_at.isoformat()}: expected {earliest:%Y-%m-%d} (UTC) or later"
        return DecodeError("before_first_day", message)
    message = f"`created_at` is {created_at.isoformat()}: expected {latest:%Y-%m-%dT%H:%M:%SZ} or earlier"
    return DecodeError("in_future", message)


def peek(lines: Iterator[Line]) -> tuple[list[Line], Iterator[Line]]:
    """Returns the first lines, and all lines, the first ones among them."""
    head = []
    size = 0
    for line in islice(lines, LOOKED_AT):
        head.append(line)
        size += len(line.data)
        if size > LOOKED_AT_BYTES:
            break
    return head, chain(iter(head), lines)


def recognise(path: Path, head: Sequence[Line]) -> Format:
    """Returns the format of the first line that has one: the very first may be broken."""
    found = next(filter(None, (detect(line.data) for line in head)), None)
    if found is None and head and not any(line.problem for line in head):
        raise InputError(
            f"Cannot tell the format of {path} from its first lines: expected one JSON object a line, "
            "native records (`id`, `created_at`, `model`) or OpenAI pairs (`request`, `response`)"
        )
    return found or named("native")


def same(before: os.stat_result, after: os.stat_result) -> bool:
    """Says whether a file was left alone between two looks at it."""
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def already_counted(tally: Tally) -> Tally:
    """Returns what a second import of a file finds: what was accepted or a duplicate is all duplicates now."""
    again = Tally()
    for (source, name), count in tally.counts.items():
        if name in ("accepted", "duplicate"):
            again.add(source, "duplicate", count)
        elif name.startswith(REFUSED):
            again.add(source, name, count)
    return again


def fingerprint(path: Path, wire: Format) -> bytes:
    digest = hashlib.sha256(wire.name.encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()[:16]
