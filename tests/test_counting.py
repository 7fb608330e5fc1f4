"""docs/counting.md is what is counted: a test for each cell of its table and each way in that can tell of the case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmcensus.catalog import Catalog
from llmcensus.ingest import Intake
from llmcensus.spans import Spans, Window
from llmcensus.store import Store
from tests.conftest import FIRST_DAY, NOW
from tests.sources import slp
from tests.telemetry import Span, body, call
from tests.worlds import Spelled, record, total

Record = dict[str, Any]

HEAD, _, *ROWS = [
    [cell.strip() for cell in row.strip("| \n").split("|")]
    for row in re.findall(r"^\|.*\|$", Path("docs/counting.md").read_text(), re.MULTILINE)
]
SAID = [{"role": "user", "content": "math"}]
FAILED, SERVED = "mistralai/mistral-large", "openai/gpt-4o"


def native(case: str) -> list[Record] | None:
    good = record(
        messages=SAID,
        cost_usd=0.0015,
        http_referer="https://a.example",
        session_id="s-1",
        finish_reason="stop",
    )
    failed = good | {"id": "failed", "error": "429", "tokens_prompt": None, "tokens_completion": None}
    failed |= {"cost_usd": None, "finish_reason": None}
    vectors = good | {"operation": "embeddings", "tokens_completion": 0, "finish_reason": None}
    return {
        "a call": [good],
        "a call, reported twice": [good, good],
        "a retry": [failed, good],
        "a fallback": [failed | {"model": FAILED}, good],
        "an answer out of the gateway's cache": [good | {"cache_hit": True, "cost_usd": None}],
        "an error without a reply": [failed],
        "an error after a part of the reply": [good | {"error": "cut off"}],
        "a stream without usage": [
            good | {"streamed": True, "tokens_prompt": None, "tokens_completion": None, "cost_usd": None}
        ],
        "a call without its messages": [good | {"messages": None}],
        "an embedding": [vectors],
        "an embedding without tokens": [vectors | {"tokens_prompt": None, "tokens_completion": None, "cost_usd": None}],
        "a private call": [good | {"public": False}],
    }[case]


def litellm(case: str) -> list[Record] | None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0.0, "metadata__usage_object": None}
    given = {"messages": SAID, "model_group": SERVED, "session_id": "s-1"}
    good = slp(**given)
    failed = slp(
        **given | nothing | {"litellm_call_id": "failed", "status": "failure", "response": {}},
        error_information__error_code="429",
    )
    vectors = given | {"call_type": "aembedding", "completion_tokens": 0, "prompt_tokens": 100, "response": {}}
    return {
        "a call": [good],
        "a call, reported twice": [good, good],
        "a retry": [failed, good],
        "a fallback": [failed | {"model_group": FAILED}, good],
        "an answer out of the gateway's cache": [slp(**given, cache_hit=True, response_cost=0.0)],
        "an error without a reply": [failed],
        "a stream without usage": [slp(**given | nothing, stream=True)],
        "a call without its messages": [
            slp(**given | {"messages": [{"role": "user", "content": "redacted-by-litellm"}]})
        ],
        "an embedding": [slp(**vectors)],
        "an embedding without tokens": [slp(**vectors | nothing)],
    }.get(case)


def otlp(case: str) -> list[Span] | None:
    tokens = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20, "gen_ai.usage.cost": 0.0015}
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "math"}]}])
    given = {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": said,
        "user_agent.original": "claude-cli/2.1",
        "session.id": "s-1",
    }
    nothing = dict.fromkeys((*tokens, "gen_ai.response.finish_reasons", "gen_ai.response.model"))
    good = call(given | tokens)
    failed = call(given | nothing | {"error.type": "429"}, id="f" * 16, failed=True)
    vectors = {**given, **tokens, "gen_ai.operation.name": "embeddings", "gen_ai.usage.output_tokens": None}
    return {
        "a call": [good],
        "a call, reported twice": [good, good],
        "a retry": [failed, good],
        "a fallback": [
            call(given | nothing | {"gen_ai.request.model": "mistral-large-2411"}, id="f" * 16, failed=True),
            good,
        ],
        "an error without a reply": [failed],
        "an error after a part of the reply": [call(given | tokens, failed=True)],
        "a stream without usage": [call(given | dict.fromkeys(tokens) | {"gen_ai.request.stream": True})],
        "a call without its messages": [call(given | tokens | {"gen_ai.input.messages": None})],
        "an embedding": [call(vectors)],
        "an embedding without tokens": [call(vectors | dict.fromkeys(tokens))],
    }.get(case)


WAYS: dict[str, Callable[[str], list[Any] | None]] = {"native": native, "litellm": litellm, "otlp": otlp}


@cache
def counted(way: str, case: str) -> dict[str, str] | None:
    """Returns what a case counts as, by column; None where this way in cannot tell of it."""
    told = WAYS[way](case.partition(":")[0])
    if told is None:
        return None
    store = Store.open("sqlite:///:memory:", clock=lambda: NOW)
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
    if way == "otlp":
        assert Spans(intake, Window(300, 1 << 20)).take_spans(body(told)).rejected == 0
    else:
        assert intake.take_body(way, json.dumps(told).encode(), "identity", 1 << 20).refusals == []
    requests = total(store, "model", "requests")
    tokens = total(store, "model", "tokens_prompt") + total(store, "model", "tokens_completion")
    cost = Decimal(total(store, "model", "cost_nanousd")) / 10**9
    found = {
        "requests": str(requests),
        "tokens": str(tokens) if total(store, "model", "requests_with_usage") == requests else "unknown",
        "cost": f"{cost.normalize():f}" if total(store, "model", "requests_with_cost") == requests else "unknown",
        "classified": str(store.judged().get("spelled", 0)),
        "app requests": str(total(store, "app", "requests")),
        "session turns": str(total(store, "session", "requests")),
        "errors": str(store.tally()["error"]),
    }
    store.close()
    return found


CELLS = [
    pytest.param(way, row[0], column, cell, id=f"{way}-{row[0].partition(':')[0]}-{column}")
    for way in WAYS
    for row in ROWS
    if WAYS[way](row[0].partition(":")[0]) is not None
    for column, cell in zip(HEAD[1:], row[1:], strict=True)
]


@pytest.mark.parametrize(("way", "case", "column", "cell"), CELLS)
def test_a_cell_of_the_table_is_so(way: str, case: str, column: str, cell: str) -> None:
    found = counted(way, case)
    assert found is not None
    assert found[column] == cell


def test_every_case_is_told_by_some_way_and_every_column_is_counted() -> None:
    assert len(ROWS) == 12
    for case, *_ in ROWS:
        found = counted("native", case)
        assert found is not None
        assert list(found) == HEAD[1:]
