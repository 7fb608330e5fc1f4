"""
Rate limits: requests a minute and key, requests a UTC day and account, both exact.

A minute is any 60 seconds (a moving window), a day is the calendar's. A request refused by one bucket is not counted in
the other. Counts are kept in memory, so one process serves; the library's synchronous storage is used because its
asynchronous one sweeps all keys on every hit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from llmcensus.errors import RateLimited


class Standing(NamedTuple):
    """What is left of the minute: `reset` is in seconds since 1970."""

    limit: int
    remaining: int
    reset: int


class Quota:
    def __init__(self, per_minute: int, per_day: int, clock: Callable[[], float] = time.time) -> None:
        storage = MemoryStorage()
        self._minutes = MovingWindowRateLimiter(storage)
        self._days = FixedWindowRateLimiter(storage)
        self._per_minute = RateLimitItemPerMinute(per_minute)
        self._per_day = RateLimitItemPerDay(per_day)
        self._clock = clock
        self._turn = threading.Lock()

    def spend(self, key: bytes, account: str) -> Standing:
        """Counts one request of a key, or raises `RateLimited`."""
        now = self._clock()
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        name = key.hex()
        # Both buckets are tested before either is hit; the lock makes that one step.
        with self._turn:
            if not self._minutes.test(self._per_minute, name):
                reset = self._minutes.get_window_stats(self._per_minute, name).reset_time
                raise self._exceeded(f"{self._per_minute.amount} requests a minute for this key", now, reset)
            if not self._days.test(self._per_day, account, today):
                midnight = now + 86400 - now % 86400
                raise self._exceeded(f"{self._per_day.amount} requests a UTC day for this account", now, midnight)
            self._minutes.hit(self._per_minute, name)
            self._days.hit(self._per_day, account, today)
            stats = self._minutes.get_window_stats(self._per_minute, name)
        return Standing(self._per_minute.amount, stats.remaining, ceil(stats.reset_time))

    def _exceeded(self, limit: str, now: float, reset: float) -> RateLimited:
        message = f"Rate limit exceeded: {limit}"
        return RateLimited(message, self._per_minute.amount, max(1, ceil(reset - now)), ceil(reset))
