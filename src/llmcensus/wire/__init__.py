"""
Bytes of one source → `Generation`. A file per source, listed in `FORMATS`; the newest source is one file and one line.

A format decodes one record at a time and raises `DecodeError` with a reason for what it refuses, so that one bad
record never stops the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from llmcensus.errors import InputError
from llmcensus.generation import Generation
from llmcensus.wire import native, openai


@dataclass(frozen=True, slots=True)
class Format:
    """A source's way to write one generation as one JSON value."""

    name: str
    title: str
    decode: Callable[[bytes], Generation]
    recognises: Callable[[dict[str, Any]], bool]


FORMATS = {
    "openai": Format("openai", "OpenAI request/response pairs", openai.decode, openai.recognises),
    "native": Format("native", "native generations", native.decode, native.recognises),
}


def detect(record: bytes) -> Format | None:
    """Returns the format that `record` is written in, judged by its keys; None if it is no JSON object we know."""
    try:
        value = msgspec.json.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    return next((candidate for candidate in FORMATS.values() if candidate.recognises(value)), None)


def named(name: str) -> Format:
    """Returns the format called `name`."""
    if name not in FORMATS:
        raise InputError(f"Unknown format {name!r}: expected one of auto, {', '.join(sorted(FORMATS))}")
    return FORMATS[name]
