"""
`/benchmarks`: scores of models, as they were imported last.

Rows of a source keep together; within one they are by its score, descending.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta as Said

from llmcensus.benchmarks.items import (
    ARTIFICIAL_ANALYSIS,
    DESIGN_ARENA,
    OWN,
    SEARCH_TYPES,
    Arena,
    BenchmarkType,
    Item,
    SearchSurface,
    Source,
    UnifiedBenchmarksAAItem,
    UnifiedBenchmarksDAItem,
    UnifiedBenchmarksORItem,
    UnifiedBenchmarksSearchItem,
    kind,
)
from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import VERSION, AsOf, Version
from llmcensus.datasets.window import timestamp
from llmcensus.errors import BadParameter
from llmcensus.store import benchmarks

SOURCES: tuple[Source, ...] = get_args(Source)
DEFAULT_ARENA: Arena = "models"
# What a task is about: an index of Artificial Analysis, a category of Design Arena, a benchmark of the publisher's.
INDICES = {"intelligence": "intelligence_index", "coding": "coding_index", "agentic": "agentic_index"}
CATEGORIES = {"coding": "codecategories"}
BENCHMARKS = {"intelligence": "gpqa_diamond", "agentic": "tau_bench_verified_airline"}
HOME = {
    ARTIFICIAL_ANALYSIS: ("Artificial Analysis", "https://artificialanalysis.ai"),
    DESIGN_ARENA: ("Design Arena", "https://www.designarena.ai"),
}


class Parameters(msgspec.Struct, frozen=True):
    source: Annotated[Source | None, Said(description="Rows of one source; of all, if it is not given.")] = None
    task_type: Annotated[
        Literal["coding", "intelligence", "agentic", "search"] | None,
        Said(
            description="Rows about one kind of task: of Artificial Analysis the models with that index, of Design "
            "Arena the matching category, of the publisher's own the matching benchmark; `search` is its search "
            "benchmarks only."
        ),
    ] = None
    benchmark_type: Annotated[
        BenchmarkType | None,
        Said(description="One benchmark of the publisher's; a `search_…` one leaves no rows of other sources."),
    ] = None
    include_run_config: Annotated[bool, Said(description="Adds `run_config` to search rows that have one.")] = False
    search_engine: Annotated[str | None, Said(description="Search rows of one engine.", examples=["exa"])] = None
    search_surface: Annotated[SearchSurface | None, Said(description="Search rows of one surface.")] = None
    arena: Annotated[Arena | None, Said(description="Design Arena only; `models` by default.")] = None
    category: Annotated[
        str | None, Said(description="Design Arena only: one category of the arena.", examples=["codecategories"])
    ] = None
    max_results: Annotated[int, Said(ge=1, le=100, description="Rows at most.")] = 50


class UnifiedBenchmarksMeta(msgspec.Struct):
    as_of: AsOf
    version: Version
    source: Annotated[Source | None, Said(description="The source, or null where all were asked for.")]
    source_url: Annotated[str | None, Said(description="Where the source is, or null.")]
    citation: Annotated[str | None, Said(description="How to cite the source, or null where there are several.")]
    model_count: Annotated[int, Said(description="How many models are in the rows.")]
    task_type: Annotated[str | None, Said(description="The task type that was asked for, or null.")]


class UnifiedBenchmarksResponse(msgspec.Struct):
    # Each is one of `benchmarks.items.ITEMS`.
    data: list[Any]
    meta: UnifiedBenchmarksMeta


def read(census: Census, parameters: Parameters) -> UnifiedBenchmarksResponse:
    _check(parameters)
    with census.store.reading() as connection:
        boards = [row for row in benchmarks.newest(connection) if parameters.source in (None, row.source)]
    items = [
        item
        for row in boards
        for item in msgspec.json.decode(row.items, type=list[kind(row.source, row.board)])  # type: ignore[misc]
    ]
    chosen = sorted((item for item in items if _asked(item, parameters)), key=lambda item: _place(item, parameters))
    shown = [_shown(item, parameters) for item in chosen[: parameters.max_results]]
    imported = max((row.as_of for row in boards), default=None)
    as_of = timestamp(datetime.fromtimestamp(imported / 1000, UTC) if imported is not None else census.now)
    return UnifiedBenchmarksResponse(
        data=shown,
        meta=UnifiedBenchmarksMeta(
            as_of,
            VERSION,
            parameters.source,
            *_attribution(census, parameters.source, as_of),
            model_count=len({item.model_permaslug for item in shown}),
            task_type=parameters.task_type,
        ),
    )


def _check(parameters: Parameters) -> None:
    for name in ("arena", "category"):
        value = getattr(parameters, name)
        if value is not None and parameters.source != DESIGN_ARENA:
            raise BadParameter(name, value, f"none, unless source is {DESIGN_ARENA}")


def _attribution(census: Census, source: Source | None, as_of: str) -> tuple[str | None, str | None]:
    """Returns a source's address and citation; rows of several sources are cited one by one."""
    if source is None:
        return None, None
    if source == OWN:
        return f"https://{census.site}", census.cite(as_of)
    title, url = HOME[source]
    via = f"{census.publisher} ({census.site}/rankings)"
    return url, f"Source: {title} ({url.removeprefix('https://')}) via {via}."


def _asked(item: Item, parameters: Parameters) -> bool:
    task = parameters.task_type
    searching = task == "search" or parameters.benchmark_type in SEARCH_TYPES
    if isinstance(item, UnifiedBenchmarksSearchItem):
        return task in (None, "search") and _own(item, parameters) and _searched(item, parameters)
    if searching or parameters.search_engine or parameters.search_surface:
        return False
    if isinstance(item, UnifiedBenchmarksORItem):
        return (task is None or BENCHMARKS.get(task) == item.benchmark_type) and _own(item, parameters)
    if isinstance(item, UnifiedBenchmarksAAItem):
        return task is None or getattr(item, INDICES[task]) is not None
    return (
        item.arena == (parameters.arena or DEFAULT_ARENA)
        and parameters.category in (None, item.category)
        and (task is None or CATEGORIES.get(task) == item.category)
    )


def _own(item: UnifiedBenchmarksORItem | UnifiedBenchmarksSearchItem, parameters: Parameters) -> bool:
    return parameters.benchmark_type in (None, item.benchmark_type)


def _searched(item: UnifiedBenchmarksSearchItem, parameters: Parameters) -> bool:
    return parameters.search_engine in (None, item.search_engine) and parameters.search_surface in (
        None,
        item.search_surface,
    )


def _place(item: Item, parameters: Parameters) -> tuple[int, str, bool, float, str, str]:
    """Returns what items are in order by; an unknown score comes last."""
    board, score = _score(item, parameters)
    return SOURCES.index(item.source), board, score is None, -(score or 0), item.model_permaslug, item.display_name


def _score(item: Item, parameters: Parameters) -> tuple[str, float | None]:
    if isinstance(item, UnifiedBenchmarksAAItem):
        return "", getattr(item, INDICES.get(parameters.task_type or "", "intelligence_index"))
    if isinstance(item, UnifiedBenchmarksDAItem):
        return "", item.elo
    if isinstance(item, UnifiedBenchmarksORItem):
        return item.benchmark_type, item.accuracy
    return item.benchmark_type, item.primary_score


def _shown(item: Item, parameters: Parameters) -> Item:
    if isinstance(item, UnifiedBenchmarksSearchItem) and not parameters.include_run_config:
        return msgspec.structs.replace(item, run_config=msgspec.UNSET)
    return item
