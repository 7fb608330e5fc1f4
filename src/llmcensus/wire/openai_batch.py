"""
What OpenAI's Batch API writes: `{"custom_id": …, "response": {"status_code", "body"}}`, one JSON object a line.

A line says nothing of its request: there is no text, and the model is the one that answered. Lines without an answer,
and embeddings, have no time either: the former are ignored, the latter refused.

See: https://platform.openai.com/docs/guides/batch
"""

from __future__ import annotations

from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation, Name, Tokens
from llmcensus.wire import times
from llmcensus.wire.openai import SOURCE, TOOL_CALLS, Choice, Item, TokenDetails, calls, finished
from llmcensus.wire.problems import UNREADABLE, explain
from llmcensus.wire.times import Seconds


class Usage(msgspec.Struct, gc=False):
    """Chats count prompt and completion, Responses input and output."""

    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    input_tokens_details: TokenDetails | None = None
    output_tokens_details: TokenDetails | None = None


class Body(msgspec.Struct):
    """A chat completion (`created`) or a Response (`created_at`)."""

    id: Name | None = None
    model: Name | None = None
    created: Seconds | None = None
    created_at: Seconds | None = None
    choices: list[Choice] | None = None
    output: list[Item] | None = None
    usage: Usage | None = None
    error: Any = None


class Answered(msgspec.Struct):
    body: Body | None = None


class Batched(msgspec.Struct):
    id: Name
    response: Answered | None = None


_decoder = msgspec.json.Decoder(Batched)


def recognises(value: dict[str, Any]) -> bool:
    return "custom_id" in value and "response" in value


def decode(record: bytes) -> Generation | None:
    try:
        line = _decoder.decode(record)
    except UNREADABLE as error:
        raise explain(error, record) from None
    body = line.response.body if line.response is not None else None
    return None if body is None or body.model is None else _generation(line.id, body, body.model)


def _generation(name: str, body: Body, model: str) -> Generation:
    created = body.created_at if body.created is None else body.created
    if not created:
        raise DecodeError("missing_field", "neither `response.body.created` nor `created_at` says when this was")
    usage = body.usage or Usage()
    prompt = usage.prompt_tokens_details or usage.input_tokens_details or TokenDetails()
    completion = usage.completion_tokens_details or usage.output_tokens_details or TokenDetails()
    return Generation(
        source=SOURCE,
        id=body.id or name,
        created_at=times.of_seconds(created, "response.body.created"),
        model=model,
        tokens_prompt=usage.input_tokens if usage.prompt_tokens is None else usage.prompt_tokens,
        tokens_completion=usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens,
        tokens_reasoning=completion.reasoning_tokens,
        tokens_cached=prompt.cached_tokens,
        finish_reason=TOOL_CALLS if calls(body.output or ()) else finished(body.choices or ()),
        streamed=False,
        error="error" if body.error else None,
    )
