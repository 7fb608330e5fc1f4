"""
Query strings → typed parameters. A dataset's parameters are one frozen struct; its types and bounds are the rules.

What is not a parameter is ignored. What has no such value is refused with the name, the value and what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta

from llmcensus.errors import BadParameter

Parameters = TypeVar("Parameters", bound=msgspec.Struct)
Limit100 = Annotated[int, Meta(ge=1, le=100)]
Offset100 = Annotated[int, Meta(ge=0, le=100)]
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def parse(kind: type[Parameters], query: Mapping[str, str]) -> Parameters:
    """Returns the struct `kind` with the values that `query` gives; the others have their defaults."""
    given = {
        field.name: _value(field.encode_name, query[field.encode_name], _stripped(field.type))
        for field in msgspec.structs.fields(kind)
        if field.encode_name in query
    }
    return kind(**given)


def _stripped(kind: Any) -> Any:
    """Takes `| None` off a type: a parameter that is given has a value."""
    kinds = [choice for choice in get_args(kind) if choice is not type(None)]
    return kinds[0] if len(kinds) == 1 and type(None) in get_args(kind) else kind


def _value(name: str, text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise BadParameter(name, text, f"one of {', '.join(get_args(kind))}")
    if kind is date:
        return _date(name, text)
    return _integer(name, text, kind)


def _date(name: str, text: str) -> date:
    if DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass  # the shape of a date, but no day of the calendar
    raise BadParameter(name, text, "a calendar date as YYYY-MM-DD")


def _integer(name: str, text: str, kind: Any) -> int:
    if INTEGER.fullmatch(text):
        try:
            return msgspec.convert(int(text), kind)  # type: ignore[no-any-return]
        except msgspec.ValidationError:
            pass  # out of bounds: said below, with the bounds
    bounds = get_args(kind)[1]
    raise BadParameter(name, text, f"a whole number from {bounds.ge} to {bounds.le}")
