"""
A Generation's text → tag and confidence.

A classifier takes a batch and returns a label each, in order; None where the messages are unknown, or where it did not
judge. The one shipped hashes the words of the transcript's fields and adds up what was learned of them: one pass over
bytes, in-process, the GIL released. A `Judge` asks a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from llmcensus.classify.model import Label, Model
from llmcensus.classify.verdict import Unjudged
from llmcensus.errors import ConfigError
from llmcensus.generation import Generation
from llmcensus.taxonomy import SHIPPED, Taxonomy

# What `classifier` says for a model that is asked. A file of this name is `./judge`.
JUDGE = "judge"

Verdict: TypeAlias = Label | Unjudged | None


class Classifier(Protocol):
    """What `enrich` asks of any classifier."""

    @property
    def version(self) -> str:
        """Names the weights; it is stamped on every cell they make."""
        ...

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]: ...


@runtime_checkable
class Selective(Classifier, Protocol):
    """Costs something for each request. It leaves out what is in no dataset, or more, and says why."""

    def verdicts(self, generations: Sequence[Generation]) -> list[Verdict]:
        """Returns a label each, in order, or why there is none; None where the messages are unknown."""
        ...


@dataclass(frozen=True)
class Unasked:
    """Stands in for a classifier where nobody needs to know: for what was counted before."""

    version: str

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]:
        return [None] * len(generations)


def verdicts(classifier: Classifier, generations: Sequence[Generation]) -> list[Verdict]:
    """Returns what a classifier says of each, in order: None of an embedding, which has no task."""
    chats = [one for one in generations if one.operation != "embeddings"]
    said = iter(classifier.verdicts(chats) if isinstance(classifier, Selective) else classifier.classify(chats))
    return [None if one.operation == "embeddings" else next(said) for one in generations]


class Choice(Protocol):
    """The settings that say which classifier it is, named as in `llmcensus.config`; times are in seconds."""

    @property
    def classifier(self) -> str: ...
    @property
    def judge_url(self) -> str: ...
    @property
    def judge_model(self) -> str: ...
    @property
    def judge_key(self) -> str: ...
    @property
    def judge_sample(self) -> float: ...
    @property
    def judge_timeout(self) -> float: ...
    @property
    def judge_batch_timeout(self) -> float: ...
    @property
    def judge_concurrency(self) -> int: ...


def choose(choice: Choice, taxonomy: Taxonomy = SHIPPED) -> Classifier:
    """Returns the classifier that the settings name, ready to run: the one shipped, weights in a file, or a model."""
    if choice.classifier == JUDGE:
        return _judge(choice, taxonomy)
    return loaded(Path(choice.classifier), taxonomy) if choice.classifier else shipped(taxonomy)


def shipped(taxonomy: Taxonomy = SHIPPED) -> Model:
    """
    Returns the classifier whose weights come with the package, ready to run. It knows the tags that come with it only.

    On the first call after an installation the kernel is compiled, which takes some seconds; the result is cached.
    """
    return loaded(Path(__file__).with_name("model.npz"), taxonomy)


def loaded(path: Path, taxonomy: Taxonomy) -> Model:
    """Returns a classifier of the weights in a file, as `llmcensus train` writes it."""
    model = Model.load(path, taxonomy)
    model.scores([])
    return model


def _judge(choice: Choice, taxonomy: Taxonomy) -> Classifier:
    try:
        # An extra: who does not ask a model need not have it.
        import httpx  # noqa: F401
    except ImportError as error:
        raise ConfigError("classifier is 'judge': expected llmcensus[judge] installed, which it needs") from error
    from llmcensus.classify.endpoint import Endpoint
    from llmcensus.classify.judge import Judge

    endpoint = Endpoint(choice.judge_url, choice.judge_key, choice.judge_timeout, choice.judge_concurrency)
    return Judge(endpoint, choice.judge_model, choice.judge_sample, choice.judge_batch_timeout, taxonomy.definitions)


__all__ = [
    "Choice",
    "Classifier",
    "Label",
    "Model",
    "Selective",
    "Unasked",
    "Unjudged",
    "Verdict",
    "choose",
    "shipped",
    "verdicts",
]
