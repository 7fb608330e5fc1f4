"""
Readers of attributes: what a rule is written with. A reader takes the attributes of a span and returns what it finds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from llmcensus.wire.otlp.bodies import Attributes
from llmcensus.wire.otlp.values import from_json, from_literal, within

Reader: TypeAlias = Callable[[Attributes], Any]


def at(*names: str) -> Reader:
    """Reads the first of these attributes that is there."""

    def read(attributes: Attributes) -> Any:
        for name in names:
            value = attributes.get(name)
            if value is not None and value != "":
                return value
        return None

    return read


def json_at(name: str, *path: str) -> Reader:
    """Reads what the JSON in an attribute has at a path."""
    return lambda attributes: within(from_json(attributes[name]), path) if name in attributes else None


def literal_at(name: str, *path: str) -> Reader:
    """Reads what the Python literal in an attribute has at a path. It is parsed only if the last key is in it."""

    def read(attributes: Attributes) -> Any:
        written = attributes.get(name)
        if not isinstance(written, str) or f"'{path[-1]}'" not in written:
            return None
        return within(from_literal(written), path)

    return read


def present(reader: Reader) -> Reader:
    """Reads True where the reader finds something."""
    return lambda attributes: True if reader(attributes) is not None else None


def first(*readers: Reader) -> Reader:
    """Reads with the first reader that finds something."""
    return lambda attributes: next(
        (found for reader in readers if (found := reader(attributes)) is not None and found != ""), None
    )
