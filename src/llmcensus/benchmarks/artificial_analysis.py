"""
Models as the API of Artificial Analysis gives them: `{"data": [{"slug", "name", "evaluations", "pricing", …}]}`.

See: https://artificialanalysis.ai/documentation
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from llmcensus.benchmarks.items import ARTIFICIAL_ANALYSIS, UnifiedBenchmarksAAItem
from llmcensus.benchmarks.names import Names
from llmcensus.catalog import MTOK

Price = Annotated[float, Meta(ge=0)] | None


class Creator(msgspec.Struct):
    slug: str | None = None


class Evaluations(msgspec.Struct):
    artificial_analysis_intelligence_index: float | None = None
    artificial_analysis_coding_index: float | None = None
    artificial_analysis_agentic_index: float | None = None


class Pricing(msgspec.Struct):
    """USD a million tokens."""

    price_1m_input_tokens: Price = None
    price_1m_output_tokens: Price = None


class Model(msgspec.Struct):
    slug: str
    name: str | None = None
    model_creator: Creator | None = None
    evaluations: Evaluations | None = None
    pricing: Pricing | None = None


def recognises(row: dict[str, Any]) -> bool:
    return "slug" in row and "evaluations" in row


def decode(row: dict[str, Any], names: Names) -> UnifiedBenchmarksAAItem:
    model = msgspec.convert(row, Model)
    creator = model.model_creator.slug if model.model_creator else None
    slug = names.permaslug(model.slug, *([f"{creator}/{model.slug}"] if creator else []))
    scores = model.evaluations or Evaluations()
    return UnifiedBenchmarksAAItem(
        source=ARTIFICIAL_ANALYSIS,
        model_permaslug=slug,
        display_name=model.name or model.slug,
        intelligence_index=scores.artificial_analysis_intelligence_index,
        coding_index=scores.artificial_analysis_coding_index,
        agentic_index=scores.artificial_analysis_agentic_index,
        pricing=names.pricing(slug, _per_token(model.pricing)),
    )


def _per_token(pricing: Pricing | None) -> tuple[Decimal, Decimal] | None:
    if pricing is None or pricing.price_1m_input_tokens is None or pricing.price_1m_output_tokens is None:
        return None
    # Through text: 0.15 is meant, not the double next to it.
    return Decimal(str(pricing.price_1m_input_tokens)) / MTOK, Decimal(str(pricing.price_1m_output_tokens)) / MTOK
