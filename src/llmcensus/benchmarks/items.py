"""
What is known of a model on a benchmark: one record a row that is published, whichever source it is from.

Scores are the source's own. A model is its permaslug where the catalog knows it, else the name its source gives.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

ARTIFICIAL_ANALYSIS: Literal["artificial-analysis"] = "artificial-analysis"
DESIGN_ARENA: Literal["design-arena"] = "design-arena"
OWN: Literal["openrouter"] = "openrouter"
Source = Literal["artificial-analysis", "design-arena", "openrouter"]

ClassicType = Literal["gpqa_diamond", "tau_bench_verified_airline"]
SearchType = Literal["search_browsecomp", "search_hle", "search_dsqa", "search_widesearch"]
BenchmarkType = Literal[ClassicType, SearchType]
SEARCH_TYPES: tuple[SearchType, ...] = get_args(SearchType)
SearchSurface = Literal["server-tool", "plugin"]
Arena = Literal["models", "builders", "agents"]

Slug = Annotated[str, Meta(min_length=1, max_length=256, description="The model: its permaslug, or its source's name.")]
Name = Annotated[str, Meta(min_length=1, max_length=256, description="The model's name for people.")]
Amount = Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$", description="USD per token, as a plain decimal.")]
Index = Annotated[float, Meta(description="A composite score; higher is better, null is unknown.")] | None
Fraction = Annotated[float, Meta(ge=0, le=1, description="From 0 to 1; higher is better.")]
Dollars = Annotated[float, Meta(ge=0, description="Average USD a task, or null.")] | None
Count = Annotated[int, Meta(ge=0, le=2**53)]
Instant = Annotated[str, Meta(description="When it was last run, ISO 8601 in UTC.")]


class UnifiedBenchmarkPricing(msgspec.Struct, frozen=True):
    prompt: Amount
    completion: Amount


class TournamentStats(msgspec.Struct, frozen=True):
    """How often a model came in first to fourth; null is unknown."""

    first_place: Count | None
    second_place: Count | None
    third_place: Count | None
    fourth_place: Count | None
    total: Count | None


class UnifiedBenchmarksAAItem(msgspec.Struct, frozen=True):
    """A model on Artificial Analysis."""

    source: Literal["artificial-analysis"]
    model_permaslug: Slug
    display_name: Name
    intelligence_index: Index
    coding_index: Index
    agentic_index: Index
    pricing: UnifiedBenchmarkPricing | None


class UnifiedBenchmarksDAItem(msgspec.Struct, frozen=True):
    """A model in one category of one arena of Design Arena."""

    source: Literal["design-arena"]
    model_permaslug: Slug
    display_name: Name
    arena: Arena
    category: Annotated[str, Meta(min_length=1, max_length=64, description="What was built, such as `website`.")]
    elo: Annotated[float, Meta(description="From head-to-head battles.")]
    win_rate: Annotated[float, Meta(ge=0, le=100, description="Per cent of battles won.")]
    avg_generation_time_ms: Annotated[float, Meta(ge=0)] | None
    tournament_stats: TournamentStats
    pricing: UnifiedBenchmarkPricing | None


class UnifiedBenchmarksORItem(msgspec.Struct, frozen=True):
    """A model on a benchmark that the publisher ran."""

    source: Literal["openrouter"]
    model_permaslug: Slug
    display_name: Name
    benchmark_type: ClassicType
    accuracy: Fraction
    accuracy_stddev: Annotated[float, Meta(ge=0, description="Of its runs, or null for a single one.")] | None
    avg_cost_per_task: Dollars
    total_tasks: Count
    last_run_timestamp: Instant


class UnifiedBenchmarksSearchRunConfig(msgspec.Struct, frozen=True):
    max_agent_turns: Count | None
    reasoning_effort: str | None
    temperature: float | None


class UnifiedBenchmarksSearchItem(msgspec.Struct, frozen=True):
    """A model on a search benchmark that the publisher ran, with the search it used."""

    source: Literal["openrouter"]
    model_permaslug: Slug
    display_name: Name
    benchmark_type: SearchType
    primary_metric: Literal["accuracy", "f1_by_item"]
    primary_score: Fraction
    total_tasks: Count
    avg_cost_per_task: Dollars
    avg_latency_per_task_ms: Annotated[float, Meta(ge=0)] | None
    search_engine: Annotated[str, Meta(min_length=1, max_length=64)]
    search_surface: SearchSurface
    last_run_timestamp: Instant
    # Left out of answers unless it is asked for.
    run_config: UnifiedBenchmarksSearchRunConfig | msgspec.UnsetType = msgspec.UNSET


Item: TypeAlias = (
    UnifiedBenchmarksAAItem | UnifiedBenchmarksDAItem | UnifiedBenchmarksORItem | UnifiedBenchmarksSearchItem
)
ITEMS: tuple[type[msgspec.Struct], ...] = get_args(Item)


def board(item: Item) -> str:
    """Returns the name of the ranking that an item belongs to: what is imported as a whole."""
    if isinstance(item, UnifiedBenchmarksAAItem):
        return "all"
    if isinstance(item, UnifiedBenchmarksDAItem):
        return f"{item.arena}/{item.category}"
    return item.benchmark_type


def kind(source: str, board_name: str) -> type[Item]:
    """Returns the type of the items of a board."""
    if source == ARTIFICIAL_ANALYSIS:
        return UnifiedBenchmarksAAItem
    if source == DESIGN_ARENA:
        return UnifiedBenchmarksDAItem
    return UnifiedBenchmarksSearchItem if board_name in SEARCH_TYPES else UnifiedBenchmarksORItem
