"""
What attributes hold, read as what it should be: texts that are JSON or Python literals, numbers that are texts.

A value that cannot be read as JSON is absent: senders cut long attributes off.
"""

from __future__ import annotations

import ast
import math
from functools import lru_cache
from typing import Any

import msgspec

from llmcensus.errors import DecodeError
from llmcensus.generation import LONGEST_NAME, MOST_DOLLARS, MOST_TOKENS
from llmcensus.wire.otlp.bodies import mended
from llmcensus.wire.problems import shown

# What stands where content was taken out.
REMOVED = frozenset({"", "redacted-by-litellm", "__REDACTED__", "null", "None"})
# Python's parser takes a hundred times the space of what it parses.
LONGEST_LITERAL = 64 << 10


def from_json(text: object) -> Any:
    """Returns the value of a JSON text, or what is no text as it is; None where it cannot be read."""
    if not isinstance(text, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        pass
    try:
        return msgspec.json.decode(mended(text.encode("utf-8", "replace")))
    except (msgspec.DecodeError, RecursionError):
        return None


@lru_cache(maxsize=64)
def from_literal(text: str) -> Any:
    """
    Returns the value of a Python literal, as `str` writes dicts and lists; None where it cannot be read.

    Parsing takes long. Several fields are read from one text, and clients send the same headers with all they ask.
    """
    if len(text) > LONGEST_LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def within(value: object, path: tuple[str, ...]) -> Any:
    """Returns what a nested value has at a path of keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: object) -> str | None:
    """Returns a text that says something, the first of a list; None for all else."""
    if isinstance(value, list):
        return next((found for one in value if (found := text(one)) is not None), None)
    return value if isinstance(value, str) and value not in REMOVED else None


def name(field: str, value: object) -> str | None:
    """Returns a name that is not too long to be one."""
    found = text(value)
    if found is not None and len(found) > LONGEST_NAME:
        raise DecodeError("bad_name", f"`{field}` is above {LONGEST_NAME} characters")
    return found


def tokens(field: str, value: object) -> int | None:
    number = _number(field, value)
    if number is None:
        return None
    if number != int(number) or not 0 <= number <= MOST_TOKENS:
        raise DecodeError(
            "out_of_range", f"`{field}` is {shown(value)}: expected a whole number from 0 to {MOST_TOKENS:,}"
        )
    return int(number)


def dollars(field: str, value: object) -> float | None:
    number = _number(field, value)
    if number is not None and not 0 <= number <= MOST_DOLLARS:
        raise DecodeError("out_of_range", f"`{field}` is {shown(value)}: expected dollars from 0 to {MOST_DOLLARS:,}")
    return number


def switch(value: object) -> bool | None:
    """Returns a switch, also one that Python or JSON wrote as text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None


def reason(value: object) -> str | None:
    """Returns the first of the reasons why a reply ended: a text, a list, or JSON of either."""
    if isinstance(value, str) and value[:1] in ("[", '"'):
        value = from_json(value)
    found = text(value)
    return found[:LONGEST_NAME] if found else None


def _number(field: str, value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DecodeError("wrong_type", f"`{field}` is {shown(value)}: expected a number")
    return number
