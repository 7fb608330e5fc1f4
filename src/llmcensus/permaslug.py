"""
The names by which models are counted: `author/slug`, or `author/slug:variant` where the variant is not the default.

A model whose name could not be resolved is counted under `?` and the name as it was sent.
"""

from __future__ import annotations

import re

from llmcensus.errors import InputError
from llmcensus.printable import printable

FORM = re.compile(r"[A-Za-z0-9~][\w.\-]*/[\w.+\-]+(:[\w\-]+)?")
LONGEST = 256
UNKNOWN = "?"
# What is counted where a source names no model.
NAMELESS = "?unknown"


def valid(name: str) -> bool:
    return len(name) <= LONGEST and FORM.fullmatch(name) is not None


def checked(name: str) -> str:
    """Returns `name` if it is a permaslug."""
    if not valid(name):
        raise InputError(f"{name!r} is no permaslug: expected author/slug or author/slug:variant")
    return name


def known(permaslug: str) -> bool:
    return not permaslug.startswith(UNKNOWN)


def unknown(name: str) -> str:
    """Returns what a name that means nothing is counted as."""
    return UNKNOWN + printable(name)


def sent(permaslug: str) -> str:
    """Returns the name that `unknown` was given."""
    return permaslug.removeprefix(UNKNOWN)
