"""A provider for tests: a local server that speaks OpenAI's chat completions, always with the same usage."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SERVED = "gpt-4o-2024-08-06"
USAGE = {
    "prompt_tokens": 31,
    "completion_tokens": 9,
    "total_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 12},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
BUSY = {"error": {"message": "too much", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}


class Upstream(BaseHTTPRequestHandler):
    """Answers `busy` with 429, and calls the first tool that is offered unless its result is there."""

    numbers = iter(range(1, 1_000_000))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["model"] == "busy":
            self.answer(429, "application/json", json.dumps(BUSY))
        elif asked.get("stream"):
            self.answer(200, "text/event-stream", "".join(f"data: {chunk}\n\n" for chunk in chunks(asked)))
        else:
            self.answer(200, "application/json", json.dumps(completion(asked)))

    def answer(self, status: int, kind: str, body: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def head(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{next(Upstream.numbers)}", "object": kind, "created": 1_795_168_800, "model": SERVED}


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "Hello."}
    reason = "stop"
    if asked.get("tools") and asked["messages"][-1]["role"] != "tool":
        called = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"city": "Oslo"}'}
        message = {"role": "assistant", "content": None}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": called}]
        reason = "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**head("chat.completion"), "choices": [choice], "usage": USAGE}


def chunks(asked: dict[str, Any]) -> Iterator[str]:
    made = head("chat.completion.chunk")
    for delta, reason in (({"role": "assistant", "content": "Hel"}, None), ({"content": "lo."}, None), ({}, "stop")):
        yield json.dumps({**made, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield json.dumps({**made, "choices": [], "usage": USAGE})
    yield "[DONE]"


@contextmanager
def provider() -> Iterator[str]:
    """Gives the address of a running provider."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
