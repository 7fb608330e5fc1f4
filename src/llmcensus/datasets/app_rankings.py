"""
`/datasets/app-rankings`: apps by tokens in a window, or by how far they are above their own recent past.

Merged apps count as the app they were merged into; hidden ones are not listed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta as Said
from sqlalchemy import select

from llmcensus.apps import CATEGORIES
from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.listed import registry
from llmcensus.datasets.meta import Meta
from llmcensus.datasets.parameters import EndDate, StartDate
from llmcensus.datasets.volume import NOTHING, Volume
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.errors import BadParameter
from llmcensus.store.schema import cubes

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
    sort: Annotated[
        Literal["popular", "trending"],
        Said(
            description="`popular`: by tokens in the window. `trending`: by tokens above the mean of the three periods "
            "of the same length right before it."
        ),
    ] = "popular"
    category: Annotated[Category | None, Said(description="Apps with a subcategory of this category.")] = None
    subcategory: Annotated[
        Subcategory | None, Said(description="Apps of this subcategory; of `category`, where that is given.")
    ] = None
    start_date: StartDate = None
    end_date: EndDate = None
    limit: Annotated[int, Said(ge=1, le=100, description="Rows at most.")] = 50
    offset: Annotated[int, Said(ge=0, le=100, description="Rows passed over.")] = 0

    def subcategories(self) -> frozenset[str] | None:
        """Returns the subcategories of which an app must have one, or None where any will do."""
        group = CATEGORIES[self.category] if self.category else None
        if self.subcategory is None:
            return frozenset(group) if group else None
        if group and self.subcategory not in group:
            raise BadParameter("subcategory", self.subcategory, f"one of {', '.join(group)} in {self.category}")
        return frozenset({self.subcategory})


class AppRankingsItem(msgspec.Struct):
    rank: Annotated[int, Said(description="The place among all apps that the filters let through, from 1.")]
    app_id: Annotated[int, Said(description="The app: a stable positive integer.", examples=[12345])]
    app_name: Annotated[str, Said(description="Its newest title, or its host.", examples=["Cline"])]
    total_tokens: Annotated[
        str, Said(description="Prompt plus completion tokens, a decimal of 64 bits.", examples=["12345678901"])
    ]
    total_requests: Annotated[int, Said(examples=[4321])]


class AppRankingsResponse(msgspec.Struct):
    data: list[AppRankingsItem]
    meta: Meta


def read(census: Census, parameters: Parameters) -> AppRankingsResponse:
    wanted = parameters.subcategories()
    window = resolve(parameters.start_date, parameters.end_date, census)
    with census.store.reading() as connection:
        listed, canonical = registry(connection)
        volumes = _volumes(connection, window, canonical)
        past = _volumes(connection, window.before(PERIODS_BEFORE), canonical) if parameters.sort == "trending" else {}
    scores = {
        # Times the number of periods: a mean would not be a whole number.
        app_id: used.tokens * PERIODS_BEFORE - past.get(app_id, NOTHING).tokens
        for app_id, used in volumes.items()
        if app_id in listed and used.tokens and (wanted is None or wanted & listed[app_id].categories)
    }
    return AppRankingsResponse(
        data=[
            AppRankingsItem(rank, app_id, listed[app_id].name, str(volumes[app_id].tokens), volumes[app_id].requests)
            for rank, app_id in page(scores, parameters.offset, parameters.limit)
        ],
        meta=Meta.of(window, timestamp(census.now)),
    )


def page(scores: dict[int, int], offset: int, limit: int) -> list[tuple[int, int]]:
    """Returns (rank, app_id) of a page. Ranks are absolute; only scores above 0 have one; ties are by app_id."""
    order = sorted((app_id for app_id, score in scores.items() if score > 0), key=lambda app: (-scores[app], app))
    return list(enumerate(order, 1))[offset : offset + limit]


def _volumes(connection: Any, window: Window, canonical: dict[int, int]) -> dict[int, Volume]:
    cells = cubes["app"].c
    statement = (
        select(cells.app_id, *volume.sums(cubes["app"]))
        .where(cells.date.between(*window.texts()))
        .group_by(cells.app_id)
    )
    volumes: dict[int, Volume] = {}
    for row in connection.execute(statement):
        app_id = canonical.get(row.app_id, row.app_id)
        volumes[app_id] = volumes.get(app_id, NOTHING).plus(volume.of(row))
    return volumes
