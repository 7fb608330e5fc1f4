"""
Labelled requests: JSON lines of `{messages, tools, tag}`.

`weak_label` stands in place of `tag` where only the source implies it; `source` is `repository:path`, and its
repository is what held-out tests leave out; `train_ok` false marks rows that may be measured, never learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from llmcensus.generation import Generation, Instant, Message, Tool

# The repository of rows written for training: always learned from, never judged.
WRITTEN = "authored"


class Row(msgspec.Struct, kw_only=True):
    """A labelled request. `read_tag` was given by one reader, who was not always `sure`; `tag` is checked."""

    messages: list[Message]
    tools: list[Tool | str] | None = None
    id: str | None = None
    tag: str | None = None
    read_tag: str | None = None
    sure: bool = True
    weak_label: str | None = None
    source: str = "yours"
    lang: str = "en"
    train_ok: bool = True

    @property
    def label(self) -> str | None:
        return self.tag or self.read_tag or self.weak_label

    @property
    def repository(self) -> str:
        return self.source.split(":")[0]

    @property
    def written(self) -> bool:
        return self.repository == WRITTEN


class Reading(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a reader found the row of this id to ask for."""

    id: str
    tag: str
    sure: bool = True


def read(rows: Sequence[Row], readings: Mapping[str, Reading]) -> list[Row]:
    """Returns the rows, those without a tag with the one that a reader gave."""
    return [
        msgspec.structs.replace(row, read_tag=found.tag, sure=found.sure)
        if row.tag is None and row.id is not None and (found := readings.get(row.id))
        else row
        for row in rows
    ]


def as_generations(rows: Sequence[Row]) -> list[Generation]:
    moment = msgspec.convert("2026-01-01T00:00:00Z", Instant)
    return [
        Generation(source="row", id=str(n), created_at=moment, model="none", messages=row.messages, tools=row.tools)
        for n, row in enumerate(rows)
    ]
