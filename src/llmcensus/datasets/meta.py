"""The `meta` of datasets that cover a window of days."""

from __future__ import annotations

import msgspec

from llmcensus.datasets.window import Window


class Meta(msgspec.Struct):
    as_of: str
    version: str
    start_date: str
    end_date: str

    @classmethod
    def of(cls, window: Window, as_of: str) -> Meta:
        return cls(as_of, "v1", *window.texts())
