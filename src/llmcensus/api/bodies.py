"""Bodies of requests, read whole and no further than they may be long."""

from __future__ import annotations

from typing import Any

from litestar import Request

from llmcensus.errors import TooLarge


async def read_body(request: Request[Any, Any, Any], limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"The body is above {limit >> 20} MiB")
    return bytes(body)
