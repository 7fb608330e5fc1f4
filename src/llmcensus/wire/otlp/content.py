"""
Log records that carry what was said in a call: one record a message, or one with everything.

Records of a call arrive in any order and in several posts. Put together they give the same content whatever the order.

See: https://github.com/open-telemetry/semantic-conventions-genai (events)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from llmcensus.generation import Message, Tool
from llmcensus.wire.otlp.bodies import LogRecord
from llmcensus.wire.otlp.messages import (
    conversation,
    flat,
    flat_conversation,
    instructions,
    known,
    offered,
    read,
)
from llmcensus.wire.otlp.values import from_json, reason

DETAILS = "gen_ai.client.inference.operation.details"
# The role that an event's name gives to its message; "" where the body says it.
MESSAGES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.content.prompt": "",
}
CHOICES = frozenset({"gen_ai.choice", "gen_ai.content.completion"})
# A record in memory is more than its bytes.
OVERHEAD = 512


class Content(NamedTuple):
    """What was said in a call, as far as it is known."""

    messages: list[Message] | None = None
    tools: list[Tool | str] | None = None
    finish_reason: str | None = None


class Told(msgspec.Struct, frozen=True):
    """
    What one record tells of the call with that trace and span id.

    `digest` is of the record's bytes, `size` is what it takes in memory, about, in bytes.
    """

    trace_id: str
    span_id: str
    digest: bytes
    time_ns: int
    size: int
    content: Content
    whole: bool


def told(record: LogRecord) -> Told | None:
    """Returns what a record tells, or None if it tells nothing of what was said in a call."""
    if not record.trace_id or not record.span_id:
        return None
    try:
        content = _content(record)
        packed = msgspec.msgpack.encode((record.name, record.time_ns, record.attributes, record.body))
    except (OverflowError, RecursionError):
        return None  # numbers or nesting beyond what any call has
    if content is None:
        return None
    digest = hashlib.blake2b(packed, digest_size=16).digest()
    size = len(packed) + OVERHEAD
    return Told(record.trace_id, record.span_id, digest, record.time_ns, size, content, record.name == DETAILS)


def _content(record: LogRecord) -> Content | None:
    if record.name == DETAILS:
        return of_attributes(record.attributes)
    body = from_json(record.body)
    if record.name in CHOICES:
        return Content(finish_reason=reason(body.get("finish_reason")) if isinstance(body, dict) else None)
    if record.name not in MESSAGES:
        return None
    said = body if isinstance(body, dict) else {"content": record.body}
    return Content(list(read({**said, "role": MESSAGES[record.name] or said.get("role")})))


def of_attributes(attributes: dict[str, object]) -> Content:
    """Returns the content that attributes of the GenAI conventions hold, of a span or an event, new or old."""
    messages = conversation(attributes.get("gen_ai.input.messages"))
    if messages is None:
        messages = flat_conversation(attributes, "gen_ai.prompt")
    system = instructions(attributes.get("gen_ai.system_instructions"))
    if system and messages is not None:
        messages = [Message(role="system", content=system), *messages]
    tools = offered(attributes.get("gen_ai.tool.definitions")) or flat_tools(attributes)
    return Content(messages, list(tools) if tools else None, reason(attributes.get("gen_ai.response.finish_reasons")))


def flat_tools(attributes: dict[str, object]) -> list[str] | None:
    for prefix in ("llm.request.functions", "gen_ai.tool"):
        found = offered(flat(attributes, prefix))
        if found:
            return found
    return None


def joined(pieces: Iterable[Told]) -> Content:
    """Returns the content of a call of which these records tell: in the order of their times, then of their digests."""
    ordered = sorted(pieces, key=lambda piece: (piece.time_ns, piece.digest))
    for piece in ordered:
        if piece.whole and piece.content.messages is not None:
            return piece.content
    messages = [message for piece in ordered if not piece.whole for message in piece.content.messages or ()]
    tools = next((piece.content.tools for piece in ordered if piece.content.tools), None)
    reasons = (piece.content.finish_reason for piece in ordered)
    return Content(known(messages), tools, next(filter(None, reasons), None))
