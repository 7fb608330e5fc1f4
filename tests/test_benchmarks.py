"""Files of benchmarks become rows, whatever their form; what is wrong is said by row, and stops no other."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmcensus.benchmarks import Names, Reading, read
from llmcensus.benchmarks.items import (
    UnifiedBenchmarksAAItem,
    UnifiedBenchmarksDAItem,
    UnifiedBenchmarksORItem,
    UnifiedBenchmarksSearchItem,
)
from llmcensus.catalog import Catalog
from llmcensus.cli import group
from llmcensus.errors import InputError
from llmcensus.store import Store, benchmarks

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROOT = Path(__file__).parents[1]
ANALYSIS = {
    "id": "0a1b",
    "name": "GPT-4o",
    "slug": "gpt-4o",
    "model_creator": {"id": "9z", "name": "OpenAI", "slug": "openai"},
    "evaluations": {"artificial_analysis_intelligence_index": 41.5, "some_other_benchmark": 0.4},
    "pricing": {"price_1m_blended_3_to_1": 4.4, "price_1m_input_tokens": 2.5, "price_1m_output_tokens": 10},
    "median_output_tokens_per_second": 120.1,
}
ARENA = {
    "modelId": "claude-sonnet-4",
    "elo": 1301.5,
    "winRate": 58.2,
    "battles": 900,
    "avgGenerationTimeMs": 41_000,
    "tournamentStats": {"firstPlace": 12, "secondPlace": 8, "total": 27},
}
OWN = {
    "source": "openrouter",
    "model_permaslug": "gpt-4o",
    "benchmark_type": "gpqa_diamond",
    "accuracy": 0.53,
    "total_tasks": 198,
    "last_run_timestamp": "2026-11-01T01:00:00+01:00",
}


def reading(value: Any, **otherwise: str) -> Reading:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read(body, Names(Catalog(), NOW), otherwise)


def test_artificial_analysis_is_read_as_its_api_gives_it() -> None:
    [item] = reading({"status": 200, "data": [ANALYSIS]}).items
    assert isinstance(item, UnifiedBenchmarksAAItem)
    assert (item.model_permaslug, item.display_name) == ("openai/gpt-4o", "GPT-4o")
    assert (item.intelligence_index, item.coding_index, item.agentic_index) == (41.5, None, None)
    assert item.pricing is not None
    assert (item.pricing.prompt, item.pricing.completion) == ("0.0000025", "0.00001")


def test_a_model_that_is_unknown_keeps_its_name_and_the_price_of_its_source() -> None:
    pricing = {"price_1m_input_tokens": 0.15, "price_1m_output_tokens": 0.6}
    names = Names(Catalog(), NOW)
    body = json.dumps([ANALYSIS | {"slug": "our-own-7b", "model_creator": {"slug": "us"}, "pricing": pricing}])
    [item] = read(body.encode(), names).items
    assert isinstance(item, UnifiedBenchmarksAAItem)
    assert item.model_permaslug == "our-own-7b"
    assert item.pricing is not None
    assert (item.pricing.prompt, item.pricing.completion) == ("0.00000015", "0.0000006")
    assert list(names.unresolved) == ["our-own-7b"]


def test_an_alias_of_the_operators_resolves_a_name() -> None:
    names = Names(Catalog({"our-own-7b": "us/own-7b"}), NOW)
    [item] = read(json.dumps([ANALYSIS | {"slug": "our-own-7b"}]).encode(), names).items
    assert item.model_permaslug == "us/own-7b"
    assert not names.unresolved


def test_design_arena_is_read_with_the_arena_that_the_file_names() -> None:
    found = reading({"arenaType": "models", "category": "website", "data": [ARENA]})
    [item] = found.items
    assert isinstance(item, UnifiedBenchmarksDAItem)
    assert item.model_permaslug == "anthropic/claude-sonnet-4"
    assert (item.arena, item.category, item.elo, item.win_rate) == ("models", "website", 1301.5, 58.2)
    assert (item.tournament_stats.first_place, item.tournament_stats.third_place) == (12, None)
    assert list(found.boards()) == [("design-arena", "models/website")]


def test_design_arena_is_read_with_the_arena_that_is_given() -> None:
    [item] = reading({"data": [ARENA]}, arenaType="agents", category="slides").items
    assert isinstance(item, UnifiedBenchmarksDAItem)
    assert (item.arena, item.category) == ("agents", "slides")
    assert "arenaType" in reading({"data": [ARENA]}).refusals[0].message


def test_own_rows_may_leave_out_what_may_be_null() -> None:
    [item] = reading([OWN]).items
    assert isinstance(item, UnifiedBenchmarksORItem)
    assert (item.accuracy_stddev, item.avg_cost_per_task, item.display_name) == (None, None, "openai/gpt-4o")
    assert item.last_run_timestamp == "2026-11-01T00:00:00.000Z"


def test_search_rows_have_what_they_were_run_with() -> None:
    row = {
        "source": "openrouter",
        "model_permaslug": "lab/one",
        "benchmark_type": "search_hle",
        "primary_metric": "accuracy",
        "primary_score": 0.3,
        "total_tasks": 50,
        "search_engine": "exa",
        "search_surface": "plugin",
        "last_run_timestamp": "2026-11-01T00:00:00Z",
    }
    with_, without = reading([row | {"run_config": {"temperature": 0.2}}, row]).items
    assert isinstance(with_, UnifiedBenchmarksSearchItem)
    assert isinstance(without, UnifiedBenchmarksSearchItem)
    assert with_.run_config
    assert (with_.run_config.temperature, with_.run_config.max_agent_turns) == (0.2, None)
    assert not without.run_config


def test_csv_is_read_with_columns_for_parts() -> None:
    lines = [
        "source,model_permaslug,display_name,arena,category,elo,win_rate,tournament_stats.total,pricing.prompt,pricing.completion",
        'design-arena,lab/one,"One, the first",models,svg,1200,51.5,9,0.000001,0.000002',
        "design-arena,lab/two,,models,svg,1100,40,,,",
    ]
    first, second = reading("\n".join(lines).encode("utf-8-sig")).items
    assert isinstance(first, UnifiedBenchmarksDAItem)
    assert isinstance(second, UnifiedBenchmarksDAItem)
    assert (first.display_name, first.elo, first.tournament_stats.total) == ("One, the first", 1200, 9)
    assert first.pricing is not None
    assert first.pricing.completion == "0.000002"
    assert (second.display_name, second.pricing, second.tournament_stats.total) == ("lab/two", None, None)


def test_a_number_that_is_none_is_refused() -> None:
    lines = ["source,model_permaslug,arena,category,elo,win_rate", "design-arena,lab/one,models,svg,nan,50"]
    [refusal] = reading("\n".join(lines).encode()).refusals
    assert "elo" in refusal.message


def test_a_bad_line_of_csv_is_refused_and_the_others_are_read() -> None:
    head = "source,model_permaslug,benchmark_type,accuracy,total_tasks,last_run_timestamp,accuracy_stddev"
    good = "openrouter,gpt-4o,gpqa_diamond,0.5,198,2026-11-01T00:00:00Z,"
    bad = [
        f"{good},one cell too many",
        good.replace("2026-11-01T00:00:00Z", "0001-01-01T00:00:00+01:00"),
        f"{good}nan",
        good.replace("198", "9" * 30),
        good.replace("0.5", "-0.5"),
    ]
    found = reading("\n".join([head, good, *bad, good]).encode())
    assert len(found.items) == 2
    assert [refusal.number for refusal in found.refusals] == [2, 3, 4, 5, 6]
    assert "expected 7 cells" in found.refusals[0].message


def test_a_part_and_its_whole_cannot_both_be_given() -> None:
    body = b"source,model_permaslug,pricing,pricing.prompt\nartificial-analysis,gpt-4o,x,0.1\n"
    assert "whole and in parts" in reading(body).refusals[0].message


def test_the_examples_of_the_docs_are_read() -> None:
    [example] = re.findall(r"```csv\n(.*?)```", (ROOT / "docs" / "benchmarks.md").read_text(), re.DOTALL)
    found = reading(example.encode())
    assert (len(found.items), found.refusals) == (2, [])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (OWN | {"accuracy": 1.5}, "accuracy"),
        (OWN | {"source": "somebody"}, "`source` is 'somebody': expected one of artificial-analysis"),
        (OWN | {"benchmark_type": "my_own"}, "benchmark_type"),
        (OWN | {"last_run_timestamp": "2026-11-01T00:00:00"}, "expected a time with a zone"),
        ({**ANALYSIS, "evaluations": {"artificial_analysis_coding_index": "high"}}, "coding_index"),
        (ARENA | {"arenaType": "models", "category": "svg", "winRate": 101}, "winRate"),
        (ARENA | {"arenaType": "streets", "category": "svg"}, "arenaType"),
        ({"name": "GPT-4o", "score": 3}, "expected a row with"),
        (ANALYSIS | {"slug": ""}, "length >= 1"),
        (ANALYSIS | {"name": "x" * 300}, "length <= 256"),
        (ARENA | {"arenaType": "models", "category": "svg", "modelId": ""}, "length >= 1"),
        ("GPT-4o", "expected a row with"),
        (None, "expected a row with"),
    ],
)
def test_a_bad_row_is_refused_with_the_reason_and_the_others_are_read(row: Any, message: str) -> None:
    found = reading([OWN, row, OWN])
    assert len(found.items) == 2
    [refusal] = found.refusals
    assert refusal.number == 2
    assert message in refusal.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"data": 5}', "has no rows"),
        (b"[1, 2", "not JSON"),
        (b"[NaN]", "not JSON"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
    ],
)
def test_a_file_without_rows_is_said_to_be_one(body: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reading(body)


def test_an_import_replaces_its_board_and_no_other(url: str, tmp_path: Path) -> None:
    def imported(name: str, value: Any, *options: str) -> str:
        path = tmp_path / name
        path.write_text(json.dumps(value))
        result = CliRunner().invoke(group, ["benchmarks", "import", str(path), "--db", url, *options])
        assert result.exit_code == 0, result.output
        return result.output

    imported("a.json", {"data": [ARENA, ARENA | {"modelId": "gpt-4o"}]}, "--arena", "models", "--category", "svg")
    assert "1 models are unknown here" in imported("b.json", [ANALYSIS | {"slug": "our-own-7b"}])
    imported("c.json", {"data": [ARENA]}, "--arena", "models", "--category", "svg")
    store = Store.open(url)
    with store.reading() as connection:
        boards = {(row.source, row.board): len(json.loads(row.items)) for row in benchmarks.newest(connection)}
    store.close()
    assert boards == {("design-arena", "models/svg"): 1, ("artificial-analysis", "all"): 1}
    listed = CliRunner().invoke(group, ["benchmarks", "list", "--db", url]).output
    assert "models/svg" in listed


def test_a_file_of_which_nothing_can_be_read_changes_nothing(url: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([OWN | {"accuracy": 7}]))
    result = CliRunner().invoke(group, ["benchmarks", "import", str(path), "--db", url])
    assert result.exit_code == 1
    assert "none of 1 rows could be read" in str(result.exception)
