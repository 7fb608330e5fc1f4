"""Names from outside, as a terminal, a page and a database can take them."""

from __future__ import annotations


def printable(name: str, instead: str = " ") -> str:
    """Returns `name` with `instead` for every character that is not printable: controls, lone surrogates."""
    return "".join(character if character.isprintable() else instead for character in name)
