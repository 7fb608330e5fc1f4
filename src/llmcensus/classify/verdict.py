"""What a classifier says of a request: its `Label`, or why there is none."""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal, NamedTuple, NewType, TypeAlias

Word: TypeAlias = Literal[
    "excluded",
    "not_sampled",
    "no_time",
    "paused",
    "timeout",
    "unreachable",
    "bad_answer",
    "unknown_tag",
    "declined",
]
# `http_` and a status.
Status = NewType("Status", str)
Reason: TypeAlias = Word | Status

HTTP = "http_"
WORDS: dict[Word, str] = {
    "excluded": "private or an error, so not asked about",
    "not_sampled": "not in the share that is judged",
    "no_time": "no time left for its batch",
    "paused": "not asked while the endpoint fails",
    "timeout": "no answer in time",
    "unreachable": "endpoint not reached, or cut off",
    "bad_answer": "answer not in the form asked for",
    "unknown_tag": "answer with a tag that there is not",
    "declined": "declined by the model",
}
PHRASES = {str(status.value): status.phrase for status in HTTPStatus}
# What is so on purpose.
INTENDED: frozenset[Reason] = frozenset({"excluded", "not_sampled"})


class Unjudged(NamedTuple):
    reason: Reason


def answered(status: int) -> Status:
    """Returns the reason that an answer of this status is."""
    return Status(f"{HTTP}{status}")


def explained(reason: str) -> str:
    """Returns a reason as a person reads it; one that another version counted, and this one does not know, as it is."""
    status = reason.removeprefix(HTTP)
    if status != reason and status.isdecimal():
        return f"endpoint answered {status} ({PHRASES.get(status, 'unknown')})"
    return next((meaning for word, meaning in WORDS.items() if word == reason), reason)
