"""
Settings: defaults, then `llmcensus.toml`, then the environment, then the command line; read once, frozen.

`SETTINGS` is the whole list. Each has the environment variable `LLMCENSUS_<NAME>` and the key `<name>` in the file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from llmcensus.errors import ConfigError

FILE = "llmcensus.toml"
LARGEST = {"port": 65_535, "dedup_days": 36_500}
LARGEST_OTHER = 1_000_000_000


class Setting(NamedTuple):
    name: str
    default: str
    help: str


SETTINGS = (
    Setting("db", "sqlite:///llmcensus.db", "The store, as an SQLAlchemy URL."),
    Setting("host", "127.0.0.1", "Address to listen on."),
    Setting("port", "8080", "Port to listen on."),
    Setting("first_day", "2025-01-01", "First day of the datasets (UTC); older records are refused."),
    Setting("dedup_days", "35", "Days for which the id of a counted record is remembered after it was last sent."),
    Setting("requests_per_minute", "30", "Data API requests a minute and key."),
    Setting("requests_per_day", "500", "Data API requests a UTC day and account."),
    Setting("max_body_mb", "64", "Largest request body in MiB, after decompression."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    db: str
    host: str
    port: int
    first_day: date
    dedup_days: int
    requests_per_minute: int
    requests_per_day: int
    max_body_mb: int


def load(
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    file: Path = Path(FILE),
) -> Settings:
    """Returns the settings; `overrides` whose value is None are as if not given."""
    written = _read(file)
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    values: dict[str, Any] = {}
    kinds = {field.name: field.type for field in fields(Settings)}
    for setting in SETTINGS:
        variable = f"LLMCENSUS_{setting.name.upper()}"
        if setting.name in given:
            where, value = f"--{setting.name.replace('_', '-')}", given[setting.name]
        elif variable in environ:
            where, value = variable, environ[variable]
        elif setting.name in written:
            where, value = f"`{setting.name}` in {file}", written[setting.name]
        else:
            where, value = "default", setting.default
        values[setting.name] = _convert(setting.name, value, str(kinds[setting.name]), where)
    return Settings(**values)


def _read(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        written = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"Cannot read {file}: {error}") from error
    unknown = sorted(set(written) - {setting.name for setting in SETTINGS})
    if unknown:
        known = ", ".join(setting.name for setting in SETTINGS)
        raise ConfigError(f"{file} has no setting {unknown[0]!r}: expected one of {known}")
    return written


def _convert(name: str, value: Any, kind: str, where: str) -> Any:
    try:
        if kind == "int":
            number = int(str(value))
            if not 1 <= number <= LARGEST.get(name, LARGEST_OTHER):
                raise ValueError
            return number
        if kind == "date":
            return date.fromisoformat(str(value))
    except ValueError:
        numbers = f"a whole number from 1 to {LARGEST.get(name, LARGEST_OTHER):,}"
        expected = numbers if kind == "int" else "a date such as 2025-01-01"
        raise ConfigError(f"{where} is {str(value)!r}: expected {expected}") from None
    return str(value)
