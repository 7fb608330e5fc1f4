"""Which cells of tasks are in shares: those of a tag in force, judged by the tags in force."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_

from llmcensus.store.schema import cubes
from llmcensus.taxonomy import MARK, Taxonomy


def judged(taxonomy: Taxonomy) -> ColumnElement[bool]:
    """Says in SQL what `Taxonomy.stamped` says, and that the tag is one of the taxonomy's."""
    cells = cubes["task"].c
    stamp = cells.classifier
    stamped = stamp.endswith(taxonomy.mark) if taxonomy.mark else ~stamp.contains(MARK)
    return and_(cells.tag.in_(list(taxonomy.tags)), stamped)
