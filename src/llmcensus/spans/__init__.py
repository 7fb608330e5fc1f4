"""
OTLP bodies → store: spans are counted at once, and put right when log records tell what was said, or when a span turns
out to be around another one.

See: docs/architecture.md, "How spans are counted"
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import msgspec

from llmcensus.errors import DecodeError, TooLarge, Unavailable
from llmcensus.event import Event
from llmcensus.generation import Generation, Operation
from llmcensus.ingest import BODY_RECORDS, Intake, in_time
from llmcensus.permaslug import sent
from llmcensus.spans.window import CHAT, Entry, Key, Window
from llmcensus.store import Amendment, Tally
from llmcensus.store.tally import REFUSED
from llmcensus.wire import otlp
from llmcensus.wire.otlp import Encoding, Span

# Bodies of one process are counted one after the other, and wait so long for their turn. With what the store waits for
# its own, exporters are told to come back before they give up.
TURN_S = 2.0
SOURCE = "otlp"
EMBEDDINGS = "embeddings"

Item = TypeVar("Item")


class Body(NamedTuple):
    """An inflated body, and how it is written."""

    data: bytes
    format: Encoding


class Outcome(NamedTuple):
    """What became of a body; how many of its spans were refused, and why, in words that quote no text."""

    tally: Tally
    rejected: int = 0
    message: str = ""


class Call(NamedTuple):
    """A span that is a generation, and the key of the span that it is in."""

    key: Key
    parent: Key
    generation: Generation

    @property
    def operation(self) -> Operation:
        return self.generation.operation or CHAT


class Draft:
    """What is known of the spans that one body tells of: changed here, and kept in the window once it is counted."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self.entries: dict[Key, Entry] = {}

    def __getitem__(self, key: Key) -> Entry:
        found = self.entries.get(key)
        return self._window.find(key) if found is None else found

    def __setitem__(self, key: Key, entry: Entry) -> None:
        if entry is not self[key]:
            self.entries[key] = entry

    def keep(self) -> None:
        self._window.keep(self.entries)


class Spans:
    """Counts spans into the store of an intake. Safe to share between threads, which take turns."""

    def __init__(self, intake: Intake, window: Window) -> None:
        self._intake = intake
        self._window = window
        self._turn = threading.Lock()

    def take_spans(self, body: Body) -> Outcome:
        """Counts the spans of a body; when this returns, they are on disk."""
        spans = _bounded(otlp.read_spans(*body))
        calls, refusals = self._decode(spans)
        tally = Tally()
        for refusal in refusals:
            tally.add(SOURCE, REFUSED + refusal.reason)
        with self._our_turn():
            draft = Draft(self._window)
            for call in calls:
                # All of them first: a parent is told from a call only by its children.
                if call.parent[1].strip("0") and call.parent != call.key:
                    draft[call.parent] = draft[call.parent].around(call.operation)
            innermost = [call for call in calls if call.operation not in draft[call.key].inner]
            tally.add(SOURCE, "ignored", len(spans) - len(refusals) - len(innermost))
            tally = self._count(draft, innermost, tally)
        return Outcome(tally, len(refusals), _explained(refusals, len(spans)))

    def take_records(self, body: Body) -> Outcome:
        """Joins the log records of a body to their spans, now or when these come. What tells of no call is ignored."""
        records = _bounded(otlp.read_records(*body))
        told = [piece for piece in map(otlp.told, records) if piece is not None]
        tally = Tally()
        tally.add(SOURCE, "ignored", len(records) - len(told))
        with self._our_turn():
            draft = Draft(self._window)
            for piece in told:
                key = (piece.trace_id, piece.span_id)
                draft[key] = draft[key].with_told(piece)
            return Outcome(self._count(draft, [], tally))

    def forget(self) -> bool:
        """Forgets what is too old, as every body does that is counted; says whether anything may be left."""
        if not self._turn.acquire(blocking=False):
            return True
        try:
            self._window.forget()
            return len(self._window) > 0
        finally:
            self._turn.release()

    @contextmanager
    def _our_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=TURN_S):
            raise Unavailable("Other bodies are being counted")
        try:
            yield
        finally:
            self._turn.release()

    def _decode(self, spans: Sequence[Span]) -> tuple[list[Call], list[DecodeError]]:
        calls, refusals = [], []
        bounds = self._intake.bounds()
        for span in spans:
            try:
                generation = in_time(otlp.generation(span), bounds)
            except DecodeError as error:
                refusals.append(error)
            else:
                if generation is not None:
                    calls.append(Call((span.trace_id, span.span_id), (span.trace_id, span.parent_id), generation))
        return calls, refusals

    def _count(self, draft: Draft, calls: Sequence[Call], tally: Tally) -> Tally:
        """Counts calls and amends what the draft changed, in one transaction; then the window knows of it."""
        events = self._intake.events([joined(call.generation, draft[call.key]) for call in calls])
        amendments = self._amendments(draft)
        if not events and not amendments and not any(tally.counts.values()):
            draft.keep()
            return tally
        admitted = self._intake.amend(list(amendments.values()), events, tally)
        for key, amendment in amendments.items():
            draft[key] = draft[key].amended(amendment.after)
        # The very events that were given: one that is in a body twice is counted once.
        fresh = {id(event) for event in admitted.events}
        for call, event in zip(calls, events, strict=True):
            if id(event) in fresh:
                draft[call.key] = draft[call.key].counted(event, call.generation)
        draft.keep()
        return admitted.tally

    def _amendments(self, draft: Draft) -> dict[Key, Amendment]:
        """Returns what is to be counted in another way than it was, by the key of its span."""
        found: dict[Key, Amendment] = {}
        changed: list[tuple[Key, Event, Generation]] = []
        for key, entry in draft.entries.items():
            if entry.event is None:
                continue
            before = self._as_counted(entry.event)
            if entry.outer:
                found[key] = Amendment(before, None)
            elif entry.bare is not None and entry.told:
                changed.append((key, before, joined(entry.bare, entry)))
        events = self._intake.events([whole for *_, whole in changed], amended=True)
        for (key, before, _), event in zip(changed, events, strict=True):
            after = msgspec.structs.replace(event, permaslug=before.permaslug)
            if after != before:
                found[key] = Amendment(before, after)
        return found

    def _as_counted(self, event: Event) -> Event:
        """Returns an event with the model that it counts for now: an operator may have said what its name means."""
        if event.has_model:
            return event
        return msgspec.structs.replace(event, permaslug=self._intake.catalog.permaslug(sent(event.permaslug)))


def joined(generation: Generation, entry: Entry) -> Generation:
    """Returns a generation with what log records tell of it, if it is a chat that came without messages."""
    if generation.messages is not None or generation.operation == EMBEDDINGS or not entry.told:
        return generation
    content = otlp.joined(entry.told.values())
    return msgspec.structs.replace(
        generation,
        messages=content.messages,
        tools=content.tools or generation.tools,
        finish_reason=generation.finish_reason or content.finish_reason,
    )


def _bounded(items: list[Item]) -> list[Item]:
    if len(items) > BODY_RECORDS:
        raise TooLarge(f"The body has {len(items):,} spans or records: expected at most {BODY_RECORDS:,}")
    return items


def _explained(refusals: Sequence[DecodeError], whole: int) -> str:
    if not refusals:
        return ""
    reasons = Counter(refusal.reason for refusal in refusals).most_common()
    counts = ", ".join(f"{reason} {count}" for reason, count in reasons)
    return f"{len(refusals)} of {whole} spans were refused: {counts}. The first: {refusals[0]}"


__all__ = ["Body", "Encoding", "Outcome", "Spans", "Window"]
