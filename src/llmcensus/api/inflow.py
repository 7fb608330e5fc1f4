"""
Bodies on their way into the store: read, inflated and counted, bounded in bytes and in the time that one may wait.

Every byte of a body counts from when it is announced until it is committed. What finds no room is told to come back
(503), before it is read; some senders do not come back, so these are waited for, and the last quarter is theirs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from litestar import Request

from llmcensus.errors import InputError, TooLarge, TooSlow, Unavailable
from llmcensus.logs import DETAILS
from llmcensus.store import Tally
from llmcensus.wire.lines import inflate

log = logging.getLogger(__name__)

Result = TypeVar("Result")
AnyRequest = Request[Any, Any, Any]

# Threads of their own: one that waits for a judge must not keep who reads from being answered.
THREADS = 6
# This part of the room is kept for senders that ask once.
KEPT_FOR_ONCE = 0.25
# How often one that waits looks whether there is room, or whether the store is free again.
PAUSE_S = 0.2
# A body may take so long to begin or to go on, and has to come at least at this rate after a grace.
IDLE_S = 10.0
GRACE_S = 20.0
SLOWEST = 16 << 10


def told(route: str, tally: Tally) -> None:
    """Logs what became of a body."""
    counts = {"accepted": tally["accepted"], "duplicates": tally["duplicate"], "ignored": tally["ignored"]}
    log.info("counted", extra={DETAILS: {"route": route, **counts, "refused": tally.refused()}})


class Room:
    """Bytes of bodies that are held, of at most `limit`. One body fits whatever its size. Safe to share by threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self.bodies = 0
        self._lock = threading.Lock()

    def take(self, size: int, whole: bool, *, first: bool) -> bool:
        """Takes some bytes if there is room; the `whole` of it is not for everybody."""
        most = self.limit if whole else int(self.limit * (1 - KEPT_FOR_ONCE))
        with self._lock:
            alone = self.bodies == 0 if first else self.bodies == 1
            if self.held + size > most and not alone:
                return False
            self.held += size
            self.bodies += first
            return True

    def leave(self, size: int, *, last: bool) -> None:
        with self._lock:
            self.held -= size
            self.bodies -= last


class Place:
    """The room that one body takes."""

    def __init__(self, room: Room, whole: bool) -> None:
        self._room = room
        self._whole = whole
        self._inside = False
        self.size = 0

    async def enter(self, size: int, until: float) -> None:
        """Takes room for a body of so many bytes; waits for it until a time of the monotonic clock."""
        while not self._room.take(size, self._whole, first=True):
            if time.monotonic() + PAUSE_S > until:
                raise Unavailable("The queue in front of the store is full: send this again")
            await asyncio.sleep(PAUSE_S)
        self._inside = True
        self.size = size

    def fit(self, size: int) -> None:
        """Makes the place as large as so many bytes need, if it is not."""
        if size <= self.size:
            return
        if not self._room.take(size - self.size, self._whole, first=False):
            raise Unavailable("The queue in front of the store is full: send this again")
        self.size = size

    def leave(self) -> None:
        if self._inside:
            self._room.leave(self.size, last=True)
            self._inside = False


class Inflow:
    """What all routes that take bodies share. `limit` is the most bytes of one body, inflated or not."""

    def __init__(self, limit: int, room: Room) -> None:
        self.limit = limit
        self.room = room
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ingest")

    @asynccontextmanager
    async def body(self, request: AnyRequest, until: float, *, once: bool = False) -> AsyncIterator[bytes]:
        """
        Gives the body of a request, inflated; inside of the block it has its place in the queue.

        A sender that asks `once` is waited for `until` there is room.
        """
        place = Place(self.room, once)
        announced = self._announced(request)
        try:
            await place.enter(announced, until if once else 0)
            data = await self._read(request, place)
            encoding = request.headers.get("content-encoding", "identity").lower()
            yield await self.run(until, inflate, data, encoding, self.limit, lambda size: place.fit(len(data) + size))
        finally:
            place.leave()

    async def run(self, until: float, work: Callable[..., Result], *given: Any) -> Result:
        """Runs `work` in a thread. What waits too long for one is not begun: its sender will not wait for the end."""

        def begin() -> Result:
            if time.monotonic() > until:
                raise Unavailable("This waited too long for its turn: send it again")
            return work(*given)

        return await asyncio.get_running_loop().run_in_executor(self._threads, begin)

    async def again(self, until: float, work: Callable[..., Result], *given: Any) -> Result:
        """Runs `work` as `run` does, and again while the store is busy."""
        while True:
            try:
                return await self.run(until, work, *given)
            except Unavailable:
                if time.monotonic() + PAUSE_S > until:
                    raise
            # Not in a thread: there are few, and others need them.
            await asyncio.sleep(PAUSE_S)

    def _announced(self, request: AnyRequest) -> int:
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise InputError(f"Content-Length {length[:40]!r}: expected a number of bytes")
        return self._within(int(length))

    async def _read(self, request: AnyRequest, place: Place) -> bytes:
        body = bytearray()
        started = time.monotonic()
        chunks = aiter(request.stream())
        while True:
            due = started + GRACE_S + len(body) / SLOWEST
            try:
                async with asyncio.timeout(min(IDLE_S, due - time.monotonic())):
                    body += await anext(chunks)
            except StopAsyncIteration:
                return bytes(body)
            except TimeoutError:
                raise TooSlow(f"The body came too slowly: {len(body):,} bytes were read") from None
            place.fit(self._within(len(body)))

    def _within(self, size: int) -> int:
        if size > self.limit:
            raise TooLarge(f"The body is above {self.limit >> 20} MiB")
        return size
