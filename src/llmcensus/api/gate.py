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
from functools import cached_property
from typing import Any, TypeAlias

import zstandard
from isal import igzip

from llmcensus.api.errors import Answer, explain, failure, ratelimit
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
# Answers are kept up to this much, counted as if each were there in every encoding.
KEPT_BYTES = 64 << 20
# Set on requests that came through here: a handler of a dataset serves no other.
ADMITTED = "llmcensus.admitted"
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

    @property
    def room(self) -> int:
        return 2 * len(self.body) + 1024

    def etag(self, encoding: str) -> str:
        """Strong tags name bytes, so each encoding has its own."""
        return f'"{self._digest}"' if encoding == "identity" else f'"{self._digest}-{encoding}"'

    @cached_property
    def _digest(self) -> str:
        return hashlib.blake2b(self.body, digest_size=12).hexdigest()

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
        self._kept_bytes = 0
        self._version = (float("-inf"), 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif not canonical(scope["path"]):
            # The framework would take `/a//b/` for `/a/b`, and so let it pass by the keys.
            await respond(send, failure(404, "Not Found"))
        elif scope["path"] not in self._paths or scope["method"] != "GET":
            await self._app(scope, receive, send)
        else:
            try:
                await self._serve(scope, receive, send)
            except CensusError as error:
                await respond(send, explain(error))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        digest, key = self._keyring.identify(headers.get("authorization"))
        standing = self._quota.spend(digest, key.account)
        asked = (scope["path"], scope["query_string"])
        # Read before the answer is made: a commit in between makes the answer stale at once.
        version = self._store_version()
        kept = self._still_good(asked, version)
        if kept is None:
            answer = await self._ask(scope | {ADMITTED: True}, receive)
            if answer.status != 200:
                await respond(send, answer._replace(headers=answer.headers | ratelimit(*standing)))
                return
            kept = Kept(answer.body, answer.headers, version, self._clock())
            self._keep(asked, kept)
        await self._deliver(send, kept, headers, ratelimit(*standing))

    async def _deliver(self, send: Send, kept: Kept, asked: Mapping[str, str], extra: dict[str, str]) -> None:
        encoding = negotiate(asked.get("accept-encoding", "")) if len(kept.body) >= WORTH_ENCODING else "identity"
        etag = kept.etag(encoding)
        headers = kept.headers | extra | {"etag": etag, "vary": "Accept-Encoding, Authorization"}
        if matches(asked.get("if-none-match", ""), etag):
            del headers["content-type"]
            await respond(send, Answer(304, headers, b""))
            return
        if encoding != "identity":
            headers["content-encoding"] = encoding
        await respond(send, Answer(200, headers, kept.encode(encoding)))

    def _still_good(self, asked: tuple[str, bytes], version: int) -> Kept | None:
        kept = self._kept.get(asked)
        if kept is None or kept.version != version or self._clock() - kept.made >= GOOD_FOR_S:
            return None
        return kept

    def _keep(self, asked: tuple[str, bytes], kept: Kept) -> None:
        before = self._kept.pop(asked, None)
        self._kept[asked] = kept
        self._kept_bytes += kept.room - (before.room if before else 0)
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.room

    def _store_version(self) -> int:
        now = self._clock()
        if now - self._version[0] > VERSION_BELIEVED_S:
            self._version = (now, self._store.version())
        return self._version[1]

    async def _ask(self, scope: Scope, receive: Receive) -> Answer:
        """Returns what the application answers."""
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
        return Answer(status, headers, b"".join(chunks))


def canonical(path: str) -> bool:
    return "//" not in path and (path == "/" or not path.endswith("/"))


async def respond(send: Send, answer: Answer) -> None:
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
