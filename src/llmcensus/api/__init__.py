"""
Datasets and ingest over HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from llmcensus.api import intake as taking
from llmcensus.api import metrics, otlp, quota
from llmcensus.api.cors import Cors
from llmcensus.api.errors import Answer, explain, failure, report
from llmcensus.api.gate import ADMITTED, Gate
from llmcensus.api.inflow import Inflow, Room
from llmcensus.api.intake import Taken
from llmcensus.api.keyring import Keyring
from llmcensus.api.openapi import document
from llmcensus.api.watch import Watch
from llmcensus.config import Settings
from llmcensus.datasets import DATASETS, Census, Dataset
from llmcensus.errors import CensusError, Unauthorized
from llmcensus.ingest import Intake
from llmcensus.spans import Spans, Window
from llmcensus.store import Clock, Store
from llmcensus.taxonomy import Taxonomy

BASE = "/api/v1"
# What is here is for programs that have a key.
ROBOTS = "User-agent: *\nDisallow: /api/\n"


def application(store: Store, intake: Intake, settings: Settings, clock: Clock) -> Gate:
    """Returns the ASGI application."""
    watch = Watch(store)
    keyring = Keyring(store, watch)
    room = Room(settings.queue_mb << 20)
    inflow = Inflow(settings.max_body_mb << 20, room)
    noted = metrics.Metrics(store, room, intake.taxonomy.stamp(intake.classifier.version))
    spans = Spans(intake, Window(settings.join_seconds, settings.join_mb << 20))

    def census() -> Census:
        # What is shown is judged by the tags that what arrives is judged by.
        return Census.of(store, clock(), settings, intake.taxonomy)

    handlers = [dataset_route(BASE + path, dataset, census) for path, dataset in DATASETS.items()]
    framework = Litestar(
        route_handlers=[
            *handlers,
            *taking.routes(keyring, intake, inflow, settings.publisher),
            *otlp.routes(keyring, spans, inflow),
            metrics.route(keyring, noted),
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
    gate = Gate(framework, watch, keyring, quota.opened(settings, store), paths, Cors(settings.origins()))
    gate.note(noted.note, taking.PATHS | otlp.PATHS)
    return gate


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
