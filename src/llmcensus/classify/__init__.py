"""
A Generation's text → tag and confidence.

A classifier takes a batch and returns a label each, in order; None where there is no text to judge. The one shipped is
hashed n-grams of the transcript's fields under a linear model: one pass over bytes, no network, the GIL released.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from llmcensus.classify.model import Model
from llmcensus.classify.taxonomy import OTHER as OTHER
from llmcensus.classify.taxonomy import Label
from llmcensus.generation import Generation

UNCLASSIFIED = "unclassified"


class Classifier(Protocol):
    """What `enrich` asks of any classifier."""

    @property
    def version(self) -> str:
        """Names the weights; it is stamped on every cell they make."""
        ...

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]: ...


def shipped() -> Classifier:
    """Returns the classifier whose weights come with the package."""
    return Model.load(Path(__file__).with_name("model.npz"))
