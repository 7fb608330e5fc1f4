"""How much there is of something: requests and tokens, added up out of cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Table, func


class Volume(NamedTuple):
    requests: int
    tokens: int

    def plus(self, other: Volume) -> Volume:
        return Volume(self.requests + other.requests, self.tokens + other.tokens)

    def share(self, whole: Volume) -> tuple[float, float]:
        """Returns the shares of requests and of tokens; of nothing, the share is 0."""
        return ratio(self.requests, whole.requests), ratio(self.tokens, whole.tokens)


NOTHING = Volume(0, 0)


def total(volumes: Iterable[Volume]) -> Volume:
    whole = NOTHING
    for volume in volumes:
        whole = whole.plus(volume)
    return whole


def ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def requests(cells: Table) -> ColumnElement[int]:
    """Returns the sum of requests in SQL."""
    return func.sum(cells.c.requests)


def tokens(cells: Table) -> ColumnElement[int]:
    """Returns the sum of tokens in SQL, prompt plus completion."""
    return func.sum(cells.c.tokens_prompt + cells.c.tokens_completion)


def sums(cells: Table) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Returns the columns that `of` reads."""
    return requests(cells).label("requests"), tokens(cells).label("tokens")


def of(row: Row[Any]) -> Volume:
    return Volume(int(row.requests), int(row.tokens))
