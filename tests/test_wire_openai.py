"""OpenAI request/response pairs become generations; streams are folded, unknown usage stays unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.wire import detect, openai
from llmcensus.wire.lines import read_lines
from tests.sources import CALLS

REQUEST = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
RESPONSE = {
    "id": "chatcmpl-1",
    "created": 1795231743,
    "model": "gpt-4o-2024-05-13",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
    "usage": {
        "prompt_tokens": 31,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 12},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}


def pair(**changes: Any) -> bytes:
    return msgspec.json.encode({"request": REQUEST, "response": RESPONSE, "started_at": 1795231742.5} | changes)


def test_a_pair_becomes_a_generation() -> None:
    generation = openai.decode(pair(latency_ms=657.5))
    assert generation.id == "chatcmpl-1"
    assert generation.created_at.isoformat() == "2026-11-21T03:29:02.500000+00:00"
    assert (generation.model, generation.model_served) == ("gpt-4o", "gpt-4o-2024-05-13")
    assert (generation.tokens_prompt, generation.tokens_completion) == (31, 9)
    assert (generation.tokens_cached, generation.tokens_reasoning) == (12, 4)
    assert (generation.finish_reason, generation.streamed, generation.latency_ms) == ("stop", False, 657.5)


def test_headers_name_the_app() -> None:
    headers = {"HTTP-Referer": "https://a.example", "X-Title": "A", "X-OpenRouter-Categories": "game", "Cookie": ["x"]}
    generation = openai.decode(pair(headers=headers))
    assert (generation.http_referer, generation.app_title, generation.app_categories) == (
        "https://a.example",
        "A",
        "game",
    )


def chunk(**changes: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-2", "created": 1795231743, "model": "gpt-4o", "choices": []} | changes


def test_a_stream_is_folded() -> None:
    chunks = [
        chunk(choices=[{"delta": {"content": "h"}, "finish_reason": None}]),
        chunk(choices=[{"delta": {}, "finish_reason": "stop"}]),
        chunk(usage={"prompt_tokens": 5, "completion_tokens": 2}),
    ]
    generation = openai.decode(pair(response=chunks))
    assert (generation.id, generation.finish_reason, generation.streamed) == ("chatcmpl-2", "stop", True)
    assert (generation.tokens_prompt, generation.tokens_completion) == (5, 2)


@pytest.mark.parametrize("kind", ["message", "delta"])
def test_a_call_that_was_forced_is_a_call(kind: str) -> None:
    choices = [{"finish_reason": "stop", kind: {"tool_calls": CALLS}}]
    assert openai.decode(pair(response=RESPONSE | {"choices": choices})).finish_reason == "tool_calls"
    none = [{"finish_reason": "stop", kind: {"tool_calls": None}}]
    assert openai.decode(pair(response=RESPONSE | {"choices": none})).finish_reason == "stop"


def test_a_stream_may_begin_with_empty_names() -> None:
    chunks = [chunk(id="", created=0, model=""), chunk(choices=[{"finish_reason": "stop"}])]
    generation = openai.decode(pair(response=chunks, started_at=None))
    assert (generation.id, generation.model_served) == ("chatcmpl-2", "gpt-4o")
    assert generation.created_at.year == 2026


def test_without_a_response_there_was_no_reply() -> None:
    assert openai.decode(pair(response=None)).error == "error"


def test_a_stream_without_usage_has_unknown_tokens() -> None:
    generation = openai.decode(pair(response=[chunk(choices=[{"finish_reason": "stop"}])]))
    assert (generation.tokens_prompt, generation.tokens_completion) == (None, None)


def test_a_request_without_an_answer_is_known_by_its_line() -> None:
    first, again = (openai.decode(pair(response=None, error={"message": "429"})) for _ in range(2))
    other = openai.decode(pair(response=None, error={"message": "429"}, started_at=1.0))
    assert first.error == "error"
    assert first.id == again.id != other.id


def test_without_any_time_it_is_refused() -> None:
    line = msgspec.json.encode({"request": REQUEST, "response": RESPONSE | {"created": None}})
    with pytest.raises(DecodeError, match="started_at") as caught:
        openai.decode(line)
    assert caught.value.reason == "missing_field"


@pytest.mark.parametrize("started_at", ["soon", 1e30])
def test_a_time_that_is_none_is_refused(started_at: object) -> None:
    with pytest.raises(DecodeError) as caught:
        openai.decode(pair(started_at=started_at))
    assert caught.value.reason == "bad_time"


def test_a_pair_is_recognised() -> None:
    found = detect(pair())
    assert found is not None
    assert found.name == "openai"


@pytest.mark.shared
def test_captured_pairs_decode(shared: Path) -> None:
    sample = shared / "wire" / "samples" / "jsonl_openai_pairs.jsonl"
    captured = [line.data for line in read_lines(sample)]
    assert len(captured) == 4
    generations = [openai.decode(line) for line in captured if b'"started_at"' in line or b'"created"' in line]
    assert [(g.tokens_prompt, g.tokens_completion) for g in generations][:2] == [(31, 9), (31, 9)]
    assert generations[1].finish_reason == "tool_calls"
    assert [tool.offered() for tool in generations[1].tools or () if not isinstance(tool, str)] == ["get_weather"]
