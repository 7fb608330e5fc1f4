"""
The apps that datasets may show: public ones, by the app that their traffic counts as.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from sqlalchemy import Connection, select

from llmcensus.apps import CATEGORIES_PER_APP, slug
from llmcensus.store.schema import app_categories, apps


class Listed(NamedTuple):
    name: str
    slug: str
    categories: frozenset[str]


def registry(connection: Connection) -> tuple[dict[int, Listed], dict[int, int]]:
    """Returns the apps that may be listed, and for every app the one its traffic counts as."""
    claimed: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(app_categories).order_by(app_categories.c.since, app_categories.c.category)):
        claimed[row.app_id].append(row.category)
    listed = {}
    canonical = {}
    for row in connection.execute(select(apps)):
        canonical[row.app_id] = row.merged_into or row.app_id
        if not row.hidden and row.merged_into is None:
            name = row.renamed or row.title or row.identity.split("://")[-1]
            listed[row.app_id] = Listed(name, slug(row.identity), frozenset(claimed[row.app_id][:CATEGORIES_PER_APP]))
    return listed, canonical
