"""What a dataset is read from: a store, at a moment, as somebody publishes it."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from llmcensus.store import Store


class Census(NamedTuple):
    """
    `now` decides which day was the last complete one; `first_day` is the first that any dataset has.

    `publisher` and `site` (a host) are cited; a cell of fewer than `min_sessions` sessions is not shown.
    """

    store: Store
    now: datetime
    first_day: date
    publisher: str = "LLM Census"
    site: str = "localhost"
    min_sessions: int = 5
