"""
Rows of a Parquet file as records: a JSON object a row, with the names of the columns.

Columns that hold JSON as text (`messages`, `tools`, `error`) are taken for what they hold. Row groups are read a few
thousand rows at a time. Needs the extra `parquet`.

See: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from llmcensus.errors import DecodeError, InputError
from llmcensus.wire.lines import MAX_RECORD, Line

MAGIC = b"PAR1"
ROWS_AT_ONCE = 1_024
JSON_TEXTS = ("messages", "tools", "error")

_encoder = msgspec.json.Encoder(decimal_format="number")


class Rows:
    """The rows of one file; `share` of them, from 0 to 1, were read so far."""

    def __init__(self, path: Path) -> None:
        self.share = 0.0
        self._path = path
        self._file = opened(path)

    def lines(self) -> Iterator[Line]:
        from pyarrow import ArrowException

        number, total = 0, max(self._file.metadata.num_rows, 1)
        try:
            for batch in self._file.iter_batches(batch_size=ROWS_AT_ONCE, use_threads=False):
                for row in readable(batch).to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    yield line(number, row)
                self.share = number / total
        except (ArrowException, OSError, ValueError) as error:
            yield Line(number + 1, b"", DecodeError("truncated_file", f"the file breaks off: {type(error).__name__}"))
        finally:
            self._file.close()


def opened(path: Path) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise InputError(f"Cannot read {path}: it is Parquet, expected llmcensus[parquet] to be installed") from None
    try:
        return ParquetFile(path, pre_buffer=False)
    except (ArrowException, OSError) as error:
        raise InputError(f"Cannot read {path}: its Parquet is broken ({type(error).__name__})") from None


def readable(batch: Any) -> Any:
    """Returns a batch whose values Python can hold: times to the microsecond, bytes that were meant as text."""
    import pyarrow as pa

    fields = []
    for field in batch.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", kind.tz)
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            kind = pa.large_string()
        fields.append(field.with_type(kind))
    return batch.cast(pa.schema(fields), safe=False)


def line(number: int, row: dict[str, Any]) -> Line:
    try:
        data = _encoder.encode({name: plain(name, value) for name, value in row.items() if value is not None})
    except (TypeError, ValueError, RecursionError) as error:
        return Line(
            number, b"", DecodeError("wrong_type", f"a column has values of no JSON type: {type(error).__name__}")
        )
    if len(data) > MAX_RECORD:
        return Line(number, b"", DecodeError("too_long", f"a row above {MAX_RECORD >> 20} MiB"))
    return Line(number, data)


def plain(name: str, value: object) -> object:
    """
    Returns a value as the record has it.

    Tables that know no missing whole number write a fraction, or none, in its place; what is JSON in a text is JSON.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat(sep=" ")
    if name in JSON_TEXTS and isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return msgspec.json.decode(value, type=msgspec.Raw)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return value
    return value
