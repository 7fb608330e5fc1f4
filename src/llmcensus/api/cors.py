"""
Which pages of other origins may read the Data API.

Keys come in a header that no browser sends by itself, so letting every origin read gives no page more than its visitor
has. See: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from llmcensus.api.errors import Answer, Headers

ANY = "*"
# OpenRouter's clients send the last three with every request.
SENT = b"Authorization, If-None-Match, HTTP-Referer, X-OpenRouter-Title, X-OpenRouter-Categories"
SHOWN = b"ETag, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
DAY_S = b"86400"


class Cors:
    def __init__(self, origins: tuple[str, ...]) -> None:
        self._any = ANY in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    def headers(self, origin: bytes) -> Headers:
        """Returns what is added to every answer to a page of `origin`; nothing where it may not read."""
        if not origin or not (self._any or origin in self._origins):
            return []
        allowed = ANY.encode() if self._any else origin
        return [(b"access-control-allow-origin", allowed), (b"access-control-expose-headers", SHOWN)]

    def preflight(self) -> Answer:
        """Returns the answer to a browser that asks what a page may send."""
        headers = [
            (b"allow", b"GET, OPTIONS"),
            (b"access-control-allow-methods", b"GET"),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", DAY_S),
        ]
        return Answer(204, headers, b"")
