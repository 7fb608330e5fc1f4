"""
The totals of the datasets are those of a plain recount of the file, which shares no code with the package.

The rules are written again here, from docs/datasets.md; only the reading of the answers is ours.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.datasets import DATASETS, Census
from llmcensus.ingest import Intake
from llmcensus.store import Store
from llmcensus.taxonomy import SHIPPED
from tests.conftest import FIRST_DAY, NOW, SETTINGS
from tests.worlds import traffic_file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without the names of the demo's models that only the catalog can resolve."""
    return traffic_file(tmp_path_factory.mktemp("traffic"), NOW, is_permaslug)


def is_permaslug(line: bytes) -> bool:
    return "/" in json.loads(line)["model"].removeprefix("azure/").removeprefix("models/")


@pytest.fixture(scope="module")
def imported(file: Path, tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Census]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('store')}/census.db", clock=lambda: NOW)
    intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW)
    *_, last = intake.take_file(file)
    *_, again = intake.take_file(file)
    assert again.tally["accepted"] == 0
    assert last.tally["accepted"] == sum(1 for _ in distinct(file))
    if "LLMCENSUS_SHARED" in os.environ:
        assert (last.tally["accepted"], last.tally["duplicate"]) == (20_000, 224)
    yield Census.of(store, NOW, SETTINGS, SHIPPED)
    store.close()


def distinct(file: Path) -> Iterator[dict[str, Any]]:
    seen = set()
    with gzip.open(file) as lines:
        for line in lines:
            record = json.loads(line)
            if (record["source"], record["id"]) not in seen:
                seen.add((record["source"], record["id"]))
                yield record


def public(file: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yields day, tokens and record of every request that belongs into datasets."""
    for record in distinct(file):
        if record.get("public") is False or (record.get("error") and not record.get("tokens_completion")):
            continue
        at = datetime.fromisoformat(record["created_at"].replace("Z", "+00:00")).astimezone(UTC)
        yield f"{at:%Y-%m-%d}", (record.get("tokens_prompt") or 0) + (record.get("tokens_completion") or 0), record


def answer(census: Census, path: str, **query: str) -> Any:
    return msgspec.to_builtins(DATASETS[path].read(census, query))


def test_rankings_are_those_of_a_recount(file: Path, imported: Census) -> None:
    days: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for day, tokens, record in public(file):
        days[day][record["model"]] += tokens
    expected = []
    for day in sorted(days):
        order = sorted(((-n, model) for model, n in days[day].items() if n))
        expected += [(day, model, str(-n)) for n, model in order[:50]]
        rest = -sum(n for n, _ in order[50:])
        expected += [(day, "other", str(rest))] if rest else []
    found = answer(imported, "/datasets/rankings-daily", start_date="2026-08-20", end_date="2026-11-21")["data"]
    assert [(row["date"], row["model_permaslug"], row["total_tokens"]) for row in found] == expected
    assert len(expected) > 1000


def host(record: dict[str, Any]) -> str | None:
    parts = urlsplit(record.get("http_referer") or "")
    if not parts.hostname:
        return None
    if parts.hostname == "localhost":
        return record.get("app_title") and f"localhost {record['app_title']}"
    return parts.hostname.removeprefix("www.")


@pytest.mark.parametrize(("start", "end"), [("2026-09-22", "2026-11-20"), ("2026-11-01", "2026-11-07")])
def test_app_rankings_are_those_of_a_recount(file: Path, imported: Census, start: str, end: str) -> None:
    tokens: Counter[str] = Counter()
    requests: Counter[str] = Counter()
    names: dict[str, str] = {}
    for day, used, record in public(file):
        app = host(record)
        if app and record.get("app_title"):
            names[app] = record["app_title"]
        if app and start <= day <= end:
            tokens[app] += used
            requests[app] += 1
    expected = sorted(((-n, names[app], requests[app]) for app, n in tokens.items() if n))
    found = answer(imported, "/datasets/app-rankings", start_date=start, end_date=end)["data"]
    assert [(-int(row["total_tokens"]), row["app_name"], row["total_requests"]) for row in found] == expected
    assert [row["rank"] for row in found] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize("window", ["1d", "7d", "30d", "90d"])
def test_shares_obey_every_sum(file: Path, imported: Census, window: str) -> None:
    data = answer(imported, "/classifications/task", window=window)["data"]
    tags = data["classifications"]
    first = (NOW - timedelta(days=int(window[:-1]))).date().isoformat()
    assert tags, "the window has traffic"
    assert any(first <= day < "2026-11-21" for day, *_ in public(file))
    for share in ("usage_share", "token_share"):
        assert sum(tag[share] for tag in tags) == pytest.approx(1, abs=1e-9)
        for macro in data["macro_categories"]:
            of_macro = [tag for tag in tags if tag["macro_category"] == macro["key"]]
            assert sum(tag[share] for tag in of_macro) == pytest.approx(macro[share], abs=1e-9)
            if of_macro:
                assert sum(tag[f"category_{share}"] for tag in of_macro) == pytest.approx(1, abs=1e-9)
    for tag in tags:
        models = tag["models"]
        assert len(models) <= 10
        assert sum(model["tag_usage_share"] for model in models) <= 1 + 1e-9
        assert models == sorted(models, key=lambda model: (-model["tag_usage_share"], model["id"]))
    assert tags == sorted(tags, key=lambda tag: (-tag["usage_share"], tag["tag"]))
    assert [macro["key"] for macro in data["macro_categories"]] == ["code", "data", "agent", "general"]
