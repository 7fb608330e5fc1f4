"""
A key, in whichever header a sender is able to send one.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from litestar import Request

from llmcensus.errors import Unauthorized


def presented(request: Request[Any, Any, Any]) -> bytes:
    """
    Returns a key as an `Authorization: Bearer` header, in whichever header it was sent.

    A Langfuse SDK sends it as the password of Basic authentication; who can set few headers may send it alone.
    """
    sent = request.headers.get("authorization")
    if sent is None:
        key = request.headers.get("x-llmcensus-key") or request.headers.get("x-api-key")
        return f"Bearer {key}".encode("latin-1") if key else b""
    scheme, _, value = sent.partition(" ")
    return b"Bearer " + password(value) if scheme.lower() == "basic" else sent.encode("latin-1")


def password(value: str) -> bytes:
    """See: RFC 7617."""
    try:
        _, colon, secret = base64.b64decode(value.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        colon = b""
    if not colon:
        raise Unauthorized("Invalid Authentication header: expected `Basic` with a key as its password")
    return secret
