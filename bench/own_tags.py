"""
How many rows tags of one's own need: three sets of them, made of the shipped tags, learned from few rows a tag.

Judged on the rows written for training that were not learned from, and on annotated requests of other sources where
CORPUS names them. Prints the table of docs/classifier.md; it takes some minutes: python -m bench.own_tags
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import mean

import msgspec

from llmcensus.classify.evaluate import kappa
from llmcensus.classify.model import Model
from llmcensus.classify.rows import Row, as_generations
from llmcensus.classify.train import train
from llmcensus.taxonomy import OTHER, TAGS
from llmcensus.wire.lines import read_lines

BROAD = {
    "coding": ("code:general_impl", "code:debugging", "code:frontend_ui", "code:review_security", "code:sql_database"),
    "writing": ("content_writing", "roleplay_fiction", "translation", "summarization"),
    "answering": ("qa_knowledge", "conversational_reply", "math", "research_report"),
    "filing": ("data:extraction", "data:transformation", "classification_tagging"),
}
NARROW = {
    "queries": ("code:sql_database",),
    "translating": ("translation",),
    "customers": ("customer_support",),
    "remembering": ("agent:memory_extraction",),
}
# All that the four do not cover: agents at work, shells, repositories, plans, …
REST = {OTHER: tuple(tag for tag in TAGS if tag not in sum(BROAD.values(), ()))}
TRIALS: dict[str, Mapping[str, Sequence[str]]] = {
    "four broad tags": BROAD,
    "four broad tags and `other`": BROAD | REST,
    "four narrow tags": NARROW,
}
ROWS_A_TAG = (10, 25, 50, 100, 200, 400, 800)
# So many rows of each tag have to be left to judge by.
LEFT = 50
ROUNDS = 3


def main() -> None:
    ours = read(sorted(Path("training/requests").glob("*.jsonl")))
    corpus = os.environ.get("CORPUS")
    theirs = read([Path(corpus)]) if corpus else []
    print(f"| rows a tag | {' | '.join(TRIALS)} |\n| --- |{' --- |' * len(TRIALS)}")
    for count in ROWS_A_TAG:
        figures = (trial(relabelled(ours, tags), relabelled(theirs, tags), count) for tags in TRIALS.values())
        print(f"| {count} | {' | '.join(figures)} |", flush=True)


def read(paths: Sequence[Path]) -> list[Row]:
    decoder = msgspec.json.Decoder(Row)
    rows = (decoder.decode(line.data) for path in paths for line in read_lines(path))
    return [row for row in rows if row.tag]


def relabelled(rows: Sequence[Row], tags: Mapping[str, Sequence[str]]) -> list[Row]:
    means = {shipped: tag for tag, of in tags.items() for shipped in of}
    return [msgspec.structs.replace(row, tag=means[row.tag]) for row in rows if row.tag in means]


def trial(ours: Sequence[Row], theirs: Sequence[Row], count: int) -> str:
    """Returns κ on the rows of ours that were not learned from, and on theirs; nothing where there are too few."""
    if min(Counter(row.tag for row in ours).values()) < count + LEFT:
        return "–"
    rounds = [measured(ours, theirs, count, seed) for seed in range(ROUNDS)]
    return " / ".join(f"{mean(column):.2f}" for column in zip(*rounds, strict=True))


def measured(ours: Sequence[Row], theirs: Sequence[Row], count: int, seed: int) -> list[float]:
    shuffled = Random(seed).sample(ours, len(ours))
    tags = sorted({row.tag or "" for row in ours} - {OTHER})
    learned = [row for tag in (*tags, OTHER) for row in [row for row in shuffled if row.tag == tag][:count]]
    taken = {id(row) for row in learned}
    model = train(learned, outcomes=(*tags, OTHER))
    rest = [row for row in ours if id(row) not in taken]
    return [agreement(model, rows) for rows in (rest, theirs) if rows]


def agreement(model: Model, rows: Sequence[Row]) -> float:
    labels = model.classify(as_generations(rows))
    return kappa([row.tag or "" for row in rows], [label.tag if label else "" for label in labels])


if __name__ == "__main__":
    main()
