"""
What may still be joined: spans that were counted, and log records whose span has not come.

In memory only, bounded in seconds and in bytes; what is oldest is forgotten first.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec

from llmcensus.event import Event
from llmcensus.generation import Generation, Operation
from llmcensus.wire.otlp import Told

# Trace id and span id.
Key: TypeAlias = tuple[str, str]

# About what an entry takes in memory, in bytes: by itself, with an event, and with a generation.
PLACE = 512
EVENT = 1 << 10
BARE = 2 << 10
# So many records are kept of one call; no conversation has more turns.
MOST_TOLD = 2_000
CHAT: Operation = "chat"


class Entry(msgspec.Struct, frozen=True):
    """
    What is known of one span since a time of the window's clock.

    `event` is how it was counted here, None where it was not; `operation` is of what kind that is. `bare` is the
    generation, if it is a chat that came without messages. `told` has log records by their digests. `inner` has the
    kinds of the generations inside of it: one of its own kind is the same call.
    """

    since: float
    event: Event | None = None
    operation: Operation | None = None
    bare: Generation | None = None
    told: Mapping[bytes, Told] = {}
    inner: frozenset[Operation] = frozenset()

    def size(self) -> int:
        counted = (self.event is not None) * EVENT + (self.bare is not None) * BARE
        return PLACE + counted + sum(piece.size for piece in self.told.values())

    @property
    def outer(self) -> bool:
        """Says that what was counted is another span's call, seen from further out."""
        return self.operation in self.inner

    def around(self, operation: Operation) -> Entry:
        """Returns the entry of a span that a generation of that kind is inside of."""
        if operation in self.inner:
            return self
        changed = msgspec.structs.replace(self, inner=self.inner | {operation})
        return msgspec.structs.replace(changed, bare=None, told={}) if operation == CHAT else changed

    def with_told(self, piece: Told) -> Entry:
        """Returns the entry with what a record tells, unless the span has that already, or has no use for it."""
        complete = self.event is not None and self.bare is None
        if complete or CHAT in self.inner or piece.digest in self.told or len(self.told) >= MOST_TOLD:
            return self
        return msgspec.structs.replace(self, told={**self.told, piece.digest: piece})

    def counted(self, event: Event, generation: Generation) -> Entry:
        """Returns the entry of a span that is counted so now; records are kept only where more may come."""
        operation = generation.operation or CHAT
        bare = generation if operation == CHAT and generation.messages is None else None
        told = self.told if bare is not None else {}
        return msgspec.structs.replace(self, event=event, operation=operation, bare=bare, told=told)

    def amended(self, event: Event | None) -> Entry:
        return msgspec.structs.replace(self, event=event)


class Window:
    """Entries by key, for one thread at a time."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        # In the order in which they were begun.
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Key) -> Entry:
        """Returns what is known of a span; a new entry, where nothing is."""
        now = self._clock()
        found = self._entries.get(key)
        return found if found is not None and now - found.since < self._seconds else Entry(now)

    def keep(self, entries: Mapping[Key, Entry]) -> None:
        """Puts entries in place of those that were there."""
        for key, entry in entries.items():
            before = self._entries.get(key)
            if before is not None:
                self.size -= before.size()
                if before.since != entry.since:  # begun anew: it goes to the end
                    del self._entries[key]
            self._entries[key] = entry
            self.size += entry.size()
        self.forget()

    def forget(self) -> None:
        """Drops what is too old, and the oldest while it is too much."""
        oldest = self._clock() - self._seconds
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if entry.since > oldest and self.size <= self._most:
                break
            del self._entries[key]
            self.size -= entry.size()
