"""
Which spans are generations, and which of their attributes hold what: a rule for each instrumentation.

The first rule that applies to a span decides. A span that no rule applies to, or whose rule says so, is no generation:
routers, caches, frameworks, tools, and whatever else a program traces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from llmcensus.generation import Operation, Tool
from llmcensus.wire import litellm
from llmcensus.wire.otlp import values
from llmcensus.wire.otlp.bodies import Attributes, Span
from llmcensus.wire.otlp.content import Content, of_attributes
from llmcensus.wire.otlp.messages import conversation, flat, flat_conversation, offered, request
from llmcensus.wire.otlp.readers import Reader, at, first, json_at, literal_at, present
from llmcensus.wire.otlp.values import from_json, text, within

# --- What attributes hold

# What all instrumentations that follow the GenAI conventions write, in their versions from 1.27 on, and OpenLLMetry's
# names from before.
GENAI: dict[str, Reader] = {
    "model": at("gen_ai.request.model", "gen_ai.response.model"),
    "model_served": at("gen_ai.response.model"),
    "provider": at("gen_ai.provider.name", "gen_ai.system"),
    "tokens_prompt": at("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "tokens_completion": at("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "tokens_cached": at("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"),
    "tokens_reasoning": at("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"),
    "cost_usd": at("gen_ai.usage.cost"),
    "finish_reason": at("gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason"),
    "streamed": at("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"),
    "output_modalities": at("gen_ai.output.type"),
    "user_agent": at("user_agent.original"),
    "session_id": at("gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"),
}
HEADERS = ("metadata.requester_metadata", "headers")
CUSTOM = "metadata.requester_custom_headers"
LITELLM: dict[str, Reader] = GENAI | {
    # The older callback has the alias that was asked for here, and the provider's name where the newer has the alias.
    "model": at("litellm.model_group", "gen_ai.request.model"),
    "model_served": at("litellm.provider.model"),
    "tokens_cached": first(
        at("gen_ai.usage.cache_read.input_tokens"),
        literal_at("metadata.usage_object", "prompt_tokens_details", "cached_tokens"),
    ),
    "tokens_reasoning": literal_at("metadata.usage_object", "completion_tokens_details", "reasoning_tokens"),
    "cost_usd": at("litellm.cost.total", "gen_ai.cost.total_cost"),
    "streamed": at("litellm.request.streaming", "llm.is_streaming"),
    "http_referer": first(literal_at(*HEADERS, "http-referer"), literal_at(*HEADERS, "referer")),
    "app_title": first(literal_at(CUSTOM, "x-openrouter-title"), literal_at(CUSTOM, "x-title")),
    "app_categories": literal_at(CUSTOM, "x-openrouter-categories"),
    "user_agent": at("metadata.user_agent"),
    "account": at("litellm.api_key.hash", "metadata.user_api_key_hash"),
    "session_id": first(at("gen_ai.conversation.id"), literal_at("metadata.requester_metadata", "session_id")),
    # It has a key only where the gateway answered from its cache.
    "cache_hit": present(json_at("hidden_params", "cache_key")),
}
OPENROUTER: dict[str, Reader] = GENAI | {
    # `gen_ai.provider.name` is the model's author there.
    "provider": at("trace.metadata.openrouter.provider_name"),
    "tokens_cached": at("gen_ai.usage.input_tokens.cached"),
    "tokens_reasoning": at("gen_ai.usage.output_tokens.reasoning"),
    "cost_usd": at("gen_ai.usage.total_cost", "gen_ai.usage.cost"),
    "finish_reason": at("gen_ai.response.finish_reason", "gen_ai.response.finish_reasons"),
    "streamed": at("trace.metadata.openrouter_generation.streamed"),
    # Only where the destination was set to send who called; named as in OpenRouter's own API.
    "http_referer": at(
        "trace.metadata.openrouter_generation.http_referer", "trace.metadata.openrouter_generation.app.url"
    ),
    "app_title": at("trace.metadata.openrouter_generation.app.title"),
    "user_agent": at("trace.metadata.openrouter_generation.user_agent"),
    "account": at("trace.metadata.openrouter.entity_id", "trace.metadata.openrouter.api_key_name"),
    "session_id": at("session.id"),
}
USAGE = "langfuse.observation.usage_details"
CACHE_PARTS = ("cache_read_input_tokens", "cache_creation_input_tokens")


def langfuse_sum(whole: str, side: str, *more: str) -> Reader:
    """
    Reads the tokens of one side: the provider's whole number, or the sum of Langfuse's own parts.

    Its own parts exclude each other (`input` is without `input_cached_tokens`), as Anthropic's do; those of OpenAI
    are of the whole.
    """

    def read(attributes: Attributes) -> Any:
        usage = from_json(attributes.get(USAGE))
        if not isinstance(usage, dict):
            return None
        if whole in usage:
            return usage[whole]
        if isinstance(usage.get(f"{side}_tokens_details"), dict):
            return usage.get(f"{side}_tokens")
        named = (name for name in usage if name == side or name.startswith(f"{side}_") or name in more)
        # Their names are not told where one is refused: anybody may choose them.
        parts = [values.tokens(USAGE, usage[name]) for name in named if not isinstance(usage[name], dict)]
        return sum(part or 0 for part in parts) if parts else None

    return read


LANGFUSE: dict[str, Reader] = {
    # What was asked for is overwritten by what answered.
    "model": at("langfuse.observation.model.name"),
    "model_served": at("langfuse.observation.model.name"),
    "tokens_prompt": langfuse_sum("prompt_tokens", "input", *CACHE_PARTS),
    "tokens_completion": langfuse_sum("completion_tokens", "output"),
    "tokens_cached": first(
        json_at(USAGE, "prompt_tokens_details", "cached_tokens"),
        json_at(USAGE, "input_tokens_details", "cached_tokens"),
        json_at(USAGE, "input_cached_tokens"),
        json_at(USAGE, "cache_read_input_tokens"),
        json_at(USAGE, "input_cache_read"),
    ),
    "tokens_reasoning": first(
        json_at(USAGE, "completion_tokens_details", "reasoning_tokens"),
        json_at(USAGE, "output_tokens_details", "reasoning_tokens"),
        json_at(USAGE, "output_reasoning_tokens"),
        json_at(USAGE, "output_reasoning"),
    ),
    "cost_usd": json_at("langfuse.observation.cost_details", "total"),
    "finish_reason": at("langfuse.observation.metadata.finish_reason"),
    "streamed": present(at("langfuse.observation.completion_start_time")),
    "session_id": first(
        at("session.id", "langfuse.session.id"), json_at("langfuse.observation.metadata.langfuse_session_id")
    ),
}
OPENINFERENCE: dict[str, Reader] = {
    "model": first(
        json_at("llm.invocation_parameters", "model"),
        json_at("embedding.invocation_parameters", "model"),
        json_at("input.value", "model"),
        at("llm.model_name", "embedding.model_name"),
    ),
    "model_served": at("llm.model_name", "embedding.model_name"),
    "provider": at("llm.provider", "llm.system"),
    "tokens_prompt": at("llm.token_count.prompt"),
    "tokens_completion": at("llm.token_count.completion"),
    "tokens_cached": at("llm.token_count.prompt_details.cache_read"),
    "tokens_reasoning": at("llm.token_count.completion_details.reasoning"),
    "cost_usd": at("llm.cost.total"),
    "finish_reason": at("llm.finish_reason"),
    "streamed": json_at("llm.invocation_parameters", "stream"),
    "session_id": at("session.id"),
}
VERCEL: dict[str, Reader] = GENAI | {
    "model": at("gen_ai.request.model", "ai.model.id"),
    "model_served": at("gen_ai.response.model", "ai.response.model"),
    "provider": at("gen_ai.system", "ai.model.provider"),
    "tokens_prompt": at(
        "ai.usage.inputTokens", "gen_ai.usage.input_tokens", "ai.usage.promptTokens", "ai.usage.tokens"
    ),
    "tokens_completion": at("ai.usage.outputTokens", "gen_ai.usage.output_tokens", "ai.usage.completionTokens"),
    "tokens_cached": at("ai.usage.cachedInputTokens", "ai.usage.inputTokenDetails.cacheReadTokens"),
    "tokens_reasoning": at("ai.usage.reasoningTokens", "ai.usage.outputTokenDetails.reasoningTokens"),
    "finish_reason": at("ai.response.finishReason", "gen_ai.response.finish_reasons"),
    "streamed": lambda attributes: attributes.get("ai.operationId", "").endswith("doStream"),
    "http_referer": at("ai.request.headers.http-referer"),
    "app_title": at("ai.request.headers.x-title"),
    "user_agent": at("ai.request.headers.user-agent"),
    "session_id": at("ai.telemetry.metadata.sessionId"),
}
# --- Which spans are generations

GENAI_OPERATIONS: dict[str, Operation] = {
    "chat": "chat",
    "text_completion": "chat",
    "generate_content": "chat",
    "embeddings": "embeddings",
}
# The older callback of LiteLLM writes what was called.
LITELLM_OPERATIONS: dict[str, Operation] = GENAI_OPERATIONS | {
    "completion": "chat",
    "acompletion": "chat",
    "atext_completion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "agenerate_content": "chat",
    "generate_content_stream": "chat",
    "agenerate_content_stream": "chat",
    "embedding": "embeddings",
    "aembedding": "embeddings",
}
TRACELOOP_OPERATIONS: dict[str, Operation] = {"chat": "chat", "completion": "chat", "embedding": "embeddings"}
OPENINFERENCE_OPERATIONS: dict[str, Operation] = {"LLM": "chat", "EMBEDDING": "embeddings"}
LANGFUSE_OPERATIONS: dict[str, Operation] = {"generation": "chat", "embedding": "embeddings"}
# Of the nested spans of a call only the innermost has a second part in its name: `ai.streamText.doStream`.
VERCEL_OPERATIONS: dict[str, Operation] = {"doGenerate": "chat", "doStream": "chat", "doEmbed": "embeddings"}


def named(attribute: str, operations: Mapping[str, Operation]) -> Callable[[Attributes], Operation | None]:
    """Reads an operation by its name in an attribute; by what follows the last dot of it."""

    def read(attributes: Attributes) -> Operation | None:
        name = attributes.get(attribute)
        return operations.get(name.rpartition(".")[2]) if isinstance(name, str) else None

    return read


def of_openrouter(attributes: Attributes) -> Operation | None:
    """A delivery has a span for each provider that was tried, too. Its documentation shows spans without a type."""
    kind = attributes.get("span.type")
    if kind != "generation" and (kind is not None or "gen_ai.request.model" not in attributes):
        return None
    return "embeddings" if attributes.get("gen_ai.operation.name") == "embeddings" else "chat"


# --- What was said


def openrouter_content(attributes: Attributes) -> Content:
    messages = request(at("gen_ai.prompt", "span.input")(attributes))
    try:
        reply = msgspec.json.decode(text(at("gen_ai.completion", "span.output")(attributes)) or "{}", type=_Reply)
    except msgspec.DecodeError:
        reply = _Reply()
    tools = reply.tools or (reply.raw_request.tools if reply.raw_request else None)
    return Content(messages, list(tools) if tools else None)


class _Request(msgspec.Struct):
    tools: list[Tool] | None = None


class _Reply(msgspec.Struct, rename="camel"):
    tools: list[Tool] | None = None
    raw_request: _Request | None = None


def langfuse_content(attributes: Attributes) -> Content:
    given = from_json(attributes.get("langfuse.observation.input"))
    if given is None:
        given = text(attributes.get("langfuse.observation.input"))
    tools = offered(given.get("tools")) if isinstance(given, dict) else None
    return Content(request(given), list(tools) if tools else None)


def openinference_content(attributes: Attributes) -> Content:
    messages = flat_conversation(attributes, "llm.input_messages")
    if messages is None:
        messages = request(text(attributes.get("input.value")))
    schemas = [within(tool, ("tool", "json_schema")) for tool in flat(attributes, "llm.tools")]
    tools = offered(schemas)
    return Content(messages, list(tools) if tools else None)


def vercel_content(attributes: Attributes) -> Content:
    messages = conversation(attributes.get("ai.prompt.messages"))
    if messages is None:
        messages = request(text(attributes.get("ai.prompt")))
    tools = offered(attributes.get("ai.prompt.tools"))
    return Content(messages, list(tools) if tools else None)


# --- The table


def of_span(_: datetime, known: Mapping[str, Any]) -> str:
    """Programs choose the ids of their spans: those with one id are told apart by what they count."""
    return f"{known['tokens_prompt'] or 0} {known['tokens_completion'] or 0} {known['model']}"


def has(attribute: str) -> Callable[[Span], bool]:
    return lambda span: attribute in span.attributes


@dataclass(frozen=True, slots=True)
class Rule:
    """
    How one instrumentation writes a generation.

    `applies` knows its spans; `operation` says what one is, None for no generation. `fields` are those of a Generation.
    `identity` names the call where its own id is better than that of the span, and `occasion` is that of a `Report`.
    `free` says that a cost of 0 is a cost, and not an unknown one.
    """

    title: str
    source: str
    applies: Callable[[Span], bool]
    operation: Callable[[Attributes], Operation | None]
    fields: Mapping[str, Reader]
    content: Callable[[Attributes], Content]
    identity: Callable[[Span], str | None] = lambda _: None
    occasion: Callable[[datetime, Mapping[str, Any]], str] = lambda _start, _fields: ""
    free: bool = False


RULES = (
    Rule(
        title="LiteLLM, both of its callbacks",
        source="litellm",
        applies=has("litellm.call_id"),
        operation=named("gen_ai.operation.name", LITELLM_OPERATIONS),
        fields=LITELLM,
        content=of_attributes,
        identity=lambda span: text(span.attributes["litellm.call_id"]),
        occasion=lambda start, known: litellm.occasion(start, known["tokens_prompt"], known["tokens_completion"]),
    ),
    Rule(
        title="OpenRouter Broadcast",
        source="openrouter",
        applies=lambda span: "openrouter" in (span.scope, span.resource.get("service.name")),
        operation=of_openrouter,
        fields=OPENROUTER,
        content=openrouter_content,
        identity=lambda span: (
            text(span.attributes.get("gen_ai.response.id")) or text(span.resource.get("openrouter.trace.id"))
        ),
        free=True,
    ),
    Rule(
        title="Langfuse, from version 3 of its SDKs on",
        source="langfuse",
        applies=has("langfuse.observation.type"),
        operation=named("langfuse.observation.type", LANGFUSE_OPERATIONS),
        fields=LANGFUSE,
        content=langfuse_content,
        identity=lambda span: span.span_id,
    ),
    Rule(
        title="OpenInference",
        source="otlp",
        applies=has("openinference.span.kind"),
        operation=named("openinference.span.kind", OPENINFERENCE_OPERATIONS),
        fields=OPENINFERENCE,
        content=openinference_content,
        occasion=of_span,
    ),
    Rule(
        title="Vercel AI SDK",
        source="otlp",
        applies=has("ai.operationId"),
        operation=named("ai.operationId", VERCEL_OPERATIONS),
        fields=VERCEL,
        content=vercel_content,
        occasion=of_span,
    ),
    Rule(
        title="OpenTelemetry's GenAI conventions: genai-openai, openai-v2, OpenLLMetry, and whoever else follows them",
        source="otlp",
        applies=has("gen_ai.operation.name"),
        operation=named("gen_ai.operation.name", GENAI_OPERATIONS),
        fields=GENAI,
        content=of_attributes,
        occasion=of_span,
    ),
    Rule(
        title="OpenLLMetry before the conventions",
        source="otlp",
        applies=has("llm.request.type"),
        operation=named("llm.request.type", TRACELOOP_OPERATIONS),
        fields=GENAI,
        content=of_attributes,
        occasion=of_span,
    ),
)
