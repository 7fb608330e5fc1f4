"""
A classifier that asks a model: a share of the requests, each within its time and a batch within its own.

What could not be judged is unclassified, and says why. Nothing that fails here keeps a request from being counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress

from llmcensus.classify import Verdict
from llmcensus.classify.endpoint import Endpoint, Line
from llmcensus.classify.model import Label
from llmcensus.classify.prompt import Prompt
from llmcensus.classify.verdict import INTENDED, Unjudged, explained
from llmcensus.generation import Generation
from llmcensus.taxonomy import SHIPPED

# A stamp has room for 64 characters: the digest needs twelve, the mark of a taxonomy fourteen.
LONGEST_NAME = 31
ALL = 1 << 64
NOT_SAMPLED = Unjudged("not_sampled")

logger = logging.getLogger(__name__)


class Judge:
    """
    `sample` is the share of requests that are judged, above 0 and at most 1; `batch_s` the seconds that a batch may
    take. `definitions` says of each tag what it asks a model to do; what fits none is `other`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        sample: float,
        batch_s: float,
        definitions: Mapping[str, str] = SHIPPED.definitions,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._sample = sample * ALL
        self._batch_s = batch_s
        self._prompt = Prompt(definitions)
        digest = hashlib.sha256(model.encode() + b"\0" + self._prompt.written()).hexdigest()
        self._version = f"judge-{model[:LONGEST_NAME]}-{digest[:12]}"

    @property
    def version(self) -> str:
        """Names the model and, by a digest, all that it is told."""
        return self._version

    def classify(self, generations: Sequence[Generation]) -> list[Label | None]:
        return [verdict if isinstance(verdict, Label) else None for verdict in self.verdicts(generations)]

    def verdicts(self, generations: Sequence[Generation]) -> list[Verdict]:
        """Returns a label each, in order, or why there is none; None where the messages are unknown."""
        found = [_unasked(one) for one in generations]
        drawn = [(lot(generations[at]), at) for at, verdict in enumerate(found) if verdict == NOT_SAMPLED]
        # By lot, so that what is judged before the time is over is no other kind of traffic than what is not.
        chosen = [at for drawn_lot, at in sorted(drawn) if drawn_lot < self._sample]
        if chosen:
            with self._endpoint.line() as line:
                judged = line.run(self._judge(line, [(at, generations[at]) for at in chosen]))
            for at in chosen:
                found[at] = judged.get(at, Unjudged("no_time"))
        self._warn(found)
        return found

    async def _judge(self, line: Line, chosen: Sequence[tuple[int, Generation]]) -> dict[int, Label | Unjudged]:
        """Returns verdicts by position, of those that there was time for."""
        until = asyncio.get_running_loop().time() + self._batch_s
        waiting = iter(chosen)
        judged: dict[int, Label | Unjudged] = {}

        async def work() -> None:
            for at, generation in waiting:
                async with line.slots:
                    judged[at] = await self._verdict(line, generation, until)

        with suppress(TimeoutError):
            async with asyncio.timeout_at(until), asyncio.TaskGroup() as workers:
                for _ in range(min(self._endpoint.concurrency, len(chosen))):
                    workers.create_task(work())
        return judged

    async def _verdict(self, line: Line, generation: Generation, until: float) -> Label | Unjudged:
        breaker = self._endpoint.breaker
        if not breaker.allows():
            return Unjudged("paused")
        answer = await self._endpoint.ask(line, {"model": self._model, **self._prompt.asked(generation)}, until)
        verdict = answer if isinstance(answer, Unjudged) else self._prompt.read(answer)
        breaker.note(isinstance(verdict, Label) or verdict.reason == "declined")
        return verdict

    def _warn(self, verdicts: Sequence[Verdict]) -> None:
        """Says how many were not judged against the settings, a line a reason."""
        reasons = Counter(verdict.reason for verdict in verdicts if isinstance(verdict, Unjudged))
        asked = len(verdicts) - sum(reasons[reason] for reason in INTENDED) - verdicts.count(None)
        for reason, count in reasons.items():
            if reason not in INTENDED:
                logger.warning("%s: %d of %d not judged: %s", self._version, count, asked, explained(reason))


def _unasked(generation: Generation) -> Verdict:
    """Returns what is said of it without asking. Text of what is in no dataset is shown to nobody for nothing."""
    if generation.messages is None:
        return None
    return NOT_SAMPLED if generation.excluded() is None else Unjudged("excluded")


def lot(generation: Generation) -> int:
    """
    Returns a number below 2**64 that is drawn by source and id alone.

    So a request is in the sample or not in whatever batch, order or worker, and a smaller sample is part of a larger.
    """
    return int.from_bytes(hashlib.sha256(generation.named()).digest()[:8])
