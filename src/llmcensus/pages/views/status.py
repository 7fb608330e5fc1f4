"""`/status`: for the operator, what was taken in, what was refused, and how much is known of it."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import NamedTuple

from llmcensus.classify.verdict import explained
from llmcensus.datasets.volume import ratio
from llmcensus.datasets.window import timestamp, yesterday
from llmcensus.pages.asked import Asked, Page
from llmcensus.store import Tally
from llmcensus.store.tally import REFUSED, UNJUDGED

COVERAGE = {
    "with_tokens": "Tokens",
    "with_cost": "Cost, from the gateway",
    "priced": "Cost, from the price list",
    "with_app": "App",
    "with_model": "Model",
    "with_session": "Session",
    "classified": "Task",
    "other": "Task: fits no tag",
    "unclassified": "Task: no text, or not judged",
}
OUTCOMES = {
    "accepted": "Accepted",
    "duplicate": "Duplicates, counted once",
    "id_collision": "Re-used ids, both kept",
    "private": "Private, in no dataset",
    "error": "Errors, in no dataset",
    "ignored": "No generations, passed over",
}


class Source(NamedTuple):
    name: str
    accepted: int
    duplicates: int
    refused: int


def status(asked: Asked) -> Page:
    store = asked.census.store
    tally = store.tally()
    accepted = tally["accepted"]
    newest = store.newest_day()
    shown = {
        "as_of": timestamp(asked.census.now),
        "newest": newest,
        "days_behind": (yesterday(asked.census.now) - date.fromisoformat(newest)).days if newest else None,
        "records": tally.records(),
        "outcomes": [(title, tally[name]) for name, title in OUTCOMES.items() if tally[name] or name == "accepted"],
        "refused": tally.refused(),
        "unjudged": {explained(reason): count for reason, count in tally.unjudged().items()},
        "coverage": [
            (title, tally[name], ratio(tally[name], accepted)) for name, title in COVERAGE.items() if accepted
        ],
        "sources": sources(tally),
        "judged_rows": [
            (stamp, count, "yes" if asked.census.taxonomy.stamped(stamp) else "no: by other tags")
            for stamp, count in store.judged().items()
        ],
    }
    return Page("status.html", "Status", shown)


def sources(tally: Tally) -> list[Source]:
    """Returns what became of the records of each source, largest first."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (source, name), count in tally.counts.items():
        kind = "refused" if name.startswith(REFUSED) else "" if name.startswith(UNJUDGED) else name
        counts[source][kind] += count
    found = [Source(name, of["accepted"], of["duplicate"], of["refused"]) for name, of in counts.items()]
    return sorted(found, key=lambda source: (-source.accepted - source.duplicates - source.refused, source.name))
