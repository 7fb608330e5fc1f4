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
from msgspec import Struct

from llmcensus.benchmarks.items import Item, Source, kind
from llmcensus.benchmarks.names import Names
from llmcensus.errors import InputError

SOURCES: tuple[str, ...] = get_args(Source)


def recognises(row: dict[str, Any]) -> bool:
    return "source" in row and "model_permaslug" in row


def decode(row: dict[str, Any], names: Names) -> Item:
    source = row.get("source")
    if source not in SOURCES:
        raise InputError(f"`source` is {str(source)[:40]!r}: expected one of {', '.join(SOURCES)}")
    kind_ = kind(source, str(row.get("benchmark_type")))
    slug = names.permaslug(msgspec.convert(row.get("model_permaslug"), str))
    values = _filled(kind_, row) | {"model_permaslug": slug, "display_name": row.get("display_name") or slug}
    if "pricing" in values and values["pricing"] is None:
        values["pricing"] = names.pricing(slug)
    if "last_run_timestamp" in values:
        values["last_run_timestamp"] = _instant(values["last_run_timestamp"])
    # Not strict: numbers of a CSV file are text.
    return msgspec.convert(values, kind_, strict=False)


def _filled(kind_: type[msgspec.Struct], row: Any) -> Any:
    """Returns a row with null for what may be null and was left out, in its parts, too."""
    if not isinstance(row, dict):
        return row
    values = dict(row)
    for field in msgspec.structs.fields(kind_):
        choices = get_args(field.type) or (field.type,)
        part = next((choice for choice in choices if isinstance(choice, type) and issubclass(choice, Struct)), None)
        if part and ((field.required and type(None) not in choices) or values.get(field.name) is not None):
            values[field.name] = _filled(part, values.get(field.name) or {})
        elif type(None) in choices:
            values.setdefault(field.name, None)
        elif values.get(field.name) is None and not field.required:
            values.pop(field.name, None)
    return values


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
