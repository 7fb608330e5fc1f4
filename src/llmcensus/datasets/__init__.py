"""
The published datasets, a file each: parameters, reading, rows. `DATASETS` lists those of the Data API by the path they
are served at, `DETAILS` by name those that pages and files have beside them.

Pages, files and API read through the same functions, so they show the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from llmcensus.benchmarks.items import ITEMS
from llmcensus.datasets import (
    app_daily,
    app_rankings,
    benchmarks,
    census_daily,
    model_daily,
    model_rankings,
    model_tasks,
    rankings_daily,
    session_cost,
    task_classification,
    task_daily,
)
from llmcensus.datasets.census import Census
from llmcensus.datasets.parameters import parse
from llmcensus.taxonomy import Taxonomy

# By struct and field, keywords of JSON Schema.
Wording: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """
    `answer` is what `reader` returns; where its rows are of several types, `rows` are these.

    `operation` and `group` are the names by which OpenRouter's clients know it. `wording` is what is said of fields
    whose values depend on the taxonomy in force.
    """

    name: str
    title: str
    about: str
    group: str
    operation: str
    parameters: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    reader: Callable[[Census, Any], msgspec.Struct]
    rows: tuple[type[msgspec.Struct], ...] = ()
    cache_control: str = "private, max-age=0, must-revalidate"
    wording: Callable[[Taxonomy], Wording] = lambda _: {}

    def read(self, census: Census, query: Mapping[str, str]) -> msgspec.Struct:
        """Returns the answer to a query string, given as a mapping."""
        return self.reader(census, parse(self.parameters, query))


DATASETS = {
    "/classifications/task": Dataset(
        "task-classification",
        "Task classification market share",
        "What share of classified requests and tokens each task has, over complete days up to yesterday.",
        "Classifications",
        "getTaskClassifications",
        task_classification.Parameters,
        task_classification.TaskClassificationResponse,
        task_classification.read,
        cache_control="private, max-age=60, stale-while-revalidate=300",
        wording=task_classification.wording,
    ),
    "/datasets/rankings-daily": Dataset(
        "rankings-daily",
        "Tokens of the top 50 models, by day",
        "The fifty models with most tokens of each day, week or month, and all the rest as `other`.",
        "Datasets",
        "getRankingsDaily",
        rankings_daily.Parameters,
        rankings_daily.RankingsDailyResponse,
        rankings_daily.read,
    ),
    "/datasets/app-rankings": Dataset(
        "app-rankings",
        "Apps by tokens",
        "Apps by tokens in a window, or by how far they are above their own recent past.",
        "Datasets",
        "getAppRankings",
        app_rankings.Parameters,
        app_rankings.AppRankingsResponse,
        app_rankings.read,
    ),
    "/datasets/session-cost": Dataset(
        "session-cost",
        "Cost of a session by app and model",
        "What a session with a model costs in an app, by its number of turns: medians over thirty complete days.",
        "Datasets",
        "getSessionCost",
        session_cost.Parameters,
        session_cost.SessionCostResponse,
        session_cost.read,
    ),
    "/benchmarks": Dataset(
        "benchmarks",
        "Models on benchmarks",
        "Scores of models, as they were imported last.",
        "Benchmarks",
        "getBenchmarks",
        benchmarks.Parameters,
        benchmarks.UnifiedBenchmarksResponse,
        benchmarks.read,
        rows=ITEMS,
    ),
}

# Of no client that OpenRouter has, so the Data API, which is theirs, does not show them.
DETAILS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "census-daily",
            "What was counted, by day",
            "Requests and tokens of each day, and of how many requests tokens, cost, model, app and task are known.",
            "Details",
            "",
            census_daily.Parameters,
            census_daily.CensusDailyResponse,
            census_daily.read,
        ),
        Dataset(
            "task-daily",
            "Tasks by day",
            "What share of a day's classified requests and tokens each task has.",
            "Details",
            "",
            task_daily.Parameters,
            task_daily.TaskDailyResponse,
            task_daily.read,
        ),
        Dataset(
            "model-rankings",
            "Models by tokens",
            "Models by tokens in a window, or by how far they are above their own recent past.",
            "Details",
            "",
            model_rankings.Parameters,
            model_rankings.ModelRankingsResponse,
            model_rankings.read,
        ),
        Dataset(
            "model-daily",
            "A model by day",
            "Tokens and requests of one model, day by day, with its list price.",
            "Details",
            "",
            model_daily.Parameters,
            model_daily.ModelDailyResponse,
            model_daily.read,
        ),
        Dataset(
            "model-tasks",
            "What a model is used for",
            "What share of a model's classified requests and tokens each task has.",
            "Details",
            "",
            model_tasks.Parameters,
            model_tasks.ModelTasksResponse,
            model_tasks.read,
        ),
        Dataset(
            "app-daily",
            "An app by day",
            "Tokens and requests of one app, day by day.",
            "Details",
            "",
            app_daily.Parameters,
            app_daily.AppDailyResponse,
            app_daily.read,
        ),
    )
}

__all__ = ["DATASETS", "DETAILS", "Census", "Dataset"]
