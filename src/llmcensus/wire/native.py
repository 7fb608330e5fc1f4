"""
The native record: one JSON object with the names of `Generation`. Unknown keys are ignored.

See: docs/native.md
"""

from __future__ import annotations

from typing import Any

import msgspec

from llmcensus.generation import Generation
from llmcensus.wire.problems import UNREADABLE, explain

_decoder = msgspec.json.Decoder(Generation)


def decode(record: bytes) -> Generation:
    try:
        return _decoder.decode(record)
    except UNREADABLE as error:
        # `from None`: a UnicodeDecodeError carries the record itself.
        raise explain(error, record) from None


def recognises(value: dict[str, Any]) -> bool:
    return "created_at" in value and "id" in value
