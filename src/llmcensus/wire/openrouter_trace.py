"""
OpenRouter's Broadcast into a bucket: one trace a file, `{traceId}-{timestamp}.json`, with its observations.

Of these the one of type `GENERATION` is the request; attempts at several hosts stand beside it. What a router was asked
for is in `output.rawRequest`. Costs are what was charged, also where that is 0.

See: https://openrouter.ai/docs/guides/features/broadcast
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import UNNAMED, Dollars, Generation, MaybeName, Report, Tokens
from llmcensus.wire import messages, times
from llmcensus.wire.openai import NONE, TOOL_CALLS
from llmcensus.wire.problems import UNREADABLE, explain

SOURCE = "openrouter"
GENERATION = "GENERATION"
OWN = "gen-"


class Observation(msgspec.Struct, rename="camel"):
    id: MaybeName | None = None
    type: str | None = None
    model: MaybeName | None = None
    provider_name: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None
    total_cost: Dollars | None = None
    finish_reason: str | None = None
    normalized_finish_reason: str | None = None
    level: str | None = None


class Request(msgspec.Struct):
    model: MaybeName | None = None
    stream: bool | None = None
    tools: msgspec.Raw = msgspec.Raw()


class Output(msgspec.Struct, rename="camel"):
    raw_request: Request | None = None
    tools: msgspec.Raw = msgspec.Raw()
    tool_calls: msgspec.Raw = msgspec.Raw()


class App(msgspec.Struct):
    title: str | None = None
    url: str | None = None


class Told(msgspec.Struct):
    """What a destination has to opt in to."""

    app: App | None = None
    streamed: bool | None = None


class Metadata(msgspec.Struct):
    openrouter_generation: Told | None = None


class Trace(msgspec.Struct, rename="camel"):
    id: MaybeName
    observations: list[Observation]
    timestamp: str | None = None
    session_id: str | None = None
    api_key_name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    output: Output | None = None
    metadata: Metadata | None = None


class Wrapped(msgspec.Struct):
    trace: Trace


_decoder = msgspec.json.Decoder(Trace)
_wrapped = msgspec.json.Decoder(Wrapped)


def recognises(value: dict[str, Any]) -> bool:
    trace = value.get("trace", value)
    return isinstance(trace, dict) and isinstance(trace.get("observations"), list) and "id" in trace


def decode(record: bytes) -> Generation | None:
    try:
        # Some tools that fetch traces wrap them.
        trace = _wrapped.decode(record).trace if b'"trace"' in record[:40] else _decoder.decode(record)
    except UNREADABLE as error:
        raise explain(error, record) from None
    found = [observation for observation in trace.observations if observation.type == GENERATION]
    return _generation(trace, found[0]) if found else None


def _generation(trace: Trace, seen: Observation) -> Generation:
    output = trace.output or Output()
    request = output.raw_request or Request()
    told = (trace.metadata.openrouter_generation if trace.metadata else None) or Told()
    app = told.app or App()
    start, end = _times(trace, seen)
    asked, offered = messages.read(trace.input)
    called = bytes(output.tool_calls) not in NONE
    return Report(
        source=SOURCE,
        id=_name(trace, seen),
        created_at=start,
        model=request.model or seen.model or UNNAMED,
        model_served=seen.model or None,
        provider=seen.provider_name,
        tokens_prompt=seen.prompt_tokens,
        tokens_completion=seen.completion_tokens,
        tokens_reasoning=seen.reasoning_tokens,
        tokens_cached=seen.cached_tokens,
        cost_usd=seen.total_cost,
        latency_ms=times.between_ms(start, end),
        finish_reason=TOOL_CALLS if called else seen.normalized_finish_reason or seen.finish_reason,
        streamed=request.stream if request.stream is not None else told.streamed,
        http_referer=app.url,
        app_title=app.title,
        account=trace.api_key_name,
        session_id=trace.session_id,
        error="error" if seen.level == "ERROR" else None,
        messages=asked,
        tools=messages.tools(output.tools) or messages.tools(request.tools) or offered,
    )


def _name(trace: Trace, seen: Observation) -> str:
    """OpenRouter's own id; a trace may have one that the caller gave it, and gave to others."""
    for name in (seen.id, trace.id):
        if name and name.startswith(OWN):
            return name
    found = seen.id or trace.id
    if not found:
        raise DecodeError("bad_name", "`id` is empty: expected a text of 1 to 256 characters")
    return found


def _times(trace: Trace, seen: Observation) -> tuple[datetime, datetime | None]:
    began = seen.start_time or trace.timestamp
    if not began:
        raise DecodeError("missing_field", "neither `observations[0].startTime` nor `timestamp` says when this was")
    start = times.of_text(began, "startTime")
    return start, times.of_text(seen.end_time, "endTime") if seen.end_time else None
