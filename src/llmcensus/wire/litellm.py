"""
LiteLLM's `StandardLoggingPayload`, as its proxy and its SDK log it: one JSON object a call.

A call is a chat, an embedding, or none of ours (files, moderations, images, tools, reads of an earlier response).
Through the proxy `model_group` is what the client asked for, often a name that only this proxy knows; the SDK leaves it
empty. Costs and tokens of 0 are also written for what is not known.

See: https://docs.litellm.ai/docs/proxy/logging_spec
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import (
    LONGEST_NAME,
    UNNAMED,
    Dollars,
    Generation,
    MaybeName,
    Message,
    Operation,
    Report,
    Tokens,
    Tool,
)
from llmcensus.wire import messages, times
from llmcensus.wire.openai import TOOL_CALLS, Choice, Item, TokenDetails, calls, finished
from llmcensus.wire.problems import UNREADABLE, explain
from llmcensus.wire.times import Seconds

SOURCE = "litellm"
EMBEDDINGS = frozenset({"embedding", "aembedding"})
CHATS = frozenset(
    {
        *("completion", "acompletion", "text_completion", "atext_completion"),
        *("anthropic_messages", "aanthropic_messages", "responses", "aresponses", "_aresponses_websocket"),
        *("compact_responses", "acompact_responses"),
        *("generate_content", "agenerate_content", "generate_content_stream", "agenerate_content_stream"),
        *("create_interaction", "acreate_interaction", "_arealtime"),
    }
)
# Requests that the proxy hands on as they are: calls of a model only if tokens were spent.
PASSED_ON = frozenset({"pass_through_endpoint", "llm_passthrough_route", "allm_passthrough_route"})
# The proxy makes up a trace for a request that brings none. Claude Code's sessions look the same, and are told apart.
MADE_UP = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
OF_CLAUDE_CODE = re.compile(r"_session_([\w-]+)$")


class Usage(msgspec.Struct, gc=False):
    prompt_tokens: Any = None
    prompt_tokens_details: TokenDetails | None = None
    completion_tokens_details: TokenDetails | None = None
    cache_read_input_tokens: Tokens | None = None


class Headers(msgspec.Struct, gc=False, rename=lambda name: name.replace("_", "-")):
    """Headers of the client's request, in lower case."""

    http_referer: Any = None
    referer: Any = None
    x_title: Any = None
    x_openrouter_title: Any = None
    x_openrouter_categories: Any = None
    x_session_id: Any = None
    x_litellm_session_id: Any = None
    x_litellm_trace_id: Any = None
    x_claude_code_session_id: Any = None


class Metadata(msgspec.Struct):
    """
    `requester_metadata` is the `metadata` of the client's request, on most routes with its headers in it;
    `requester_custom_headers` has those that begin with `x-`, on all.
    """

    user_api_key_hash: Any = None
    user_agent: Any = None
    requester_metadata: Any = None
    requester_custom_headers: Any = None
    usage_object: Usage | None = None


class Hidden(msgspec.Struct, gc=False):
    litellm_model_name: MaybeName | None = None


class Parameters(msgspec.Struct):
    """What was sent besides messages; on some routes the system prompt is among it."""

    tools: msgspec.Raw = msgspec.Raw()
    functions: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()


class Failure(msgspec.Struct, gc=False):
    error_code: Any = None
    error_class: Any = None


class Response(msgspec.Struct):
    """The reply in the form of chat completions, Anthropic's messages or OpenAI's Responses."""

    model: str | None = None
    choices: list[Choice] | None = None
    stop_reason: str | None = None
    output: list[Item] | None = None


class Payload(msgspec.Struct):
    startTime: Seconds  # noqa: N815 - theirs
    litellm_call_id: MaybeName | None = None
    id: MaybeName | None = None
    trace_id: Any = None
    session_id: Any = None
    call_type: str | None = None
    cache_hit: bool | None = None
    stream: bool | None = None
    status: str | None = None
    custom_llm_provider: str | None = None
    endTime: Seconds | None = None  # noqa: N815
    model: MaybeName | None = None
    model_group: MaybeName | None = None
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    response_cost: Dollars | None = None
    user_agent: Any = None
    metadata: Metadata | None = None
    hidden_params: Hidden | None = None
    model_parameters: Parameters | None = None
    error_information: Failure | None = None
    messages: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(Payload | None)
_response = msgspec.json.Decoder(Response)


def recognises(value: dict[str, Any]) -> bool:
    return "litellm_call_id" in value or ("call_type" in value and "startTime" in value)


def decode(record: bytes) -> Generation | None:
    try:
        payload = _decoder.decode(record)
    except UNREADABLE as error:
        raise explain(error, record) from None
    # The logger's queue may hold entries that are null.
    operation = operation_of(payload) if payload is not None else None
    return None if payload is None or operation is None else _generation(payload, operation)


def operation_of(payload: Payload) -> Operation | None:
    """Returns what kind of call this was, None for one that no model answered with text or vectors."""
    kind = payload.call_type
    if kind in EMBEDDINGS:
        return "embeddings"
    if kind is None or kind in CHATS or (kind in PASSED_ON and payload.prompt_tokens):
        return "chat"
    return None


