"""
What a request used and cost, out of numbers by name, as Langfuse and its SDKs keep them.

OpenAI's own names count everything that was sent, of which details are a part. Langfuse's names are parts that add up:
`input` is what no other `input_…` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from llmcensus.errors import DecodeError
from llmcensus.generation import MOST_DOLLARS, MOST_TOKENS
from llmcensus.wire.problems import shown

LONGEST_NUMBER = 20
# Counts that Anthropic's clients keep apart from the prompt.
APART = ("cache_read_input_tokens", "cache_creation_input_tokens")
PROMPT = ("prompt_tokens", "promptTokens")
COMPLETION = ("completion_tokens", "completionTokens")
SENT_DETAILS = ("prompt_tokens_details", "input_tokens_details")
MADE_DETAILS = ("completion_tokens_details", "output_tokens_details")
CACHED = ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "input_cached")
REASONING = ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens")


class Counts(NamedTuple):
    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None

    @property
    def known(self) -> bool:
        return self.prompt is not None or self.completion is not None


def read(usage: Mapping[str, Any]) -> Counts:
    """Returns tokens; what is not counted in tokens is unknown."""
    if not usage or usage.get("unit") not in (None, "TOKENS"):
        return Counts()
    prompt, completion = _first(usage, PROMPT), _first(usage, COMPLETION)
    if prompt is None:
        prompt = _sum(usage, "input", APART)
    if completion is None:
        completion = _sum(usage, "output")
    cached = _of_part(usage, SENT_DETAILS, "cached_tokens")
    reasoning = _of_part(usage, MADE_DETAILS, "reasoning_tokens")
    return Counts(
        prompt,
        completion,
        _first(usage, CACHED) if cached is None else cached,
        _first(usage, REASONING) if reasoning is None else reasoning,
    )


def cost(details: Mapping[str, Any], total: float | str | None = None) -> float | None:
    """
    Returns US dollars: the total that details name, or their sum, or `total`.

    A `total` of 0 without details is also written for a model whose price is not known.
    """
    known = {name: value for name, value in details.items() if value is not None}
    if "total" in known:
        return _dollars(known["total"])
    if known:
        return _dollars(sum(_dollars(value) for value in known.values()))
    return _dollars(total) or None if total is not None else None


def _of_part(usage: Mapping[str, Any], parts: tuple[str, ...], name: str) -> int | None:
    for part in parts:
        details = usage.get(part)
        if isinstance(details, dict):
            return _count(details.get(name))
    return None


def _first(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        if name in usage:
            count = _count(usage[name])
            if count is not None:
                return count
    return None


def _sum(usage: Mapping[str, Any], name: str, apart: tuple[str, ...] = ()) -> int | None:
    total = None
    for key, value in usage.items():
        if key.startswith(name) and (key == name or key[len(name)] == "_"):
            count = _count(value)
            if count is not None:
                total = count + (total or 0)
    if total is None:
        return None
    return total + sum(_count(usage[key]) or 0 for key in apart if key in usage)


def _count(value: object) -> int | None:
    """Returns a count; some exports write numbers of 64 bits as texts. Names are not quoted: anybody chooses them."""
    if value is None or isinstance(value, dict):
        return None
    if _written_otherwise(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodeError("wrong_type", f"a count of tokens is {shown(value)}: expected a whole number")
    if not 0 <= value <= MOST_TOKENS:
        raise DecodeError("out_of_range", f"a count of tokens is {shown(value)}: expected 0 to {MOST_TOKENS}")
    return value


def _written_otherwise(value: object) -> TypeGuard[str | float]:
    """Says whether a whole number is written as a text or a fraction."""
    if isinstance(value, str):
        return value.isdecimal() and len(value) < LONGEST_NUMBER
    return isinstance(value, float) and value.is_integer()


def _dollars(value: object) -> float:
    try:
        dollars = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        raise DecodeError("wrong_type", f"a cost is {shown(value)}: expected a number") from None
    if not 0 <= dollars <= MOST_DOLLARS:
        raise DecodeError("out_of_range", f"a cost is {shown(value)}: expected a number from 0 to {MOST_DOLLARS:,}")
    return dollars
