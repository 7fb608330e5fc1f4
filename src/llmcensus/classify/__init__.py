"""
A Generation's text → tag and confidence.

A classifier takes a batch and returns a label each, in order; None where the messages are unknown. The one shipped
hashes the words of the transcript's fields and adds up what was learned of them: one pass over bytes, in-process, the
GIL released.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from llmcensus.classify.model import Label, Model
from llmcensus.generation import Generation
from llmcensus.taxonomy import SHIPPED, Taxonomy


class Classifier(Protocol):
    """What `enrich` asks of any classifier."""

    @property
    def version(self) -> str:
        """Names the weights; it is stamped on every cell they make."""
        ...

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]: ...


def shipped(taxonomy: Taxonomy = SHIPPED) -> Model:
    """
    Returns the classifier whose weights come with the package, ready to run. It knows the tags that come with it only.

    On the first call after an installation the kernel is compiled, which takes some seconds; the result is cached.
    """
    model = Model.load(Path(__file__).with_name("model.npz"), taxonomy)
    model.scores([])
    return model


__all__ = ["Classifier", "Label", "Model", "shipped"]
