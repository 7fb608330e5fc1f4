"""
Labelled requests → weights: multinomial logistic regression over hashed features, by AdaGrad with fixed seeds.

Rows are JSON lines of `{messages, tools, tag}`, with `weak_label` in place of `tag` where the source implies it,
`source` to keep one source from drowning the rest, and `train_ok` false for rows that may be measured, never learned.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from llmcensus.classify import kernel
from llmcensus.classify.features import segments
from llmcensus.classify.model import Card, Model
from llmcensus.errors import InputError
from llmcensus.generation import Generation, Instant, Message, Tool
from llmcensus.taxonomy import OTHER, OUTCOMES


class Row(msgspec.Struct, kw_only=True):
    """A labelled request. `source` is `repository:path`; its repository is what held-out tests leave out."""

    messages: list[Message]
    tools: list[Tool | str] | None = None
    tag: str | None = None
    weak_label: str | None = None
    source: str = "yours"
    train_ok: bool = True

    @property
    def label(self) -> str | None:
        return self.tag or self.weak_label

    @property
    def repository(self) -> str:
        return self.source.split(":")[0]


class Recipe(msgspec.Struct, frozen=True):
    """What training does with the rows; the defaults made the shipped weights."""

    buckets: int = 1 << 17
    epochs: int = 8
    rate: float = 0.6
    decay: float = 3e-3
    drop: float = 0.5
    weak_weight: float = 0.2
    # Words that were never learned look like noise, and noise is rare: its few rows do not count for many.
    other_weight: float = 0.5
    weak_per_source: int = 150
    smoothing: float = 0.0
    seed: int = 20261123


_row = msgspec.json.Decoder(Row)


def read_row(line: bytes) -> Row:
    try:
        row = _row.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(str(error)) from None
    if row.label is not None and row.label not in OUTCOMES:
        raise InputError(f"tag {row.label!r} is not in the taxonomy")
    return row


def as_generations(rows: Sequence[Row]) -> list[Generation]:
    moment = msgspec.convert("2026-01-01T00:00:00Z", Instant)
    return [
        Generation(source="row", id=str(n), created_at=moment, model="none", messages=row.messages, tools=row.tools)
        for n, row in enumerate(rows)
    ]


def chosen(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Returns the rows to learn from: labelled, allowed, and no source's weak labels above their share."""
    generator = np.random.default_rng(recipe.seed)
    taken: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for at in generator.permutation(len(rows)):
        row = rows[at]
        if row.label is None or not row.train_ok:
            continue
        if row.tag is None:
            key = (row.repository, row.weak_label)
            taken[key] += 1
            if taken[key] > recipe.weak_per_source:
                continue
        kept.append(row)
    return kept


def train(rows: Sequence[Row], recipe: Recipe | None = None) -> Model:
    recipe = recipe or Recipe()
    kept = chosen(rows, recipe)
    if not kept:
        raise InputError("No row to learn from: expected rows with `tag` or `weak_label`, and `train_ok` not false")
    labels = np.array([OUTCOMES.index(row.label or "") for row in kept], np.int64)
    counts = np.bincount(labels, minlength=len(OUTCOMES))
    balance = np.sqrt(np.median(counts[counts > 0]) / np.maximum(counts, 1))
    balance[OUTCOMES.index(OTHER)] = recipe.other_weight
    trust = np.array([1.0 if row.tag else recipe.weak_weight for row in kept])
    features, factors, begins = kernel.extract(*segments(as_generations(kept)), recipe.buckets)
    weights, bias = _fit(
        features,
        factors,
        begins,
        labels,
        (trust * balance[labels]).astype(np.float32),
        len(OUTCOMES),
        recipe.buckets,
        recipe.epochs,
        recipe.rate,
        recipe.decay,
        recipe.drop,
        recipe.smoothing,
        recipe.seed,
    )
    limit = float(np.quantile(np.abs(weights[np.any(weights != 0, axis=1)]), 0.9999)) or 1.0
    quantised = np.clip(np.rint(weights / limit * 127), -127, 127).astype(np.int8)
    card = Card(
        version=_version(quantised),
        outcomes=list(OUTCOMES),
        scale=limit / 127,
        temperature=1.0,
        threshold=0.0,
        rows={"tagged": sum(row.tag is not None for row in kept), "weak": sum(row.tag is None for row in kept)},
    )
    return Model(card=card, weights=quantised, bias=bias)


def _version(weights: NDArray[np.int8]) -> str:
    return "hashed-" + hashlib.blake2b(weights.tobytes(), digest_size=4).hexdigest()


@kernel.compiled
def _fit(
    features: NDArray[np.uint32],
    factors: NDArray[np.float32],
    begins: NDArray[np.int64],
    labels: NDArray[np.int64],
    trust: NDArray[np.float32],
    outcomes: int,
    buckets: int,
    epochs: int,
    rate: float,
    decay: float,
    drop: float,
    smoothing: float,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Minimises the weighted cross-entropy; a share `drop` of a row's features is left out each time it is seen."""
    np.random.seed(seed)
    width = kernel.OUTPUTS
    weights = np.zeros((buckets, width), np.float32)
    squares = np.full((buckets, width), 1e-4, np.float32)
    bias = np.zeros(width, np.float32)
    bias_squares = np.full(width, 1e-4, np.float32)
    scores = np.empty(width, np.float32)
    rows = len(begins) - 1
    keep = np.empty(len(features), np.bool_)
    for _ in range(epochs):
        for row in np.random.permutation(rows):
            scores[:] = bias
            for at in range(begins[row], begins[row + 1]):
                keep[at] = np.random.random() >= drop
                if keep[at]:
                    factor = factors[at] / np.float32(1 - drop)
                    for output in range(outcomes):
                        scores[output] += factor * weights[features[at], output]
            top = scores[:outcomes].max()
            total = np.float32(0)
            for output in range(outcomes):
                scores[output] = np.exp(scores[output] - top)
                total += scores[output]
            for output in range(outcomes):
                target = smoothing / outcomes + (1 - smoothing if output == labels[row] else 0)
                scores[output] = trust[row] * (scores[output] / total - target)
                bias_squares[output] += scores[output] ** 2
                bias[output] -= rate * scores[output] / np.sqrt(bias_squares[output])
            for at in range(begins[row], begins[row + 1]):
                if keep[at]:
                    factor = factors[at] / np.float32(1 - drop)
                    feature = features[at]
                    for output in range(outcomes):
                        slope = factor * scores[output] + decay * weights[feature, output]
                        squares[feature, output] += slope * slope
                        weights[feature, output] -= rate * slope / np.sqrt(squares[feature, output])
    return weights, bias
