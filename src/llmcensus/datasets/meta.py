"""The `meta` of datasets that cover a window of days."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta as Said

from llmcensus.datasets.window import Window

AsOf = Annotated[str, Said(description="ISO 8601 in UTC with milliseconds.", examples=["2026-05-12T02:00:00.000Z"])]
Day = Annotated[str, Said(description="A UTC day, YYYY-MM-DD.", examples=["2026-05-11"])]
Version = Literal["v1"]
VERSION: Version = "v1"


class Meta(msgspec.Struct):
    """`as_of` is when the answer was made, the days are the window as it was resolved."""

    as_of: AsOf
    version: Version
    start_date: Day
    end_date: Day

    @classmethod
    def of(cls, window: Window, as_of: str) -> Meta:
        return cls(as_of, VERSION, *window.texts())
