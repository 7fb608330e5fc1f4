"""A running server: the real application on uvicorn, on a port of its own, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from llmcensus import config, server
from llmcensus.api import application
from llmcensus.api.gate import ASGIApp
from llmcensus.ingest import Intake
from llmcensus.store import Clock, Store, keys
from llmcensus.store.keys import Scope

ENDING: list[threading.Thread] = []


@dataclass
class Server:
    store: Store
    port: int
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def key(self, scope: Scope = "read", account: str = "tests") -> str:
        with self.store.writing() as connection:
            return keys.create(connection, account, scope, self.store.now_ms())

    def get(self, path: str, key: str | None = None, **headers: str) -> httpx.Response:
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return httpx.get(self.url + path, headers=headers)

    def post(self, body: bytes, key: str | None = None, **headers: str) -> httpx.Response:
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/api/v1/generations", content=body, headers=named, timeout=60)


def serving(store: Store, clock: Clock, **settings: Any) -> AbstractContextManager[Server]:
    """Runs what `llmcensus serve` would run."""
    return hosting(server.build(config.load(settings, environ={}), store, clock), store)


def serving_by(intake: Intake) -> AbstractContextManager[Server]:
    """Runs an application around an intake: its store, its clock, its classifier and tags."""
    return hosting(application(intake.store, intake, config.load(environ={}), intake.clock), intake.store)


@contextmanager
def hosting(app: ASGIApp, store: Store) -> Iterator[Server]:
    with listening(app) as port:
        yield Server(store, port)


@contextmanager
def listening(app: Callable[..., Any]) -> Iterator[int]:
    """Runs an application, and gives its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(app, log_level="debug", ws="none"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            # It takes two tenths of a second to end, and nobody asks it anything in the meantime: it is waited for at
            # the end of all tests.
            running.should_exit = True
            ENDING.append(thread)
