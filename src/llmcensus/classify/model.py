"""
The shipped classifier: one `.npz` file of weights and what is needed to read them.

Rows of 8-bit weights, one row of 32 outputs a hash bucket: a request is a few hundred row additions.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from llmcensus.classify import machine
from llmcensus.classify.features import Segments, has_words, segments
from llmcensus.errors import InputError
from llmcensus.generation import Generation
from llmcensus.taxonomy import OTHER, Taxonomy

Number = TypeVar("Number", np.int8, np.float32)

# Requests scored at a time.
CHUNK = 4096


class Label(NamedTuple):
    """
    `confidence` is the chance, 0 to 1, that an annotator gives the same tag: calibrated where it comes from weights,
    claimed where it comes from a model that was asked.
    """

    tag: str
    confidence: float


# Without a word there is nothing to judge by.
NOTHING_ASKED = Label(OTHER, 1.0)


class Confidence(NamedTuple):
    """
    How far the best score leads the next → how often such a lead is right: `1 / (1 + exp(-(base + slope * lead)))`.

    A lead tells more than a softmax of all scores, which is too sure of requests that look like many learned ones and
    not sure enough of those that look like none.
    """

    base: float = 0.0
    slope: float = 1.0

    def of(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Returns the confidence in the best outcome of each row of scores."""
        chance: NDArray[np.float64] = 1 / (1 + np.exp(-(self.base + self.slope * leads(scores))))
        return chance


def leads(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns by how much the best score of each row exceeds the next."""
    two = np.partition(scores, -2, axis=1)[:, -2:].astype(np.float64)
    lead: NDArray[np.float64] = two[:, 1] - two[:, 0]
    return lead


class Card(msgspec.Struct, kw_only=True):
    """
    What a weights file says of itself.

    Weights are multiplied by `scale`. `rows` counts what was learned from, by how the labels came about.
    """

    version: str
    outcomes: list[str]
    scale: float
    confidence: Confidence
    rows: dict[str, int]


@dataclass(frozen=True)
class Model:
    card: Card
    weights: NDArray[np.int8]
    bias: NDArray[np.float32]

    @property
    def version(self) -> str:
        return self.card.version

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]:
        scores = self.scores(generations)
        best = scores.argmax(axis=1).tolist()
        sure = self.card.confidence.of(scores).tolist()
        return [
            None
            if generation.messages is None
            else Label(self.card.outcomes[outcome], chance)
            if has_words(generation.messages)
            else NOTHING_ASKED
            for generation, outcome, chance in zip(generations, best, sure, strict=True)
        ]

    def scores(self, generations: Sequence[Generation]) -> NDArray[np.float32]:
        """Returns the score of every outcome, shape (requests, outcomes)."""
        if len(generations) <= CHUNK:
            return self._score(segments(generations))
        chunks = (generations[at : at + CHUNK] for at in range(0, len(generations), CHUNK))
        # The kernel needs no GIL: while it scores one chunk, the fields of the next are cut out here.
        with ThreadPoolExecutor(1) as scorer:
            scored = [scorer.submit(self._score, segments(chunk)) for chunk in chunks]
        return np.concatenate([scores.result() for scores in scored])

    def _score(self, fields: Segments) -> NDArray[np.float32]:
        scores = machine.score(fields, self.weights, self.card.scale, self.bias)
        return scores[:, : len(self.card.outcomes)]

    def save(self, path: Path) -> None:
        card = np.frombuffer(msgspec.json.encode(self.card), np.uint8)
        with path.open("wb") as file:
            np.savez_compressed(file, card=card, weights=self.weights, bias=self.bias)

    @classmethod
    def load(cls, path: Path, taxonomy: Taxonomy) -> Model:
        """Reads weights; they must be of the tags of `taxonomy`, all of them and no others."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                card = msgspec.json.decode(stored["card"].tobytes(), type=Card)
                model = cls(
                    card=card, weights=_array(stored, "weights", np.int8), bias=_array(stored, "bias", np.float32)
                )
        except (OSError, EOFError, ValueError, KeyError, BadZipFile, msgspec.DecodeError) as error:
            raise InputError(f"{path} is no weights file of this version of llmcensus: {error}") from error
        # The kernel checks neither bounds nor kinds, so a file must not make it look beyond its rows.
        buckets, outputs = model.weights.shape if model.weights.ndim == 2 else (0, 0)
        if buckets < 1 or buckets & (buckets - 1) or (outputs, *model.bias.shape) != (machine.OUTPUTS, machine.OUTPUTS):
            raise InputError(
                f"{path} has weights {model.weights.shape} and bias {model.bias.shape}, expected rows of "
                f"{machine.OUTPUTS}, a power of two of them"
            )
        _require_outcomes(path, card.outcomes, taxonomy)
        return model


def _array(stored: NpzFile, name: str, kind: type[Number]) -> NDArray[Number]:
    found = stored[name]
    if found.dtype != kind:
        raise ValueError(f"its {name} are {found.dtype}, expected {np.dtype(kind)}")
    return np.ascontiguousarray(found, kind)


def _require_outcomes(path: Path, outcomes: Sequence[str], taxonomy: Taxonomy) -> None:
    """A tag that the weights alone have would be in no dataset; one that they lack would never be found."""
    if len(set(outcomes)) != len(outcomes):
        raise InputError(f"{path} has an outcome twice: expected each once")
    for has, these, lacks, those in (
        (path, outcomes, taxonomy.name, taxonomy.outcomes),
        (taxonomy.name, taxonomy.outcomes, path, outcomes),
    ):
        if odd := [tag for tag in these if tag not in those]:
            raise InputError(
                f"{has} has {odd[0]!r}, which {lacks} has not: "
                f"expected weights that `llmcensus train` made for {taxonomy.name}"
            )
