"""What pages answer over HTTP: bytes in the encodings that are asked for, and the headers of every answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from llmcensus.api.answers import ENCODERS, WORTH_ENCODING, matches, negotiate
from llmcensus.api.errors import Headers
from llmcensus.pages.render import POLICY

SECURITY: Headers = [
    (b"content-security-policy", f"{POLICY}; frame-ancestors 'none'".encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
HTML = "text/html; charset=utf-8"
# An answer depends on who asks: it is kept by nobody between, and asked for again.
FRESH = "private, no-cache"
FOR_EVER = "public, max-age=31536000, immutable"


@dataclass
class Reply:
    """A body, and its encodings as they were asked for."""

    body: bytes
    kind: str = HTML
    status: int = 200
    cache: str = FRESH
    more: Headers = field(default_factory=list)
    _encoded: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def _digest(self) -> str:
        return blake2b(self.body, digest_size=12).hexdigest()

    def sent(self, asked: dict[bytes, bytes]) -> tuple[int, Headers, bytes]:
        """Returns status, headers and body for somebody who sent the given headers."""
        worth = len(self.body) >= WORTH_ENCODING
        encoding = negotiate(asked.get(b"accept-encoding", b"")) if worth else "identity"
        if encoding not in self._encoded:
            self._encoded[encoding] = ENCODERS[encoding](self.body)
        body = self._encoded[encoding]
        etag = f'"{self._digest}-{encoding}"'.encode()
        headers = [
            *self.more,
            *SECURITY,
            (b"cache-control", self.cache.encode()),
            (b"vary", b"Accept-Encoding, Cookie"),
        ]
        if self.status == 200:
            headers.append((b"etag", etag))
            if matches(asked.get(b"if-none-match", b""), etag):
                return 304, headers, b""
        if encoding != "identity":
            headers.append((b"content-encoding", encoding.encode()))
        headers += [(b"content-type", self.kind.encode()), (b"content-length", str(len(body)).encode())]
        return self.status, headers, body


def redirect(location: str, more: Headers | None = None, status: int = 303) -> Reply:
    return Reply(b"", status=status, more=[(b"location", location.encode()), *(more or [])])
