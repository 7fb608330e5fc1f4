"""The layer in front: what every answer carries, who may read from where, and that an answer is made once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from llmcensus import config, server
from llmcensus.api import answers, gate
from llmcensus.api.gate import Gate
from llmcensus.datasets import DATASETS
from llmcensus.errors import ConfigError
from llmcensus.ingest import Intake
from llmcensus.store import Store, keys
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.worlds import count, numbered

PATH = "/api/v1/datasets/rankings-daily"
ORIGIN = "https://charts.example"


def test_every_answer_is_safe_to_show(server: Server) -> None:
    key = server.key()
    for path, key_ in ((PATH, key), (PATH, None), ("/nothing", None), ("/openapi.json", None), ("/a//b", None)):
        headers = server.get(path, key_).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "Origin" in headers["vary"]


def test_robots_are_kept_off_the_api(server: Server) -> None:
    assert server.get("/robots.txt").text == "User-agent: *\nDisallow: /api/\n"


def test_pages_of_any_origin_may_read(server: Server) -> None:
    for answer in (server.get(PATH, server.key(), origin=ORIGIN), server.get(PATH, origin=ORIGIN)):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "X-RateLimit-Remaining" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in server.get(PATH, server.key()).headers


def test_only_listed_origins_may_read_where_there_is_a_list(store: Store) -> None:
    with serving(store, lambda: NOW, cors_origins=f"{ORIGIN}, https://other.example/") as server:
        allowed = server.get(PATH, server.key(), origin=ORIGIN).headers
        refused = server.get(PATH, server.key(), origin="https://evil.example").headers
    assert allowed["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in refused


def test_a_browser_may_ask_what_it_may_send(server: Server) -> None:
    asked = {"origin": ORIGIN, "access-control-request-method": "GET"}
    answer = httpx.options(server.url + PATH, headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"].lower()


@pytest.mark.parametrize("origins", ["example.com", "https://example.com/path", "null", "https://EXAMPLE.com"])
def test_origins_are_written_as_browsers_send_them(origins: str) -> None:
    with pytest.raises(ConfigError, match="cors_origins has"):
        config.load({"cors_origins": origins}, environ={})


def test_a_new_scope_takes_effect_within_a_second(server: Server) -> None:
    key = server.key("read")
    assert server.post(b"[]", key).status_code == 403
    with server.store.writing() as connection:
        keys.change_scope(connection, key, "ingest")
    time.sleep(0.6)
    assert server.post(b"[]", key).status_code != 403


@pytest.fixture
def app(store: Store) -> Gate:
    built = server.build(config.load({"pages": "off"}, environ={}), store, lambda: NOW)
    assert isinstance(built, Gate)
    return built


@contextmanager
def counted(patch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Counts how often a dataset is read and a body compressed; both go on as they do."""
    done = {"reads": 0, "compressions": 0}
    read, compress = type(DATASETS["/benchmarks"]).read, answers.ENCODERS["zstd"]

    def reading(*arguments: Any) -> Any:
        done["reads"] += 1
        time.sleep(0.05)
        return read(*arguments)

    def compressing(body: bytes) -> bytes:
        done["compressions"] += 1
        return compress(body)

    patch.setattr(type(DATASETS["/benchmarks"]), "read", reading)
    patch.setitem(answers.ENCODERS, "zstd", compressing)
    yield done


async def ask(app: Gate, key: str, *, query: bytes = b"") -> int:
    """Asks the application itself: a server would take the requests one after another."""
    status = 0

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    headers = [(b"authorization", f"Bearer {key}".encode()), (b"accept-encoding", b"zstd")]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": PATH, "query_string": query, "state": {}}
    scope["headers"] = headers
    scope |= {"http_version": "1.1", "raw_path": PATH.encode(), "root_path": "", "scheme": "http"}
    await app(scope, None, send)  # type: ignore[arg-type]
    return status


@pytest.mark.parametrize("size", [70, 2000])
def test_who_asks_the_same_at_once_waits_for_one_answer(
    app: Gate, store: Store, intake: Intake, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    days = (f"2026-11-{1 + n % 20:02}T00:00:00Z" for n in range(size))
    count(intake, *(one | {"model": f"lab/{n % 60}", "created_at": next(days)} for n, one in enumerate(numbered(size))))
    with store.writing() as connection:
        made = [keys.create(connection, "a", "read", 0) for _ in range(20)]

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(ask(app, key) for key in made))

    with counted(monkeypatch) as done:
        assert asyncio.run(all_at_once()) == [200] * 20
    assert done == {"reads": 1, "compressions": 1}


def test_everybody_who_waits_is_told_of_a_failure(app: Gate, store: Store) -> None:
    with store.writing() as connection:
        made = [keys.create(connection, "a", "read", 0) for _ in range(5)]

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(ask(app, key, query=b"end_date=never") for key in made))

    assert asyncio.run(all_at_once()) == [400] * 5


def test_one_who_goes_away_does_not_take_the_answer_along(app: Gate, store: Store) -> None:
    with store.writing() as connection:
        first, second = (keys.create(connection, "a", "read", 0) for _ in range(2))

    async def leaving() -> int:
        asking = asyncio.ensure_future(ask(app, first))
        await asyncio.sleep(0.001)
        waiting = asyncio.ensure_future(ask(app, second))
        await asyncio.sleep(0.001)
        asking.cancel()
        return await waiting

    assert asyncio.run(leaving()) == 200


def test_what_is_kept_is_bounded(app: Gate, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "KEPT_BYTES", 10_000)
    with store.writing() as connection:
        made = [keys.create(connection, str(n), "read", 0) for n in range(2)]

    async def many() -> None:
        for number in range(40):
            await ask(app, made[number % 2], query=f"colour={number}".encode())

    asyncio.run(many())
    assert len(app._kept) < 10
    assert app._kept_bytes == sum(kept.room(asked) for asked, kept in app._kept.items()) <= 10_000
