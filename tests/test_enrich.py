"""What becomes of a generation's fields: known stays known, unknown stays unknown, text ends here."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.enrich import enrich
from llmcensus.event import Event
from llmcensus.generation import Generation, Report
from tests.worlds import record

MILLION = 1_000_000


@pytest.fixture
def event(classifier: Classifier) -> Any:
    def made(**changes: Any) -> Event:
        generation = msgspec.convert(record(**changes), Generation)
        [found] = enrich([generation], Catalog(), classifier)
        return found

    return made


def test_a_day_is_a_utc_day(event: Any) -> None:
    assert event(created_at="2026-11-20T23:30:00-05:30").date == "2026-11-21"
    assert event(created_at="2026-11-20T00:30:00+14:00").date == "2026-11-19"


def test_the_gateways_cost_wins(event: Any) -> None:
    found = event(model="anthropic/claude-sonnet-4.5", cost_usd=0.5)
    assert (found.cost_nanousd, found.priced) == (500_000_000, False)


def test_a_cost_of_zero_is_a_cost(event: Any) -> None:
    found = event(model="anthropic/claude-sonnet-4.5", cost_usd=0.0)
    assert (found.cost_nanousd, found.priced) == (0, False)


def test_without_a_cost_the_price_list_is_asked(event: Any) -> None:
    found = event(model="anthropic/claude-sonnet-4.5", cost_usd=None, tokens_prompt=1000, tokens_completion=100)
    assert (found.cost_nanousd, found.priced) == (4_500_000, True)


@pytest.mark.parametrize("changes", [{"tokens_completion": None}, {"model": "house-model"}])
def test_a_cost_that_cannot_be_known_is_unknown(event: Any, changes: dict[str, Any]) -> None:
    found = event(**{"model": "anthropic/claude-sonnet-4.5", "cost_usd": None} | changes)
    assert (found.cost_nanousd, found.priced) == (None, False)


@pytest.mark.parametrize(
    ("prompt", "completion", "bucket"),
    [
        (999, 1, "1K"),
        (1000, 1, "10K"),
        (0, 0, "1K"),
        (90_000, 10_000, "100K"),
        (MILLION, 0, "1M"),
        (MILLION, 1, "10M"),
        (50 * MILLION, 0, "10M"),
        (None, 5, "unknown"),
    ],
)
def test_context_buckets_hold_prompt_and_completion(
    event: Any, prompt: int | None, completion: int, bucket: str
) -> None:
    assert event(tokens_prompt=prompt, tokens_completion=completion).context_bucket == bucket


def test_a_cache_hit_has_zero_tokens(event: Any) -> None:
    found = event(cache_hit=True, cost_usd=None)
    assert (found.tokens_prompt, found.tokens_completion, found.cost_nanousd) == (0, 0, 0)
    assert found.has_usage


@pytest.mark.parametrize(
    ("changes", "excluded"),
    [
        ({}, None),
        ({"public": True}, None),
        ({"public": False}, "private"),
        ({"error": "429", "tokens_completion": None}, "error"),
        ({"error": {"code": 500}, "tokens_completion": 0}, "error"),
        ({"error": "cut off in the middle", "tokens_completion": 7}, None),
        ({"error": "client went away", "tokens_completion": None, "finish_reason": "stop"}, None),
    ],
)
def test_private_requests_and_errors_without_a_reply_are_in_no_dataset(
    event: Any, changes: dict[str, Any], excluded: str | None
) -> None:
    assert event(**changes).excluded == excluded


@pytest.mark.parametrize(
    ("changes", "tools"),
    [
        ({}, 0),
        ({"finish_reason": "tool_calls"}, 1),
        ({"finish_reason": "tool_use"}, 1),
        ({"messages": [{"role": "assistant", "tool_calls": [{"name": "look"}]}, {"role": "tool", "content": "x"}]}, 1),
        ({"tools": ["look"]}, 0),
    ],
)
def test_tools_count_when_they_were_called(event: Any, changes: dict[str, Any], tools: int) -> None:
    assert event(**changes).tools == tools


def test_modality_is_what_came_in_besides_text(event: Any) -> None:
    parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url"}, {"type": "input_audio"}]
    assert event().modality == "text"
    assert event(messages=[{"role": "user", "content": parts}]).modality == "audio+image"


def test_an_embedding_is_not_judged(event: Any) -> None:
    found = event(operation="embeddings", finish_reason="tool_calls")
    assert (found.operation, found.tag, found.classified) == ("embeddings", "unclassified", "embeddings")
    assert (found.modality, found.tools) == ("embeddings", 0)
    alone = event(operation="embeddings", tokens_completion=None)
    assert (alone.tokens_prompt, alone.tokens_completion, alone.has_usage) == (100, 0, True)
    assert not event(operation="embeddings", tokens_prompt=None, tokens_completion=None).has_usage
    assert event(operation="chat").tag == event().tag != "unclassified"
    assert event(operation="chat").operation == event().operation == "chat"


def test_an_embedding_among_chats_leaves_each_its_own_tag(classifier: Classifier) -> None:
    asked = ("Translate to French: good morning", "embed me", "What is 17 * 23? Compute it.")
    generations = [
        msgspec.convert(record(messages=[{"role": "user", "content": text}], **more), Generation)
        for text, more in zip(asked, ({}, {"operation": "embeddings"}, {}), strict=True)
    ]
    together = [event.tag for event in enrich(generations, Catalog(), classifier)]
    alone = [enrich([generation], Catalog(), classifier)[0].tag for generation in generations]
    assert together == alone
    assert together[1] == "unclassified"
    assert together[0] != together[2]


@pytest.mark.parametrize(
    ("names", "counted"),
    [
        ({"model": "fast", "model_served": "openai/gpt-4o-mini"}, "openai/gpt-4o-mini"),
        ({"model": "fast", "model_served": "hosted_vllm/house"}, "?fast"),
        ({"model": "fast"}, "?fast"),
        ({"model": "openai/gpt-4o", "model_served": "anthropic/claude-sonnet-4.5"}, "openai/gpt-4o"),
    ],
)
def test_a_name_that_means_nothing_is_that_of_the_model_that_answered(
    event: Any, names: dict[str, str], counted: str
) -> None:
    assert event(**names).permaslug == counted


def test_what_the_operator_says_a_name_means_wins(classifier: Classifier) -> None:
    generation = msgspec.convert(record(model="fast", model_served="openai/gpt-4o-mini"), Generation)
    [found] = enrich([generation], Catalog({"fast": "acme/fast"}), classifier)
    assert found.permaslug == "acme/fast"


def test_a_user_agent_names_the_app_where_no_referer_does(event: Any) -> None:
    found = event(user_agent="claude-cli/2.1.0 (external, cli)").app
    assert found is not None
    assert found.title == "Claude Code"
    assert event(user_agent="OpenAI/Python 2.54.0").app is None


def test_a_report_is_known_by_its_occasion_and_not_by_what_it_says(classifier: Classifier) -> None:
    def told(**changes: Any) -> Event:
        [found] = enrich([msgspec.convert(record(**changes), Report)], Catalog(), classifier)
        return found

    assert told().fingerprint == told(tokens_prompt=1, account="x").fingerprint != told(occasion="2").fingerprint
    parts: list[dict[str, bool]] = [{}, {"ends": False}, {"begins": False}, {"begins": False, "ends": False}]
    assert [told(**part).told for part in parts] == ["whole", "begin", "end", "middle"]


def test_without_text_there_is_no_task(event: Any) -> None:
    assert event(messages=None).tag == "unclassified"
    assert event(messages=[]).tag != "unclassified"


def test_a_key_names_the_source_and_the_id(event: Any) -> None:
    assert event(source="a", id="b1").key != event(source="ab", id="1").key
    assert event().key == event(tokens_prompt=1).key
    # With keys of another make, all that was counted would be counted again.
    assert event(source="a", id="b1").key.hex() == "511b192906caf72fb186f370784f20a9"


def test_a_fingerprint_covers_the_whole_record(event: Any) -> None:
    same = {event().fingerprint, event(of_the_future=1).fingerprint, event(tokens_cached=None).fingerprint}
    assert len(same) == 1
    others: list[dict[str, Any]] = [
        {"tokens_prompt": 1},
        {"messages": [{"content": "other"}]},
        {"account": "x"},
        {"tools": ["t"]},
    ]
    assert len({event(**changes).fingerprint for changes in others} | same) == 5


def test_sessions_of_two_accounts_are_two(event: Any) -> None:
    mine, yours = event(session_id="1", account="me"), event(session_id="1", account="you")
    assert mine.session != yours.session
    assert event(session_id=None).session is None


def test_an_event_holds_no_text(event: Any) -> None:
    secret = "c0ffee-canary"
    found = event(
        messages=[
            {"role": "system", "content": secret},
            {"role": "user", "content": [{"type": "text", "text": secret}]},
            {"role": "assistant", "content": None, "tool_calls": [{"name": secret, "arguments": secret}]},
            {"role": "tool", "content": secret},
        ],
        tools=[secret],
        user_agent=secret,
        error={"message": secret},
        tokens_completion=5,
        account=secret,
        session_id=secret,
        id=secret,
        provider=secret,
        finish_reason=secret,
        task_type=secret,
    )
    assert secret.encode() not in msgspec.msgpack.encode(found)
