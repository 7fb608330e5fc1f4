"""What a dataset is read from: a store, at a moment, as somebody publishes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple

from llmcensus.config import Settings
from llmcensus.store import Store
from llmcensus.taxonomy import Taxonomy


class Census(NamedTuple):
    """
    `now` decides which day was the last complete one; `first_day` is the first that any dataset has.

    `publisher` and its `site` (a host) are cited by the line that `cite` makes of the time the data is as of. A cell of
    fewer than `min_sessions` sessions is not shown. Tasks are those of the `taxonomy`, and of traffic judged by it.
    """

    store: Store
    now: datetime
    first_day: date
    publisher: str
    site: str
    cite: Callable[[str], str]
    min_sessions: int
    taxonomy: Taxonomy

    @classmethod
    def of(cls, store: Store, now: datetime, settings: Settings, taxonomy: Taxonomy) -> Census:
        first_day, publisher, site = settings.first_day, settings.publisher, settings.site
        return cls(store, now, first_day, publisher, site, settings.cite, settings.min_sessions, taxonomy)
