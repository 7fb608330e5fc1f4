"""What a classifier says of a request: its `Label`, or why there is none."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple

HTTP = "http_"
REASONS = {
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
PHRASES = {status.value: status.phrase for status in HTTPStatus}
# What is so on purpose.
INTENDED = frozenset({"excluded", "not_sampled"})


class Unjudged(NamedTuple):
    """`reason` is one of `REASONS`, or `http_` and a status."""

    reason: str


def explained(reason: str) -> str:
    """Returns a reason as a person reads it."""
    if not reason.startswith(HTTP):
        return REASONS[reason]
    status = int(reason.removeprefix(HTTP))
    return f"endpoint answered {status} ({PHRASES.get(status, 'unknown')})"
