"""
Datasets and ingest over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from llmcensus.api import otlp, quota
from llmcensus.api.bodies import read_body
from llmcensus.api.cors import Cors
from llmcensus.api.errors import Answer, explain, failure, report
from llmcensus.api.gate import ADMITTED, Gate
from llmcensus.api.keyring import Keyring
from llmcensus.api.openapi import document
from llmcensus.api.watch import Watch
from llmcensus.config import Settings
from llmcensus.datasets import DATASETS, Census, Dataset
from llmcensus.errors import CensusError, Unauthorized
from llmcensus.ingest import Intake, Receipt
from llmcensus.spans import Spans, Window
from llmcensus.store import Clock, Store
from llmcensus.taxonomy import Taxonomy

BASE = "/api/v1"
# So many refused records of a body are explained; all are counted.
EXPLAINED = 10

# What is here is for programs that have a key.
ROBOTS = "User-agent: *\nDisallow: /api/\n"


class Problem(msgspec.Struct):
    record: int
    reason: str
    message: str


class Taken(msgspec.Struct, omit_defaults=True):
    """What became of a body. `problems` explains the first refused records, and is left out where there are none."""

    accepted: int
    duplicates: int
    refused: dict[str, int]
    problems: list[Problem] | None = None

    @classmethod
    def of(cls, receipt: Receipt) -> Taken:
        tally = receipt.tally
        explained = [Problem(*refusal) for refusal in receipt.refusals[:EXPLAINED]]
        return cls(tally["accepted"], tally["duplicate"], tally.refused(), explained or None)


def application(store: Store, intake: Intake, settings: Settings, clock: Clock) -> Gate:
    """Returns the ASGI application."""
    watch = Watch(store)
    keyring = Keyring(store, watch)
    spans = Spans(intake, Window(settings.join_seconds, settings.join_mb << 20))

    def census() -> Census:
        # What is shown is judged by the tags that what arrives is judged by.
        return Census.of(store, clock(), settings, intake.taxonomy)

    handlers = [dataset_route(BASE + path, dataset, census) for path, dataset in DATASETS.items()]
    framework = Litestar(
        route_handlers=[
            *handlers,
            ingest_route(keyring, intake, settings),
            *otlp.routes(keyring, spans, settings.max_body_mb << 20),
            document_route(settings, intake.taxonomy),
            robots,
            alive,
            ready_route(store),
        ],
        exception_handlers={CensusError: on_census_error, HTTPException: on_http_error, Exception: on_bug},
        openapi_config=None,
        logging_config=None,
        # Bodies are measured while they are read, after decompression.
        request_max_body_size=None,
    )
    paths = (BASE + path for path in DATASETS)
    return Gate(framework, watch, keyring, quota.opened(settings, store), paths, Cors(settings.origins()))


def dataset_route(path: str, dataset: Dataset, census: Callable[[], Census]) -> HTTPRouteHandler:
    @get(path, name=dataset.name, sync_to_thread=True)
    def read(request: Request[Any, Any, Any]) -> Response[bytes]:
        if ADMITTED not in request.scope:
            raise Unauthorized("This was not asked through the gate that checks keys")
        query = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
        answer = dataset.read(census(), query)
        return Response(
            msgspec.json.encode(answer),
            media_type=MediaType.JSON,
            headers={"cache-control": dataset.cache_control},
        )

    return read


def ingest_route(keyring: Keyring, intake: Intake, settings: Settings) -> HTTPRouteHandler:
    limit = settings.max_body_mb << 20
    # Threads of their own: one that waits for a judge must not keep who reads from being answered.
    takers = ThreadPoolExecutor(thread_name_prefix="ingest")

    @post(f"{BASE}/generations", status_code=200)
    async def take(request: Request[Any, Any, Any]) -> Response[bytes]:
        keyring.require(request.headers.get("authorization", "").encode("latin-1"), "ingest")
        body = await read_body(request, limit)
        encoding = request.headers.get("content-encoding", "identity").lower()
        taking = partial(intake.take_body, "native", body, encoding, limit)
        receipt = await asyncio.get_running_loop().run_in_executor(takers, taking)
        return Response(msgspec.json.encode(Taken.of(receipt)), media_type=MediaType.JSON)

    return take


def document_route(settings: Settings, taxonomy: Taxonomy) -> HTTPRouteHandler:
    body = msgspec.json.encode(document(settings, BASE, Taken, taxonomy))

    @get("/openapi.json", sync_to_thread=False)
    def described() -> Response[bytes]:
        return Response(body, media_type=MediaType.JSON)

    return described


@get("/robots.txt", media_type=MediaType.TEXT, sync_to_thread=False)
def robots() -> str:
    return ROBOTS


@get("/healthz", media_type=MediaType.TEXT, sync_to_thread=False)
def alive() -> str:
    return "ok"


def ready_route(store: Store) -> HTTPRouteHandler:
    @get("/readyz", media_type=MediaType.TEXT, sync_to_thread=True)
    def ready() -> str:
        store.versions()
        return "ok"

    return ready


def on_census_error(_: Request[Any, Any, Any], error: CensusError) -> Response[bytes]:
    return _response(explain(error))


def on_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    return _response(failure(error.status_code, error.detail, headers))


def on_bug(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _response(report(error))


def _response(answer: Answer) -> Response[bytes]:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, status_code=answer.status, headers=headers)
