"""
Bodies of OTLP over HTTP → spans and log records, from Protobuf and from JSON.

Both come out alike: ids are hexadecimal, times nanoseconds since 1970, attributes a dict of plain values.

See: https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from llmcensus.errors import InputError
from llmcensus.wire.problems import UNREADABLE

Encoding: TypeAlias = Literal["protobuf", "json"]
# Text, a switch, a number, bytes, or a list or dict of these; None where a sender wrote no value.
Attributes: TypeAlias = dict[str, Any]

ERROR = 2
ERRORS = (ERROR, str(ERROR), "STATUS_CODE_ERROR")


class Span(msgspec.Struct):
    """One span. `failed` says that its status is an error; `parent_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    scope: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: Attributes
    resource: Attributes


class LogRecord(msgspec.Struct):
    """One log record. `name` is that of its event; `time_ns` is when it was made, or else seen."""

    trace_id: str
    span_id: str
    name: str
    time_ns: int
    attributes: Attributes
    body: Any


def read_spans(body: bytes, encoding: Encoding) -> list[Span]:
    """Returns the spans of an `ExportTraceServiceRequest`."""
    if encoding == "protobuf":
        return list(_spans_of_protobuf(_parsed(ExportTraceServiceRequest(), body)))
    return _flattened(_spans_of_json(_decoded(body, _Traces)))


def read_records(body: bytes, encoding: Encoding) -> list[LogRecord]:
    """Returns the log records of an `ExportLogsServiceRequest`."""
    if encoding == "protobuf":
        return list(_records_of_protobuf(_parsed(ExportLogsServiceRequest(), body)))
    return _flattened(_records_of_json(_decoded(body, _Logs)))


def event_name(name: str | None, attributes: Attributes) -> str:
    """Returns what an event is called: a field of its own since OTLP 1.6, an attribute before."""
    found = name or attributes.get("event.name") or attributes.get("event_name")
    return found if isinstance(found, str) else ""


# --- Protobuf

Request = TypeVar("Request", ExportTraceServiceRequest, ExportLogsServiceRequest)


def _parsed(request: Request, body: bytes) -> Request:
    try:
        request.ParseFromString(body)
    except ProtobufError:
        # What the library says of it may quote the body.
        raise InputError(f"The body is no {type(request).__name__} in Protobuf") from None
    return request


def _spans_of_protobuf(request: ExportTraceServiceRequest) -> Iterable[Span]:
    for of_resource in request.resource_spans:
        resource = _plain(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            scope = of_scope.scope.name
            for span in of_scope.spans:
                yield Span(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    scope=scope,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    failed=span.status.code == ERROR,
                    attributes=_plain(span.attributes),
                    resource=resource,
                )


def _records_of_protobuf(request: ExportLogsServiceRequest) -> Iterable[LogRecord]:
    for of_resource in request.resource_logs:
        for of_scope in of_resource.scope_logs:
            for record in of_scope.log_records:
                attributes = _plain(record.attributes)
                yield LogRecord(
                    trace_id=record.trace_id.hex(),
                    span_id=record.span_id.hex(),
                    name=event_name(record.event_name, attributes),
                    time_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    attributes=attributes,
                    body=_value(record.body),
                )


def _plain(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    # Most are texts, and to ask which of the seven kinds one is costs more than to read it.
    text = value.string_value
    if text:
        return text
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _plain(value.kvlist_value.values)
    return getattr(value, kind)


# --- JSON


class _Json(msgspec.Struct, rename="camel", gc=False):
    pass


class _Value(_Json):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | float | str | None = None
    double_value: float | str | None = None
    array_value: _Array | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: str | None = None


class _Array(_Json):
    values: list[_Value] | None = None


class _Pair(_Json):
    key: str
    value: _Value | None = None


class _Pairs(_Json):
    values: list[_Pair] | None = None


class _Named(_Json):
    """A resource or a scope: who says it."""

    name: str | None = None
    attributes: list[_Pair] | None = None


class _Status(_Json):
    code: int | str | None = None


class _Span(_Json):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    status: _Status | None = None
    attributes: list[_Pair] | None = None


class _ScopeSpans(_Json):
    scope: _Named | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(_Json):
    resource: _Named | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Traces(_Json):
    resource_spans: list[_ResourceSpans] | None = None


class _Record(_Json):
    trace_id: str | None = None
    span_id: str | None = None
    event_name: str | None = None
    time_unix_nano: int | str | None = None
    observed_time_unix_nano: int | str | None = None
    attributes: list[_Pair] | None = None
    body: _Value | None = None


class _ScopeLogs(_Json):
    log_records: list[_Record] | None = None


class _ResourceLogs(_Json):
    scope_logs: list[_ScopeLogs] | None = None


class _Logs(_Json):
    resource_logs: list[_ResourceLogs] | None = None


Export = TypeVar("Export", _Traces, _Logs)
Item = TypeVar("Item")

# What JSON writes for one half of a character: JavaScript leaves it where it cuts a text through an emoji. An escaped
# backslash and a whole pair are matched to be left as they are.
LONE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})",
)


def mended(text: bytes) -> bytes:
    """Returns JSON with a replacement character for every half of one."""
    return LONE.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)


def _decoded(body: bytes, kind: type[Export]) -> Export:
    try:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return msgspec.json.decode(mended(body), type=kind)
    except msgspec.ValidationError as error:
        # It names the field and what was expected there, never a value.
        raise InputError(f"The body is not as OTLP has it in JSON: {error}") from None
    except UNREADABLE:
        raise InputError("The body is no JSON: cut off, bad UTF-8, or nested too deeply") from None


def _flattened(items: Iterable[Item]) -> list[Item]:
    try:
        return list(items)
    except RecursionError:
        raise InputError("The body has values that are nested too deeply") from None


def _spans_of_json(export: _Traces) -> Iterable[Span]:
    for of_resource in export.resource_spans or ():
        resource = _plain_json(of_resource.resource.attributes if of_resource.resource else None)
        for of_scope in of_resource.scope_spans or ():
            scope = (of_scope.scope.name if of_scope.scope else None) or ""
            for span in of_scope.spans or ():
                yield Span(
                    trace_id=span.trace_id.lower(),
                    span_id=span.span_id.lower(),
                    parent_id=(span.parent_span_id or "").lower(),
                    scope=scope,
                    start_ns=_whole(span.start_time_unix_nano),
                    end_ns=_whole(span.end_time_unix_nano),
                    failed=span.status is not None and span.status.code in ERRORS,
                    attributes=_plain_json(span.attributes),
                    resource=resource,
                )


def _records_of_json(export: _Logs) -> Iterable[LogRecord]:
    for of_resource in export.resource_logs or ():
        for of_scope in of_resource.scope_logs or ():
            for record in of_scope.log_records or ():
                attributes = _plain_json(record.attributes)
                yield LogRecord(
                    trace_id=(record.trace_id or "").lower(),
                    span_id=(record.span_id or "").lower(),
                    name=event_name(record.event_name, attributes),
                    time_ns=_whole(record.time_unix_nano) or _whole(record.observed_time_unix_nano),
                    attributes=attributes,
                    body=_json_value(record.body),
                )


def _plain_json(pairs: list[_Pair] | None) -> Attributes:
    return {pair.key: _json_value(pair.value) for pair in pairs or ()}


def _json_value(value: _Value | None) -> Any:
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.array_value is not None:
        return [_json_value(one) for one in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _plain_json(value.kvlist_value.values)
    if value.bool_value is not None:
        return value.bool_value
    return value.double_value if value.double_value is not None else value.bytes_value


def _integer(value: float | str) -> int | float | str:
    """64-bit integers may be numbers or texts. What is neither stays as it is, for whoever reads the field."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return value


def _whole(value: int | str | None) -> int:
    """Returns a time; 0, as in Protobuf, where there is none."""
    number = _integer(value or 0)
    return number if isinstance(number, int) else 0
