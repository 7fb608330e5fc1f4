"""
Routes that take traffic in: native records, and what gateways and SDKs post to a server of their own, as they post it.

Some senders drop what was not taken at once, and do not ask twice: for these a store that is busy is waited for.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from llmcensus.api.keyring import Keyring
from llmcensus.config import Settings
from llmcensus.errors import TooLarge, Unauthorized, Unavailable
from llmcensus.ingest import Intake, Prepared, Receipt

NATIVE = "/api/v1/generations"
LITELLM = "/integrations/litellm"
LANGFUSE = "/api/public/ingestion"
LANGFUSE_PROJECTS = "/api/public/projects"
# So many refused records of a body are explained; all are counted.
EXPLAINED = 10
# LiteLLM drops a batch at the first error, and waits for minutes; Langfuse's SDKs wait for 20 seconds.
PATIENCE_S = {LITELLM: 60.0, LANGFUSE: 12.0}
PAUSE_S = 0.5

AnyRequest = Request[Any, Any, Any]


class Problem(msgspec.Struct):
    record: int
    reason: str
    message: str


class Taken(msgspec.Struct, omit_defaults=True):
    """
    What became of a body. `parts` tell of requests of which others tell the rest, `ignored` records of none; `problems`
    explains the first refused ones. Each of these three is left out where there is none.
    """

    accepted: int
    duplicates: int
    refused: dict[str, int]
    parts: int = 0
    ignored: int = 0
    problems: list[Problem] | None = None

    @classmethod
    def of(cls, receipt: Receipt) -> Taken:
        tally = receipt.tally
        explained = [Problem(*refusal) for refusal in receipt.refusals[:EXPLAINED]]
        return cls(
            tally["accepted"],
            tally["duplicate"],
            tally.refused(),
            tally["part"],
            tally["ignored"],
            explained or None,
        )


class Success(msgspec.Struct):
    id: str
    status: int = 201


class Failure(msgspec.Struct):
    id: str
    status: int
    message: str
    error: str


class Multi(msgspec.Struct):
    """What Langfuse answers to a post of events."""

    successes: list[Success]
    errors: list[Failure]

    @classmethod
    def of(cls, receipt: Receipt, labels: list[str]) -> Multi:
        refused = {refusal.number: refusal for refusal in receipt.refusals}
        events = list(enumerate(labels, 1))
        return cls(
            [Success(label) for number, label in events if number not in refused],
            [
                Failure(label, 400, refused[number].message, refused[number].reason)
                for number, label in events
                if number in refused
            ],
        )


def routes(keyring: Keyring, intake: Intake, settings: Settings) -> list[HTTPRouteHandler]:
    taker = Taker(keyring, intake, settings.max_body_mb << 20)

    @post(NATIVE, status_code=200)
    async def native(request: AnyRequest) -> Response[bytes]:
        return answer(Taken.of((await taker.take(request, NATIVE, "native"))[0]))

    @post(LITELLM, status_code=200)
    async def litellm(request: AnyRequest) -> Response[bytes]:
        return answer(Taken.of((await taker.take(request, LITELLM, "litellm"))[0]))

    @post(LANGFUSE, status_code=207)
    async def langfuse(request: AnyRequest) -> Response[bytes]:
        receipt, prepared = await taker.take(request, LANGFUSE, "langfuse")
        return answer(Multi.of(receipt, prepared.labels), 207)

    @get(LANGFUSE_PROJECTS, sync_to_thread=False)
    def projects(request: AnyRequest) -> Response[bytes]:
        """Langfuse's SDKs ask which project a key is of, to see whether it is good."""
        keyring.require(presented(request), "ingest")
        return answer({"data": [{"id": "llmcensus", "name": settings.publisher}]})

    return [native, litellm, langfuse, projects]


class Taker:
    """Reads bodies, and counts them."""

    def __init__(self, keyring: Keyring, intake: Intake, limit: int) -> None:
        self._keyring = keyring
        self._intake = intake
        self._limit = limit

    async def take(self, request: AnyRequest, path: str, format_name: str) -> tuple[Receipt, Prepared]:
        self._keyring.require(presented(request), "ingest")
        body = await read_body(request, self._limit)
        encoding = request.headers.get("content-encoding", "identity").lower()
        prepared = await asyncio.to_thread(self._intake.prepare, format_name, body, encoding, self._limit)
        del body
        return await self._commit(prepared, PATIENCE_S.get(path, 0.0)), prepared

    async def _commit(self, prepared: Prepared, patience_s: float) -> Receipt:
        until = time.monotonic() + patience_s
        while True:
            try:
                return await asyncio.to_thread(self._intake.commit, prepared)
            except Unavailable:
                if time.monotonic() + PAUSE_S > until:
                    raise
            # Not in a thread: there are few, and others need them.
            await asyncio.sleep(PAUSE_S)


def presented(request: AnyRequest) -> bytes:
    """
    Returns a key as an `Authorization: Bearer` header, in whichever header it was sent.

    A Langfuse SDK sends it as the password of Basic authentication; who can set few headers may send it alone.
    """
    sent = request.headers.get("authorization")
    if sent is None:
        key = request.headers.get("x-llmcensus-key") or request.headers.get("x-api-key")
        return f"Bearer {key}".encode("latin-1") if key else b""
    scheme, _, value = sent.partition(" ")
    return b"Bearer " + password(value) if scheme.lower() == "basic" else sent.encode("latin-1")


def password(value: str) -> bytes:
    """See: RFC 7617."""
    try:
        _, colon, secret = base64.b64decode(value.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon = b""
    if not colon:
        raise Unauthorized("Invalid Authentication header: expected `Basic` with a key as its password")
    return secret


async def read_body(request: AnyRequest, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The body is above {limit >> 20} MiB")
    return bytes(body)


def answer(value: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type=MediaType.JSON, status_code=status)
