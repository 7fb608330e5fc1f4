"""
How good the classifier is: on sources that it never saw, and on sources that it did.

Unseen: repositories are dealt into folds by a hash of their names; each fold's checked rows are judged by a model that
learned from none of its repositories. Seen: rows are dealt by a hash of their text, so that a model has learned from
other rows of the same repositories, where it may learn from them at all. Rows written for this project are always
learned from, never judged.
The figure is Cohen's κ: agreement beyond chance, 0 for guessing by frequency, 1 for perfect.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from llmcensus.classify.instructions import Instruction
from llmcensus.classify.model import Confidence, Model, leads
from llmcensus.classify.rows import Row, as_generations
from llmcensus.classify.train import Recipe, train
from llmcensus.errors import InputError
from llmcensus.taxonomy import SHIPPED

BINS = 10
STEPS = 50
# Keeps the slope finite where every row is right.
RIDGE = 1e-3


@dataclass(frozen=True)
class Judged:
    """Rows with a checked tag, the scores that a model gave them, shape (rows, outcomes), and the fold of each."""

    rows: list[Row]
    scores: NDArray[np.float32]
    fold: NDArray[np.int64]
    outcomes: Sequence[str]

    @property
    def true(self) -> list[str]:
        return [row.tag or "" for row in self.rows]

    @property
    def found(self) -> list[str]:
        return [self.outcomes[best] for best in self.scores.argmax(axis=1)]

    def right(self) -> NDArray[np.bool_]:
        return np.array([a == b for a, b in zip(self.true, self.found, strict=True)], np.bool_)

    def accuracy(self) -> float:
        return float(self.right().mean())

    def majority(self) -> float:
        """Returns the accuracy of always naming the most frequent tag; its κ is 0."""
        return Counter(self.true).most_common(1)[0][1] / len(self.rows)

    def kappa(self) -> float:
        return kappa(self.true, self.found)

    def confidence(self) -> NDArray[np.float64]:
        """Returns the confidence in each row, as the other folds say that it is to be read from the scores."""
        sure = np.empty(len(self.rows))
        for fold in np.unique(self.fold):
            other = self.fold != fold if (self.fold != fold).any() else self.fold == fold
            sure[self.fold == fold] = fitted(self.scores[other], self.right()[other]).of(self.scores[self.fold == fold])
        return sure

    def where(self, wanted: Callable[[Row], bool]) -> Judged:
        kept = np.array([wanted(row) for row in self.rows], np.bool_)
        rows = [row for row, keep in zip(self.rows, kept, strict=True) if keep]
        return Judged(rows, self.scores[kept], self.fold[kept], self.outcomes)


def kappa(true: Sequence[str], found: Sequence[str]) -> float:
    agreed = sum(a == b for a, b in zip(true, found, strict=True)) / len(true)
    of_true, of_found = Counter(true), Counter(found)
    chance = sum(of_true[tag] * of_found[tag] for tag in of_true) / len(true) ** 2
    return (agreed - chance) / (1 - chance) if chance < 1 else 0.0


def fitted(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> Confidence:
    """Returns the confidence under which it is likeliest that these rows were right: a logistic regression (Newton)."""
    given = np.column_stack([np.ones(len(scores)), leads(scores)])
    found = np.zeros(2)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-given @ found))
        curvature = (given * (chance * (1 - chance))[:, None]).T @ given + RIDGE * np.eye(2)
        found += np.linalg.solve(curvature, given.T @ (right - chance) - RIDGE * found)
    return Confidence(float(found[0]), float(found[1]))


def calibration(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[tuple[int, float, float]]:
    """Returns, for each tenth of confidence that occurs: how many rows, their mean confidence, the share right."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (int((bins == b).sum()), float(confidence[bins == b].mean()), float(right[bins == b].mean()))
        for b in range(BINS)
        if (bins == b).any()
    ]


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Returns the mean distance of confidence from the share right over its tenths (expected calibration error)."""
    return sum(n * abs(sure - share) for n, sure, share in calibration(confidence, right)) / len(right)


@dataclass(frozen=True)
class HeldOut:
    """A model a fold, which learned from no row of it; None where the fold has no row to judge."""

    rows: Sequence[Row]
    fold: Sequence[int | None]
    models: Sequence[Model | None]
    outcomes: Sequence[str]

    def judged(self, changed: Callable[[Row], Row] = lambda row: row) -> Judged:
        """Returns how each checked row, or what it is changed into, is judged by the model of its fold."""
        rows, scores, folds = [], [], []
        for number, model in enumerate(self.models):
            if model is not None:
                of_fold = _checked(self.rows, self.fold, number)
                rows += of_fold
                scores.append(model.scores(as_generations([changed(row) for row in of_fold])))
                folds += [number] * len(of_fold)
        return Judged(rows, np.concatenate(scores), np.array(folds), self.outcomes)


def hold_out(
    rows: Sequence[Row],
    instructions: Sequence[Instruction] = (),
    folds: int = 5,
    recipe: Recipe | None = None,
    deal: Callable[[Row, int], int] | None = None,
    outcomes: Sequence[str] = SHIPPED.outcomes,
) -> HeldOut:
    """Returns a model for each of the folds that the rows are dealt into."""
    deal = deal or by_source
    fold = [None if row.written else deal(row, folds) for row in rows]

    def learned(number: int) -> Model | None:
        if not _checked(rows, fold, number):
            return None
        return train([row for row, at in zip(rows, fold, strict=True) if at != number], instructions, recipe, outcomes)

    with ThreadPoolExecutor(min(folds, os.cpu_count() or 1)) as pool:
        models = list(pool.map(learned, range(folds)))
    if not any(models):
        raise InputError("No row to judge: expected rows with a `tag` and a `source` that was not written for training")
    return HeldOut(rows, fold, models, outcomes)


def _checked(rows: Sequence[Row], fold: Sequence[int | None], number: int) -> list[Row]:
    return [row for row, at in zip(rows, fold, strict=True) if at == number and row.tag is not None]


def by_source(row: Row, folds: int) -> int:
    return _hash(row.repository.encode()) % folds


def by_text(row: Row, folds: int) -> int:
    return _hash(msgspec.json.encode(row.messages)) % folds


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest())


def calibrated(model: Model, judged: Judged) -> Model:
    """Returns the model with the confidence that held-out rows ask for."""
    card = msgspec.structs.replace(model.card, confidence=fitted(judged.scores, judged.right()))
    return dataclasses.replace(model, card=card)
