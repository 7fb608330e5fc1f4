"""
`/classifications/task`: what share of requests and tokens each task has, over complete days up to yesterday.

Shares are of classified traffic. Sums are of integers and divided last, so that they add up to 1.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import func, select

from llmcensus.datasets.census import Census
from llmcensus.datasets.window import trailing
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes
from llmcensus.taxonomy import MACRO_CATEGORIES, TAGS, macro_category

TOP_MODELS = 10


class Parameters(msgspec.Struct, frozen=True):
    window: Literal["1d", "7d", "30d", "90d"] = "7d"

    @property
    def days(self) -> int:
        return int(self.window.removesuffix("d"))


class ModelShare(msgspec.Struct):
    id: str
    tag_usage_share: float
    tag_token_share: float


class Classification(msgspec.Struct):
    tag: str
    display_name: str
    macro_category: str
    usage_share: float
    token_share: float
    category_usage_share: float
    category_token_share: float
    models: list[ModelShare]


class MacroCategory(msgspec.Struct):
    key: str
    label: str
    usage_share: float
    token_share: float


class Data(msgspec.Struct):
    window_days: int
    as_of: str
    classifications: list[Classification]
    macro_categories: list[MacroCategory]


class Answer(msgspec.Struct):
    data: Data


class Volume(NamedTuple):
    requests: int
    tokens: int

    def plus(self, other: Volume) -> Volume:
        return Volume(self.requests + other.requests, self.tokens + other.tokens)

    def share(self, whole: Volume) -> tuple[float, float]:
        """Returns the shares of requests and of tokens; of nothing, the share is 0."""
        return _ratio(self.requests, whole.requests), _ratio(self.tokens, whole.tokens)


NOTHING = Volume(0, 0)


def read(census: Census, parameters: Parameters) -> Answer:
    window = trailing(parameters.days, census.now)
    tags: dict[str, Volume] = {}
    categories = dict.fromkeys(MACRO_CATEGORIES, NOTHING)
    models: dict[str, list[tuple[str, Volume]]] = defaultdict(list)
    for tag, permaslug, volume in _volumes(census, *window.texts()):
        tags[tag] = tags.get(tag, NOTHING).plus(volume)
        category = macro_category(tag)
        categories[category] = categories[category].plus(volume)
        if permaslug is not None:
            models[tag].append((permaslug, volume))
    whole = NOTHING
    for volume in tags.values():
        whole = whole.plus(volume)
    return Answer(
        Data(
            window_days=window.days,
            as_of=window.end.isoformat(),
            classifications=[
                _classification(tag, volume, whole, categories[macro_category(tag)], models[tag])
                for tag, volume in sorted(tags.items(), key=lambda item: (-item[1].requests, item[0]))
            ],
            macro_categories=[
                MacroCategory(key, label, *categories[key].share(whole)) for key, label in MACRO_CATEGORIES.items()
            ],
        )
    )


def _classification(
    tag: str, volume: Volume, whole: Volume, category: Volume, models: list[tuple[str, Volume]]
) -> Classification:
    top = sorted(models, key=lambda item: (-item[1].requests, item[0]))[:TOP_MODELS]
    return Classification(
        tag,
        TAGS[tag],
        macro_category(tag),
        *volume.share(whole),
        *volume.share(category),
        models=[ModelShare(permaslug, *used.share(volume)) for permaslug, used in top],
    )


def _volumes(census: Census, start: str, end: str) -> list[tuple[str, str | None, Volume]]:
    """Returns (tag, permaslug or None where unknown, volume) of classified traffic."""
    cells = cubes["task"].c
    statement = (
        select(
            cells.tag,
            cells.permaslug,
            func.sum(cells.requests).label("requests"),
            func.sum(cells.tokens_prompt + cells.tokens_completion).label("tokens"),
        )
        .where(cells.date.between(start, end), cells.tag.in_(list(TAGS)))
        .group_by(cells.tag, cells.permaslug)
    )
    with census.store.reading() as connection:
        return [
            (row.tag, row.permaslug if known(row.permaslug) else None, Volume(int(row.requests), int(row.tokens)))
            for row in connection.execute(statement)
        ]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
