"""
Slips of the keyboard, to see how much of the classifier's judgement survives them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import msgspec

from llmcensus.classify.rows import Row
from llmcensus.generation import Message

WORD = re.compile(r"[^\W\d_]{4,}")
# The share of longer words that have a slip.
SLIPS = 0.15


def mistyped(row: Row) -> Row:
    """Returns a row whose last turn of a person has slips: letters swapped, left out or doubled; the same each time."""
    asked = [at for at, message in enumerate(row.messages) if message.role == "user"]
    if not asked:
        return row
    messages = list(row.messages)
    text = messages[asked[-1]].text()
    chance = random.Random(text)  # noqa: S311
    messages[asked[-1]] = Message(role="user", content=WORD.sub(lambda word: _slipped(word[0], chance), text))
    return msgspec.structs.replace(row, messages=messages)


def _slipped(word: str, chance: random.Random) -> str:
    if chance.random() >= SLIPS:
        return word
    at = chance.randrange(len(word) - 1)
    return chance.choice(KINDS)(word, at)


def _swap(word: str, at: int) -> str:
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _leave_out(word: str, at: int) -> str:
    return word[:at] + word[at + 1 :]


def _double(word: str, at: int) -> str:
    return word[: at + 1] + word[at:]


KINDS: tuple[Callable[[str, int], str], ...] = (_swap, _leave_out, _double)
