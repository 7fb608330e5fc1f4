"""
The layer in front of the framework: keys, rate limits, and answers that are still good.

An answer is kept, encoded, until the store has changed or a minute has passed; a client that already has it gets 304.
Neither enters the framework. What the layer does not know it passes on.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import zstandard
from isal import igzip

from llmcensus.api.errors import Failure, explain, ratelimit
from llmcensus.api.keyring import Keyring
from llmcensus.api.quota import Quota
from llmcensus.errors import CensusError
from llmcensus.store import Store

# See: https://asgi.readthedocs.io/en/latest/specs/www.html
Scope: TypeAlias = Any
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

GOOD_FOR_S = 60.0
VERSION_BELIEVED_S = 0.5
KEPT = 512
# Shorter bodies do not get smaller by much.
WORTH_ENCODING = 512


@dataclass
class Kept:
    """A body that was served, and its encodings as they were asked for."""

    body: bytes
    headers: dict[str, str]
    version: int
    made: float
    encoded: dict[str, bytes] = field(default_factory=dict)

    def etag(self, encoding: str) -> str:
        """Strong tags name bytes, so each encoding has its own."""
        digest = hashlib.blake2b(self.body, digest_size=12).hexdigest()
        return f'"{digest}"' if encoding == "identity" else f'"{digest}-{encoding}"'

    def encode(self, encoding: str) -> bytes:
        if encoding not in self.encoded:
            self.encoded[encoding] = ENCODERS[encoding](self.body)
        return self.encoded[encoding]


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.compress(body, 6),
    # No time of making in it: the same answer is the same bytes.
    "gzip": lambda body: bytes(igzip.compress(body, 3, mtime=0)),
    "identity": lambda body: body,
}


class Gate:
    def __init__(
        self,
        app: ASGIApp,
        store: Store,
        keyring: Keyring,
        quota: Quota,
        paths: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._store = store
        self._keyring = keyring
        self._quota = quota
        self._paths = frozenset(paths)
        self._clock = clock
        self._kept: OrderedDict[tuple[str, bytes], Kept] = OrderedDict()
        self._version = (float("-inf"), 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in self._paths or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            digest, key = self._keyring.identify(headers.get("authorization"))
            standing = self._quota.spend(digest, key.account)
        except CensusError as error:
            await respond(send, explain(error))
            return
        kept = self._still_good(scope["path"], scope["query_string"])
        if kept is None:
            answer = await self._ask(scope, receive)
            if answer.status != 200:
                await respond(send, answer._replace(headers=answer.headers | ratelimit(*standing)))
                return
            kept = self._keep(scope["path"], scope["query_string"], answer)
        await self._deliver(send, kept, headers, ratelimit(*standing))

    async def _deliver(self, send: Send, kept: Kept, asked: Mapping[str, str], extra: dict[str, str]) -> None:
        encoding = negotiate(asked.get("accept-encoding", "")) if len(kept.body) >= WORTH_ENCODING else "identity"
        headers = kept.headers | extra | {"etag": kept.etag(encoding), "vary": "Accept-Encoding, Authorization"}
        if matches(asked.get("if-none-match", ""), kept.etag(encoding)):
            del headers["content-type"]
            await respond(send, Failure(304, headers, b""))
            return
        if encoding != "identity":
            headers["content-encoding"] = encoding
        await respond(send, Failure(200, headers, kept.encode(encoding)))

    def _still_good(self, path: str, query: bytes) -> Kept | None:
        kept = self._kept.get((path, query))
        if kept is None or self._clock() - kept.made >= GOOD_FOR_S or kept.version != self._store_version():
            return None
        return kept

    def _keep(self, path: str, query: bytes, answer: Failure) -> Kept:
        # The version was read before the answer was made: what came in between makes it stale at once.
        kept = Kept(answer.body, answer.headers, self._version[1], self._clock())
        self._kept[path, query] = kept
        self._kept.move_to_end((path, query))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept

    def _store_version(self) -> int:
        now = self._clock()
        if now - self._version[0] > VERSION_BELIEVED_S:
            self._version = (now, self._store.version())
        return self._version[1]

    async def _ask(self, scope: Scope, receive: Receive) -> Failure:
        """Returns what the application answers."""
        self._store_version()
        status = 500
        headers: dict[str, str] = {}
        chunks: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.update({name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]})
            elif message["type"] == "http.response.body":
                chunks.append(message["body"])

        await self._app(scope, receive, collect)
        headers.pop("content-length", None)
        return Failure(status, headers, b"".join(chunks))


async def respond(send: Send, answer: Failure) -> None:
    headers = answer.headers if answer.status == 304 else answer.headers | {"content-length": str(len(answer.body))}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def negotiate(accepted: str) -> str:
    """Returns the best encoding that an `Accept-Encoding` header allows. See: RFC 9110, 12.5.3."""
    weights: dict[str, float] = {}
    for choice in accepted.lower().split(","):
        name, _, parameter = choice.partition(";")
        _, _, weight = parameter.partition("=")
        try:
            weights[name.strip()] = float(weight) if weight else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    offered = [name for name in ENCODERS if name != "identity" and weights.get(name, 0) > 0]
    return max(offered, key=lambda name: weights[name], default="identity")


def matches(asked: str, etag: str) -> bool:
    """Says whether an `If-None-Match` header names `etag`; the comparison is weak. See: RFC 9110, 13.1.2."""
    tags = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return etag in tags or "*" in tags
