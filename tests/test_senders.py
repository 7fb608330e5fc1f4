"""
Real programs send traffic to a running server: LiteLLM's proxy, called with OpenAI's client, and Langfuse's SDK 2.

They are in an environment of their own, which `make senders` makes.
"""

from __future__ import annotations

import copy
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from llmcensus.store import Store
from llmcensus.store.schema import apps, cubes
from tests.serving import Server, serving

ROOT = Path(__file__).parents[1]
SENDERS = ROOT / ".senders"
SCRIPTS = Path(__file__).parent / "senders"
STARTS_IN_S = 120
USED = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}

pytestmark = [
    pytest.mark.senders,
    pytest.mark.skipif(
        not (SENDERS / "installed").exists(), reason="the senders are not installed: run `make senders`"
    ),
]


class Provider(BaseHTTPRequestHandler):
    """Answers as a provider of models would."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = asked["model"]
        if model == "out-of-order":
            self._send(429, {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limited"}})
        elif self.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            self._send(
                200, {"object": "list", "model": model, "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}
            )
        elif asked.get("stream"):
            self._stream(model)
        else:
            self._send(200, completion(model, bool(asked.get("tools"))))

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for delta, finish, usage in (
            ({"content": "Bon"}, None, None),
            ({"content": "jour"}, "stop", None),
            (None, None, USED),
        ):
            choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": int(time.time()), "model": model}
            self.wfile.write(b"data: " + json.dumps(chunk | {"choices": choices, "usage": usage}).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def _send(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def completion(model: str, calls: bool) -> Any:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    said = (
        {"role": "assistant", "content": None, "tool_calls": [call]}
        if calls
        else {"role": "assistant", "content": "Bonjour"}
    )
    choice = {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": said}
    about = {"id": "c", "object": "chat.completion", "created": int(time.time()), "model": f"{model}-2024-07-18"}
    return about | {"choices": [choice], "usage": USED}


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    """A server that knows the time: what it is sent happens now."""
    store = Store.open(url)
    with serving(store, lambda: datetime.now(UTC)) as running:
        yield running
    store.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# The two ways of docs/connect.md to tell LiteLLM's proxy of us.
BY_ENVIRONMENT: dict[str, Any] = {"litellm_settings": {"callbacks": ["generic_api"]}}
BY_SETTINGS: dict[str, Any] = {
    "litellm_settings": {"callbacks": ["census"]},
    "callback_settings": {
        "census": {
            "callback_type": "generic_api",
            "endpoint": "os.environ/GENERIC_LOGGER_ENDPOINT",
            "headers": {"x-llmcensus-key": "os.environ/INGEST_KEY"},
            "max_retries": 5,
            "log_format": "ndjson",
        }
    },
}


@contextmanager
def litellm(server: Server, provider: str, folder: Path, wired: dict[str, Any]) -> Iterator[str]:
    """Runs LiteLLM's proxy; gives its URL."""
    port, key = free_port(), server.key("ingest")
    models = {"fast": "gpt-4o-mini", "vectors": "text-embedding-3-small", "broken": "out-of-order"}
    told = {"api_base": provider, "api_key": "sk-none"}
    config = {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": f"openai/{model}", **told}}
            for name, model in models.items()
        ],
        "general_settings": {"master_key": "sk-master"},
        **wired,
    }
    config["litellm_settings"] |= {"cache": True, "cache_params": {"type": "local"}, "num_retries": 0}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))  # which YAML is, too
    environment = os.environ | {
        "GENERIC_LOGGER_ENDPOINT": f"{server.url}/integrations/litellm",
        "GENERIC_LOGGER_HEADERS": f"Authorization=Bearer {key}",
        "INGEST_KEY": key,
        "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    command = [str(SENDERS / "bin" / "litellm"), "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "proxy.log").open("wb") as log:
        proxy = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        await_answer(f"http://127.0.0.1:{port}/health/liveliness", proxy)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        proxy.terminate()
        proxy.wait(30)


def await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + STARTS_IN_S
    while time.monotonic() < until:
        assert process.poll() is None, "the proxy ended: see proxy.log"
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(url)


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [SENDERS / "bin" / "python", SCRIPTS / script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def await_count(store: Store, name: str, count: int) -> None:
    until = time.monotonic() + 30
    while store.tally()[name] < count and time.monotonic() < until:
        time.sleep(0.2)


def rows(store: Store, cube: str) -> list[dict[str, Any]]:
    with store.reading() as connection:
        table = cubes[cube]  # type: ignore[index]
        return [dict(found) for found in connection.execute(select(table)).mappings()]


@pytest.mark.parametrize("wired", [BY_ENVIRONMENT, BY_SETTINGS], ids=["by the environment", "by settings"])
def test_what_litellm_was_asked_is_counted_once(
    server: Server, provider: str, tmp_path: Path, wired: dict[str, Any]
) -> None:
    with litellm(server, provider, tmp_path, copy.deepcopy(wired)) as url:
        assert run("call_gateway.py", url, "sk-master").split() == ["429", "400"]
        await_count(server.store, "accepted", 7)
    tally = server.store.tally()
    assert (tally["accepted"], tally["duplicate"], tally["id_collision"], tally.refused()) == (7, 0, 0, {})
    assert (tally["error"], tally["embeddings"], tally["with_app"]) == (2, 1, 7)
    models = {(row["permaslug"], row["tools"], row["modality"]): row for row in rows(server.store, "model")}
    counted = {name: (row["requests"], row["tokens_prompt"], row["tokens_completion"]) for name, row in models.items()}
    # A chat, a stream, and an answer out of the gateway's cache, which no model gave; a call of a tool; an embedding.
    assert counted == {
        ("openai/gpt-4o-mini", 0, "text"): (3, 200, 40),
        ("openai/gpt-4o-mini", 1, "text"): (1, 100, 20),
        ("openai/text-embedding-3-small", 0, "embeddings"): (1, 5, 0),
    }
    assert all(row["requests_with_cost"] == row["requests"] for row in models.values())
    assert {row["tag"] for row in rows(server.store, "task")} >= {"translation"}
    assert sum(row["requests"] for row in rows(server.store, "task")) == 4
    with server.store.reading() as connection:
        [app] = connection.execute(select(apps)).all()
    assert (app.identity, app.title) == ("https://tidepool.example", "Tidepool")
    assert sum(row["requests"] for row in rows(server.store, "app")) == 5


def test_what_langfuse_was_told_is_counted_once(server: Server) -> None:
    assert run("trace_calls.py", server.url, server.key("ingest")).strip() == "True"
    tally = server.store.tally()
    assert (tally["accepted"], tally["error"], tally["with_session"], tally.refused()) == (2, 1, 2, {})
    [model] = rows(server.store, "model")
    assert (model["permaslug"], model["requests"]) == ("openai/gpt-4o-mini", 1)
    assert (model["tokens_prompt"], model["tokens_completion"]) == (100, 20)
    assert [task["tag"] for task in rows(server.store, "task")] == ["translation"]
