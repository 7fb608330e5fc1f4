"""What LiteLLM logs becomes a generation: the client's names, the provider's numbers, and what is unknown stays so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.generation import Message, Report
from llmcensus.wire import detect, litellm
from tests.sources import CALLS, SAID, USAGE, slp


def decode(**changes: Any) -> Report:
    found = litellm.decode(msgspec.json.encode(slp(**changes)))
    assert isinstance(found, Report)
    return found


def test_a_chat_through_the_proxy_is_told_in_full() -> None:
    found = decode()
    assert (found.source, found.id) == ("litellm", "call-1")
    assert found.created_at == datetime(2026, 11, 20, 10, 0, 0, 250_000, UTC)
    assert (found.model, found.model_served, found.provider) == ("fast", "openai/gpt-4o-mini-2024-07-18", "openai")
    assert (found.tokens_prompt, found.tokens_completion) == (100, 20)
    assert (found.tokens_cached, found.tokens_reasoning, found.cost_usd) == (40, 5, 0.0015)
    assert (found.latency_ms, found.finish_reason, found.streamed) == (750, "stop", False)
    assert (found.http_referer, found.app_title) == ("https://tidepool.example/chat", "Tidepool")
    assert (found.app_categories, found.user_agent, found.account) == ("general-chat", "tidepool/2.0", "5e884898")
    assert (found.operation, found.error, found.cache_hit, found.session_id) == ("chat", None, False, None)
    assert found.messages == [Message("user", SAID[0]["content"])]
    assert [tool.offered() for tool in found.tools or () if not isinstance(tool, str)] == ["lookup"]
    assert (found.begins, found.ends) == (True, True)


def test_the_queue_of_the_logger_may_hold_nothing() -> None:
    assert litellm.decode(b"null") is None


@pytest.mark.parametrize(
    ("changes", "model", "served"),
    [
        ({}, "fast", "openai/gpt-4o-mini-2024-07-18"),
        ({"hidden_params": {"litellm_model_name": None}}, "fast", "openai/gpt-4o-mini"),
        ({"response__model": "gpt-4o-mini-2024-07-18"}, "fast", "gpt-4o-mini-2024-07-18"),
        (
            {"model_group": "", "model": "gpt-4o-mini", "response__model": "gpt-4o-mini-x"},
            "gpt-4o-mini",
            "gpt-4o-mini-x",
        ),
        ({"model_group": None, "model": "gpt-4o-mini", "response": "text"}, "gpt-4o-mini", None),
        ({"status": "failure", "response": {}}, "fast", None),
        ({"model_group": "", "model": "", "status": "failure", "response": {}}, "unknown", None),
    ],
    ids=["routed", "a stream", "messages", "the SDK", "a reply without a form", "failed", "no name at all"],
)
def test_the_model_is_what_was_asked_for_and_what_answered(changes: dict[str, Any], model: str, served: str) -> None:
    found = decode(**changes)
    assert (found.model, found.model_served) == (model, served)


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("completion", "chat"),
        ("atext_completion", "chat"),
        ("anthropic_messages", "chat"),
        ("aresponses", "chat"),
        ("agenerate_content_stream", "chat"),
        ("pass_through_endpoint", "chat"),
        (None, "chat"),
        ("aembedding", "embeddings"),
        ("embedding", "embeddings"),
    ],
)
def test_calls_of_a_model_are_chats_or_embeddings(kind: str | None, operation: str) -> None:
    assert decode(call_type=kind).operation == operation


@pytest.mark.parametrize(
    "kind",
    ["amoderation", "aimage_generation", "arerank", "aget_responses", "acreate_file", "call_mcp_tool", "new_one"],
)
def test_other_calls_are_ignored(kind: str) -> None:
    assert litellm.decode(msgspec.json.encode(slp(call_type=kind))) is None


def test_what_is_passed_through_without_tokens_is_ignored() -> None:
    assert litellm.decode(msgspec.json.encode(slp(call_type="pass_through_endpoint", prompt_tokens=0))) is None


def test_an_embedding_has_no_text_to_judge() -> None:
    found = decode(call_type="aembedding", response={"model": "vectors", "data": [{"embedding": [0.1] * 1000}]})
    assert (found.messages, found.tools, found.tokens_prompt) == (None, None, 100)


def test_zero_tokens_without_a_usage_are_unknown() -> None:
    unknown = decode(prompt_tokens=0, completion_tokens=0, metadata__usage_object=None)
    assert (unknown.tokens_prompt, unknown.tokens_completion) == (None, None)
    failed = decode(prompt_tokens=0, completion_tokens=0, status="failure", metadata__usage_object={})
    assert (failed.tokens_prompt, failed.tokens_completion) == (None, None)
    told = decode(prompt_tokens=0, completion_tokens=0)
    assert (told.tokens_prompt, told.tokens_completion) == (0, 0)


@pytest.mark.parametrize(
    ("cost", "hit", "known"), [(0.25, None, 0.25), (0.0, None, None), (0.0, True, 0.0), (None, False, None)]
)
def test_a_cost_of_zero_is_unknown_unless_nothing_was_called(
    cost: float, hit: bool | None, known: float | None
) -> None:
    assert decode(response_cost=cost, cache_hit=hit).cost_usd == known


def test_a_cache_hit_is_one_only_where_it_is_said() -> None:
    assert [decode(cache_hit=said).cache_hit for said in (True, False, None)] == [True, False, False]


def test_a_failure_has_its_code_and_no_text() -> None:
    about = {"error_code": "429", "error_class": "RateLimitError", "error_message": "a secret", "traceback": "a secret"}
    found = decode(status="failure", error_information=about, error_str="a secret", response={})
    assert (found.error, found.finish_reason) == ("429", None)
    assert decode(status="failure", error_information=None).error == "error"


def test_redacted_messages_are_no_messages() -> None:
    found = decode(messages=[{"role": "user", "content": "redacted-by-litellm"}])
    assert found.messages is None
    assert found.tools is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"messages": "say hello"}, ["say hello"]),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}]}, ["a\n"]),
        ({"messages": {"prompt": "?"}}, None),
        ({"messages": [1, 2]}, None),
        ({"messages": None}, None),
        ({"model_parameters": {"instructions": "Be brief."}}, ["Be brief.", SAID[0]["content"]]),
        ({"model_parameters": {"system": [{"type": "text", "text": "Be brief."}]}}, ["Be brief.", SAID[0]["content"]]),
        ({"model_parameters": {"instructions": "redacted-by-litellm"}}, [SAID[0]["content"]]),
    ],
    ids=["text", "parts", "no form", "numbers", "none", "instructions", "system", "kept back"],
)
def test_messages_come_in_many_forms(changes: dict[str, Any], said: list[str] | None) -> None:
    found = decode(**changes).messages
    assert (None if found is None else [message.text() for message in found]) == said


@pytest.mark.parametrize(
    ("response", "finish"),
    [
        ({"choices": [{"finish_reason": "length", "message": {}}]}, "length"),
        ({"choices": [{"finish_reason": "stop", "message": {"tool_calls": CALLS}}]}, "tool_calls"),
        ({"choices": [{"finish_reason": "stop", "message": {"tool_calls": []}}]}, "stop"),
        ({"type": "message", "stop_reason": "tool_use"}, "tool_use"),
        ({"output": [{"type": "message"}, {"type": "function_call", "name": "lookup"}]}, "tool_calls"),
        ({"choices": "odd"}, None),
        (["odd"], None),
    ],
)
def test_how_a_reply_ended_is_told_in_the_form_of_its_route(response: Any, finish: str | None) -> None:
    assert decode(response=response).finish_reason == finish


@pytest.mark.parametrize(
    ("changes", "session"),
    [
        ({}, None),
        ({"metadata__requester_metadata": {"session_id": "s"}}, "s"),
        ({"session_id": "s"}, "s"),
        ({"metadata__requester_custom_headers": {"x-session-id": "s"}}, "s"),
        ({"metadata__requester_custom_headers": {"x-claude-code-session-id": "s"}}, "s"),
        ({"metadata__requester_metadata": {"user_id": "user_1_account_2_session_s-3"}}, "s-3"),
        ({"metadata__requester_metadata": {"user_id": '{"device_id": "d", "session_id": "s"}'}}, "s"),
        ({"metadata__requester_metadata": {"user_id": "{broken"}}, None),
        ({"trace_id": "my-session"}, "my-session"),
        ({"trace_id": "54f21e932f04f56f19538b3d9c5c12bd"}, None),
        ({"trace_id": 7}, None),
    ],
)
def test_a_session_is_one_that_somebody_named(changes: dict[str, Any], session: str | None) -> None:
    assert decode(**changes).session_id == session


def test_where_only_some_headers_are_logged_these_are_read() -> None:
    found = decode(metadata__requester_metadata={"user_id": "u"}, metadata__requester_custom_headers={"x-title": "T"})
    assert (found.http_referer, found.app_title) == (None, "T")
    odd = decode(metadata__requester_metadata={"headers": {"http-referer": 7, "x-title": ["T"]}})
    assert (odd.http_referer, odd.app_title, odd.app_categories) == (None, "Tidepool", "general-chat")


def test_every_log_of_a_call_is_of_one_occasion_and_a_pinned_id_is_not() -> None:
    assert decode(startTime=1795168800.29).occasion == decode().occasion
    assert decode(prompt_tokens=101).occasion != decode().occasion
    assert decode(startTime=1795168800.25 + 7200).occasion != decode().occasion


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"startTime": None}, "wrong_type", "`startTime`"),
        ({"startTime": "the secret"}, "wrong_type", "`startTime`"),
        ({"startTime": -1}, "out_of_range", "`startTime` is -1"),
        ({"startTime": 1e30}, "bad_time", "`startTime` is 1e+30: expected seconds since 1970"),
        ({"endTime": 1e30}, "bad_time", "`endTime`"),
        ({"litellm_call_id": "", "id": None}, "missing_field", "neither `litellm_call_id` nor `id`"),
        ({"litellm_call_id": 7}, "wrong_type", "`litellm_call_id`"),
        ({"litellm_call_id": "the secret" * 30}, "bad_name", "`litellm_call_id`"),
        ({"model_group": "the secret" * 30}, "bad_name", "`model_group`"),
        ({"model_group": ["the secret"]}, "wrong_type", "`model_group`"),
        ({"prompt_tokens": -1}, "out_of_range", "`prompt_tokens` is -1: expected `int` >= 0"),
        ({"prompt_tokens": "12"}, "wrong_type", "`prompt_tokens` is '12': expected"),
        ({"completion_tokens": 2**31}, "out_of_range", "`completion_tokens` is 2147483648"),
        ({"response_cost": -0.1}, "out_of_range", "`response_cost` is -0.1: expected"),
        ({"response_cost": "the secret"}, "wrong_type", "`response_cost` is a text of 10 characters"),
        ({"cache_hit": "the secret"}, "wrong_type", "`cache_hit`"),
        ({"metadata": "the secret"}, "wrong_type", "`metadata`"),
        ({"metadata__usage_object": {"prompt_tokens_details": {"cached_tokens": -4}}}, "out_of_range", "cached_tokens"),
    ],
)
def test_a_hostile_value_is_refused_by_name(changes: dict[str, Any], reason: str, says: str) -> None:
    with pytest.raises(DecodeError) as caught:
        litellm.decode(msgspec.json.encode(slp(**changes)))
    assert caught.value.reason == reason
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "record", [b"{", b"[]", b"7", b'"the secret"', b'{"the secret": tru', b'{"id": "the secret \xff"}']
)
def test_what_is_no_payload_is_refused(record: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        litellm.decode(record)
    assert "secret" not in str(caught.value)


def test_a_payload_is_recognised() -> None:
    found = detect(msgspec.json.encode(slp()))
    assert found is not None
    assert found.name == "litellm"


def test_an_older_payload_is_known_by_its_other_id() -> None:
    old = {name: value for name, value in slp().items() if name not in ("litellm_call_id", "zero_cost_diagnostic")}
    found = litellm.decode(msgspec.json.encode(old))
    assert found is not None
    assert found.id == "chatcmpl-9"


def test_tokens_of_a_cache_that_anthropic_counts_are_read() -> None:
    usage = {"prompt_tokens": 100, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 10}
    assert decode(metadata__usage_object=usage).tokens_cached == 30
    assert decode(metadata__usage_object=USAGE | {"prompt_tokens_details": None}).tokens_cached is None
