"""
A leaderboard of Design Arena: `{"data": [{"modelId", "elo", "winRate", …}]}`.

One leaderboard is of one arena and one category. Its rows or the object around them name these (`arenaType`,
`category`); where they do not, whoever imports it has to.

See: https://www.designarena.ai
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from llmcensus.benchmarks.items import DESIGN_ARENA, Arena, TournamentStats, UnifiedBenchmarksDAItem
from llmcensus.benchmarks.names import Names

Count = Annotated[int, Meta(ge=0)] | None


class Places(msgspec.Struct, rename="camel"):
    first_place: Count = None
    second_place: Count = None
    third_place: Count = None
    fourth_place: Count = None
    total: Count = None


class Entry(msgspec.Struct, rename="camel"):
    """`win_rate` is in per cent."""

    model_id: str
    elo: float
    win_rate: Annotated[float, Meta(ge=0, le=100)]
    arena_type: Arena
    category: Annotated[str, Meta(min_length=1, max_length=64)]
    display_name: str | None = None
    avg_generation_time_ms: Annotated[float, Meta(ge=0)] | None = None
    tournament_stats: Places | None = None


def recognises(row: dict[str, Any]) -> bool:
    return "modelId" in row


def decode(row: dict[str, Any], names: Names) -> UnifiedBenchmarksDAItem:
    entry = msgspec.convert(row, Entry)
    slug = names.permaslug(entry.model_id)
    places = entry.tournament_stats or Places()
    return UnifiedBenchmarksDAItem(
        source=DESIGN_ARENA,
        model_permaslug=slug,
        display_name=entry.display_name or entry.model_id,
        arena=entry.arena_type,
        category=entry.category,
        elo=entry.elo,
        win_rate=entry.win_rate,
        avg_generation_time_ms=entry.avg_generation_time_ms,
        tournament_stats=TournamentStats(
            places.first_place, places.second_place, places.third_place, places.fourth_place, places.total
        ),
        pricing=names.pricing(slug),
    )
