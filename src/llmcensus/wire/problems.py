"""
What msgspec says about a bad record → our reason and message.

msgspec names the type it expected and the field's path; the value is added here, for fields that hold no text of a
prompt. Reasons are the words by which refused records are counted.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from llmcensus.errors import DecodeError

# What decoders raise on bytes that are not what they should be.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
REASONS = (
    (re.compile("missing required field"), "missing_field"),
    (re.compile("datetime"), "bad_time"),
    (re.compile("of length"), "bad_name"),
    (re.compile(">=|<=|out of range"), "out_of_range"),
    (re.compile("^Expected"), "wrong_type"),
)
AT = re.compile(r" - at `\$\.?([^`]*)`$")
# Only these are ever quoted: numbers, times and switches. A wrong type may put anything anywhere; see `shown`.
HARMLESS = re.compile(r"[\d .,:+\-TZ$]{1,40}", re.ASCII)
QUOTED = frozenset(
    {
        "created_at",
        "tokens_prompt",
        "tokens_completion",
        "tokens_reasoning",
        "tokens_cached",
        "cost_usd",
        "latency_ms",
        "streamed",
        "public",
        "cache_hit",
        # LiteLLM's
        "startTime",
        "endTime",
        "prompt_tokens",
        "completion_tokens",
        "response_cost",
        # Langfuse's
        "total_cost",
    }
)


def explain(error: Exception, record: bytes) -> DecodeError:
    """Turns a decoder's exception into a `DecodeError`; `record` is looked at again for the value to quote."""
    if not isinstance(error, msgspec.ValidationError):
        kind = "invalid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).removeprefix("JSON is ")
        return DecodeError("bad_json", f"not JSON: {kind or 'nested too deeply'}")
    message = str(error)
    reason = next((word for pattern, word in REASONS if pattern.search(message)), "wrong_type")
    found = AT.search(message)
    if found is None:
        return DecodeError(reason, message)
    path, said = found[1], message[: found.start()]
    if said.startswith("Invalid enum value"):
        # It quotes what was there instead.
        said = "Expected one of the values that it may have"
    if reason == "bad_time":
        said = "Expected a time with a zone, such as 2026-11-20T10:00:00Z"
    value = _quoted(path, record)
    return DecodeError(reason, f"`{path}`{f' is {value}' if value else ''}: {said[:1].lower()}{said[1:]}")


def _quoted(field: str, record: bytes) -> str | None:
    if field not in QUOTED:
        return None
    try:
        value: Any = msgspec.json.decode(record)[field]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError):
        return None
    return shown(value)


def shown(value: object) -> str:
    """Returns a value as it may be shown: numbers, switches, and text that can only be a mistyped number or time."""
    if value is None or isinstance(value, (int, float)):
        return repr(value)[:40]
    if isinstance(value, str):
        return repr(value) if HARMLESS.fullmatch(value) else f"a text of {len(value)} characters"
    return f"a {type(value).__name__}"
