"""
One countable request: what `enrich` makes of a Generation, and all that anything after it sees.

It has what is counted and nothing else. Its strings are names of bounded length: a source, a permaslug, a tag, an app.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from llmcensus import permaslug
from llmcensus.apps import App
from llmcensus.taxonomy import OTHER, UNCLASSIFIED

Excluded = Literal["private", "error"]


class Event(msgspec.Struct, frozen=True, gc=False):
    """
    One countable request.

    `key` names it (source and id), `fingerprint` its content; both are digests, 16 and 8 bytes. `session` is a digest
    too. `priced` says that the cost is from the price list. `excluded` events are counted for the operator only.
    `unjudged` says in a word why a classifier that had text gave no tag. A sample of requests has a `weight`: the
    number of those that each stands for.
    """

    key: bytes
    fingerprint: bytes
    source: str
    date: str
    created_ms: int
    permaslug: str
    tag: str
    classifier: str
    context_bucket: str
    tools: int
    modality: str
    app: App | None
    session: bytes | None
    tokens_prompt: int | None
    tokens_completion: int | None
    cost_nanousd: int | None
    priced: bool
    excluded: Excluded | None
    unjudged: str | None = None
    weight: int = 1

    @property
    def has_usage(self) -> bool:
        return self.tokens_prompt is not None and self.tokens_completion is not None

    @property
    def has_model(self) -> bool:
        return permaslug.known(self.permaslug)

    @property
    def classified(self) -> str:
        """Says `classified`, or how it was not: `other` fits no tag, `unclassified` has no text or was not judged."""
        return self.tag if self.tag in (OTHER, UNCLASSIFIED) else "classified"