def _generation(payload: Payload, operation: Operation) -> Generation:
    start = times.of_seconds(payload.startTime, "startTime")
    end = times.of_seconds(payload.endTime, "endTime") if payload.endTime is not None else None
    call = payload.litellm_call_id or payload.id
    if not call:
        raise DecodeError("missing_field", "neither `litellm_call_id` nor `id` names this call")
    metadata = payload.metadata or Metadata()
    headers = _sent(metadata)
    failed = payload.status == "failure"
    response = Response() if failed else _read(payload.response)
    prompt, completion, cached, reasoning = _tokens(payload, metadata.usage_object or Usage(), failed)
    asked, offered = _asked(payload) if operation == "chat" else (None, None)
    return Report(
        source=SOURCE,
        id=call,
        occasion=occasion(start, prompt, completion),
        created_at=start,
        model=payload.model_group or payload.model or UNNAMED,
        model_served=None if failed else _served(payload, response),
        provider=payload.custom_llm_provider,
        tokens_prompt=prompt,
        tokens_completion=completion,
        tokens_reasoning=reasoning,
        tokens_cached=cached,
        cost_usd=_cost(payload),
        latency_ms=times.between_ms(start, end),
        finish_reason=_finish(response),
        streamed=bool(payload.stream),
        http_referer=_text(headers.http_referer) or _text(headers.referer),
        app_title=_text(headers.x_openrouter_title) or _text(headers.x_title),
        app_categories=_text(headers.x_openrouter_categories),
        user_agent=_text(payload.user_agent) or _text(metadata.user_agent),
        account=_text(metadata.user_api_key_hash),
        session_id=_session(payload, metadata, headers),
        cache_hit=payload.cache_hit is True,
        error=_error(payload) if failed else None,
        operation=operation,
        messages=asked,
        tools=offered,
    )


def occasion(start: datetime, prompt: int | None, completion: int | None) -> str:
    """
    Returns what tells calls with one id apart, and is the same in every log of one call.

    A client may set the id of its calls, and set it twice. About one call, LiteLLM's logs agree in the tokens; in its
    start they differ by some milliseconds.
    """
    return f"{start:%Y-%m-%dT%H} {(prompt or 0) + (completion or 0)}"


def _asked(payload: Payload) -> tuple[list[Message] | None, list[Tool | str] | None]:
    parameters = payload.model_parameters or Parameters()
    asked, _ = messages.read(payload.messages)
    system = messages.content(parameters.instructions) or messages.content(parameters.system)
    if asked is not None and system is not None:
        asked = [Message("system", system), *asked]
    return asked, messages.tools(parameters.tools) or messages.tools(parameters.functions)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(raw: msgspec.Raw) -> Response:
    """Returns what can be known of a reply. It may also be a text, a list, or of a form of its own."""
    try:
        return _response.decode(raw)
    except UNREADABLE:
        return Response()


def _served(payload: Payload, response: Response) -> str | None:
    """The proxy writes its own name for a model over that of the provider: what is left is the name it routed to."""
    answered = _short(response.model)
    if payload.model_group and (not answered or answered == payload.model_group):
        routed = payload.hidden_params.litellm_model_name if payload.hidden_params else None
        return routed or payload.model or None
    return answered


def _short(name: str | None) -> str | None:
    return name if name and len(name) <= LONGEST_NAME else None


def _tokens(payload: Payload, usage: Usage, failed: bool) -> tuple[int | None, int | None, int | None, int | None]:
    """Returns prompt, completion, cached and reasoning tokens. 0 and 0 without a usage is written for unknown."""
    prompt, completion = payload.prompt_tokens, payload.completion_tokens
    if not prompt and not completion and (failed or usage.prompt_tokens is None):
        prompt = completion = None
    cached = (usage.prompt_tokens_details or TokenDetails()).cached_tokens
    reasoning = (usage.completion_tokens_details or TokenDetails()).reasoning_tokens
    return prompt, completion, usage.cache_read_input_tokens if cached is None else cached, reasoning


def _cost(payload: Payload) -> float | None:
    """A cost of 0 is that of a cache hit, or of a model whose price LiteLLM does not know."""
    return payload.response_cost or (0.0 if payload.cache_hit else None)


def _finish(response: Response) -> str | None:
    if calls(response.output or ()):
        return TOOL_CALLS
    return finished(response.choices or ()) or response.stop_reason


def _error(payload: Payload) -> str:
    failure = payload.error_information or Failure()
    return _text(failure.error_code) or _text(failure.error_class) or "error"


def _sent(metadata: Metadata) -> Headers:
    """Returns the client's headers, as far as they were logged."""
    requester = metadata.requester_metadata
    logged = requester.get("headers") if isinstance(requester, dict) else None
    found = [headers for headers in (logged, metadata.requester_custom_headers) if isinstance(headers, dict)]
    return msgspec.convert({name: value for headers in found for name, value in headers.items()}, Headers)


def _session(payload: Payload, metadata: Metadata, headers: Headers) -> str | None:
    requester = metadata.requester_metadata
    told = requester if isinstance(requester, dict) else {}
    trace = _text(payload.trace_id)
    found = (
        _text(told.get("session_id"))
        or _text(payload.session_id)
        or _text(headers.x_litellm_session_id)
        or _text(headers.x_session_id)
        or _text(headers.x_claude_code_session_id)
        or _text(headers.x_litellm_trace_id)
        or _of_claude_code(told.get("user_id"))
    )
    return found or (trace if trace and not MADE_UP.fullmatch(trace) else None)


def _of_claude_code(user: object) -> str | None:
    """Returns the session that Claude Code writes into the name of its user, at the end or as JSON."""
    name = _text(user) or ""
    if name.startswith("{"):
        try:
            return _text(msgspec.json.decode(name, type=dict[str, Any]).get("session_id"))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return None
    found = OF_CLAUDE_CODE.search(name)
    return found[1] if found else None
