"""
Generation → Event: the model's permaslug, the app, the task. **The last place that holds text.**
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeGuard

import msgspec

from llmcensus import apps, catalog
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, Label, Unjudged, Verdict, verdicts
from llmcensus.event import Event, Told
from llmcensus.generation import Generation, Part, Report
from llmcensus.permaslug import known
from llmcensus.taxonomy import SHIPPED, UNCLASSIFIED, Taxonomy

CONTEXT_BUCKETS = ((1_000, "1K"), (10_000, "10K"), (100_000, "100K"), (1_000_000, "1M"))
LARGEST_BUCKET = "10M"
UNKNOWN_BUCKET = "unknown"
TOOL_FINISHES = frozenset({"tool_calls", "tool_call", "tool-calls", "tool_use", "function_call"})
# What is counted as a reply that is neither text nor image.
EMBEDDINGS = "embeddings"
MODALITIES = {"image_url": "image", "image": "image", "input_image": "image", "input_audio": "audio", "audio": "audio"}


_encoder = msgspec.msgpack.Encoder(order="sorted")


def enrich(
    generations: Sequence[Generation], catalog: Catalog, classifier: Classifier, taxonomy: Taxonomy = SHIPPED
) -> list[Event]:
    """Returns an event a generation, in order. The classifier is one that judges by the tags of the taxonomy."""
    stamp = taxonomy.stamp(classifier.version)
    judged = zip(generations, verdicts(classifier, generations), strict=True)
    return [_event(generation, catalog, verdict, stamp) for generation, verdict in judged]


def completed(event: Event) -> Event:
    """Returns an event that was joined from parts with its cost: one part has the model, another the tokens."""
    if event.cost_nanousd is not None and not event.priced:
        return event
    at = datetime.fromtimestamp(event.created_ms / 1000, UTC)
    cost = _price(event.permaslug, event.tokens_prompt, event.tokens_completion, event.tokens_cached, at)
    return msgspec.structs.replace(event, cost_nanousd=cost, priced=cost is not None)


def identity(generation: Generation) -> tuple[bytes, bytes]:
    """Returns the key and the fingerprint of its event."""
    return _digest(generation.named())[:16], _fingerprint(generation)


def _event(generation: Generation, catalog: Catalog, verdict: Verdict, classifier: str) -> Event:
    created_at = generation.created_at.astimezone(UTC)
    permaslug = _permaslug(generation, catalog)
    prompt, completion = _tokens(generation)
    cost, priced = _cost(generation, permaslug, prompt, completion)
    tools, modality = _seen(generation)
    key, fingerprint = identity(generation)
    return Event(
        key=key,
        fingerprint=fingerprint,
        source=generation.source,
        date=created_at.date().isoformat(),
        created_ms=int(created_at.timestamp() * 1000),
        permaslug=permaslug,
        tag=verdict.tag if isinstance(verdict, Label) else UNCLASSIFIED,
        classifier=classifier,
        context_bucket=_bucket(prompt, completion),
        tools=tools,
        modality=modality,
        app=apps.identify(
            generation.http_referer, generation.app_title, generation.app_categories, generation.user_agent
        ),
        session=_session(generation),
        tokens_prompt=prompt,
        tokens_completion=completion,
        cost_nanousd=cost,
        priced=priced,
        excluded=generation.excluded(),
        unjudged=verdict.reason if isinstance(verdict, Unjudged) else None,
        operation=generation.operation or "chat",
        tokens_cached=generation.tokens_cached,
        told=_told(generation) if isinstance(generation, Report) else None,
    )


def _permaslug(generation: Generation, catalog: Catalog) -> str:
    """A gateway's own name for a model means nothing elsewhere: then the model that answered counts, if it is known."""
    requested = catalog.permaslug(generation.model)
    if known(requested) or not generation.model_served:
        return requested
    served = catalog.permaslug(generation.model_served)
    return served if known(served) else requested


def _told(report: Report) -> Told:
    if report.begins and report.ends:
        return "whole"
    return "begin" if report.begins else "end" if report.ends else "middle"


def _fingerprint(generation: Generation) -> bytes:
    if isinstance(generation, Report):
        return _digest(generation.occasion.encode())[:8]
    try:
        whole = _encoder.encode(generation)
    except (OverflowError, RecursionError):
        # A number above 64 bits, or endless nesting, in the arguments of a call or in an error: the rest will do.
        whole = _encoder.encode(msgspec.structs.replace(generation, messages=None, error=None))
    return _digest(whole)[:8]


def _digest(text: bytes) -> bytes:
    """SHA-256: processors have instructions for it, and nobody can make two requests look alike on purpose."""
    return hashlib.sha256(text).digest()


def _session(generation: Generation) -> bytes | None:
    """Two sources, or two accounts of one, may name their sessions alike."""
    if not generation.session_id:
        return None
    whose = f"{len(generation.source)}:{generation.source}{len(generation.account or '')}:{generation.account or ''}"
    return _digest(f"{whose}{generation.session_id}".encode())[:16]


def _tokens(generation: Generation) -> tuple[int | None, int | None]:
    """
    A gateway's cache hit reached no model: it is a request with zero tokens, whatever its record repeats. An embedding
    completes nothing, and most sources do not say so.
    """
    if generation.cache_hit:
        return 0, 0
    prompt, completion = generation.tokens_prompt, generation.tokens_completion
    if generation.operation == EMBEDDINGS and prompt is not None and completion is None:
        completion = 0
    return prompt, completion


def _cost(
    generation: Generation, permaslug: str, prompt: int | None, completion: int | None
) -> tuple[int | None, bool]:
    """Returns nano-dollars, and whether they come from the price list: that is asked only where no cost was given."""
    if generation.cost_usd is not None:
        return catalog.nano(generation.cost_usd), False
    if generation.cache_hit:
        return 0, False
    cost = _price(permaslug, prompt, completion, generation.tokens_cached, generation.created_at)
    return cost, cost is not None


def _price(permaslug: str, prompt: int | None, completion: int | None, cached: int | None, at: datetime) -> int | None:
    if prompt is None or completion is None:
        return None
    return catalog.price(permaslug, prompt, completion, cached, at)


def _bucket(prompt: int | None, completion: int | None) -> str:
    """Returns the smallest bound that holds prompt and completion."""
    if prompt is None or completion is None:
        return UNKNOWN_BUCKET
    total = prompt + completion
    return next((name for bound, name in CONTEXT_BUCKETS if total <= bound), LARGEST_BUCKET)


def _seen(generation: Generation) -> tuple[int, str]:
    """
    Returns 1 if a tool call was recorded, in the turns or as what ended the reply; and the modality.

    The modality is `text`, or the kinds of input besides text and `image_output` for a reply with an image, sorted:
    `image`, `audio+image`, `image+image_output`; or `embeddings`.
    """
    if generation.operation == EMBEDDINGS:
        return 0, EMBEDDINGS
    tools = generation.finish_reason in TOOL_FINISHES
    kinds = {"image_output"} if "image" in (generation.output_modalities or ()) else set()
    for message in generation.messages or ():
        tools = tools or bool(message.tool_calls)
        if isinstance(message.content, list):
            kinds.update(MODALITIES[part.type] for part in message.content if _is_other(part))
    return int(tools), "+".join(sorted(kinds)) or "text"


def _is_other(part: Part | str) -> TypeGuard[Part]:
    return isinstance(part, Part) and part.type in MODALITIES
