"""
The shipped classifier: one `.npz` file of weights and what is needed to read them.

Rows of 8-bit weights, one row of 32 outputs a hash bucket: a request is a few hundred row additions.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from llmcensus.classify import kernel
from llmcensus.classify.features import Segments, segments
from llmcensus.errors import InputError
from llmcensus.generation import Generation
from llmcensus.taxonomy import OUTCOMES

# Requests scored at a time.
CHUNK = 4096


class Label(NamedTuple):
    """
    `confidence` is the chance, 0 to 1, that an annotator gives the same tag: calibrated where it comes from weights,
    claimed where it comes from a model that was asked.
    """

    tag: str
    confidence: float


class Card(msgspec.Struct, kw_only=True):
    """
    What a weights file says of itself.

    Weights are multiplied by `scale`; scores are divided by `temperature` to make chances of them. `rows` counts what
    was learned from, by how the labels came about.
    """

    version: str
    outcomes: list[str]
    scale: float
    temperature: float
    rows: dict[str, int]


Floats = TypeVar("Floats", NDArray[np.float32], NDArray[np.float64])


def chances(scores: Floats, temperature: float) -> Floats:
    """Returns the chance of every outcome by its score, in the precision of the scores."""
    scaled = scores / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    result: Floats = raised / raised.sum(axis=1, keepdims=True)
    return result


@dataclass(frozen=True)
class Model:
    card: Card
    weights: NDArray[np.int8]
    bias: NDArray[np.float32]

    @cached_property
    def _packed(self) -> NDArray[np.uint64]:
        return kernel.pack(self.weights)

    @property
    def version(self) -> str:
        return self.card.version

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]:
        likely = self.probabilities(generations)
        best = likely.argmax(axis=1).tolist()
        sure = likely.max(axis=1).tolist()
        return [
            None if generation.messages is None else Label(self.card.outcomes[outcome], chance)
            for generation, outcome, chance in zip(generations, best, sure, strict=True)
        ]

    def probabilities(self, generations: Sequence[Generation]) -> NDArray[np.float32]:
        """Returns the chance of every outcome, shape (requests, outcomes)."""
        return chances(self.scores(generations), self.card.temperature)

    def scores(self, generations: Sequence[Generation]) -> NDArray[np.float32]:
        """Returns what the chances are made of, shape (requests, outcomes)."""
        if len(generations) <= CHUNK:
            return self._score(segments(generations))
        chunks = (generations[at : at + CHUNK] for at in range(0, len(generations), CHUNK))
        # The kernel needs no GIL: while it scores one chunk, the fields of the next are cut out here.
        with ThreadPoolExecutor(1) as scorer:
            scored = [scorer.submit(self._score, segments(chunk)) for chunk in chunks]
        return np.concatenate([scores.result() for scores in scored])

    def _score(self, fields: Segments) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = kernel.score(*fields, self._packed, self.card.scale, self.bias)
        return scores[:, : len(self.card.outcomes)]

    def save(self, path: Path) -> None:
        card = np.frombuffer(msgspec.json.encode(self.card), np.uint8)
        with path.open("wb") as file:
            np.savez_compressed(file, card=card, weights=self.weights, bias=self.bias)

    @classmethod
    def load(cls, path: Path) -> Model:
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                card = msgspec.json.decode(stored["card"].tobytes(), type=Card)
                model = cls(card=card, weights=stored["weights"], bias=stored["bias"])
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, msgspec.DecodeError) as error:
            raise InputError(f"{path} is no weights file of this version of llmcensus: {error}") from error
        if set(card.outcomes) - set(OUTCOMES):
            raise InputError(
                f"{path} has outcomes that the taxonomy does not: {sorted(set(card.outcomes) - set(OUTCOMES))}"
            )
        # The kernel checks no bounds, so a file must not make it look beyond its rows.
        buckets, outputs = model.weights.shape if model.weights.ndim == 2 else (0, 0)
        if buckets < 1 or buckets & (buckets - 1) or (outputs, *model.bias.shape) != (kernel.OUTPUTS, kernel.OUTPUTS):
            raise InputError(
                f"{path} has weights {model.weights.shape} and bias {model.bias.shape}, expected rows of "
                f"{kernel.OUTPUTS}, a power of two of them"
            )
        return model
