"""
Datasets as files: JSON as the API answers, CSV, and Parquet where `pyarrow` is installed.

In the latter two, what is nested in a row becomes columns of its own.
"""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

import msgspec

from llmcensus.datasets.parameters import bare

# What a spreadsheet takes for a formula if a text begins with it. Names come from outside.
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def rows(answer: msgspec.Struct) -> list[dict[str, Any]]:
    """Returns the rows of an answer, flat; lists in a row are left out, for JSON has them."""
    data = msgspec.to_builtins(answer)["data"]
    return [dict(_flat(row)) for row in (data["classifications"] if isinstance(data, dict) else data)]


def _flat(row: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}_")
        elif not isinstance(value, list):
            yield before + name, value


def columns(flat: list[dict[str, Any]]) -> list[str]:
    """Returns the columns of all rows, in order: rows of several kinds have different ones."""
    return list(dict.fromkeys(name for row in flat for name in row))


def as_csv(answer: msgspec.Struct) -> bytes:
    """Returns CSV (RFC 4180). Unknown is an empty field; a text that looks like a formula begins with `'`."""
    flat = rows(answer)
    names = columns(flat) or _named(answer)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_cell(row.get(name)) for name in names] for row in flat)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _named(answer: msgspec.Struct) -> list[str]:
    """Returns the columns of an answer without rows: of benchmarks, that has rows of several kinds, none."""
    data = getattr(answer, "data", None)
    holder, name = (data, "classifications") if isinstance(data, msgspec.Struct) else (answer, "data")
    [kind] = [field.type for field in msgspec.structs.fields(holder) if field.name == name]
    [row] = get_args(bare(kind)[0])
    fields = msgspec.structs.fields(row) if row is not Any else ()
    return [field.encode_name for field in fields if get_origin(bare(field.type)[0]) is not list]


def as_parquet(answer: msgspec.Struct) -> bytes:
    """Returns Parquet. Totals of tokens are 64-bit integers, unknown is null; the same rows are the same bytes."""
    import pyarrow
    import pyarrow.parquet

    flat = rows(answer)
    names = columns(flat) or _named(answer)
    table = pyarrow.table({name: [_number(name, row.get(name)) for row in flat] for name in names})
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


def _number(name: str, value: Any) -> Any:
    return int(value) if name == "total_tokens" else value


FORMS: dict[str, Callable[[msgspec.Struct], bytes]] = {"csv": as_csv, "json": msgspec.json.encode}
KINDS = {"csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
if importlib.util.find_spec("pyarrow"):
    FORMS["parquet"] = as_parquet
