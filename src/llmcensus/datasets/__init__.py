"""
The published datasets, a file each: parameters, reading, rows. `DATASETS` lists them by the path they are served at.

Pages, files and API read through the same functions, so they show the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from llmcensus.datasets import app_rankings, rankings_daily, task_classification
from llmcensus.datasets.census import Census
from llmcensus.datasets.parameters import parse


@dataclass(frozen=True, slots=True)
class Dataset:
    """`cache_control` is the header that its answers carry."""

    name: str
    parameters: type[msgspec.Struct]
    reader: Callable[[Census, Any], msgspec.Struct]
    cache_control: str = "private, max-age=0, must-revalidate"

    def read(self, census: Census, query: Mapping[str, str]) -> msgspec.Struct:
        """Returns the answer to a query string, given as a mapping."""
        return self.reader(census, parse(self.parameters, query))


DATASETS = {
    "/classifications/task": Dataset(
        "task-classification",
        task_classification.Parameters,
        task_classification.read,
        "private, max-age=60, stale-while-revalidate=300",
    ),
    "/datasets/rankings-daily": Dataset("rankings-daily", rankings_daily.Parameters, rankings_daily.read),
    "/datasets/app-rankings": Dataset("app-rankings", app_rankings.Parameters, app_rankings.read),
}

__all__ = ["DATASETS", "Census", "Dataset"]
