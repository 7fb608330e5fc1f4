"""
Routes that take traffic in: native records, and what gateways and SDKs post to a server of their own, as they post it.

Some senders drop what was not taken at once, and do not ask twice: for these a store that is busy is waited for.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from llmcensus.api.credentials import presented
from llmcensus.api.inflow import Inflow, told
from llmcensus.api.keyring import Keyring
from llmcensus.ingest import Intake, Prepared, Receipt

NATIVE = "/api/v1/generations"
LITELLM = "/integrations/litellm"
LANGFUSE = "/api/public/ingestion"
LANGFUSE_PROJECTS = "/api/public/projects"
PATHS = frozenset({NATIVE, LITELLM, LANGFUSE})
# So many refused records of a body are explained; all are counted.
EXPLAINED = 10
# LiteLLM drops a batch at the first error, and waits for minutes; Langfuse's SDKs wait for 20 seconds.
PATIENCE_S = {LITELLM: 60.0, LANGFUSE: 12.0}
# Others ask again, and wait so long for one of the threads.
TURN_S = 30.0

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


def routes(keyring: Keyring, intake: Intake, inflow: Inflow, publisher: str) -> list[HTTPRouteHandler]:
    taker = Taker(keyring, intake, inflow)

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
        return answer({"data": [{"id": "llmcensus", "name": publisher}]})

    return [native, litellm, langfuse, projects]


class Taker:
    """Reads bodies, and counts them."""

    def __init__(self, keyring: Keyring, intake: Intake, inflow: Inflow) -> None:
        self._keyring = keyring
        self._intake = intake
        self._inflow = inflow

    async def take(self, request: AnyRequest, path: str, format_name: str) -> tuple[Receipt, Prepared]:
        self._keyring.require(presented(request), "ingest")
        once = path in PATIENCE_S
        until = time.monotonic() + PATIENCE_S.get(path, TURN_S)
        inflow = self._inflow
        async with inflow.body(request, until, once=once) as body:
            prepared = await inflow.run(until, self._intake.prepare, format_name, body)
            del body
            counting = inflow.again if once else inflow.run
            receipt = await counting(until, self._intake.commit, prepared)
        told(path, receipt.tally)
        return receipt, prepared


def answer(value: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), media_type=MediaType.JSON, status_code=status)
