"""
Answers that are kept: a body in every encoding that was asked for, with its tags and headers.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeAlias

import zstandard
from isal import igzip

from llmcensus.api.errors import Headers

# The version of the store, and the UTC day: windows move with both.
Version: TypeAlias = tuple[int, int]
# Shorter bodies do not get smaller by much.
WORTH_ENCODING = 512
LONGEST_ACCEPTED = 500
# Nothing here is a page: a browser that is shown an answer runs and embeds nothing.
SECURITY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
VARY = (b"vary", b"Accept-Encoding, Authorization, Origin")

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.compress(body, 6),
    # No time of making in it: the same answer is the same bytes.
    "gzip": lambda body: bytes(igzip.compress(body, 3, mtime=0)),
    "identity": lambda body: body,
}


class Encoded(NamedTuple):
    """A body in one encoding, with the headers that never change."""

    etag: bytes
    body: bytes
    headers: Headers
    unchanged: Headers


@dataclass
class Kept:
    """A body that was served, and its encodings as they were asked for."""

    body: bytes
    headers: Headers
    version: Version
    made: float
    encoded: dict[str, Encoded] = field(default_factory=dict)
    making: dict[str, asyncio.Future[Encoded]] = field(default_factory=dict)

    def room(self, asked: tuple[str, bytes]) -> int:
        return 2 * len(self.body) + len(asked[1]) + 1024

    @cached_property
    def worth_encoding(self) -> bool:
        return len(self.body) >= WORTH_ENCODING

    @cached_property
    def _digest(self) -> str:
        return hashlib.blake2b(self.body, digest_size=12).hexdigest()

    def encode(self, encoding: str) -> Encoded:
        # Strong tags name bytes, so each encoding has its own.
        etag = (f'"{self._digest}"' if encoding == "identity" else f'"{self._digest}-{encoding}"').encode()
        body = ENCODERS[encoding](self.body)
        about = [header for header in self.headers if header[0] not in (b"content-type", b"content-length")]
        unchanged = [*about, (b"etag", etag), VARY, *SECURITY]
        headers = [*unchanged, *(header for header in self.headers if header[0] == b"content-type")]
        headers.append((b"content-length", str(len(body)).encode()))
        if encoding != "identity":
            headers.append((b"content-encoding", encoding.encode()))
        encoded = self.encoded[encoding] = Encoded(etag, body, headers, unchanged)
        return encoded


def negotiate(accepted: bytes) -> str:
    """Returns the best encoding that an `Accept-Encoding` header allows; an absurdly long one allows none."""
    return _negotiated(accepted) if len(accepted) <= LONGEST_ACCEPTED else "identity"


@lru_cache(maxsize=256)
def _negotiated(accepted: bytes) -> str:
    """See: RFC 9110, 12.5.3."""
    weights: dict[str, float] = {}
    for choice in accepted.decode("latin-1").lower().split(","):
        name, _, parameter = choice.partition(";")
        _, _, weight = parameter.partition("=")
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    offered = [name for name in ENCODERS if name != "identity" and weights.get(name, weights.get("*", 0.0)) > 0]
    return max(offered, key=lambda name: weights.get(name, weights.get("*", 0.0)), default="identity")


def matches(asked: bytes, etag: bytes) -> bool:
    """Says whether an `If-None-Match` header names `etag`; the comparison is weak. See: RFC 9110, 13.1.2."""
    tags = {tag.strip().removeprefix(b"W/") for tag in asked.split(b",")}
    return etag in tags or b"*" in tags
