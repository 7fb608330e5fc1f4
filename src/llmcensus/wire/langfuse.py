"""
Langfuse: what its SDKs up to version 2 post (`{"batch": [event, …]}`), and the rows that it exports to blob storage.

An SDK tells of a generation in two events or more, `generation-create` before the call and `generation-update` after
it, mostly in two posts: each is a report of the same request, by the observation's id. A `trace-create` says of which
session it was, and is joined within its post. Rows of an export are observations, with what their traces say
(`observations_v2`) or without (`observations`); exports overlap, and a row may stand in several. Other events and rows
are ignored.

See: https://api.reference.langfuse.com, https://langfuse.com/docs/api-and-data-platform/features/blob-storage-export-fields
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import UNNAMED, Generation, MaybeName, Message, Operation, Report, Tool
from llmcensus.wire import counts, messages, times
from llmcensus.wire.counts import Counts
from llmcensus.wire.openai import NONE, TOOL_CALLS
from llmcensus.wire.problems import UNREADABLE, explain

SOURCE = "langfuse"
OPERATIONS: dict[str, Operation] = {"GENERATION": "chat", "EMBEDDING": "embeddings"}
# An event that says in its body what it is of.
OBSERVATION = "OBSERVATION"
ERROR = "ERROR"

Details = dict[str, Any] | str | None


class Body(msgspec.Struct, rename="camel"):
    """What an event says of an observation."""

    id: MaybeName | None = None
    trace_id: MaybeName | None = None
    session_id: str | None = None
    type: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    completion_start_time: str | None = None
    model: MaybeName | None = None
    usage: Details = None
    usage_details: Details = None
    cost_details: Details = None
    level: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()


class Event(msgspec.Struct):
    id: Any = None
    type: str = ""
    timestamp: str | None = None
    body: msgspec.Raw = msgspec.Raw()


class Told(msgspec.Struct):
    """An event out of a post, and the session that a trace in it names."""

    event: Event
    session: str | None = None


class Trace(msgspec.Struct, rename="camel"):
    id: str | None = None
    trace_id: str | None = None
    session_id: str | None = None


class Row(msgspec.Struct):
    """An observation as it is exported; or an event, which has a `body`."""

    id: MaybeName | None = None
    type: str | None = None
    body: msgspec.Raw = msgspec.Raw()
    session_id: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    completion_start_time: str | None = None
    provided_model_name: MaybeName | None = None
    usage_details: Details = None
    cost_details: Details = None
    total_cost: float | str | None = None
    level: str | None = None
    tool_call_names: list[str] | None = None
    tool_definitions: Details = None
    input: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()


class Post(msgspec.Struct):
    batch: list[msgspec.Raw] | None = None


class Output(msgspec.Struct):
    tool_calls: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()


_told = msgspec.json.Decoder(Told)
_event = msgspec.json.Decoder(Event)
_body = msgspec.json.Decoder(Body)
_trace = msgspec.json.Decoder(Trace)
_row = msgspec.json.Decoder(Row)
_post = msgspec.json.Decoder(Post)
_details = msgspec.json.Decoder(dict[str, Any])
_output = msgspec.json.Decoder(Output | list[Output])
_blocks = msgspec.json.Decoder(list[messages.Block])
# How a record of a post begins that is an event and what was joined to it.
TOLD = b'{"event":'


def recognises(value: dict[str, Any]) -> bool:
    batch = value.get("batch")
    if isinstance(batch, list):
        return all(isinstance(event, dict) and "body" in event for event in batch)
    event = "body" in value and str(value.get("type")).endswith(("-create", "-update", "-log"))
    return event or ("project_id" in value and ("trace_id" in value or "timestamp" in value))


def unpack(value: bytes) -> list[bytes]:
    """Returns the events of a post, each with the session that a trace in it names; or the value itself."""
    if b'"batch"' not in value:
        return [value]
    try:
        events = _post.decode(value).batch
    except UNREADABLE as error:
        raise explain(error, value) from None
    if events is None:
        return [value]
    about = [_about(event) for event in events]
    sessions = {trace.id: trace.session_id for kind, trace in about if kind == "trace-create" and trace.session_id}
    return [
        _joined(event, None if kind == "trace-create" else sessions.get(trace.trace_id))
        for event, (kind, trace) in zip(events, about, strict=True)
    ]


def label(record: bytes) -> str:
    """Returns the id of the event that a record is, for the answer to a post; nothing where it has none."""
    try:
        event = _told.decode(record).event if record.startswith(TOLD) else _event.decode(record)
    except UNREADABLE:
        return ""
    return event.id if isinstance(event.id, str) else ""


def decode(record: bytes) -> Generation | None:
    try:
        if record.startswith(TOLD):
            told = _told.decode(record)
            return _of_event(told.event, told.session)
        row = _row.decode(record)
        return _of_event(_event.decode(record), None) if bytes(row.body) else _of_row(row)
    except UNREADABLE as error:
        raise explain(error, record) from None


def _about(event: msgspec.Raw) -> tuple[str, Trace]:
    """Returns the type of an event, and of which trace it is. What cannot be read is refused when it is decoded."""
    try:
        found = _event.decode(event)
        return found.type, _trace.decode(found.body)
    except UNREADABLE:
        return "", Trace()


def _joined(event: msgspec.Raw, session: str | None) -> bytes:
    if session is None:
        return TOLD + bytes(event) + b"}"
    return TOLD + bytes(event) + b',"session":' + msgspec.json.encode(session) + b"}"


def _of_event(event: Event, session: str | None) -> Report | None:
    kind, _, verb = event.type.rpartition("-")
    if verb not in ("create", "update") or kind.upper() not in (*OPERATIONS, OBSERVATION):
        return None
    body = _body.decode(event.body)
    operation = OPERATIONS.get(((body.type or "") if kind.upper() == OBSERVATION else kind).upper())
    if operation is None:
        return None
    used = _used(body)
    start = _instant(body.start_time, "body.startTime")
    end = _instant(body.end_time, "body.endTime")
    asked, offered = _asked(body.input, operation)
    return Report(
        source=SOURCE,
        id=_id(body.id, "body.id"),
        created_at=start or end or _needed(event.timestamp, "timestamp"),
        model=body.model or UNNAMED,
        tokens_prompt=used.prompt,
        tokens_completion=used.completion,
        tokens_reasoning=used.reasoning,
        tokens_cached=used.cached,
        cost_usd=counts.cost(_read(body.cost_details), _read(body.usage).get("totalCost")),
        latency_ms=times.between_ms(start, end),
        finish_reason=TOOL_CALLS if called(body.output) else None,
        streamed=body.completion_start_time is not None or None,
        session_id=session or body.session_id or None,
        error="error" if body.level == ERROR else None,
        operation=operation,
        messages=asked,
        tools=offered,
        begins=verb == "create",
        ends=end is not None or used.known,
    )


def _of_row(row: Row) -> Report | None:
    operation = OPERATIONS.get((row.type or "").upper())
    if operation is None:
        return None
    used = counts.read(_read(row.usage_details))
    start, end = _needed(row.start_time, "start_time"), _instant(row.end_time, "end_time")
    asked, offered = _asked(row.input, operation)
    return Report(
        source=SOURCE,
        id=_id(row.id, "id"),
        created_at=start,
        model=row.provided_model_name or UNNAMED,
        tokens_prompt=used.prompt,
        tokens_completion=used.completion,
        tokens_reasoning=used.reasoning,
        tokens_cached=used.cached,
        cost_usd=counts.cost(_read(row.cost_details), row.total_cost),
        latency_ms=times.between_ms(start, end),
        finish_reason=TOOL_CALLS if row.tool_call_names or called(row.output) else None,
        streamed=row.completion_start_time is not None,
        session_id=row.session_id or None,
        error="error" if row.level == ERROR else None,
        operation=operation,
        messages=asked,
        tools=offered or list(_read(row.tool_definitions)) or None,
        ends=end is not None or used.known,
    )


def _id(name: str | None, field: str) -> str:
    if not name:
        raise DecodeError("missing_field", f"`{field}` is not there: expected the id of an observation")
    return name


def _instant(text: str | None, field: str) -> datetime | None:
    return times.of_text(text, field) if text else None


def _needed(text: str | None, field: str) -> datetime:
    moment = _instant(text, field)
    if moment is None:
        raise DecodeError("missing_field", f"`{field}` is not there: expected ISO 8601")
    return moment


def _asked(raw: msgspec.Raw, operation: Operation) -> tuple[list[Message] | None, list[Tool | str] | None]:
    return (None, None) if operation == "embeddings" else messages.read(raw)


def _read(details: Details) -> dict[str, Any]:
    """Returns details by name. Some exports write them as a text."""
    if not isinstance(details, str):
        return details or {}
    return _details.decode(details) if details else {}


def _used(body: Body) -> Counts:
    """`usage` is what SDKs sent before there was `usageDetails`, and with it."""
    used = counts.read(_read(body.usage_details))
    return used if used.known else counts.read(_read(body.usage))


def called(raw: msgspec.Raw) -> bool:
    """Says whether a reply calls tools: it is a message, several, or a text that is one."""
    value = bytes(raw)
    if b"tool_" not in value:
        return False
    try:
        if value.startswith(b'"'):
            value = msgspec.json.decode(value, type=str).encode()
        found = _output.decode(value)
        return any(map(_calls, found if isinstance(found, list) else [found]))
    except (*UNREADABLE, UnicodeEncodeError):
        return False  # a text that speaks of tools


def _calls(output: Output) -> bool:
    if bytes(output.tool_calls) not in NONE:
        return True
    return bytes(output.content).startswith(b"[") and any(
        block.type == "tool_use" for block in _blocks.decode(output.content)
    )
