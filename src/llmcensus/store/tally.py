"""
Counts by source and name: what became of records, and what was known of those accepted.

`accepted`, `duplicate`, `id_collision`, `private`, `error` and `refused:<reason>` say what became of them; `with_…`,
`priced`, `classified`, `other` and `unclassified` count accepted records. A collision is accepted too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from llmcensus.event import Event

REFUSED = "refused:"


class Tally:
    def __init__(self, counts: Counter[tuple[str, str]] | None = None) -> None:
        self.counts: Counter[tuple[str, str]] = counts or Counter()

    def __getitem__(self, name: str) -> int:
        """Returns the count of `name` over all sources."""
        return sum(count for (_, counted), count in self.counts.items() if counted == name)

    def add(self, source: str, name: str, count: int = 1) -> None:
        self.counts[source, name] += count

    def merge(self, other: Tally) -> None:
        self.counts.update(other.counts)

    def accept(self, events: Iterable[Event]) -> None:
        for event in events:
            source = event.source
            names = ["accepted", event.classified]
            if event.excluded is not None:
                names.append(event.excluded)
            if event.has_usage:
                names.append("with_tokens")
            if event.cost_nanousd is not None:
                names.append("priced" if event.priced else "with_cost")
            if event.app is not None:
                names.append("with_app")
            if event.has_model:
                names.append("with_model")
            if event.session is not None:
                names.append("with_session")
            for name in names:
                self.counts[source, name] += 1

    def refused(self) -> dict[str, int]:
        """Returns counts by reason, largest first."""
        reasons: Counter[str] = Counter()
        for (_, name), count in self.counts.items():
            if name.startswith(REFUSED):
                reasons[name.removeprefix(REFUSED)] += count
        return dict(reasons.most_common())

    def records(self) -> int:
        """Returns how many records were seen in all."""
        return self["accepted"] + self["duplicate"] + sum(self.refused().values())

    def to_json(self) -> str:
        return msgspec.json.encode([[*key, count] for key, count in sorted(self.counts.items())]).decode()

    @classmethod
    def from_json(cls, text: str) -> Tally:
        rows = msgspec.json.decode(text, type=list[tuple[str, str, int]])
        return cls(Counter({(source, name): count for source, name, count in rows}))
