"""
OTLP over HTTP: spans and log records from exporters, Langfuse's SDKs and OpenRouter Broadcast.

Answers are those of the protocol: its own message in the encoding of the request, or a `Status` that says what was
wrong. Of all versions of all exporters, 503 is the one answer that makes them send again.

See: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from litestar import Request, Response, post, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from llmcensus.api.credentials import presented
from llmcensus.api.errors import Answer, explain, report
from llmcensus.api.inflow import Inflow, told
from llmcensus.api.keyring import Keyring
from llmcensus.errors import CensusError, UnknownMedia
from llmcensus.spans import Body, Encoding, Outcome, Spans
from llmcensus.store import Tally

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
ENCODINGS: dict[str, Encoding] = {PROTOBUF: "protobuf", JSON: "json"}
MEDIA = {encoding: kind for kind, encoding in ENCODINGS.items()}
# How gRPC numbers what HTTP says. See: google/rpc/code.proto
CODES = {400: 3, 401: 16, 403: 7, 413: 11, 415: 3, 500: 13, 503: 14}
UNKNOWN = 2
# Text is forgotten at most so much later than its time.
SWEEP_S = 10.0
# Exporters give up after ten seconds, with all that they tried in them: a body waits so long for a thread.
TURN_S = 4.0
# Whether OpenRouter asks again is not known.
PATIENCE_S = 20.0
TRACES, LOGS, BROADCAST = "/v1/traces", "/v1/logs", "/integrations/openrouter"
# Langfuse's SDKs add its path to the address that they are given.
LANGFUSE_TRACES = "/api/public/otel/v1/traces"
PATHS = frozenset({TRACES, LANGFUSE_TRACES, LOGS, BROADCAST})
# Set where OpenRouter only tries the address.
TEST = "x-test-connection"

AnyRequest: TypeAlias = Request[Any, Any, Any]
Take: TypeAlias = Callable[[Body], Outcome]
Said: TypeAlias = Callable[[Outcome, Encoding], bytes]


def routes(keyring: Keyring, spans: Spans, inflow: Inflow) -> list[HTTPRouteHandler]:
    sweeper = Sweeper(spans.forget)

    @post([TRACES, LANGFUSE_TRACES], status_code=200)
    async def take_spans(request: AnyRequest) -> Response[bytes]:
        return await answered(request, spans.take_spans, of_spans)

    @post(LOGS, status_code=200)
    async def take_records(request: AnyRequest) -> Response[bytes]:
        return await answered(request, spans.take_records, of_records)

    @route(BROADCAST, http_method=[HttpMethod.POST, HttpMethod.PUT], status_code=200)
    async def take_broadcast(request: AnyRequest) -> Response[bytes]:
        testing = request.headers.get(TEST, "").lower() == "true"
        return await answered(request, nothing if testing else spans.take_spans, of_spans, once=True)

    async def answered(request: AnyRequest, take: Take, said: Said, once: bool = False) -> Response[bytes]:
        kind = media_type(request) or JSON
        encoding: Encoding = ENCODINGS.get(kind, "json")
        try:
            keyring.require(presented(request), "ingest")
            if kind not in ENCODINGS:
                raise UnknownMedia(f"Content-Type {kind[:80]!r}: expected {PROTOBUF} or {JSON}")
            until = time.monotonic() + (PATIENCE_S if once else TURN_S)
            counting = inflow.again if once else inflow.run
            async with inflow.body(request, until, once=once) as data:
                outcome = await counting(until, take, Body(data, encoding))
            told(request.scope["path"], outcome.tally)
            sweeper.begin()
        except CensusError as error:
            return failed(explain(error), encoding)
        except Exception as error:
            return failed(report(error), encoding)
        return Response(said(outcome, encoding), media_type=MEDIA[encoding])

    return [take_spans, take_records, take_broadcast]


class Sweeper:
    """Has what is kept forgotten in time also where nothing more comes, for as long as anything is left."""

    def __init__(self, forget: Callable[[], bool], every_s: float = SWEEP_S) -> None:
        self._forget = forget
        self._every_s = every_s
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_later(self._every_s, self._sweep)

    def _sweep(self) -> None:
        self._next = None
        if self._forget():
            self.begin()


def nothing(_: Body) -> Outcome:
    """OpenRouter asks whether anybody is there: whatever it sends for that is none of its traffic."""
    return Outcome(Tally())


def media_type(request: AnyRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class PartialSuccess(msgspec.Struct, rename="camel", omit_defaults=True):
    """64-bit integers are texts in JSON."""

    rejected_spans: str = ""
    error_message: str = ""


class Exported(msgspec.Struct, rename="camel", omit_defaults=True):
    partial_success: PartialSuccess | None = None


class Status(msgspec.Struct):
    code: int
    message: str


def of_spans(outcome: Outcome, encoding: Encoding) -> bytes:
    if encoding == "json":
        partial = PartialSuccess(str(outcome.rejected), outcome.message) if outcome.rejected else None
        return msgspec.json.encode(Exported(partial))
    answer = ExportTraceServiceResponse()
    if outcome.rejected:
        answer.partial_success.rejected_spans = outcome.rejected
        answer.partial_success.error_message = outcome.message
    return answer.SerializeToString()


def of_records(_: Outcome, encoding: Encoding) -> bytes:
    """No record is refused by itself: what tells of no call is not what was asked for."""
    return b"{}" if encoding == "json" else ExportLogsServiceResponse().SerializeToString()


def failed(answer: Answer, encoding: Encoding) -> Response[bytes]:
    """Returns an error in the words of the protocol: a `google.rpc.Status`."""
    message = msgspec.json.decode(answer.body)["error"]["message"]
    code = CODES.get(answer.status, UNKNOWN)
    text = message.encode()
    body = (
        msgspec.json.encode(Status(code, message))
        if encoding == "json"
        else b"\x08" + varint(code) + b"\x12" + varint(len(text)) + text
    )
    headers = {name.decode(): value.decode() for name, value in answer.headers if name != b"content-type"}
    return Response(body, status_code=answer.status, media_type=MEDIA[encoding], headers=headers)


def varint(number: int) -> bytes:
    """Returns a number as Protobuf writes it: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
