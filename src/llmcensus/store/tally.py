"""
Counts by source and name: what became of records, and what was known of those accepted.

`accepted`, `duplicate`, `part`, `ignored` and `refused:<reason>` say what became of them: a `part` tells of a request
of which another record tells the rest, what is `ignored` tells of none. `id_collision`, `private`, `error`, `with_…`,
`priced`, `classified`, `other`, `embeddings`, `unclassified` and, of the latter, `unjudged:<reason>` count accepted
ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from llmcensus.event import Event

REFUSED = "refused:"
UNJUDGED = "unjudged:"
IGNORED = "ignored"
PART = "part"
# What may be known of a record → the names that count it.
KNOWN = {
    "text": ("classified", "other"),
    "tokens": ("with_tokens",),
    "cost": ("with_cost", "priced"),
    "app": ("with_app",),
    "model": ("with_model",),
    "session": ("with_session",),
}
SEEN = ("accepted", "duplicate", PART, IGNORED)


class Tally:
    def __init__(self, counts: Counter[tuple[str, str]] | None = None) -> None:
        self.counts: Counter[tuple[str, str]] = counts or Counter()

    def __getitem__(self, name: str) -> int:
        """Returns the count of `name` over all sources."""
        return sum(count for (_, counted), count in self.counts.items() if counted == name)

    def add(self, source: str, name: str, count: int = 1) -> None:
        self.counts[source, name] += count

    def copy(self) -> Tally:
        return Tally(self.counts.copy())

    def merge(self, other: Tally) -> None:
        self.counts.update(other.counts)

    def accept(self, events: Iterable[Event]) -> None:
        for (source, *names), count in Counter(map(_facts, events)).items():
            self.counts[source, "accepted"] += count
            for name in names:
                if name is not None:
                    self.counts[source, name] += count

    def amend(self, before: Event, after: Event | None) -> None:
        """Counts an accepted event as what it is now; as ignored, where it is none any more."""
        for event, sign in ((before, -1), (after, 1)):
            for name in _facts(event)[1:] if event is not None else ():
                if name is not None:
                    self.counts[before.source, name] += sign
        if after is None:
            self.counts[before.source, "accepted"] -= 1
            self.counts[before.source, "ignored"] += 1

    def sources(self) -> list[str]:
        return sorted({source for source, _ in self.counts})

    def of(self, source: str) -> Tally:
        """Returns the counts of one source."""
        return Tally(Counter({key: count for key, count in self.counts.items() if key[0] == source}))

    def known(self) -> dict[str, int]:
        """Returns of how many accepted records there was text, tokens, cost, app, model and session."""
        found = {what: sum(map(self.__getitem__, names)) for what, names in KNOWN.items()}
        found["text"] += sum(self.unjudged().values())
        return found

    def refused(self) -> dict[str, int]:
        """Returns counts by reason, largest first."""
        return self._reasons(REFUSED)

    def unjudged(self) -> dict[str, int]:
        """Returns counts by reason, largest first, of records with text that have no task."""
        return self._reasons(UNJUDGED)

    def _reasons(self, prefix: str) -> dict[str, int]:
        reasons: Counter[str] = Counter()
        for (_, name), count in self.counts.items():
            if name.startswith(prefix):
                reasons[name.removeprefix(prefix)] += count
        return dict(reasons.most_common())

    def records(self) -> int:
        """Returns how many records were seen in all."""
        return sum(self[name] for name in SEEN) + sum(self.refused().values())

    def to_json(self) -> str:
        return msgspec.json.encode([[*key, count] for key, count in sorted(self.counts.items())]).decode()

    @classmethod
    def from_json(cls, text: str) -> Tally:
        rows = msgspec.json.decode(text, type=list[tuple[str, str, int]])
        return cls(Counter({(source, name): count for source, name, count in rows}))


def _facts(event: Event) -> tuple[str, *tuple[str | None, ...]]:
    """Returns a source and the names an event counts under; few combinations occur, so these are counted first."""
    cost = None if event.cost_nanousd is None else "priced" if event.priced else "with_cost"
    return (
        event.source,
        event.classified,
        event.excluded,
        None if event.unjudged is None else UNJUDGED + event.unjudged,
        cost,
        "with_tokens" if event.has_usage else None,
        "with_app" if event.app is not None else None,
        "with_model" if event.has_model else None,
        "with_session" if event.session is not None else None,
    )
