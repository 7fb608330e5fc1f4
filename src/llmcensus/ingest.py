"""
Source → wire → enrich → store: records in batches, each counted once, the refused ones by reason.

A batch is one transaction. Files are known by the digest of their bytes, and how far one was read is committed with
what was read, so an import that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, compress, islice
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, Selective, Unasked
from llmcensus.enrich import completed, enrich, identity
from llmcensus.errors import DecodeError, InputError, TooLarge
from llmcensus.event import Event
from llmcensus.generation import Generation
from llmcensus.printable import printable
from llmcensus.store import Admitted, Amendment, Clock, Progress, Store, Tally, imports, registry, utc_now
from llmcensus.store.tally import IGNORED, REFUSED, SEEN
from llmcensus.taxonomy import SHIPPED, Taxonomy
from llmcensus.wire import Format, detect, named
from llmcensus.wire.files import open_records
from llmcensus.wire.lines import CHUNK, Line, inflate, split_body

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
    """
    Decoded records, and how many were ignored; `last` is the number of the last line that was looked at, None where
    there was none.
    """

    generations: list[Generation] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    ignored: int = 0
    last: int | None = None


class Receipt(NamedTuple):
    tally: Tally
    refusals: list[Refusal]


class Prepared(NamedTuple):
    """A body that is ready to be counted. `labels` are what its sender calls the records, in order."""

    events: list[Event]
    tally: Tally
    refusals: list[Refusal]
    labels: list[str]


class Step(NamedTuple):
    """
    Where an import is: bytes of the file read so far, what was counted, what was refused since the last step.

    `wire` is what the file is read as. `imported_at`, in milliseconds since 1970, is set where all of it was imported
    before; `changed` where the file was written to while it was read.
    """

    wire: Format
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
    # Of how many requests one of a source is a sample, where it sends no more than samples.
    weights: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        store: Store,
        classifier: Classifier,
        first_day: date,
        clock: Clock = utc_now,
        taxonomy: Taxonomy = SHIPPED,
        weights: Mapping[str, int] | None = None,
    ) -> Intake:
        """Returns an intake with the table of names that comes with the package."""
        return cls(store, Catalog(), classifier, first_day, clock, taxonomy, weights or {})

    def take(self, wire: Format, lines: Iterable[Line]) -> Receipt:
        """Counts records, all in one transaction; when this returns, they are on disk."""
        return self._count(wire, decode(wire, lines, self.bounds()))

    def take_body(self, format_name: str, body: bytes, encoding: str, limit: int) -> Receipt:
        """Counts the records of an HTTP body of at most `limit` bytes, all in one transaction."""
        return self.commit(self.prepare(format_name, inflate(body, encoding, limit)))

    def prepare(self, format_name: str, body: bytes) -> Prepared:
        """Does all that is to be done for an inflated HTTP body before it is counted."""
        wire = named(format_name)
        records = [record for value in split_body(body) for record in unpacked(wire, value)]
        if len(records) > BODY_RECORDS:
            raise TooLarge(f"The body has {len(records):,} records: expected at most {BODY_RECORDS:,}")
        lines = [
            Line(number, record) if isinstance(record, bytes) else Line(number, b"", record)
            for number, record in enumerate(records, 1)
        ]
        batch = decode(wire, lines, self.bounds())
        return Prepared(
            self.events(batch.generations),
            outcome(wire, batch),
            batch.refusals,
            [wire.label(one.data) for one in lines],
        )

    def commit(self, body: Prepared) -> Receipt:
        """Counts a body; when this returns, it is on disk. What is `Unavailable` may be tried again."""
        tally = Tally()
        tally.merge(body.tally)
        return Receipt(self.store.commit(body.events, tally, None, completed), body.refusals)

    def amend(self, amendments: Sequence[Amendment], events: Sequence[Event], tally: Tally) -> Admitted:
        """Counts events, and puts right what was counted before; when this returns, it is on disk."""
        return self.store.amend(amendments, events, tally, completed)

    def settle(self) -> Tally:
        """Counts what waited for a part that will not come: everything there is was read."""
        return self.store.settle(completed)

    def take_file(self, path: Path, wire: Format | None = None) -> Iterator[Step]:
        """
        Counts a file, yielding at the start and after each batch. What an earlier import of the same bytes committed is
        passed over.

        The last step has the tally of the whole file, over all attempts. A file that was finished before yields one
        step: nothing accepted, its records all duplicates; and nothing is written.
        """
        with open_records(path) as body:
            before = os.fstat(body.raw.fileno())
            head, lines = peek(body.lines)
            wire = wire or recognise(path, head)
            del head
            progress = self._progress(path, wire)
            if progress.finished_at is not None:
                yield Step(wire, before.st_size, already_counted(progress.tally), [], progress.finished_at)
                return
            yield Step(wire, 0, progress.tally.copy(), [])
            rest = Ahead(line for line in lines if line.number > progress.lines)
            while rest.more:
                batch = decode(wire, portion(rest), self.bounds())
                # Looked at after reading: what was read till now is what the digest is of, or it is not.
                changed = not same(before, os.fstat(body.raw.fileno()))
                finished = None if rest.more else self.store.now_ms()
                progress = progress._replace(lines=batch.last or progress.lines, finished_at=finished)
                receipt = self._count(wire, batch, None if changed else progress)
                if changed:
                    # Counted; but how far was read of other bytes says nothing of these.
                    progress.tally.merge(receipt.tally)
                yield Step(wire, body.position(), progress.tally.copy(), batch.refusals)
            changed = not same(before, os.fstat(body.raw.fileno()))
        if changed:
            yield Step(wire, before.st_size, progress.tally, [], changed=True)
            return
        if progress.finished_at is None:
            with self.store.writing() as connection:
                imports.record(connection, progress._replace(finished_at=self.store.now_ms()))
        yield Step(wire, before.st_size, progress.tally, [])

    def _progress(self, path: Path, wire: Format) -> Progress:
        """A file is known by its bytes and the format that it was read as: read as another, it has other records."""
        digest = fingerprint(path, wire)
        with self.store.reading() as connection:
            return imports.find(connection, digest) or Progress(digest, printable(path.name, "\ufffd"), 0, Tally())

    def _count(self, wire: Format, batch: Batch, progress: Progress | None = None) -> Receipt:
        tally = self.store.commit(self.events(batch.generations), outcome(wire, batch), progress, completed)
        return Receipt(tally, batch.refusals)

    def events(self, generations: Sequence[Generation], amended: bool = False) -> list[Event]:
        """
        Returns what generations count as, under the names that the operator gave to models.

        Those `amended` were counted before, without their text; others that were counted are not judged again.
        """
        with self.store.reading() as connection:
            self.catalog.use(registry.aliases(connection))
        return [
            replace(event, weight=self.weights[event.source]) if event.source in self.weights else event
            for event in self._judged(generations, amended)
        ]

    def _judged(self, generations: Sequence[Generation], amended: bool) -> list[Event]:
        """Returns an event a generation, in order."""
        if amended or not isinstance(self.classifier, Selective):
            return self._enriched(generations, self.classifier)
        # A log that is imported every day, each time a little longer, would else be paid for every day.
        fresh = self._fresh(generations)
        judged = iter(self._enriched(list(compress(generations, fresh)), self.classifier))
        again = compress(generations, (not new for new in fresh))
        known = iter(self._enriched(list(again), Unasked(self.classifier.version)))
        return [next(judged if new else known) for new in fresh]

    def _fresh(self, generations: Sequence[Generation]) -> list[bool]:
        """Says of each whether it was neither counted before nor told, with its text, earlier in the batch."""
        identities = [identity(generation) for generation in generations]
        seen = self.store.counted(identities)
        fresh = []
        for name, generation in zip(identities, generations, strict=True):
            fresh.append(name not in seen)
            # A part without text says nothing that the part with it could be judged by.
            if generation.messages is not None and generation.excluded() is None:
                seen.add(name)
        return fresh

    def _enriched(self, generations: Sequence[Generation], classifier: Classifier) -> list[Event]:
        return enrich(generations, self.catalog, classifier, self.taxonomy)

    def bounds(self) -> tuple[datetime, datetime]:
        """Returns from when to when a record may be made."""
        return datetime.combine(self.first_day, time(), UTC), self.clock() + AHEAD


def decode(wire: Format, lines: Iterable[Line], bounds: tuple[datetime, datetime]) -> Batch:
    batch = Batch()
    for line in lines:
        for record in [line.problem] if line.problem is not None else unpacked(wire, line.data):
            try:
                generation = decoded(wire, record, bounds)
            except DecodeError as error:
                batch.refusals.append(Refusal(line.number, error.reason, str(error)))
            else:
                if generation is None:
                    batch.ignored += 1
                else:
                    batch.generations.append(generation)
        batch.last = line.number
    return batch


def decoded(wire: Format, record: bytes | DecodeError, bounds: tuple[datetime, datetime]) -> Generation | None:
    if isinstance(record, DecodeError):
        raise record
    return in_time(wire.decode(record), bounds)


def in_time(generation: Generation | None, bounds: tuple[datetime, datetime]) -> Generation | None:
    """Returns what was decoded; a `DecodeError` says of what time it is, where nothing of that time is counted."""
    if generation is not None and not bounds[0] <= generation.created_at <= bounds[1]:
        raise out_of_time(generation.created_at, *bounds)
    return generation


def unpacked(wire: Format, value: bytes) -> Sequence[bytes | DecodeError]:
    """Returns the records that a value of a body or file holds; a problem for one that cannot be taken apart."""
    try:
        return wire.unpack(value)
    except DecodeError as error:
        return [error]


def outcome(wire: Format, batch: Batch) -> Tally:
    """Returns what became of the records that are no requests."""
    tally = Tally()
    if batch.ignored:
        tally.add(wire.name, IGNORED, batch.ignored)
    for refusal in batch.refusals:
        tally.add(wire.name, REFUSED + refusal.reason)
    return tally


class Ahead(Iterator[Line]):
    """Lines of which it is known whether there are `more`: the last batch of a file says that it is finished."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._next = next(lines, None)

    @property
    def more(self) -> bool:
        return self._next is not None

    def __next__(self) -> Line:
        line = self._next
        if line is None:
            raise StopIteration
        self._next = next(self._lines, None)
        return line


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
            f"Cannot tell the format of {path} from its first records: expected one JSON object a line, an array of "
            "them, or Parquet, such as native records (`id`, `created_at`, `model`) or OpenAI pairs (`request`, "
            "`response`)"
        )
    return found or named("native")


def same(before: os.stat_result, after: os.stat_result) -> bool:
    """Says whether a file was left alone between two looks at it."""
    return (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)


def already_counted(tally: Tally) -> Tally:
    """Returns what a second import of a file finds: what told of a request is all duplicates now."""
    again = Tally()
    for (source, name), count in tally.counts.items():
        if name == IGNORED or name.startswith(REFUSED):
            again.add(source, name, count)
        elif name in SEEN:
            again.add(source, "duplicate", count)
    return again


def fingerprint(path: Path, wire: Format) -> bytes:
    digest = hashlib.sha256(wire.name.encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()[:16]
