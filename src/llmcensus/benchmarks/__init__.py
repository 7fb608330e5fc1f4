"""
Files of benchmarks → items. A file per source, listed in `FORMATS`; the form of a row is told by its keys.

A bad row is refused with its number and the reason; the others are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from llmcensus.benchmarks import artificial_analysis, design_arena, neutral
from llmcensus.benchmarks.items import Item, board
from llmcensus.benchmarks.names import Names
from llmcensus.errors import InputError


class Format(NamedTuple):
    title: str
    decode: Callable[[dict[str, Any], Names], Item]
    recognises: Callable[[dict[str, Any]], bool]


FORMATS = {
    "neutral": Format("neutral rows", neutral.decode, neutral.recognises),
    "artificial-analysis": Format(
        "Artificial Analysis API", artificial_analysis.decode, artificial_analysis.recognises
    ),
    "design-arena": Format("Design Arena leaderboard", design_arena.decode, design_arena.recognises),
}
# Where an object keeps its rows, and what it says of all of them.
LISTS = ("data", "items")
OF_ALL = ("arenaType", "category")


class Refusal(NamedTuple):
    """Row `number`, counted from 1, was refused, and why."""

    number: int
    message: str


@dataclass
class Reading:
    """What a file holds; `formats` are the titles of the forms that its rows have."""

    items: list[Item] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    formats: set[str] = field(default_factory=set)

    def encoded(self) -> Iterator[tuple[str, str, bytes]]:
        """Yields source, board and items as JSON, as they are stored."""
        for (source, name), items in self.boards().items():
            yield source, name, msgspec.json.encode(items)

    def boards(self) -> dict[tuple[str, str], list[Item]]:
        """Returns the items by source and board."""
        found: dict[tuple[str, str], list[Item]] = {}
        for item in self.items:
            found.setdefault((item.source, board(item)), []).append(item)
        return found


def read(body: bytes, names: Names, otherwise: Mapping[str, str] | None = None) -> Reading:
    """Reads a file, JSON or CSV; `otherwise` has values for keys that its rows do not have."""
    reading = Reading()
    for number, row in enumerate(_rows(body), 1):
        try:
            format_ = _format(row)
            reading.items.append(_checked(format_.decode({**(otherwise or {}), **row}, names)))
            reading.formats.add(format_.title)
        except (InputError, msgspec.ValidationError) as error:
            reading.refusals.append(Refusal(number, str(error)))
    return reading


def _checked(item: Item) -> Item:
    """A struct that is made checks nothing; one that is read as it will be read from the store keeps its own bounds."""
    kept: Item = msgspec.json.decode(msgspec.json.encode(item), type=type(item))
    if kept != item:
        raise InputError("expected numbers: NaN and infinity are none")
    return kept


def _format(row: Any) -> Format:
    if isinstance(row, InputError):
        raise row
    if isinstance(row, dict):
        for candidate in FORMATS.values():
            if candidate.recognises(row):
                return candidate
    raise InputError(
        "expected a row with `source` and `model_permaslug` (neutral), `slug` and `evaluations` (Artificial Analysis), "
        "or `modelId` (Design Arena)"
    )


def _rows(body: bytes) -> Iterable[Any]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"The file is not UTF-8 at byte {error.start:,}") from None
    if not text.lstrip().startswith(("{", "[")):
        return neutral.rows(text)
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InputError(f"The file is not JSON: {error}") from None
    if isinstance(value, list):
        return value
    for name in LISTS:
        if isinstance(value.get(name), list):
            shared = {key: value[key] for key in OF_ALL if key in value}
            return [{**shared, **row} if isinstance(row, dict) else row for row in value[name]]
    raise InputError("The file has no rows: expected a list, or an object with a list `data` or `items`")


__all__ = ["FORMATS", "Names", "Reading", "Refusal", "read"]
