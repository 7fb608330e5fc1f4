"""What a dataset is read from: a store, at a moment."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from llmcensus.store import Store


class Census(NamedTuple):
    """`now` decides which day was the last complete one; `first_day` is the first that any dataset has."""

    store: Store
    now: datetime
    first_day: date
