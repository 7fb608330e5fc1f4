"""
`/datasets/app-rankings`: apps by tokens in a window, or by how far they are above their own recent past.

Merged apps count as the app they were merged into; hidden ones are not listed.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import func, select

from llmcensus.apps import CATEGORIES, CATEGORIES_PER_APP
from llmcensus.datasets.census import Census
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.parameters import Limit100, Offset100
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.errors import BadParameter
from llmcensus.store.schema import app_categories, apps, cubes

# An app trends by its volume minus the mean of this many periods of equal length right before.
PERIODS_BEFORE = 3

Category = Literal["coding", "creative", "productivity", "entertainment"]
Subcategory = Literal[
    "cli-agent",
    "ide-extension",
    "cloud-agent",
    "programming-app",
    "native-app-builder",
    "creative-writing",
    "video-gen",
    "image-gen",
    "audio-gen",
    "writing-assistant",
    "general-chat",
    "personal-agent",
    "legal",
    "roleplay",
    "game",
]


class Parameters(msgspec.Struct, frozen=True):
    sort: Literal["popular", "trending"] = "popular"
    category: Category | None = None
    subcategory: Subcategory | None = None
    start_date: date | None = None
    end_date: date | None = None
    limit: Limit100 = 50
    offset: Offset100 = 0

    def subcategories(self) -> frozenset[str] | None:
        """Returns the subcategories of which an app must have one, or None where any will do."""
        group = CATEGORIES[self.category] if self.category else None
        if self.subcategory is None:
            return frozenset(group) if group else None
        if group and self.subcategory not in group:
            raise BadParameter("subcategory", self.subcategory, f"one of {', '.join(group)} in {self.category}")
        return frozenset({self.subcategory})


class Row(msgspec.Struct):
    rank: int
    app_id: int
    app_name: str
    total_tokens: str
    total_requests: int


class Answer(msgspec.Struct):
    data: list[Row]
    meta: Meta


class Volume(NamedTuple):
    tokens: int
    requests: int


NOTHING = Volume(0, 0)


class Listed(NamedTuple):
    """An app that may be listed."""

    name: str
    categories: frozenset[str]


def read(census: Census, parameters: Parameters) -> Answer:
    wanted = parameters.subcategories()
    window = resolve(parameters.start_date, parameters.end_date, census)
    with census.store.reading() as connection:
        listed, canonical = _registry(connection)
        volumes = _volumes(connection, window, canonical)
        past = _volumes(connection, window.before(PERIODS_BEFORE), canonical) if parameters.sort == "trending" else {}
    scores = {
        # Times the number of periods: a mean would not be a whole number.
        app_id: volume.tokens * PERIODS_BEFORE - past.get(app_id, NOTHING).tokens
        for app_id, volume in volumes.items()
        if app_id in listed and volume.tokens and (wanted is None or wanted & listed[app_id].categories)
    }
    return Answer(
        data=[
            Row(rank, app_id, listed[app_id].name, str(volumes[app_id].tokens), volumes[app_id].requests)
            for rank, app_id in page(scores, parameters.offset, parameters.limit)
        ],
        meta=Meta.of(window, timestamp(census.now)),
    )


def page(scores: dict[int, int], offset: int, limit: int) -> list[tuple[int, int]]:
    """Returns (rank, app_id) of a page. Ranks are absolute; only scores above 0 have one; ties are by app_id."""
    order = sorted((app_id for app_id, score in scores.items() if score > 0), key=lambda app: (-scores[app], app))
    return list(enumerate(order, 1))[offset : offset + limit]


def _registry(connection: Any) -> tuple[dict[int, Listed], dict[int, int]]:
    """Returns the apps that may be listed, and for every app the one its traffic counts as."""
    claimed: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(app_categories).order_by(app_categories.c.since, app_categories.c.category)):
        claimed[row.app_id].append(row.category)
    listed = {}
    canonical = {}
    for row in connection.execute(select(apps)):
        canonical[row.app_id] = row.merged_into or row.app_id
        if not row.hidden and row.merged_into is None:
            name = row.renamed or row.title or row.identity.split("://")[-1]
            listed[row.app_id] = Listed(name, frozenset(claimed[row.app_id][:CATEGORIES_PER_APP]))
    return listed, canonical


def _volumes(connection: Any, window: Window, canonical: dict[int, int]) -> dict[int, Volume]:
    cells = cubes["app"].c
    statement = (
        select(
            cells.app_id,
            func.sum(cells.tokens_prompt + cells.tokens_completion).label("tokens"),
            func.sum(cells.requests).label("requests"),
        )
        .where(cells.date.between(*window.texts()))
        .group_by(cells.app_id)
    )
    volumes: dict[int, Volume] = {}
    for row in connection.execute(statement):
        app_id = canonical.get(row.app_id, row.app_id)
        known = volumes.get(app_id, NOTHING)
        volumes[app_id] = Volume(known.tokens + int(row.tokens), known.requests + int(row.requests))
    return volumes
