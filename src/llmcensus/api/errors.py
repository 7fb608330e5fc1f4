"""
Errors → status, headers and the one body that every error has: `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import logging
from traceback import extract_tb
from typing import NamedTuple, TypeAlias

import msgspec

from llmcensus.errors import CensusError, RateLimited, TooSlow, Unauthorized, Unavailable

# As ASGI has them: names in lower case.
Headers: TypeAlias = list[tuple[bytes, bytes]]

# Senders are asked to come back within this many seconds: exporters give up after ten.
RETRY_AFTER = 2


log = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


def failure(status: int, message: str, headers: Headers | None = None) -> Answer:
    body = msgspec.json.encode({"error": {"code": status, "message": message}})
    return Answer(status, [(b"content-type", b"application/json"), *(headers or [])], body)


def ratelimit(limit: int, remaining: int, reset: int) -> Headers:
    """Returns the headers that say what is left; `reset` is in seconds since 1970."""
    return [
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % reset),
    ]


def explain(error: CensusError) -> Answer:
    """Returns what a client is told of one of our errors; a 500 says nothing of the inside, the log does."""
    headers: Headers = []
    if isinstance(error, RateLimited):
        headers = [(b"retry-after", b"%d" % error.retry_after), *ratelimit(error.limit, 0, error.reset)]
    elif isinstance(error, Unauthorized):
        headers = [(b"www-authenticate", b"Bearer")]
    elif isinstance(error, Unavailable):
        headers = [(b"retry-after", b"%d" % RETRY_AFTER)]
    elif isinstance(error, TooSlow):
        headers = [(b"connection", b"close")]
    if error.status == 500:
        log.error("%s: %s", type(error).__name__, error)
        return failure(500, "Internal Server Error", headers)
    return failure(error.status, str(error), headers)


def report(error: Exception) -> Answer:
    """
    Logs an error that nobody raised on purpose; returns what a client is told of it.

    Only where it happened: the message of a foreign exception may quote what it was given, and that may be a prompt.
    """
    places = [f"{frame.filename}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-3:]]
    log.error("Unexpected %s at %s", type(error).__name__, " < ".join(reversed(places)))
    return failure(500, "Internal Server Error")
