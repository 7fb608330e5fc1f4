"""
Rate limits: requests a minute and key, requests a UTC day and account, both exact.

A minute is any 60 seconds (a moving window), a day is the calendar's. They are counted in a storage of the `limits`
library: in memory for one process, or in one that processes share. The library's synchronous storages are used because
its asynchronous memory sweeps all keys on every hit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

from limits import RateLimitItemPerDay, RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from llmcensus.config import Settings
from llmcensus.errors import ConfigError, RateLimited, Unavailable
from llmcensus.store import Store

# A Redis that does not answer refuses requests soon: who waits for it is a client of ours.
REDIS_TIMEOUT_S = 2


class Standing(NamedTuple):
    """What is left of the minute: `reset` is in seconds since 1970."""

    limit: int
    remaining: int
    reset: int


class Quota:
    """`shared` says that the storage is outside this process, so that a hit takes a moment."""

    def __init__(
        self, per_minute: int, per_day: int, storage: Storage | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        storage = storage or MemoryStorage()
        self.shared = not isinstance(storage, MemoryStorage)
        self._minutes = MovingWindowRateLimiter(storage)
        self._days = FixedWindowRateLimiter(storage)
        self._per_minute = RateLimitItemPerMinute(per_minute)
        self._per_day = RateLimitItemPerDay(per_day)
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, store: Store) -> Quota:
        """Returns the quota whose storage the settings name."""
        return cls(settings.requests_per_minute, settings.requests_per_day, _storage(settings, store))

    def spend(self, key: bytes, account: str) -> Standing:
        """
        Counts one request of a key, or raises `RateLimited`.

        A request that one bucket refuses is not counted in the other: the day is looked at first and hit last. Another
        process may take the last of the day in between; then the minute has one hit too many, of a key that has no
        more requests until midnight.
        """
        now = self._clock()
        today = datetime.fromtimestamp(now, UTC).date().isoformat()
        name = key.hex()
        try:
            if not self._days.test(self._per_day, account, today):
                raise self._day_is_over(now)
            if not self._minutes.hit(self._per_minute, name):
                reset = self._minutes.get_window_stats(self._per_minute, name).reset_time
                raise self._exceeded(f"{self._per_minute.amount} requests a minute for this key", now, reset)
            if not self._days.hit(self._per_day, account, today):
                raise self._day_is_over(now)
            stats = self._minutes.get_window_stats(self._per_minute, name)
        except StorageError as error:
            raise Unavailable("Requests cannot be counted now, so none is answered") from error
        return Standing(self._per_minute.amount, stats.remaining, ceil(stats.reset_time))

    def _day_is_over(self, now: float) -> RateLimited:
        midnight = now + 86400 - now % 86400
        return self._exceeded(f"{self._per_day.amount} requests a UTC day for this account", now, midnight)

    def _exceeded(self, limit: str, now: float, reset: float) -> RateLimited:
        message = f"Rate limit exceeded: {limit}"
        return RateLimited(message, self._per_minute.amount, max(1, ceil(reset - now)), ceil(reset))


def _storage(settings: Settings, store: Store) -> Storage | None:
    if settings.redis:
        try:
            timeouts = {"socket_timeout": REDIS_TIMEOUT_S, "socket_connect_timeout": REDIS_TIMEOUT_S}
            storage = storage_from_string(settings.redis, wrap_exceptions=True, **timeouts)
        except (ValueError, ImportError) as error:
            raise ConfigError(f"redis is {settings.redis!r}: {error}") from error
        if not isinstance(storage, Storage):
            raise ConfigError(f"redis is {settings.redis!r}: expected a URL such as redis://localhost:6379/0")
        return storage
    return store.hits() if settings.limits == "store" else None
