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
    try:
        if at.tzinfo is not None:
            return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        pass  # a day that UTC does not have
    raise InputError(f"`last_run_timestamp` is {value!r}: expected a time with a zone, such as 2026-11-20T10:00:00Z")


def rows(text: str) -> Iterator[dict[str, Any] | InputError]:
    """Yields the rows of a CSV file, or what is wrong with one; an empty cell is as if its column were not there."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield InputError(f"CSV line {reader.line_num}: {error}")
            continue
        if cells is None:
            return
        yield _row(cells, reader)


def _row(cells: dict[Any, Any], reader: csv.DictReader[str]) -> dict[str, Any] | InputError:
    if None in cells:
        return InputError(f"CSV line {reader.line_num}: expected {len(reader.fieldnames or ())} cells")
    row: dict[str, Any] = {}
    for column, value in cells.items():
        whole, _, part = column.partition(".")
        if not value:
            continue
        if part and not isinstance(row.setdefault(whole, {}), dict):
            return InputError(f"CSV line {reader.line_num}: `{whole}` is given whole and in parts")
        if part:
            row[whole][part] = value
        else:
            row[whole] = value
    return row
