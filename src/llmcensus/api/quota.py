"""
Rate limits: requests a minute and key, requests a UTC day and account, both exact.

A minute is any 60 seconds (a moving window), a day is the calendar's. Requests are counted in the memory of one
process, or by the `limits` library in a storage that processes share. The library's own memory has a thread that sweeps
all keys up to a hundred times a second, and cost more than all else that is done for an answer that is kept.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import NamedTuple, Protocol, TypeAlias

from limits.errors import ConfigurationError, StorageError
from limits.storage import RedisStorage

from llmcensus.config import Settings
from llmcensus.errors import ConfigError, RateLimited, Unavailable
from llmcensus.store import Store
from llmcensus.store.hits import HitStorage

Storage: TypeAlias = RedisStorage | HitStorage

MINUTE_S = 60
DAY_S = 86_400
# A Redis that does not answer refuses requests soon: who waits for it is a client of ours.
REDIS_TIMEOUT_S = 2


class Standing(NamedTuple):
    """What is left of the minute. `reset` is when the oldest request leaves it, in seconds since 1970."""

    limit: int
    remaining: int
    reset: int


class Limits(NamedTuple):
    per_minute: int
    per_day: int

    def standing(self, spent: int, first: float) -> Standing:
        """`first` is when the first request of the minute was made."""
        return Standing(self.per_minute, self.per_minute - spent, ceil(first + MINUTE_S))

    def minute_is_spent(self, now: float, first: float) -> RateLimited:
        return self._exceeded(self.per_minute, "requests a minute for this key", now, first + MINUTE_S)

    def day_is_spent(self, now: float) -> RateLimited:
        midnight = now + DAY_S - now % DAY_S
        return self._exceeded(self.per_day, "requests a UTC day for this account", now, midnight)

    def _exceeded(self, limit: int, of_what: str, now: float, reset: float) -> RateLimited:
        message = f"Rate limit exceeded: {limit} {of_what}"
        return RateLimited(message, limit, max(1, ceil(reset - now)), ceil(reset))


class Quota(Protocol):
    """`waits` says that a request is counted elsewhere, which takes a moment."""

    waits: bool

    def spend(self, key: bytes, account: str) -> Standing:
        """Counts one request of a key, or raises `RateLimited`; what one bucket refuses is not counted in the other."""


class OwnQuota:
    """Counts in memory. It belongs to the event loop, and is not for several threads."""

    waits = False

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._clock = clock
        # Key → when its requests of the last minute were made, oldest first.
        self._minutes: dict[bytes, deque[float]] = {}
        self._days: dict[str, int] = {}
        self._midnight = 0.0
        self._sweep_at = 0.0

    def spend(self, key: bytes, account: str) -> Standing:
        now = self._clock()
        if now >= self._sweep_at:
            self._sweep(now)
        limits = self._limits
        of_day = self._days.get(account, 0)
        if of_day >= limits.per_day:
            raise limits.day_is_spent(now)
        made = self._minutes.get(key)
        if made is None:
            made = self._minutes[key] = deque()
        while made and made[0] <= now - MINUTE_S:
            made.popleft()
        if len(made) >= limits.per_minute:
            raise limits.minute_is_spent(now, made[0])
        made.append(now)
        self._days[account] = of_day + 1
        return limits.standing(len(made), made[0])

    def _sweep(self, now: float) -> None:
        """Forgets keys that were quiet for a minute, and at midnight the day."""
        self._minutes = {key: made for key, made in self._minutes.items() if made and made[-1] > now - MINUTE_S}
        if now >= self._midnight:
            self._days.clear()
            self._midnight = now + DAY_S - now % DAY_S
        self._sweep_at = min(now + MINUTE_S, self._midnight)


class SharedQuota:
    """Counts in a storage of `limits` that several processes use at once."""

    waits = True

    def __init__(self, limits: Limits, storage: Storage, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._storage = storage
        self._clock = clock

    def spend(self, key: bytes, account: str) -> Standing:
        """
        The day is looked at first and hit last. Another process may take the last of the day in between; then the
        minute has one hit too many, of a key that has no more requests until midnight.
        """
        now = self._clock()
        limits, storage = self._limits, self._storage
        minute, day = f"minute/{key.hex()}", f"day/{account}/{int(now // DAY_S)}"
        try:
            if storage.get(day) >= limits.per_day:
                raise limits.day_is_spent(now)
            admitted = storage.acquire_entry(minute, limits.per_minute, MINUTE_S)
            first, spent = storage.get_moving_window(minute, limits.per_minute, MINUTE_S)
            if not admitted:
                raise limits.minute_is_spent(now, first)
            if storage.incr(day, DAY_S) > limits.per_day:
                raise limits.day_is_spent(now)
        except StorageError as error:
            raise Unavailable("Requests cannot be counted now, so none is answered") from error
        return limits.standing(spent, first)


def opened(settings: Settings, store: Store) -> Quota:
    """Returns the quota that the settings name; what it counts in may be out of reach, and come back."""
    limits = Limits(settings.requests_per_minute, settings.requests_per_day)
    if settings.redis:
        return SharedQuota(limits, _redis(settings.redis))
    return SharedQuota(limits, store.hits()) if settings.limits == "store" else OwnQuota(limits)


def _redis(url: str) -> RedisStorage:
    try:
        return RedisStorage(
            url, wrap_exceptions=True, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )
    except (ValueError, ConfigurationError):
        # The URL may hold a password, and what the driver says of it, too.
        raise ConfigError(
            "redis cannot be used: expected a URL such as redis://localhost:6379/0, and llmcensus[redis] installed"
        ) from None
