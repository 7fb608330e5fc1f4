"""
A span → the generation that it is, by the rule of its instrumentation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from llmcensus.errors import DecodeError
from llmcensus.generation import UNNAMED, Generation, Operation, Report
from llmcensus.wire.otlp import values
from llmcensus.wire.otlp.bodies import Span
from llmcensus.wire.otlp.content import Content
from llmcensus.wire.otlp.rules import RULES, Rule
from llmcensus.wire.otlp.values import text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_ID = 128
UNNAMED_SERVICE = "unknown_service"


def generation(span: Span) -> Generation | None:
    """Returns the generation that a span is, or None if it is none."""
    rule = next((rule for rule in RULES if rule.applies(span)), None)
    operation = rule.operation(span.attributes) if rule is not None else None
    if rule is None or operation is None:
        return None
    try:
        found = {field: reader(span.attributes) for field, reader in rule.fields.items()}
        content = rule.content(span.attributes) if operation == "chat" else Content()
    except RecursionError:
        raise DecodeError("bad_json", "an attribute of a span is nested too deeply") from None
    known = {field: FIELDS[field](field, value) for field, value in found.items()}
    if known.get("cache_hit"):
        known["cost_usd"] = 0.0  # whatever the record repeats of the call that filled the cache
    elif not known["cost_usd"] and not rule.free:
        known["cost_usd"] = None
    if rule.source == "otlp":
        known["account"] = _service(span)
    if span.failed:
        known["error"] = text(span.attributes.get("error.type")) or "error"
    started = _started(span)
    counted = known | {"model": known["model"] or UNNAMED} | _whole_counts(known, operation)
    return Report(
        source=rule.source,
        id=_id(span, rule),
        occasion=rule.occasion(started, counted),
        created_at=started,
        latency_ms=(span.end_ns - span.start_ns) / 1e6 if span.end_ns >= span.start_ns else None,
        operation=operation,
        messages=content.messages,
        tools=content.tools,
        **counted,
    )


def _id(span: Span, rule: Rule) -> str:
    for field, value in (("trace id", span.trace_id), ("span id", span.span_id)):
        if not value.strip("0"):
            raise DecodeError("missing_field", f"a span has no {field}")
        if len(value) > LONGEST_ID:
            raise DecodeError("bad_name", f"a {field} is above {LONGEST_ID} characters")
    return values.name("id", rule.identity(span)) or span.trace_id + span.span_id


def _started(span: Span) -> datetime:
    """Returns when a span began, to the millisecond; one that has no time is refused."""
    if span.start_ns <= 0:
        raise DecodeError("missing_field", "a span has no start time")
    try:
        # Clocks that count microseconds are a few nanoseconds off after they went through a float.
        return EPOCH + timedelta(milliseconds=(span.start_ns + 500) // 1_000_000)
    except OverflowError:
        raise DecodeError("bad_time", "the start time of a span is beyond the year 9999") from None


def _service(span: Span) -> str | None:
    """Two services may name their sessions alike."""
    service = text(span.resource.get("service.name"))
    return None if service is None or service.startswith(UNNAMED_SERVICE) else service


def _whole_counts(known: dict[str, Any], operation: Operation) -> dict[str, int | None]:
    """
    Returns prompt tokens with the cached ones, and completion tokens with those of reasoning.

    Nearly all senders count so. A part that is larger than its whole says that this one does not.
    """
    prompt, completion = known["tokens_prompt"], known["tokens_completion"]
    cached, reasoning = known["tokens_cached"] or 0, known["tokens_reasoning"] or 0
    if operation == "embeddings" and prompt is not None:
        completion = completion or 0  # nothing is written
    if prompt is not None and cached > prompt:
        prompt += cached
    if completion is not None and reasoning > completion:
        completion += reasoning
    return {"tokens_prompt": prompt, "tokens_completion": completion}


def _modalities(_: str, value: object) -> list[str] | None:
    found = text(value)
    return [found] if found in ("text", "image") else None


FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "model": values.name,
    "model_served": values.name,
    "provider": lambda _, value: text(value),
    "tokens_prompt": values.tokens,
    "tokens_completion": values.tokens,
    "tokens_cached": values.tokens,
    "tokens_reasoning": values.tokens,
    "cost_usd": values.dollars,
    "finish_reason": lambda _, value: values.reason(value),
    "streamed": lambda _, value: values.switch(value),
    "cache_hit": lambda _, value: values.switch(value),
    "output_modalities": _modalities,
    "http_referer": lambda _, value: text(value),
    "app_title": lambda _, value: text(value),
    "app_categories": lambda _, value: text(value),
    "user_agent": lambda _, value: text(value),
    "account": lambda _, value: text(value),
    "session_id": lambda _, value: text(value),
}
