"""What a page is made from: a census, what was chosen in the address, and who looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from llmcensus.config import Settings
from llmcensus.datasets import DATASETS, DETAILS, Census, Dataset
from llmcensus.datasets.window import timestamp
from llmcensus.errors import BadParameter
from llmcensus.pages.address import Address, Target
from llmcensus.pages.span import DEFAULT, Span, spanned

READ: dict[str, Dataset] = {dataset.name: dataset for dataset in DATASETS.values()} | DETAILS


DAYS = ("window", "start_date", "end_date")
# What addresses of pages keep, but for the place in a list.
CHOICES = (*DAYS, "by", "sort", "author", "category", "subcategory", "source", "task", "q")
# What is chosen where nothing is, so that one page has one address.
DEFAULTS = {"window": DEFAULT, "by": "requests", "sort": "popular", "source": "artificial-analysis"}


def _short(query: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name: None if DEFAULTS.get(name) == value else value for name, value in query.items()}


class Reading(NamedTuple):
    """An answer of a dataset, and the query by which anyone gets the same."""

    name: str
    query: dict[str, str]
    answer: Any

    @property
    def as_of(self) -> str:
        """A time, or a day: tasks are as of yesterday."""
        meta = getattr(self.answer, "meta", None) or self.answer.data
        return str(meta.as_of)

    def target(self, form: str) -> Target:
        return Target.of(self.name, self.query, form)


class Readings:
    """
    Answers of a census as it is at one moment: the same question is asked once.

    With `at_once`, all that is read is as of the census's moment: also what was made before, of the same cells.
    """

    def __init__(self, census: Census, at_once: bool = False) -> None:
        self.census = census
        self._at_once = at_once
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}

    def read(self, name: str, query: Mapping[str, str]) -> Reading:
        question = (name, tuple(sorted(query.items())))
        if question not in self._known:
            answer: Any = READ[name].read(self.census, query)
            if self._at_once and name == "session-cost":
                answer.meta.as_of = timestamp(self.census.now)
            self._known[question] = answer
        return Reading(name, dict(query), self._known[question])


class About(NamedTuple):
    """What pages say of the census beside numbers. `shipped` says that tasks are found by the shipped classifier."""

    classifier: str
    shipped: bool
    licence: str

    @classmethod
    def of(cls, settings: Settings, classifier: str) -> About:
        return cls(classifier, not (settings.classifier or settings.taxonomy), settings.data_licence)


@dataclass(frozen=True, slots=True)
class Asked:
    """`here` is the page; `visitor` the scope of the key that was logged in with, or nothing."""

    readings: Readings
    about: About
    address: Address
    here: Target
    query: Mapping[str, str]
    visitor: str = ""

    def read(self, name: str, **query: str | int | None) -> Reading:
        return self.readings.read(name, {key: str(value) for key, value in query.items() if value is not None})

    @property
    def census(self) -> Census:
        return self.readings.census

    def span(self, windows_only: bool = False) -> Span:
        return spanned(self.census, self.query, windows_only or not self.address.served)

    def choice(self, name: str, choices: Mapping[str, str] | tuple[str, ...]) -> str:
        """Returns what was chosen; the first is the default."""
        options = tuple(choices)
        chosen = self.query.get(name) or options[0]
        if chosen not in options:
            raise BadParameter(name, chosen, f"one of {', '.join(options)}")
        return chosen

    def page(self, path: str, **query: str | None) -> str:
        """Returns a link to another page, for the same days."""
        return self.address.link(Target.of(path, _short({name: self.query.get(name) for name in DAYS} | query)))

    def change(self, **query: str | None) -> str:
        """Returns a link to this page with something else chosen; a list begins anew."""
        return self.address.link(Target.of(self.here.path, _short(dict(self.kept()) | query)))

    def kept(self, *but: str) -> list[tuple[str, str]]:
        """Returns what was chosen, in order."""
        return [(name, self.query[name]) for name in CHOICES if self.query.get(name) and name not in but]

    def data(self, reading: Reading, form: str) -> str:
        return self.address.link(reading.target(form))

    def cite(self, reading: Reading) -> str:
        """Returns the line by which a chart or table is to be cited; of benchmarks, that names their source."""
        meta = getattr(reading.answer, "meta", None)
        return getattr(meta, "citation", None) or self.census.cite(reading.as_of)


class Page(NamedTuple):
    """A template, the page's title, and what the template shows."""

    template: str
    title: str
    shown: dict[str, Any]
