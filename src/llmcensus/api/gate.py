"""
The layer in front of the framework: keys, rate limits, answers that are still good, and the headers of every answer.

An answer is kept, encoded, until the store has changed or a minute has passed; a client that already has it gets 304.
Neither enters the framework. What the layer does not know it passes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from llmcensus.api.answers import SECURITY, VARY, Encoded, Kept, Version, matches, negotiate
from llmcensus.api.cors import Cors
from llmcensus.api.errors import Answer, Headers, explain, failure, ratelimit, report
from llmcensus.api.keyring import Keyring
from llmcensus.api.quota import DAY_S, Quota
from llmcensus.api.watch import Watch
from llmcensus.errors import CensusError

# See: https://asgi.readthedocs.io/en/latest/specs/www.html
Scope: TypeAlias = Any
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

# A path, a status, and seconds.
Note: TypeAlias = Callable[[str, int, float], None]
# A path, a query string, and the version by which it is answered.
Question: TypeAlias = tuple[str, bytes, Version]

GOOD_FOR_S = 60.0
# Answers are kept up to this much, counted as if each were there in every encoding.
KEPT_BYTES = 64 << 20
# Set on requests that came through here: a handler of a dataset serves no other.
ADMITTED = "llmcensus.admitted"
# Larger ones are encoded in a thread.
ENCODED_ASIDE = 64 << 10
QUOTA_THREADS = 8


class Gate:
    def __init__(
        self,
        app: ASGIApp,
        watch: Watch,
        keyring: Keyring,
        quota: Quota,
        paths: Iterable[str],
        cors: Cors,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._watch = watch
        self._keyring = keyring
        self._quota = quota
        self._paths = frozenset(paths)
        self._cors = cors
        self._clock = clock
        self._kept: OrderedDict[tuple[str, bytes], Kept] = OrderedDict()
        self._kept_bytes = 0
        self._asking: dict[Question, asyncio.Future[Kept | Answer]] = {}
        # Threads of its own: while Redis does not answer, those that take traffic in are not used up.
        self._threads = ThreadPoolExecutor(max_workers=QUOTA_THREADS, thread_name_prefix="quota")
        self._note: Note = lambda _path, _status, _seconds: None
        self._noted: frozenset[str] = frozenset()

    def note(self, note: Note, paths: Iterable[str]) -> None:
        """Has `note` told of every answer at some paths: of its status, and of how many seconds it took."""
        self._note, self._noted = note, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        cors = self._cors.headers(headers.get(b"origin", b""))
        path, method = scope["path"], scope["method"]
        if method == "GET" and path in self._paths:
            try:
                await self._serve(scope, send, headers, cors)
            except CensusError as error:
                await respond(send, explain(error), cors)
            except Exception as error:
                await respond(send, report(error), cors)
        elif not canonical(path):
            # The framework would take `/a//b/` for `/a/b`, and so let it pass by the keys.
            await respond(send, failure(404, "Not Found"), cors)
        elif method == "OPTIONS" and path in self._paths:
            await respond(send, self._cors.preflight(), cors)
        else:
            await self._pass_on(scope, receive, dressed(send, cors))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in self._noted:
            await self._app(scope, receive, send)
            return
        began = self._clock()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope["path"], message["status"], self._clock() - began)
            await send(message)

        await self._app(scope, receive, noting)

    async def _serve(self, scope: Scope, send: Send, asked: dict[bytes, bytes], cors: Headers) -> None:
        # Looked up before the answer is made: a commit in between makes the answer stale at once.
        versions = self._watch.versions()
        digest, key = self._keyring.identify(asked.get(b"authorization", b""), versions.keys)
        if self._quota.waits:
            loop = asyncio.get_running_loop()
            standing = await loop.run_in_executor(self._threads, self._quota.spend, digest, key.account)
        else:
            standing = self._quota.spend(digest, key.account)
        question = (scope["path"], scope["query_string"])
        now = self._clock()
        version = (versions.data, int(time.time() // DAY_S))
        kept = self._kept.get(question)
        if kept is None or kept.version != version or now - kept.made >= GOOD_FOR_S:
            found = await self._ask_once((*question, version), scope)
            if isinstance(found, Answer):
                await respond(send, found, [*cors, *ratelimit(*standing)])
                return
            kept = found
        encoding = negotiate(asked.get(b"accept-encoding", b"")) if kept.worth_encoding else "identity"
        encoded = kept.encoded.get(encoding) or await self._encode(kept, encoding)
        known = asked.get(b"if-none-match")
        if known is not None and (known == encoded.etag or matches(known, encoded.etag)):
            status, headers, body = 304, encoded.unchanged, b""
        else:
            status, headers, body = 200, encoded.headers, encoded.body
        headers = [*headers, *cors, *ratelimit(*standing)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _ask_once(self, question: Question, scope: Scope) -> Kept | Answer:
        """Returns what the application answers; who asks the same meanwhile waits for the same answer."""
        asking = self._asking.get(question)
        if asking is None:
            asking = self._asking[question] = asyncio.ensure_future(self._make(question, scope))
            asking.add_done_callback(lambda _: self._asking.pop(question))
        # One who goes away does not take the answer from the others.
        return await asyncio.shield(asking)

    async def _make(self, question: Question, scope: Scope) -> Kept | Answer:
        """Returns an answer and keeps it, or one that is not to be kept."""
        path, query, version = question
        # An answer is as old as what it was read from.
        made = self._clock()
        answer = await self._ask(scope | {ADMITTED: True})
        if answer.status != 200:
            return answer
        kept = Kept(answer.body, answer.headers, version, made)
        before = self._kept.get((path, query))
        if before is None or before.version <= version:
            self._keep((path, query), kept)
        return kept

    def _keep(self, asked: tuple[str, bytes], kept: Kept) -> None:
        before = self._kept.pop(asked, None)
        self._kept[asked] = kept
        self._kept_bytes += kept.room(asked) - (before.room(asked) if before else 0)
        while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
            question, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.room(question)

    async def _encode(self, kept: Kept, encoding: str) -> Encoded:
        """Encodes a body, once for all who wait for it; a large one in a thread, so that others are answered."""
        if len(kept.body) < ENCODED_ASIDE:
            return kept.encode(encoding)
        making = kept.making.get(encoding)
        if making is None:
            making = kept.making[encoding] = asyncio.ensure_future(asyncio.to_thread(kept.encode, encoding))
        return await asyncio.shield(making)

    async def _ask(self, scope: Scope) -> Answer:
        """Returns what the application answers to a request without a body."""
        status = 500
        headers: Headers = []
        chunks: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.extend(header for header in message["headers"] if header[0] != b"content-length")
            elif message["type"] == "http.response.body":
                chunks.append(message["body"])

        await self._app(scope, nothing, collect)
        return Answer(status, headers, b"".join(chunks))


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def canonical(path: str) -> bool:
    return "//" not in path and (path == "/" or not path.endswith("/"))


async def respond(send: Send, answer: Answer, more: Headers) -> None:
    headers = [*answer.headers, VARY, *SECURITY, *more]
    if answer.status != 204:  # which has no content to be of a length
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def dressed(send: Send, more: Headers) -> Send:
    """Returns a `send` that adds to an answer's headers."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = message | {"headers": [*message["headers"], VARY, *SECURITY, *more]}
        await send(message)

    return sending
