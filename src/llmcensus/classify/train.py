"""
Labelled requests and a bank of instructions → weights: multinomial logistic regression over hashed features.

By AdaGrad, with fixed seeds: on one machine the same rows give the same weights.
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
from llmcensus.classify.instructions import Instruction, joined
from llmcensus.classify.machine import OUTPUTS
from llmcensus.classify.model import Card, Confidence, Model
from llmcensus.classify.rows import Row, as_generations
from llmcensus.errors import InputError
from llmcensus.taxonomy import OTHER, SHIPPED


class Recipe(msgspec.Struct, frozen=True):
    """What training does with the rows; the defaults made the shipped weights."""

    buckets: int = 1 << 18
    epochs: int = 8
    # So many epochs search; the weights are the mean of those after each later one, which is steadier than the last.
    searching: int = 3
    rate: float = 0.6
    decay: float = 3e-3
    # The share of a row's features that is left out each time it is seen, so that none is relied on alone.
    drop: float = 0.5
    # What a label counts for, against 1 for one that is checked: implied by the source; of a reader in doubt.
    weak_weight: float = 0.2
    unsure_weight: float = 0.6
    # Words that were never learned look like noise, and noise is rare: its few rows do not count for many.
    other_weight: float = 0.5
    weak_per_source: int = 150
    seed: int = 20261123


def train(
    rows: Sequence[Row],
    instructions: Sequence[Instruction] = (),
    recipe: Recipe | None = None,
    outcomes: Sequence[str] = SHIPPED.outcomes,
) -> Model:
    """Returns a model of uncalibrated confidence; every label must be one of the outcomes."""
    recipe = recipe or Recipe()
    kept = chosen(rows, recipe)
    written = [row for row in kept if row.written]
    made = joined(instructions, written, recipe.seed) if instructions else []
    kept += made
    if not kept:
        raise InputError("No row to learn from: expected rows with `tag` or `weak_label`, and `train_ok` not false")
    labels = np.array([outcomes.index(row.label or "") for row in kept])
    trust = np.array([_trust(row, recipe) for row in kept]) * _balance(labels, recipe, outcomes)[labels]
    features, factors, begins = kernel.extract(*segments(as_generations(kept)), recipe.buckets)
    weights, bias = _fit(
        features,
        factors,
        begins,
        labels,
        trust.astype(np.float32),
        len(outcomes),
        recipe.buckets,
        recipe.epochs,
        recipe.searching,
        recipe.rate,
        recipe.decay,
        recipe.drop,
        recipe.seed,
    )
    used = weights[np.any(weights != 0, axis=1)]
    limit = float(np.quantile(np.abs(used), 0.9999)) if used.size else 1.0
    quantised = np.clip(np.rint(weights / limit * 127), -127, 127).astype(np.int8)
    counts = Counter(_came_about(row) for row in kept[: len(kept) - len(made)])
    card = Card(
        version=_version(quantised, outcomes),
        outcomes=list(outcomes),
        scale=limit / 127,
        confidence=Confidence(),
        rows={**counts, "joined": len(made)},
    )
    return Model(card=card, weights=quantised, bias=bias)


def _version(weights: NDArray[np.int8], outcomes: Sequence[str]) -> str:
    digest = hashlib.blake2b(weights.tobytes(), digest_size=4)
    digest.update(" ".join(outcomes).encode())
    return "hashed-" + digest.hexdigest()


def chosen(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """Returns the rows to learn from: labelled, allowed, and no source's weak labels above their share."""
    generator = np.random.default_rng(recipe.seed)
    taken: Counter[tuple[str, str | None]] = Counter()
    kept = []
    for at in generator.permutation(len(rows)):
        row = rows[at]
        if row.label is None or not row.train_ok:
            continue
        if row.tag is None and row.read_tag is None:
            key = (row.repository, row.weak_label)
            taken[key] += 1
            if taken[key] > recipe.weak_per_source:
                continue
        kept.append(row)
    return kept


def _trust(row: Row, recipe: Recipe) -> float:
    if row.tag is not None:
        return 1.0
    if row.read_tag is None:
        return recipe.weak_weight
    return 1.0 if row.sure else recipe.unsure_weight


def _balance(labels: NDArray[np.int64], recipe: Recipe, outcomes: Sequence[str]) -> NDArray[np.float64]:
    """Returns a weight an outcome: rare ones count for more, by the root of how much rarer they are."""
    counts = np.bincount(labels, minlength=len(outcomes))
    balance: NDArray[np.float64] = np.sqrt(np.median(counts[counts > 0]) / np.maximum(counts, 1))
    balance[outcomes.index(OTHER)] = recipe.other_weight
    return balance


def _came_about(row: Row) -> str:
    if row.written:
        return "written"
    return "checked" if row.tag else "read" if row.read_tag else "weak"


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
    searching: int,
    rate: float,
    decay: float,
    drop: float,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Minimises the weighted cross-entropy; a share `drop` of a row's features is left out each time it is seen."""
    np.random.seed(seed)
    pace, pull, boost = np.float32(rate), np.float32(decay), np.float32(1 / (1 - drop))
    weights = np.zeros((buckets, OUTPUTS), np.float32)
    squares = np.full((buckets, OUTPUTS), 1e-4, np.float32)
    bias = np.zeros(OUTPUTS, np.float32)
    bias_squares = np.full(OUTPUTS, 1e-4, np.float32)
    mean_weights, mean_bias = np.zeros_like(weights), np.zeros_like(bias)
    scores = np.empty(OUTPUTS, np.float32)
    rows = len(begins) - 1
    keep = np.empty(len(features), np.bool_)
    first_kept = min(searching, epochs - 1)
    for epoch in range(epochs):
        for row in np.random.permutation(rows):
            scores[:] = bias
            for at in range(begins[row], begins[row + 1]):
                keep[at] = np.random.random() >= drop
                if keep[at]:
                    factor = factors[at] * boost
                    for output in range(outcomes):
                        scores[output] += factor * weights[features[at], output]
            top = scores[:outcomes].max()
            total = np.float32(0)
            for output in range(outcomes):
                scores[output] = np.exp(scores[output] - top)
                total += scores[output]
            for output in range(outcomes):
                target = np.float32(1 if output == labels[row] else 0)
                scores[output] = trust[row] * (scores[output] / total - target)
                bias_squares[output] += scores[output] ** 2
                bias[output] -= pace * scores[output] / np.sqrt(bias_squares[output])
            for at in range(begins[row], begins[row + 1]):
                if keep[at]:
                    factor = factors[at] * boost
                    feature = features[at]
                    for output in range(outcomes):
                        slope = factor * scores[output] + pull * weights[feature, output]
                        squares[feature, output] += slope * slope
                        weights[feature, output] -= pace * slope / np.sqrt(squares[feature, output])
        if epoch >= first_kept:
            mean_weights += weights
            mean_bias += bias
    kept = np.float32(epochs - first_kept)
    return mean_weights / kept, mean_bias / kept
