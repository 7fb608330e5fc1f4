"""All rows of a ranking, where the datasets hand out a page at a time."""

from __future__ import annotations

from datetime import date

from llmcensus.datasets import Census, app_rankings, model_rankings
from llmcensus.datasets.app_rankings import AppRankingsItem
from llmcensus.datasets.model_rankings import ModelRankingsItem
from llmcensus.datasets.window import trailing

ALL = 10**9


def every_model(census: Census, days: int) -> list[ModelRankingsItem]:
    start, end = _dates(census, days)
    return model_rankings.read(census, model_rankings.Parameters(start_date=start, end_date=end, limit=ALL)).data


def every_app(census: Census, days: int) -> list[AppRankingsItem]:
    start, end = _dates(census, days)
    return app_rankings.read(census, app_rankings.Parameters(start_date=start, end_date=end, limit=ALL)).data


def _dates(census: Census, days: int) -> tuple[date, date]:
    window = trailing(days, census.now)
    return window.start, max(window.end, census.first_day)
