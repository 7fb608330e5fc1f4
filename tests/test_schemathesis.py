"""
The server keeps to its OpenAPI document, whatever is asked: Schemathesis makes requests of the document, sends them to
a running server, and runs all its checks on the answers.

LLMCENSUS_SCHEMATHESIS_EXAMPLES says how many requests are made up for an operation, besides those at the borders of
what its parameters may be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
import schemathesis
from schemathesis import Case, HookContext, SerializationContext
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from llmcensus import config
from llmcensus.api import BASE
from llmcensus.api.intake import Taken
from llmcensus.api.openapi import document
from llmcensus.apps import CATEGORIES
from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.datasets import DATASETS
from llmcensus.demo import traffic
from llmcensus.ingest import Intake
from llmcensus.store import Store, benchmarks
from llmcensus.taxonomy import SHIPPED
from llmcensus.wire import named
from llmcensus.wire.lines import Line
from tests.conftest import FIRST_DAY, NOW
from tests.serving import Server, serving

EXAMPLES = int(os.environ.get("LLMCENSUS_SCHEMATHESIS_EXAMPLES", "20"))
# All of this is more than the limits allow.
LIMITS = {"requests_per_minute": "1000000000", "requests_per_day": "1000000000"}
YESTERDAY = NOW.date() - timedelta(days=1)
SOURCES = (None, "artificial-analysis", "design-arena", "openrouter")
RUN = {"source": "openrouter", "model_permaslug": "openai/gpt-4o", "total_tasks": 9, "last_run_timestamp": f"{NOW}"}
SCORES = [
    {"source": "artificial-analysis", "model_permaslug": "openai/gpt-4o", "coding_index": 6.5},
    {
        "source": "design-arena",
        "model_permaslug": "openai/gpt-4o",
        "arena": "models",
        "category": "codecategories",
        "elo": 1200,
        "win_rate": 50,
    },
    {**RUN, "benchmark_type": "gpqa_diamond", "accuracy": 0.5},
    {
        **RUN,
        "benchmark_type": "search_hle",
        "primary_metric": "accuracy",
        "primary_score": 0.5,
        "search_engine": "exa",
        "search_surface": "plugin",
        "run_config": {"temperature": 0.5},
    },
]

schema = schemathesis.openapi.from_dict(document(config.load(LIMITS, environ={}), BASE, Taken, SHIPPED))
# No keys are made up: a test sends a good one or none, and the check of `ignored_auth` sends bad ones.
schema.config.generation.update(max_examples=EXAMPLES, database="none", with_security_parameters=False)


@schemathesis.serializer("application/x-ndjson")
def lines(_: SerializationContext, value: Any) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """
    Makes parameters fit each other where each is good by itself: a document of OpenAPI cannot say that a window ends
    after it starts, that a subcategory is one of the category, or that an arena is one of Design Arena.
    """
    query = case.query
    fit_days(query)
    if case.path == "/benchmarks" and {"arena", "category"} & set(query) and query.get("source") in SOURCES:
        query["source"] = "design-arena"
    for category, subcategories in CATEGORIES.items():
        if query.get("category") in list(CATEGORIES) and query.get("subcategory") in subcategories:
            query["category"] = category


def fit_days(query: dict[str, Any]) -> None:
    start, end = (day(query.get(name)) for name in ("start_date", "end_date"))
    if end is not None:
        end = FIRST_DAY + timedelta(days=end.toordinal() % 1000)
        query["end_date"] = end.isoformat()
    if start is not None:
        last = end or YESTERDAY
        query["start_date"] = (last - timedelta(days=start.toordinal() % 367)).isoformat()


def day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Server]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store')}/census.db", clock=lambda: NOW)
    intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW)
    intake.take(named("native"), [Line(n, line) for n, line in enumerate(traffic(NOW, 3000), 1)])
    boards = read(json.dumps(SCORES).encode(), Names(Catalog(), NOW)).boards()
    with store.writing() as connection:
        items = [(*board, msgspec.json.encode(rows)) for board, rows in boards.items()]
        benchmarks.record(connection, store.now_ms(), items)
    with serving(store, lambda: NOW, min_sessions="1", **LIMITS) as server:
        yield server
    store.close()


@pytest.fixture(scope="module")
def key(running: Server) -> str:
    """Sends as well as reads."""
    return running.key("ingest")


def test_it_reads_the_document_that_is_served(running: Server) -> None:
    assert running.get("/openapi.json").json() == schema.raw_schema
    assert len(list(schema.get_all_operations())) == len(DATASETS) + 1


@schema.parametrize()
def test_with_a_key(case: Case[Any], running: Server, key: str) -> None:
    inapplicable: list[CheckFunction] = []
    if case.path == "/generations":
        # A bad record fails no others: the answer to a body is 200, and says which records were refused and why.
        inapplicable.append(negative_data_rejection)
    if case.media_type == "application/x-ndjson":
        # A document of OpenAPI cannot say what a line is, so that any text is good by it.
        inapplicable.append(positive_data_acceptance)
    case.call_and_validate(
        base_url=running.url + BASE, headers={"Authorization": f"Bearer {key}"}, excluded_checks=inapplicable
    )


@schema.parametrize()
def test_without_a_key(case: Case[Any], running: Server) -> None:
    case.call_and_validate(base_url=running.url + BASE)
