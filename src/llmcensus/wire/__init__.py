"""
Bytes of one source → `Generation`. A file per source, listed in `FORMATS`; the newest source is one file and one line.

A format decodes one record at a time: into a generation, into None for a record that is of something else, or it raises
`DecodeError` with a reason for what it refuses, so that one bad record never stops the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from llmcensus.errors import InputError
from llmcensus.generation import Generation
from llmcensus.wire import langfuse, litellm, native, openai, openai_batch, openrouter_trace
from llmcensus.wire.problems import UNREADABLE


def alone(value: bytes) -> list[bytes]:
    """Returns a value that is one record."""
    return [value]


def unnamed(_: bytes) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Format:
    """
    A source's way to write generations as JSON values.

    `unpack` takes a value apart that holds several records. `label` says what a sender calls a record, where an answer
    has to name it.
    """

    name: str
    title: str
    decode: Callable[[bytes], Generation | None]
    recognises: Callable[[dict[str, Any]], bool]
    unpack: Callable[[bytes], list[bytes]] = alone
    label: Callable[[bytes], str] = unnamed


# In this order they are asked whether they recognise a record.
FORMATS = {
    one.name: one
    for one in (
        Format("litellm", "LiteLLM payloads", litellm.decode, litellm.recognises),
        Format(
            "langfuse",
            "Langfuse events or exported observations",
            langfuse.decode,
            langfuse.recognises,
            langfuse.unpack,
            langfuse.label,
        ),
        Format("openrouter", "OpenRouter Broadcast traces", openrouter_trace.decode, openrouter_trace.recognises),
        Format("openai", "OpenAI request/response pairs", openai.decode, openai.recognises),
        Format("openai-batch", "OpenAI Batch output", openai_batch.decode, openai_batch.recognises),
        Format("native", "native generations", native.decode, native.recognises),
    )
}


def detect(record: bytes) -> Format | None:
    """Returns the format that `record` is written in, judged by its keys; None if it is no JSON object we know."""
    try:
        value = msgspec.json.decode(record)
    except UNREADABLE:
        return None
    if not isinstance(value, dict):
        return None
    return next((candidate for candidate in FORMATS.values() if candidate.recognises(value)), None)


def named(name: str) -> Format:
    """Returns the format called `name`."""
    if name not in FORMATS:
        raise InputError(f"Unknown format {name!r}: expected one of auto, {', '.join(sorted(FORMATS))}")
    return FORMATS[name]
