"""Each instrumentation's spans become the generations that they are, and no others; unknown stays unknown."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation, Message
from llmcensus.wire import otlp
from tests.telemetry import CALL, START, TRACE, Span, encode

OPENAI = [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Say hello."}]
SAID = [("system", "Be terse."), ("user", "Say hello.")]
USAGE = {
    "completion_tokens": 9,
    "prompt_tokens": 31,
    "completion_tokens_details": {"audio_tokens": None, "reasoning_tokens": 4},
    "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": 12},
}
LITELLM: dict[str, Any] = {
    "litellm.call_id": "7f0f2a6a-5bb3-4d58-9b0e-6f6d3a2f0a11",
    "litellm.model_group": "house-chat",
    "litellm.provider.model": "openai/gpt-4o",
    "gen_ai.operation.name": "acompletion",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.cost.total_cost": 0.25,
    "gen_ai.response.finish_reasons": '["stop"]',
    "llm.is_streaming": "True",
    "hidden_params": '{"cache_key": null, "model_id": "m"}',
    "metadata.user_agent": "demo-agent/1.2",
    "metadata.user_api_key_hash": "abc123",
    "metadata.usage_object": str(USAGE),
    "metadata.requester_metadata": str({"session_id": "s-1", "headers": {"http-referer": "https://a.example/x"}}),
    "metadata.requester_custom_headers": str({"x-title": "A", "x-openrouter-categories": "game,legal"}),
}
LITELLM_V2: dict[str, Any] = {
    "litellm.call_id": "7f0f2a6a-5bb3-4d58-9b0e-6f6d3a2f0a11",
    "litellm.provider.model": "openai/gpt-4o",
    "litellm.cost.total": 0.25,
    "litellm.api_key.hash": "abc123",
    "litellm.request.streaming": True,
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.conversation.id": "s-1",
    "gen_ai.request.model": "house-chat",
    "gen_ai.response.model": "house-chat",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.cache_read.input_tokens": 12,
}
OPENROUTER: dict[str, Any] = {
    "span.type": "generation",
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "anthropic/claude-haiku-4.5",
    "gen_ai.response.model": "anthropic/claude-haiku-4.5",
    "gen_ai.response.id": "gen-1795168800-abc",
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
    "gen_ai.usage.input_tokens.cached": 12,
    "gen_ai.usage.output_tokens.reasoning": 4,
    "gen_ai.usage.total_cost": 0.25,
    "gen_ai.response.finish_reason": "tool_calls",
    "gen_ai.prompt": json.dumps({"messages": OPENAI}),
    "gen_ai.completion": json.dumps({"completion": "", "rawRequest": {"tools": [{"function": {"name": "look_up"}}]}}),
    "session.id": "s-1",
    "trace.metadata.openrouter.provider_name": "Amazon Bedrock",
    "trace.metadata.openrouter.entity_id": "user_1",
    "trace.metadata.openrouter_generation.app.title": "A",
    "trace.metadata.openrouter_generation.streamed": True,
}
LANGFUSE: dict[str, Any] = {
    "langfuse.observation.type": "generation",
    "langfuse.observation.model.name": "gpt-4o-2024-08-06",
    "langfuse.observation.input": json.dumps({"messages": OPENAI, "tools": [{"function": {"name": "look_up"}}]}),
    "langfuse.observation.usage_details": json.dumps(USAGE),
    "langfuse.observation.cost_details": json.dumps({"input": 0.2, "output": 0.05, "total": 0.25}),
    "langfuse.observation.completion_start_time": '"2026-11-20T10:00:01Z"',
    "langfuse.observation.metadata.finish_reason": '"stop"',
    "session.id": "s-1",
}
OPENINFERENCE: dict[str, Any] = {
    "openinference.span.kind": "LLM",
    "llm.system": "openai",
    "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "stream": True}),
    "llm.model_name": "gpt-4o-2024-08-06",
    "llm.token_count.prompt": 31,
    "llm.token_count.completion": 9,
    "llm.token_count.prompt_details.cache_read": 12,
    "llm.token_count.completion_details.reasoning": 4,
    "llm.cost.total": 0.25,
    "llm.finish_reason": "stop",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be terse.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Say hello.",
    "llm.tools.0.tool.json_schema": json.dumps({"type": "function", "function": {"name": "look_up"}}),
    "session.id": "s-1",
}
VERCEL: dict[str, Any] = {
    "ai.operationId": "ai.streamText.doStream",
    "ai.model.id": "gpt-4o",
    "ai.model.provider": "openai.chat",
    "ai.prompt.messages": json.dumps(
        [OPENAI[0], {"role": "user", "content": [{"type": "text", "text": "Say hello."}]}],
    ),
    "ai.prompt.tools": ['{"type": "function", "name": "look_up"}'],
    "ai.response.finishReason": "stop",
    "ai.response.model": "gpt-4o-2024-08-06",
    "ai.usage.inputTokens": 31,
    "ai.usage.outputTokens": 9,
    "ai.usage.cachedInputTokens": 12,
    "ai.usage.reasoningTokens": 4,
    "ai.telemetry.metadata.sessionId": "s-1",
    "gen_ai.system": "openai.chat",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 31,
    "gen_ai.usage.output_tokens": 9,
}
GENAI: dict[str, Any] = CALL | {
    "gen_ai.usage.cache_read.input_tokens": 12,
    "gen_ai.usage.reasoning.output_tokens": 4,
    "gen_ai.request.stream": True,
    "gen_ai.conversation.id": "s-1",
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Say hello."}]}]),
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be terse."}]),
    "gen_ai.tool.definitions": json.dumps([{"type": "function", "name": "look_up"}]),
}
TRACELOOP: dict[str, Any] = {
    "llm.request.type": "chat",
    "gen_ai.system": "OpenAI",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.prompt_tokens": 31,
    "gen_ai.usage.completion_tokens": 9,
    "gen_ai.usage.cache_read_input_tokens": 12,
    "gen_ai.completion.0.finish_reason": "stop",
    "llm.is_streaming": True,
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be terse.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": "Say hello.",
    "llm.request.functions.0.name": "look_up",
}
SOURCES: dict[str, dict[str, Any]] = {
    "litellm": LITELLM | {"gen_ai.input.messages": GENAI["gen_ai.input.messages"]},
    "litellm-v2": LITELLM_V2 | {"gen_ai.input.messages": json.dumps(OPENAI), "gen_ai.tool.0.name": "look_up"},
    "openrouter": OPENROUTER,
    "langfuse": LANGFUSE,
    "openinference": OPENINFERENCE,
    "vercel": VERCEL,
    "genai": GENAI,
    "traceloop": TRACELOOP,
}


def decoded(attributes: dict[str, Any], **span: Any) -> Generation | None:
    """Returns what a span becomes on its way through a body."""
    resource = {"service.name": "openrouter"} if "span.type" in attributes else {}
    [read] = otlp.read_spans(encode([Span(attributes, **{"resource": resource} | span)], "json"), "json")
    return otlp.generation(read)


def generation(attributes: dict[str, Any], **span: Any) -> Generation:
    found = decoded(attributes, **span)
    assert found is not None
    return found


def said(found: Generation) -> list[tuple[str, str]] | None:
    return [(message.role, message.text()) for message in found.messages] if found.messages else None


def offered(found: Generation) -> list[str] | None:
    return [tool if isinstance(tool, str) else tool.offered() for tool in found.tools] if found.tools else None


@pytest.mark.parametrize("name", SOURCES)
def test_a_call_is_read(name: str) -> None:
    found = generation(SOURCES[name])
    assert found.created_at.isoformat() == "2026-11-20T10:00:00.123000+00:00"
    assert found.latency_ms == 1500
    assert (found.tokens_prompt, found.tokens_completion, found.tokens_cached) == (31, 9, 12)
    assert (found.streamed, found.error, found.operation) == (True, None, "chat")
    assert found.finish_reason == {"openrouter": "tool_calls"}.get(name, "stop")


@pytest.mark.parametrize(
    ("name", "model", "served", "provider"),
    [
        ("litellm", "house-chat", "openai/gpt-4o", "openai"),
        ("litellm-v2", "house-chat", "openai/gpt-4o", "openai"),
        ("openrouter", "anthropic/claude-haiku-4.5", "anthropic/claude-haiku-4.5", "Amazon Bedrock"),
        ("langfuse", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06", None),
        ("openinference", "gpt-4o", "gpt-4o-2024-08-06", "openai"),
        ("vercel", "gpt-4o", "gpt-4o-2024-08-06", "openai.chat"),
        ("genai", "gpt-4o", "gpt-4o-2024-08-06", "openai"),
        ("traceloop", "gpt-4o", "gpt-4o-2024-08-06", "OpenAI"),
    ],
)
def test_who_was_asked_and_who_answered(name: str, model: str, served: str, provider: str | None) -> None:
    found = generation(SOURCES[name])
    assert (found.model, found.model_served, found.provider) == (model, served, provider)


@pytest.mark.parametrize("name", SOURCES)
def test_what_was_said_and_offered(name: str) -> None:
    found = generation(SOURCES[name])
    assert said(found) == (SAID if name != "litellm" else SAID[1:])
    assert offered(found) == (["look_up"] if name != "litellm" else None)


@pytest.mark.parametrize("name", SOURCES)
def test_reasoning_cost_and_session(name: str) -> None:
    found = generation(SOURCES[name])
    assert found.tokens_reasoning == (None if name in ("litellm-v2", "traceloop") else 4)
    assert found.cost_usd == (None if name in ("vercel", "genai", "traceloop") else 0.25)
    assert found.session_id == (None if name == "traceloop" else "s-1")


@pytest.mark.parametrize(
    ("name", "source", "identity"),
    [
        ("litellm", "litellm", LITELLM["litellm.call_id"]),
        ("litellm-v2", "litellm", LITELLM["litellm.call_id"]),
        ("openrouter", "openrouter", "gen-1795168800-abc"),
        ("langfuse", "langfuse", "eee19b7ec3c1b174"),
        ("openinference", "otlp", f"{TRACE}eee19b7ec3c1b174"),
        ("vercel", "otlp", f"{TRACE}eee19b7ec3c1b174"),
        ("genai", "otlp", f"{TRACE}eee19b7ec3c1b174"),
        ("traceloop", "otlp", f"{TRACE}eee19b7ec3c1b174"),
    ],
)
def test_a_call_is_known_by_its_source_and_id(name: str, source: str, identity: str) -> None:
    found = generation(SOURCES[name])
    assert (found.source, found.id) == (source, identity)


def test_a_gateway_says_who_called_it() -> None:
    found = generation(LITELLM)
    assert (found.http_referer, found.app_title, found.app_categories) == ("https://a.example/x", "A", "game,legal")
    assert (found.user_agent, found.account) == ("demo-agent/1.2", "abc123")
    of_openrouter = generation(OPENROUTER)
    assert (of_openrouter.app_title, of_openrouter.account) == ("A", "user_1")


NOISE: list[dict[str, Any]] = [
    {},
    {"http.request.method": "POST", "url.path": "/v1/chat/completions"},
    # LiteLLM's router and cache, with the model of the request; its child with the provider's answer.
    {"gen_ai.request.model": "house-chat", "litellm.api_key.hash": "abc123"},
    {"llm.openai.model": "gpt-4o", "llm.openai.usage": str(USAGE)},
    LITELLM | {"gen_ai.operation.name": "aimage_generation"},
    LITELLM_V2 | {"gen_ai.operation.name": "execute_tool"},
    # What OpenRouter tried on the way, and the empty span of its test.
    OPENROUTER | {"span.type": "span"},
    {"span.type": "web", "gen_ai.request.model": None},
    LANGFUSE | {"langfuse.observation.type": "span"},
    LANGFUSE | {"langfuse.observation.type": "agent"},
    OPENINFERENCE | {"openinference.span.kind": "CHAIN"},
    OPENINFERENCE | {"openinference.span.kind": ["LLM"]},
    # The outer spans of the Vercel AI SDK repeat the usage of the inner one.
    VERCEL | {"ai.operationId": "ai.streamText", "gen_ai.request.model": None},
    VERCEL | {"ai.operationId": "ai.toolCall"},
    GENAI | {"gen_ai.operation.name": "invoke_agent"},
    GENAI | {"gen_ai.operation.name": "execute_tool"},
    GENAI | {"gen_ai.operation.name": 7},
    {"traceloop.span.kind": "workflow"},
    TRACELOOP | {"llm.request.type": "rerank"},
]


@pytest.mark.parametrize("attributes", NOISE, ids=range(len(NOISE)))
def test_what_is_around_a_call_is_none(attributes: dict[str, Any]) -> None:
    assert decoded(attributes) is None


EMBEDDINGS: list[dict[str, Any]] = [
    {"litellm.call_id": "c", "gen_ai.operation.name": "aembedding", "gen_ai.usage.input_tokens": 5},
    {"litellm.call_id": "c", "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 5},
    {"gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 5},
    {"llm.request.type": "embedding", "gen_ai.usage.prompt_tokens": 5},
    {"openinference.span.kind": "EMBEDDING", "llm.token_count.prompt": 5},
    {"ai.operationId": "ai.embedMany.doEmbed", "ai.usage.tokens": 5},
    {"langfuse.observation.type": "embedding", "langfuse.observation.usage_details": '{"input": 5}'},
    {"span.type": "generation", "gen_ai.operation.name": "embeddings", "gen_ai.usage.input_tokens": 5},
]


@pytest.mark.parametrize("attributes", EMBEDDINGS, ids=range(len(EMBEDDINGS)))
def test_an_embedding_writes_nothing_and_its_input_is_no_conversation(attributes: dict[str, Any]) -> None:
    found = generation(attributes | {"gen_ai.input.messages": json.dumps(OPENAI), "gen_ai.prompt.0.content": "text"})
    assert (found.operation, found.messages) == ("embeddings", None)
    assert (found.tokens_prompt, found.tokens_completion) == (5, 0)


@pytest.mark.parametrize("name", SOURCES)
def test_usage_that_was_not_sent_is_unknown(name: str) -> None:
    without = {
        key: value
        for key, value in SOURCES[name].items()
        if not any(word in key for word in ("usage", "token_count", "cost"))
    }
    found = generation(without)
    assert (found.tokens_prompt, found.tokens_completion, found.tokens_cached) == (None, None, None)
    assert (found.tokens_reasoning, found.cost_usd) == (None, None)


@pytest.mark.parametrize(
    ("attributes", "cost"),
    [
        (LITELLM | {"gen_ai.cost.total_cost": 0.0}, None),
        (LITELLM_V2 | {"litellm.cost.total": 0.0}, None),
        (LANGFUSE | {"langfuse.observation.cost_details": '{"total": 0}'}, None),
        (OPENINFERENCE | {"llm.cost.total": 0}, None),
        (OPENROUTER | {"gen_ai.usage.total_cost": 0}, 0),
    ],
    ids=["litellm", "litellm-v2", "langfuse", "openinference", "openrouter"],
)
def test_a_cost_of_zero_is_a_cost_where_the_source_knows_it(attributes: dict[str, Any], cost: float | None) -> None:
    assert generation(attributes).cost_usd == cost


def test_an_answer_from_the_gateways_cache_cost_nothing() -> None:
    found = generation(LITELLM | {"hidden_params": '{"cache_key": "4f", "model_id": "m"}'})
    assert (found.cache_hit, found.cost_usd) == (True, 0)
    assert generation(LITELLM).cache_hit is None


@pytest.mark.parametrize(
    ("usage", "prompt", "completion", "cached", "reasoning"),
    [
        ({"input": 31, "output": 9, "total": 40}, 31, 9, None, None),
        ({"input": 19, "input_cached_tokens": 12, "output": 5, "output_reasoning_tokens": 4}, 31, 9, 12, 4),
        ({"input_tokens": 19, "cache_read_input_tokens": 12, "output_tokens": 9}, 31, 9, 12, None),
        (
            {
                "input_tokens": 31,
                "input_tokens_details": {"cached_tokens": 12},
                "output_tokens": 9,
                "output_tokens_details": {"reasoning_tokens": 4},
            },
            31,
            9,
            12,
            4,
        ),
        ({"total": 40}, None, None, None, None),
        ([], None, None, None, None),
    ],
    ids=["plain", "parts", "anthropic", "responses", "total", "none"],
)
def test_langfuse_has_usage_as_whole_numbers_or_as_parts(
    usage: Any, prompt: int | None, completion: int | None, cached: int | None, reasoning: int | None
) -> None:
    found = generation(LANGFUSE | {"langfuse.observation.usage_details": json.dumps(usage)})
    assert (found.tokens_prompt, found.tokens_completion) == (prompt, completion)
    assert (found.tokens_cached, found.tokens_reasoning) == (cached, reasoning)


def test_a_part_above_its_whole_was_not_in_it() -> None:
    parts = {"gen_ai.usage.cache_read.input_tokens": 900, "gen_ai.usage.reasoning.output_tokens": 50}
    found = generation(GENAI | parts)
    assert (found.tokens_prompt, found.tokens_completion) == (931, 59)


@pytest.mark.parametrize("name", SOURCES)
def test_an_error_is_one_without_a_word_of_it(name: str) -> None:
    found = generation(SOURCES[name] | {"error.type": "RateLimitError", "error.message": "text"}, failed=True)
    assert found.error == "RateLimitError"
    assert generation(SOURCES[name], failed=True).error == "error"


@pytest.mark.parametrize("marker", ["", "redacted-by-litellm", "__REDACTED__", "null", None, "[]", '{"cut off'])
def test_content_that_was_taken_out_is_unknown(marker: str | None) -> None:
    redacted = json.dumps([{"role": "user", "content": marker}])
    found = [
        generation(LITELLM_V2 | {"gen_ai.input.messages": redacted}),
        generation(GENAI | {"gen_ai.input.messages": marker}),
        generation(LANGFUSE | {"langfuse.observation.input": marker}),
        generation(OPENROUTER | {"gen_ai.prompt": marker}),
        generation(VERCEL | {"ai.prompt.messages": marker}),
        generation(
            {key: value for key, value in OPENINFERENCE.items() if "message" not in key} | {"input.value": marker}
        ),
    ]
    expected = [[Message(content=marker)], *[None] * 5] if marker in ("[]", '{"cut off') else [None] * 6
    assert [one.messages for one in found] == expected


def test_openinference_may_have_the_whole_request_only() -> None:
    bare = {key: value for key, value in OPENINFERENCE.items() if "message" not in key and "invocation" not in key}
    found = generation(bare | {"input.value": json.dumps({"model": "gpt-4o", "messages": OPENAI})})
    assert (found.model, said(found)) == ("gpt-4o", SAID)
    assert generation(bare | {"input.value": "__REDACTED__"}).model == "gpt-4o-2024-08-06"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (json.dumps(OPENAI), SAID),
        (json.dumps("Say hello."), [("user", "Say hello.")]),
        ("Say hello.", [("user", "Say hello.")]),
        (json.dumps({"system": "Be terse.", "prompt": "Say hello."}), SAID),
        (json.dumps({"instructions": "Be terse.", "input": [OPENAI[1]]}), SAID),
        (
            json.dumps(
                {
                    "system_instruction": {"parts": [{"text": "Be terse."}]},
                    "contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
                }
            ),
            SAID,
        ),
        ('{"question": "Say hello."}', [("user", '{"question":"Say hello."}')]),
    ],
    ids=["list", "text", "bare", "prompt", "responses", "gemini", "own"],
)
def test_a_request_may_be_written_in_many_ways(given: str, expected: list[tuple[str, str]]) -> None:
    assert said(generation(LANGFUSE | {"langfuse.observation.input": given})) == expected


def test_openrouters_own_example_has_other_names() -> None:
    documented = {
        "gen_ai.request.model": "openai/gpt-4o",
        "gen_ai.usage.prompt_tokens": 31,
        "gen_ai.usage.completion_tokens": 9,
    }
    found = generation(documented, scope="openrouter", resource={"openrouter.trace.id": "gen-1"})
    assert (found.source, found.id, found.tokens_prompt, found.tokens_completion) == ("openrouter", "gen-1", 31, 9)


def test_a_call_of_an_unknown_model_is_still_a_call() -> None:
    without = {key: value for key, value in CALL.items() if "model" not in key}
    assert (generation(without).model, generation(without).model_served) == ("unknown", None)


def test_a_service_is_the_account_of_its_sessions() -> None:
    assert generation(GENAI, resource={"service.name": "shop"}).account == "shop"
    assert generation(GENAI, resource={"service.name": "unknown_service:python"}).account is None


@pytest.mark.parametrize("microseconds", [0, 1, 499, 500, 795_999, 796_000, 999_999])
@pytest.mark.parametrize("error", [-250, 0, 250])
def test_a_millisecond_is_the_same_after_a_float(microseconds: int, error: int) -> None:
    second = START // 10**9 * 10**9
    found = generation(GENAI, start=second + microseconds * 1000 + error)
    assert round(found.created_at.timestamp() * 1000) == second // 10**6 + microseconds // 1000


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"gen_ai.usage.input_tokens": -1}, "out_of_range"),
    ({"gen_ai.usage.input_tokens": 2**31}, "out_of_range"),
    ({"gen_ai.usage.input_tokens": 1.5}, "out_of_range"),
    ({"gen_ai.usage.input_tokens": "many"}, "wrong_type"),
    ({"gen_ai.usage.input_tokens": True}, "wrong_type"),
    ({"gen_ai.usage.output_tokens": [1]}, "wrong_type"),
    ({"gen_ai.usage.output_tokens": "1" * 5000}, "wrong_type"),
    ({"gen_ai.usage.cost": 10_001}, "out_of_range"),
    ({"gen_ai.request.model": "m" * 257}, "bad_name"),
    ({"gen_ai.response.model": "m" * 257}, "bad_name"),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_a_bad_value_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decoded(GENAI | changes)
    assert caught.value.reason == reason
    assert str(caught.value).startswith("`")
    [value] = changes.values()
    assert not isinstance(value, str) or value[:4] not in str(caught.value)


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ({"trace": "0" * 32}, "missing_field"),
        ({"id": "0" * 16}, "missing_field"),
        ({"start": 0}, "missing_field"),
        ({"start": 2**64 - 1, "nanoseconds": 0}, None),
    ],
)
def test_a_span_without_ids_or_time_is_refused(span: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        assert generation(GENAI, **span).created_at.year == 2554
        return
    with pytest.raises(DecodeError) as caught:
        decoded(GENAI, **span)
    assert caught.value.reason == reason


def test_a_python_literal_is_parsed_only_up_to_a_bound() -> None:
    bomb = "{'prompt_tokens_details': {'cached_tokens': " + "(" * 90_000
    deep = "{'prompt_tokens_details': {'cached_tokens': " + "[" * 5_000
    call = "{'prompt_tokens_details': {'cached_tokens': __import__('os').getpid()}}"
    for text in (bomb, deep, call, "'cached_tokens'"):
        assert generation(LITELLM | {"metadata.usage_object": text}).tokens_cached is None


@pytest.mark.parametrize("depth", [100, 300, 500, 900, 5_000])
def test_json_that_is_nested_without_end_is_unknown_or_refused(depth: int) -> None:
    deep = '{"content":[' * depth + "]}" * depth
    for changes in (
        {"gen_ai.input.messages": f"[{deep}]"},
        {"gen_ai.input.messages": '[{"parts": [{"type": "tool_result", "result": ' + deep + "}]}]"},
    ):
        with suppress(DecodeError):
            decoded(GENAI | changes)
    with suppress(DecodeError):
        decoded(LANGFUSE | {"langfuse.observation.input": deep})


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(
        ['{"a"', "[1]", '[{"type"', "{'cached_tokens': {}}", "generation", "LLM", "chat", "1e999", "null"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "role", "content"]), inner),
    max_leaves=6,
)
named = st.sampled_from(sorted({key for attributes in SOURCES.values() for key in attributes}))


@given(st.sampled_from(sorted(SOURCES)), st.dictionaries(named, anything, max_size=6))
def test_whatever_attributes_hold_a_span_is_read_ignored_or_refused(name: str, changes: dict[str, Any]) -> None:
    span = otlp.Span(TRACE, "eee19b7ec3c1b174", "", "tests", START, START, False, SOURCES[name] | changes, {})
    with suppress(DecodeError):
        found = otlp.generation(span)
        assert found is None or isinstance(found, Generation)
