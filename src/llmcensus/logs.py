"""
What the program says of itself: lines for a console, or JSON, one object a line.

No line has text of a prompt: what is logged are counts, routes, names of sources and reasons.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import msgspec

# The attribute of a log record that holds more about it, as names and values.
DETAILS = "census"


class JsonFormatter(logging.Formatter):
    """
    A record as one line of JSON: `at` (UTC), `level`, `logger`, `message` and its details.

    Of an exception only its type is told: its message may quote what it was given.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, DETAILS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return msgspec.json.encode(line).decode()


class ConsoleFormatter(logging.Formatter):
    """A record as a line for people: time, level, message, and its details as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%S")
        details = "".join(f" {name}={value}" for name, value in getattr(record, DETAILS, {}).items())
        kind = record.exc_info[0] if record.exc_info else None
        failed = f" ({kind.__name__})" if kind else ""
        return f"{at} {record.levelname.lower():7} {record.getMessage()}{details}{failed}"


def configuration(form: str, level: int) -> dict[str, Any]:
    """Returns what `logging.config.dictConfig` takes; everything goes to stderr."""
    formatter = JsonFormatter if form == "json" else ConsoleFormatter
    name = logging.getLevelName(level)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            logger: {"level": name, "handlers": ["stderr"], "propagate": False} for logger in ("llmcensus", "uvicorn")
        },
    }
