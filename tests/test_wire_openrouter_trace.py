"""A trace that OpenRouter writes to a bucket is one request, whatever stands beside its generation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation, Message
from llmcensus.ingest import Intake
from llmcensus.wire import detect, openrouter_trace
from tests.sources import CALLS, SAID, TRACE, trace


def decode(**changes: Any) -> Generation:
    found = openrouter_trace.decode(msgspec.json.encode(trace(**changes)))
    assert found is not None
    return found


def test_a_trace_is_the_request_that_its_generation_was() -> None:
    found = decode()
    assert (found.source, found.id) == ("openrouter", "gen-1795168800-AbCdEfGhIjKlMnOpQrSt")
    assert found.created_at == datetime(2026, 11, 20, 10, 0, 0, 250_000, UTC)
    assert (found.model, found.model_served, found.provider) == ("openrouter/auto", "openai/gpt-4o-mini", "Azure")
    assert (found.tokens_prompt, found.tokens_completion, found.cost_usd) == (100, 20, 0.0015)
    assert (found.latency_ms, found.finish_reason, found.streamed) == (750, "stop", True)
    assert (found.account, found.session_id, found.http_referer, found.error) == ("team key", "talk-1", None, None)
    assert found.messages == [Message("user", SAID[0]["content"])]
    assert [tool.offered() for tool in found.tools or () if not isinstance(tool, str)] == ["lookup"]


def test_an_id_is_openrouters_own_even_where_the_caller_named_the_trace() -> None:
    assert decode(id="mine").id == "gen-1795168800-AbCdEfGhIjKlMnOpQrSt"
    assert decode(observation__id="other").id == "gen-1795168800-AbCdEfGhIjKlMnOpQrSt"
    assert decode(id="mine", observation__id="other").id == "other"
    assert decode(id="mine", observation__id=None).id == "mine"


def test_a_trace_without_a_generation_is_ignored() -> None:
    assert openrouter_trace.decode(msgspec.json.encode(TRACE | {"observations": TRACE["observations"][:1]})) is None
    assert openrouter_trace.decode(msgspec.json.encode(TRACE | {"observations": []})) is None


def test_a_charge_of_zero_is_a_charge() -> None:
    assert decode(observation__totalCost=0).cost_usd == 0
    assert decode(observation__totalCost=None).cost_usd is None


def test_what_is_kept_private_is_unknown() -> None:
    found = decode(input=None, output={"rawRequest": {"model": "openai/gpt-4o-mini"}})
    assert (found.messages, found.tools, found.tokens_prompt) == (None, None, 100)
    bare = decode(input=None, output=None)
    assert (bare.model, bare.streamed) == ("openai/gpt-4o-mini", None)


def test_what_a_destination_opts_in_to_is_read() -> None:
    told = {"app": {"title": "Tidepool", "url": "https://tidepool.example"}, "streamed": False, "usage": 0.1}
    found = decode(metadata={"openrouter_generation": told}, output={})
    assert (found.http_referer, found.app_title, found.streamed) == ("https://tidepool.example", "Tidepool", False)


def test_a_reply_that_calls_tools_says_so() -> None:
    assert decode(output__toolCalls=CALLS).finish_reason == "tool_calls"
    assert decode(observation__normalizedFinishReason=None).finish_reason == "stop"


def test_an_error_is_one() -> None:
    assert decode(observation__level="ERROR").error == "error"


def test_a_wrapped_trace_is_the_same_trace() -> None:
    wrapped = msgspec.json.encode({"trace": trace()})
    assert openrouter_trace.decode(wrapped) == decode()
    for record in (wrapped, msgspec.json.encode(trace())):
        found = detect(record)
        assert found is not None
        assert found.name == "openrouter"


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"id": None}, "wrong_type", "`id`"),
        ({"id": "", "observation__id": None}, "bad_name", "`id` is empty"),
        ({"timestamp": None, "observation__startTime": None}, "missing_field", "`timestamp`"),
        ({"observation__startTime": "the secret"}, "bad_time", "`startTime` is a text of 10 characters"),
        ({"observation__promptTokens": -1}, "out_of_range", "promptTokens"),
        ({"observation__totalCost": "the secret"}, "wrong_type", "totalCost"),
        ({"observation__model": "the secret" * 30}, "bad_name", "model"),
        ({"observations": {"the secret": 1}}, "wrong_type", "`observations`"),
    ],
)
def test_a_hostile_value_is_refused_by_name(changes: dict[str, Any], reason: str, says: str) -> None:
    record = TRACE | changes if "observations" in changes else trace(**changes)
    with pytest.raises(DecodeError) as caught:
        openrouter_trace.decode(msgspec.json.encode(record))
    assert caught.value.reason == reason
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_a_trace_is_read_however_it_is_spread_over_lines(intake: Intake, tmp_path: Path) -> None:
    encoded = msgspec.json.encode(trace())
    for name, text in (("flat", encoded), ("spread", msgspec.json.format(encoded, indent=2))):
        (tmp_path / f"{name}.json").write_bytes(text)
    *_, first = intake.take_file(tmp_path / "spread.json")
    *_, again = intake.take_file(tmp_path / "flat.json")
    assert (first.wire.name, first.tally["accepted"], again.tally["duplicate"]) == ("openrouter", 1, 1)
