"""
The neutral form: rows with the names of the published items (docs/benchmarks.md), of any source, as JSON or CSV.

What may be null may be left out. `display_name` is the model's name where there is none; a price that is left out is
the list price. In CSV the parts of `pricing`, `tournament_stats` and `run_config` are columns such as `pricing.prompt`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import msgspec

from llmcensus.benchmarks.items import Item, Source, UnifiedBenchmarksDAItem, kind
from llmcensus.benchmarks.names import Names
from llmcensus.errors import InputError

SOURCES: tuple[str, ...] = get_args(Source)
_NULL = type(None)


def recognises(row: dict[str, Any]) -> bool:
    return "source" in row and "model_permaslug" in row


def decode(row: dict[str, Any], names: Names) -> Item:
    source = row.get("source")
    if source not in SOURCES:
        raise InputError(f"`source` is {str(source)[:40]!r}: expected one of {', '.join(SOURCES)}")
    kind_ = kind(source, str(row.get("benchmark_type")))
    slug = names.permaslug(msgspec.convert(row.get("model_permaslug"), str))
    fields = msgspec.structs.fields(kind_)
    values = {field.name: None for field in fields if _NULL in get_args(field.type)} | row
    values |= {"model_permaslug": slug, "display_name": row.get("display_name") or slug}
    if "pricing" in values and values["pricing"] is None:
        values["pricing"] = names.pricing(slug)
    if kind_ is UnifiedBenchmarksDAItem:
        values.setdefault("tournament_stats", {})
    if values.get("run_config") is None:
        values.pop("run_config", None)
    if "last_run_timestamp" in values:
        values["last_run_timestamp"] = _instant(values["last_run_timestamp"])
    # Not strict: numbers of a CSV file are text.
    return msgspec.convert(values, kind_, strict=False)


def _instant(value: Any) -> str:
    at = msgspec.convert(value, datetime)
    if at.tzinfo is None:
        raise InputError(
            f"`last_run_timestamp` is {value!r}: expected a time with a zone, such as 2026-11-20T10:00:00Z"
        )
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(text: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of a CSV file; an empty cell is as if its column were not there."""
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        for cells in reader:
            row: dict[str, Any] = {}
            for column, value in cells.items():
                if column is None:
                    raise InputError(f"CSV line {reader.line_num}: expected {len(reader.fieldnames or ())} cells")
                if value:
                    whole, _, part = column.partition(".")
                    if part:
                        row.setdefault(whole, {})[part] = value
                    else:
                        row[whole] = value
            yield row
    except csv.Error as error:
        raise InputError(f"CSV line {reader.line_num}: {error}") from error
