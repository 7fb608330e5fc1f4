"""
OpenAI chat completions logged as pairs: `{"request": …, "response": …}`, one JSON object a line.

`response` is a body, a list of stream chunks, or null; `started_at`, `latency_ms`, `headers`, `error` may be there.
A stream carries usage only if the client asked for it, in a last chunk without choices: otherwise it is unknown.

See: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import LONGEST_NAME, Dollars, Generation, Message, Milliseconds, Name, Tokens, Tool
from llmcensus.wire import times
from llmcensus.wire.problems import UNREADABLE, explain
from llmcensus.wire.times import Seconds

SOURCE = "openai"
TOOL_CALLS = "tool_calls"
NONE = (b"", b"null", b"[]")


class TokenDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None


class Usage(msgspec.Struct, gc=False):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    cost: Dollars | None = None


class Reply(msgspec.Struct):
    images: list[Any] | None = None
    tool_calls: msgspec.Raw = msgspec.Raw()


class Choice(msgspec.Struct, gc=False):
    finish_reason: str | None = None
    message: Reply | None = None
    delta: Reply | None = None

    def drew(self) -> bool:
        reply = self.message or self.delta
        return reply is not None and bool(reply.images)

    def called(self) -> bool:
        reply = self.message or self.delta
        return reply is not None and bytes(reply.tool_calls) not in NONE


class Item(msgspec.Struct, gc=False):
    """A piece of the output of a Response."""

    type: str | None = None


class Request(msgspec.Struct):
    model: Name
    messages: list[Message] | None = None
    tools: list[Tool] | None = None
    stream: bool | None = None
    session_id: str | None = None


class Response(msgspec.Struct):
    """A completion or one chunk of a stream. Some hosts begin streams with a chunk whose names are all empty."""

    id: str | None = None
    created: Seconds | None = None
    model: str | None = None
    provider: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None


class Pair(msgspec.Struct):
    request: Request
    response: Response | list[Response] | None = None
    started_at: Seconds | str | None = None
    latency_ms: Milliseconds | None = None
    headers: dict[str, Any] | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(Pair)


def recognises(value: dict[str, Any]) -> bool:
    return isinstance(value.get("request"), dict) and "response" in value


def decode(record: bytes) -> Generation:
    try:
        pair = _decoder.decode(record)
    except UNREADABLE as error:
        raise explain(error, record) from None
    answer = merged(pair.response if isinstance(pair.response, list) else [pair.response or Response()])
    if len(answer.id or "") > LONGEST_NAME:
        raise DecodeError("bad_name", f"`response.id` is above {LONGEST_NAME} characters")
    usage = answer.usage or Usage()
    headers = {name.lower(): value for name, value in (pair.headers or {}).items() if isinstance(value, str)}
    return Generation(
        source=SOURCE,
        # A pair without an answer has no id: the same line is the same request.
        id=answer.id or hashlib.blake2b(record.strip(), digest_size=16).hexdigest(),
        created_at=instant(pair.started_at, answer.created),
        model=pair.request.model,
        model_served=answer.model,
        provider=answer.provider,
        tokens_prompt=usage.prompt_tokens,
        tokens_completion=usage.completion_tokens,
        tokens_reasoning=(usage.completion_tokens_details or TokenDetails()).reasoning_tokens,
        tokens_cached=(usage.prompt_tokens_details or TokenDetails()).cached_tokens,
        cost_usd=usage.cost,
        latency_ms=pair.latency_ms,
        finish_reason=finished(answer.choices or ()),
        streamed=pair.request.stream or isinstance(pair.response, list),
        output_modalities=["text", "image"] if any(choice.drew() for choice in answer.choices or ()) else None,
        http_referer=headers.get("http-referer") or headers.get("referer"),
        app_title=headers.get("x-openrouter-title") or headers.get("x-title"),
        app_categories=headers.get("x-openrouter-categories"),
        user_agent=headers.get("user-agent"),
        session_id=pair.request.session_id,
        error="error" if pair.error or answer.error or not pair.response else None,
        messages=pair.request.messages,
        tools=list(pair.request.tools) if pair.request.tools is not None else None,
    )


def merged(chunks: list[Response]) -> Response:
    """Folds the chunks of a stream into one answer: the first name, all choices, the last usage."""
    whole = Response()
    for chunk in chunks:
        whole.id = whole.id or chunk.id
        whole.created = whole.created or chunk.created
        whole.model = whole.model or chunk.model
        whole.provider = whole.provider or chunk.provider
        whole.usage = chunk.usage or whole.usage
        whole.error = whole.error or chunk.error
        whole.choices = [*(whole.choices or ()), *(chunk.choices or ())] or None
    return whole


def finished(choices: Iterable[Choice]) -> str | None:
    """Returns why a reply ended. One that was made to call a tool says `stop`, and called it all the same."""
    found = None
    for choice in choices:
        if choice.called():
            return TOOL_CALLS
        found = found or choice.finish_reason
    return found


def calls(output: Iterable[Item]) -> bool:
    """Says whether a Response ended in a call."""
    return any(item.type == "function_call" for item in output)


def instant(started_at: float | str | None, created: float | None) -> datetime:
    """Returns when the request was made: `started_at` (seconds or ISO 8601), else the answer's `created` (seconds)."""
    if started_at is not None:
        return times.of(started_at, "started_at")
    if not created:
        raise DecodeError("missing_field", "neither `started_at` nor `response.created` says when this was")
    return times.of_seconds(created, "response.created")
