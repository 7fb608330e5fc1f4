"""
How good the classifier is on sources that it never saw.

Leave-sources-out: repositories are dealt into folds by a hash of their names; each fold's annotated rows are judged by
a model that learned from none of its repositories. Rows written for this project are always learned from, never judged.
The figure is Cohen's κ: agreement beyond chance, 0 for guessing by frequency, 1 for perfect.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmcensus.classify.train import Recipe, Row, as_generations, train
from llmcensus.errors import InputError

WRITTEN = "authored"


@dataclass(frozen=True)
class Judged:
    """True and found tags of the rows judged, in the same order, and how sure the classifier was."""

    true: list[str]
    found: list[str]
    confidence: list[float]

    def accuracy(self) -> float:
        return sum(a == b for a, b in zip(self.true, self.found, strict=True)) / len(self.true)

    def majority(self) -> float:
        """Returns the accuracy of always naming the most frequent tag; its κ is 0."""
        return Counter(self.true).most_common(1)[0][1] / len(self.true)

    def kappa(self) -> float:
        true, found = Counter(self.true), Counter(self.found)
        chance = sum(true[tag] * found[tag] for tag in true) / len(self.true) ** 2
        return (self.accuracy() - chance) / (1 - chance) if chance < 1 else 0.0


def leave_sources_out(rows: Sequence[Row], folds: int = 5, recipe: Recipe | None = None) -> Judged:
    judged = Judged([], [], [])
    for fold in range(folds):
        held_out = [row for row in rows if not written(row) and fold_of(row.repository, folds) == fold]
        tagged = [row for row in held_out if row.tag is not None]
        if not tagged:
            continue
        model = train([row for row in rows if written(row) or fold_of(row.repository, folds) != fold], recipe)
        for row, label in zip(tagged, model.classify(as_generations(tagged)), strict=True):
            if row.tag is not None and label is not None:
                judged.true.append(row.tag)
                judged.found.append(label.tag)
                judged.confidence.append(label.confidence)
    if not judged.true:
        raise InputError("No row to judge: expected rows with a `tag` and a `source` that was not written for training")
    return judged


def written(row: Row) -> bool:
    return row.repository == WRITTEN


def fold_of(repository: str, folds: int) -> int:
    return int.from_bytes(hashlib.blake2b(repository.encode(), digest_size=4).digest()) % folds


def report(judged: Judged) -> str:
    return (
        f"{len(judged.true):,} annotated requests from sources never seen in training\n"
        f"kappa {judged.kappa():.3f}   accuracy {judged.accuracy():.3f}   majority guess {judged.majority():.3f}"
    )
