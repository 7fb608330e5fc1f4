"""
`/classifications/task`: what share of requests and tokens each task has, over complete days up to yesterday.

Shares are of classified traffic. Sums are of integers and divided last, so that they add up to 1. What was judged by
the tags of another taxonomy than the one in force is in none of them: a tag that both have would be set against others
that only one of them could find.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import select

from llmcensus.datasets import volume
from llmcensus.datasets.census import Census
from llmcensus.datasets.judged import judged
from llmcensus.datasets.volume import NOTHING, Volume
from llmcensus.datasets.window import trailing
from llmcensus.permaslug import known
from llmcensus.store.schema import cubes
from llmcensus.taxonomy import Taxonomy, macro_category

TOP_MODELS = 10


class Parameters(msgspec.Struct, frozen=True):
    window: Annotated[
        Literal["1d", "7d", "30d", "90d"],
        Meta(description="How many complete days, up to yesterday.", examples=["7d"]),
    ] = "7d"

    @property
    def days(self) -> int:
        return int(self.window.removesuffix("d"))


def share(of_what: str, example: float) -> Meta:
    """A share is a fraction of 0 to 1."""
    return Meta(description=f"Share of {of_what}, 0 to 1.", examples=[example], extra_json_schema={"format": "double"})


class TaskClassificationModel(msgspec.Struct):
    id: Annotated[str, Meta(description="The model's permaslug.", examples=["openai/gpt-4.1-mini"])]
    tag_usage_share: Annotated[float, share("the tag's requests", 0.55)]
    tag_token_share: Annotated[float, share("the tag's tokens", 0.75)]


class TaskClassificationItem(msgspec.Struct):
    # What is said of these depends on the taxonomy in force: see `wording`.
    tag: str
    display_name: str
    macro_category: str
    usage_share: Annotated[float, share("classified requests; sums to 1 over all tags", 0.23)]
    token_share: Annotated[float, share("classified tokens, prompt and completion", 0.31)]
    category_usage_share: Annotated[float, share("its macro-category's requests", 0.51)]
    category_token_share: Annotated[float, share("its macro-category's tokens", 0.48)]
    models: Annotated[
        list[TaskClassificationModel],
        Meta(description="The ten models with most requests. Unknown models are in the denominators only."),
    ]


class TaskClassificationMacroCategory(msgspec.Struct):
    key: str
    label: str
    usage_share: Annotated[float, share("classified requests, the sum of its tags", 0.45)]
    token_share: Annotated[float, share("classified tokens, the sum of its tags", 0.52)]


class TaskClassificationData(msgspec.Struct):
    window_days: Annotated[int, Meta(description="Days in the window.", examples=[7])]
    as_of: Annotated[
        str, Meta(description="The window's last day: yesterday, UTC, YYYY-MM-DD.", examples=["2026-06-17"])
    ]
    classifications: Annotated[
        list[TaskClassificationItem], Meta(description="Tasks with traffic, by `usage_share` descending, then `tag`.")
    ]
    macro_categories: list[TaskClassificationMacroCategory]


class TaskClassificationResponse(msgspec.Struct):
    data: TaskClassificationData


def wording(taxonomy: Taxonomy) -> dict[str, dict[str, dict[str, Any]]]:
    """Returns what there is to say, by struct and field, of values that the taxonomy decides."""
    tag, name = next(iter(taxonomy.tags.items()))
    keys = list(taxonomy.macro_categories)
    one_of = " or ".join(filter(None, (", ".join(f"`{key}`" for key in keys[:-1]), f"`{keys[-1]}`")))
    category = macro_category(tag)
    return {
        "TaskClassificationItem": {
            "tag": {"description": "The task.", "examples": [tag]},
            "display_name": {"description": "The task's name for people.", "examples": [name]},
            "macro_category": {"description": f"{one_of}.", "examples": [category]},
        },
        "TaskClassificationMacroCategory": {
            "key": {"description": f"{one_of}.", "examples": [category]},
            "label": {
                "description": "The macro-category's name for people.",
                "examples": [taxonomy.macro_categories[category]],
            },
        },
        "TaskClassificationData": {"macro_categories": {"description": f"Always {', '.join(keys)}."}},
    }


def read(census: Census, parameters: Parameters) -> TaskClassificationResponse:
    window = trailing(parameters.days, census.now)
    names = census.taxonomy.tags
    tags: dict[str, Volume] = {}
    categories = dict.fromkeys(census.taxonomy.macro_categories, NOTHING)
    models: dict[str, list[tuple[str, Volume]]] = defaultdict(list)
    for tag, permaslug, used in _volumes(census, *window.texts()):
        tags[tag] = tags.get(tag, NOTHING).plus(used)
        category = macro_category(tag)
        categories[category] = categories[category].plus(used)
        if permaslug is not None:
            models[tag].append((permaslug, used))
    whole = volume.total(tags.values())
    return TaskClassificationResponse(
        TaskClassificationData(
            window_days=window.days,
            as_of=window.end.isoformat(),
            classifications=[
                _classification(tag, names[tag], used, whole, categories[macro_category(tag)], models[tag])
                for tag, used in sorted(tags.items(), key=lambda item: (-item[1].requests, item[0]))
            ],
            macro_categories=[
                TaskClassificationMacroCategory(key, label, *categories[key].share(whole))
                for key, label in census.taxonomy.macro_categories.items()
            ],
        )
    )


def _classification(
    tag: str, name: str, used: Volume, whole: Volume, category: Volume, models: list[tuple[str, Volume]]
) -> TaskClassificationItem:
    top = sorted(models, key=lambda item: (-item[1].requests, item[0]))[:TOP_MODELS]
    return TaskClassificationItem(
        tag,
        name,
        macro_category(tag),
        *used.share(whole),
        *used.share(category),
        models=[TaskClassificationModel(permaslug, *of_model.share(used)) for permaslug, of_model in top],
    )


def _volumes(census: Census, start: str, end: str) -> list[tuple[str, str | None, Volume]]:
    """Returns (tag, permaslug or None where unknown, volume) of classified traffic."""
    cells = cubes["task"].c
    statement = (
        select(cells.tag, cells.permaslug, *volume.sums(cubes["task"]))
        .where(cells.date.between(start, end), judged(census.taxonomy))
        .group_by(cells.tag, cells.permaslug)
    )
    with census.store.reading() as connection:
        return [
            (row.tag, row.permaslug if known(row.permaslug) else None, volume.of(row))
            for row in connection.execute(statement)
        ]
