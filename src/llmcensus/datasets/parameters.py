"""
Query strings → typed parameters. A dataset's parameters are one frozen struct; its types and bounds are the rules.

What is not a parameter is ignored. What has no such value is refused with the name, the value and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from llmcensus.errors import BadParameter

Parameters = TypeVar("Parameters", bound=msgspec.Struct)

StartDate = Annotated[
    date | None,
    Meta(
        description="First day of the window, YYYY-MM-DD (UTC), inclusive. 30 days ending at `end_date` by default; a "
        "day before the first of the dataset is moved there, and `meta.start_date` says so.",
        examples=["2026-04-12"],
    ),
]
EndDate = Annotated[
    date | None,
    Meta(
        description="Last day of the window, YYYY-MM-DD (UTC), inclusive. The last complete day by default. At most "
        "366 days after `start_date`.",
        examples=["2026-05-11"],
    ),
]
LONGEST_TEXT = 256
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
SWITCHES = {"true": True, "false": False}


def parse(kind: type[Parameters], query: Mapping[str, str]) -> Parameters:
    """Returns the struct `kind` with the values that `query` gives; the others have their defaults."""
    given = {
        field.name: _value(field.encode_name, query[field.encode_name], field.type)
        for field in msgspec.structs.fields(kind)
        if field.encode_name in query
    }
    return kind(**given)


def bare(kind: Any) -> tuple[Any, Meta]:
    """Returns a parameter's type without `| None`, and what is said of it: one that is given has a value."""
    said = Meta()
    while True:
        choices = [choice for choice in get_args(kind) if choice is not type(None)]
        if get_origin(kind) is Annotated:
            kind, said = choices
        elif len(choices) == 1 and type(None) in get_args(kind):
            [kind] = choices
        else:
            return kind, said


def _value(name: str, text: str, annotated: Any) -> Any:
    kind, said = bare(annotated)
    if get_origin(kind) is Literal:
        return _choice(name, text, {choice: choice for choice in get_args(kind)})
    return READERS[kind](name, text, said)


def _choice(name: str, text: str, choices: Mapping[str, Any]) -> Any:
    if text not in choices:
        raise BadParameter(name, text, f"one of {', '.join(choices)}")
    return choices[text]


def _switch(name: str, text: str, _: Meta) -> bool:
    value: bool = _choice(name, text, SWITCHES)
    return value


def _text(name: str, text: str, _: Meta) -> str:
    if not text or len(text) > LONGEST_TEXT:
        raise BadParameter(name, text, f"a text of 1 to {LONGEST_TEXT} characters")
    return text


def _date(name: str, text: str, _: Meta) -> date:
    if DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass  # the shape of a date, but no day of the calendar
    raise BadParameter(name, text, "a calendar date as YYYY-MM-DD")


def _integer(name: str, text: str, said: Meta) -> int:
    if INTEGER.fullmatch(text):
        number = int(text)
        if (said.ge or 0) <= number <= (said.le or 0):
            return number
    raise BadParameter(name, text, f"a whole number from {said.ge} to {said.le}")


READERS: dict[Any, Callable[[str, str, Meta], Any]] = {bool: _switch, str: _text, date: _date, int: _integer}
