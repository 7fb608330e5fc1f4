"""A line that OpenAI's Batch API writes is an answer without its request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation
from llmcensus.wire import detect, openai_batch
from tests.sources import CALLS, batched


def decode(**changes: Any) -> Generation | None:
    return openai_batch.decode(msgspec.json.encode(batched(**changes)))


def test_a_line_is_an_answer_and_its_model() -> None:
    found = decode()
    assert found is not None
    assert (found.source, found.id, found.model) == ("openai", "chatcmpl-9", "gpt-4o-mini-2024-07-18")
    assert found.created_at == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert (found.tokens_prompt, found.tokens_completion, found.tokens_cached) == (100, 20, 40)
    assert (found.finish_reason, found.messages) == ("stop", None)


def test_responses_are_answers_too() -> None:
    usage = {"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}
    output = [{"type": "function_call", "name": "lookup"}]
    found = decode(
        response__body={"id": "resp_1", "created_at": 1795168800, "model": "gpt-4o", "usage": usage, "output": output}
    )
    assert found is not None
    assert (found.tokens_prompt, found.tokens_completion, found.tokens_cached) == (7, 3, 2)
    assert found.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "changes",
    [
        {"response": None, "error": {"code": "batch_expired"}},
        {"response__status_code": 400, "response__body": {"error": {"message": "no"}}},
        {"response__body": None},
    ],
)
def test_a_line_without_an_answer_is_ignored(changes: dict[str, Any]) -> None:
    assert decode(**changes) is None


def test_a_call_that_was_forced_is_a_call() -> None:
    found = decode(response__body__choices=[{"finish_reason": "stop", "message": {"tool_calls": CALLS}}])
    assert found is not None
    assert found.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "wrong_type"),
        ({"response__body__created": None}, "missing_field"),
        ({"response__body__created": 1e30}, "bad_time"),
        ({"response__body__usage": {"prompt_tokens": -1}}, "out_of_range"),
        ({"response__body__model": "the secret" * 30}, "bad_name"),
        ({"response": "the secret"}, "wrong_type"),
    ],
)
def test_a_hostile_value_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(**changes)
    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)


def test_a_line_is_recognised() -> None:
    found = detect(msgspec.json.encode(batched()))
    assert found is not None
    assert found.name == "openai-batch"
