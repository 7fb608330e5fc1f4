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
Operation = Literal["chat", "embeddings"]
# How much of a request a report tells: all of it, what was sent, what came back, or neither in full.
Told = Literal["whole", "begin", "end", "middle"]


class Event(msgspec.Struct, frozen=True, gc=False):
    """
    One countable request.

    `key` names it (source and id), `fingerprint` its content; both are digests, 16 and 8 bytes. `session` is a digest
    too. `priced` says that the cost is from the price list. `excluded` events are counted for the operator only.
    `unjudged` says in a word why a classifier that had text gave no tag. A sample of requests has a `weight`: the
    number of those that each stands for.

    `told` is None where nothing more is to come under this key. With one, `fingerprint` is not of the content: the same
    key and fingerprint is the same request, told again or in part.
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
    operation: Operation = "chat"
    tokens_cached: int | None = None
    told: Told | None = None

    @property
    def has_usage(self) -> bool:
        return self.tokens_prompt is not None and self.tokens_completion is not None

    @property
    def has_model(self) -> bool:
        return permaslug.known(self.permaslug)

    @property
    def classified(self) -> str:
        """
        Says `classified`, or how it was not: `other` fits no tag, `unclassified` has no text or was not judged,
        `embeddings` have no task.
        """
        if self.operation == "embeddings":
            return self.operation
        return self.tag if self.tag in (OTHER, UNCLASSIFIED) else "classified"


def joined(one: Event, other: Event) -> Event:
    """
    Returns what two reports say of one request, in whichever order they came.

    What was sent is taken from the one that tells it, what came back from the other; where both tell it, from the
    earlier and from the later one.
    """
    first, last = sorted((one, other), key=_place)
    named = max((first, last), key=lambda event: (event.has_model, event.permaslug != permaslug.NAMELESS))
    judged = last if first.tag == UNCLASSIFIED and not (last.tag == UNCLASSIFIED and first.unjudged) else first
    used = first if last.tokens_prompt is None and last.tokens_completion is None else last
    billed = next((event for event in (last, first) if event.cost_nanousd is not None and not event.priced), used)
    return msgspec.structs.replace(
        first,
        permaslug=named.permaslug,
        tag=judged.tag,
        classifier=judged.classifier,
        unjudged=judged.unjudged,
        context_bucket=used.context_bucket,
        tools=max(first.tools, last.tools),
        modality=max(first.modality, last.modality, key=lambda kind: (kind != "text", kind)),
        app=first.app or last.app,
        session=first.session or last.session,
        tokens_prompt=used.tokens_prompt,
        tokens_completion=used.tokens_completion,
        tokens_cached=used.tokens_cached,
        cost_nanousd=billed.cost_nanousd,
        priced=billed.priced,
        excluded=_excluded(first, last, used),
        operation=max(first.operation, last.operation),
        told=_told(first, last),
    )


def _place(event: Event) -> tuple[bool, bool, int]:
    """Beginnings first, ends last."""
    return event.told not in ("begin", "whole"), event.told in ("end", "whole"), event.created_ms


def _told(first: Event, last: Event) -> Told:
    begins = any(event.told in ("begin", "whole") for event in (first, last))
    ends = any(event.told in ("end", "whole") for event in (first, last))
    if begins and ends:
        return "whole"
    return "begin" if begins else "end" if ends else "middle"


def _excluded(first: Event, last: Event, used: Event) -> Excluded | None:
    said = {first.excluded, last.excluded}
    if "private" in said:
        return "private"
    return "error" if "error" in said and not used.tokens_completion else None
