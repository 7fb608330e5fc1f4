"""
Errors → status, headers and the one body that every error has: `{"error": {"code", "message"}}`.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import msgspec

from llmcensus.errors import CensusError, RateLimited, Unauthorized, Unavailable

# Senders are asked to come back within this many seconds: exporters give up after ten.
RETRY_AFTER = 2


log = logging.getLogger(__name__)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    body = msgspec.json.encode({"error": {"code": status, "message": message}})
    return Answer(status, {"content-type": "application/json", **(headers or {})}, body)


def ratelimit(limit: int, remaining: int, reset: int) -> dict[str, str]:
    """Returns the headers that say what is left; `reset` is in seconds since 1970."""
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


def explain(error: CensusError) -> Answer:
    """Returns what a client is told of one of our errors; a 500 says nothing of the inside, the log does."""
    headers = {}
    if isinstance(error, RateLimited):
        headers = {"retry-after": str(error.retry_after), **ratelimit(error.limit, 0, error.reset)}
    elif isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    elif isinstance(error, Unavailable):
        headers["retry-after"] = str(RETRY_AFTER)
    if error.status == 500:
        log.error("%s: %s", type(error).__name__, error)
        return failure(500, "Internal Server Error", headers)
    return failure(error.status, str(error), headers)
