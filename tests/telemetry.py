"""OTLP bodies that tests are made of: told once, written as Protobuf and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from llmcensus.spans import Body
from llmcensus.wire.otlp import Encoding

# 2026-11-20T10:00:00.123Z
START = 1_795_168_800_123_000_000
TRACE = "5b8efff798038103d269b633813fc60c"
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "Translate good morning into French."}]}]
CALL: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.response.finish_reasons": ["stop"],
}


@dataclass(frozen=True)
class Span:
    """A span; attributes that are None are left out."""

    attributes: Mapping[str, Any] = field(default_factory=lambda: CALL)
    id: str = "eee19b7ec3c1b174"
    parent: str = ""
    trace: str = TRACE
    scope: str = "tests"
    start: int = START
    nanoseconds: int = 1_500_000_000
    failed: bool = False
    resource: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A log record of an event."""

    name: str
    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    id: str = "eee19b7ec3c1b174"
    trace: str = TRACE
    time: int = START


def call(changes: Mapping[str, Any] | None = None, **span: Any) -> Span:
    """Returns a span of a chat as the GenAI conventions have it, with changes to its attributes."""
    return Span(CALL | dict(changes or {}), **span)


def asked(text: str = "Translate good morning into French.", **record: Any) -> Record:
    return Record("gen_ai.user.message", {"content": text}, **record)


def details(**record: Any) -> Record:
    return Record("gen_ai.client.inference.operation.details", None, CALL | {"gen_ai.input.messages": ASKED}, **record)


def body(told: Sequence[Span] | Sequence[Record], encoding: Encoding = "json") -> Body:
    return Body(encode(told, encoding), encoding)


def encode(told: Iterable[Span | Record], encoding: Encoding) -> bytes:
    """Returns an export of spans, or of records."""
    told = list(told)
    if told and isinstance(told[0], Record):
        records = [record for record in told if isinstance(record, Record)]
        return _records_protobuf(records) if encoding == "protobuf" else _records_json(records)
    spans = [span for span in told if isinstance(span, Span)]
    return _spans_protobuf(spans) if encoding == "protobuf" else _spans_json(spans)


def _spans_protobuf(spans: list[Span]) -> bytes:
    request = ExportTraceServiceRequest()
    for span in spans:
        of_resource = request.resource_spans.add()
        of_resource.resource.attributes.extend(_pairs(span.resource))
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name = span.scope
        made = of_scope.spans.add()
        made.trace_id, made.span_id = bytes.fromhex(span.trace), bytes.fromhex(span.id)
        made.parent_span_id = bytes.fromhex(span.parent)
        made.start_time_unix_nano, made.end_time_unix_nano = span.start, span.start + span.nanoseconds
        made.status.code = Status.STATUS_CODE_ERROR if span.failed else Status.STATUS_CODE_UNSET
        made.attributes.extend(_pairs(span.attributes))
    return request.SerializeToString()


def _records_protobuf(records: list[Record]) -> bytes:
    request = ExportLogsServiceRequest()
    of_scope = request.resource_logs.add().scope_logs.add()
    for record in records:
        made = of_scope.log_records.add()
        made.trace_id, made.span_id = bytes.fromhex(record.trace), bytes.fromhex(record.id)
        made.event_name, made.observed_time_unix_nano = record.name, record.time
        made.attributes.extend(_pairs(record.attributes))
        if record.body is not None:
            made.body.CopyFrom(_any(record.body))
    return request.SerializeToString()


def _pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items() if value is not None]


def _any(value: Any) -> AnyValue:
    made = AnyValue()
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, str):
        made.string_value = value
    elif isinstance(value, list):
        made.array_value.SetInParent()
        made.array_value.values.extend(_any(one) for one in value)
    elif isinstance(value, dict):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(_pairs(value))
    return made


def _spans_json(spans: list[Span]) -> bytes:
    return json.dumps(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": _json_pairs(span.resource)},
                    "scopeSpans": [
                        {
                            "scope": {"name": span.scope},
                            "spans": [
                                {
                                    "traceId": span.trace,
                                    "spanId": span.id,
                                    "parentSpanId": span.parent,
                                    "startTimeUnixNano": str(span.start),
                                    "endTimeUnixNano": str(span.start + span.nanoseconds),
                                    "status": {"code": 2} if span.failed else {},
                                    "attributes": _json_pairs(span.attributes),
                                }
                            ],
                        }
                    ],
                }
                for span in spans
            ]
        }
    ).encode()


def _records_json(records: list[Record]) -> bytes:
    return json.dumps(
        {
            "resourceLogs": [
                {
                    "scopeLogs": [
                        {
                            "logRecords": [
                                {
                                    "traceId": record.trace,
                                    "spanId": record.id,
                                    "eventName": record.name,
                                    "observedTimeUnixNano": str(record.time),
                                    "attributes": _json_pairs(record.attributes),
                                    "body": _json_any(record.body),
                                }
                                for record in records
                            ]
                        }
                    ]
                }
            ]
        }
    ).encode()


def _json_pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _json_any(value)} for key, value in attributes.items() if value is not None]


def _json_any(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_json_any(one) for one in value]}}
    return {"kvlistValue": {"values": _json_pairs(value)}} if isinstance(value, dict) else {}
