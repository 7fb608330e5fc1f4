"""Bodies wait in a bounded queue: who asks again is told to come back, who asks once is waited for."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from llmcensus.api import inflow
from llmcensus.api.inflow import Place, Room
from llmcensus.errors import Unavailable
from llmcensus.store import Store, sql
from llmcensus.wire.lines import inflate
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.sources import posted, slp, update
from tests.telemetry import call, encode
from tests.worlds import encoded, numbered, record

MIB = 1 << 20
NATIVE = "/api/v1/generations"
LITELLM = "/integrations/litellm"
LANGFUSE = "/api/public/ingestion"
TRACES = "/v1/traces"
BODIES = {
    NATIVE: encoded(record()),
    TRACES: encode([call()], "json"),
    LITELLM: json.dumps([slp()]).encode(),
    LANGFUSE: posted(update()),
}


@pytest.fixture
def narrow(store: Store) -> Iterator[Server]:
    """A server with room for one mebibyte, three quarters of it for everybody."""
    with serving(store, lambda: NOW, queue_mb=1) as running:
        yield running


def post(server: Server, path: str, key: str, body: bytes | None = None, **headers: str) -> httpx.Response:
    named = {"x-api-key": key, "content-type": "application/json"} | headers
    return httpx.post(server.url + path, content=BODIES[path] if body is None else body, headers=named, timeout=60)


@contextmanager
def half_sent(server: Server, path: str, key: str, size: int) -> Iterator[socket.socket]:
    """Announces a body, and sends its first byte."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {size}\r\n\r\n["
    with socket.create_connection((server.host, server.port)) as connection:
        connection.settimeout(20)
        connection.sendall(head.encode())
        time.sleep(0.2)
        yield connection


def test_who_asks_again_is_told_to_come_back_when_the_queue_is_full(narrow: Server) -> None:
    key = narrow.key("ingest")
    with half_sent(narrow, NATIVE, key, 3 * MIB // 4):
        for path in (NATIVE, TRACES):
            answer = post(narrow, path, key)
            assert answer.status_code == 503
            assert 0 < int(answer.headers["retry-after"]) <= 5
        for path in (LITELLM, LANGFUSE):
            assert post(narrow, path, key).status_code in (200, 207), "the last quarter is for who asks once"
    time.sleep(0.5)
    for path in (NATIVE, TRACES):
        assert post(narrow, path, key).status_code == 200
    assert narrow.store.tally()["accepted"] == 3


def test_who_asks_once_waits_for_room(narrow: Server) -> None:
    key = narrow.key("ingest")
    with ThreadPoolExecutor(1) as sender:
        with half_sent(narrow, NATIVE, key, 3 * MIB // 4), half_sent(narrow, LITELLM, key, MIB // 4):
            waiting = sender.submit(post, narrow, LITELLM, key)
            time.sleep(0.5)
            assert not waiting.done()
        assert waiting.result().status_code == 200


def test_a_body_larger_than_the_queue_is_taken_alone(store: Store) -> None:
    with serving(store, lambda: NOW, queue_mb=1) as server:
        body = encoded(*numbered(6_000, messages=[{"role": "user", "content": "x" * 200}]))
        assert len(body) > MIB
        assert post(server, NATIVE, server.key("ingest"), body).json()["accepted"] == 6_000


@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(store: Store, path: str) -> None:
    with serving(store, lambda: NOW, max_body_mb=1) as server:
        with half_sent(server, path, server.key("ingest"), MIB + 1) as connection:
            assert connection.recv(64).split()[1] == b"413"
        assert post(server, path, server.key("ingest"), b" " * (MIB + 1)).status_code == 413


@pytest.mark.parametrize("path", BODIES)
def test_a_bomb_is_refused(store: Store, path: str) -> None:
    with serving(store, lambda: NOW, max_body_mb=1) as server:
        bomb = gzip.compress(bytes(64 * MIB))
        answer = post(server, path, server.key("ingest"), bomb, **{"content-encoding": "gzip"})
        assert answer.status_code == 413


def test_what_inflates_beyond_the_queue_comes_back_later(narrow: Server) -> None:
    key = narrow.key("ingest")
    small = gzip.compress(encoded(*numbered(6_000, messages=[{"role": "user", "content": "x" * 200}])))
    with half_sent(narrow, NATIVE, key, MIB // 4):
        assert post(narrow, NATIVE, key, small, **{"content-encoding": "gzip"}).status_code == 503
    time.sleep(0.3)
    assert post(narrow, NATIVE, key, small, **{"content-encoding": "gzip"}).status_code == 200


def test_inflating_tells_how_far_it_is_and_stops_when_it_may_not_go_on() -> None:
    told: list[int] = []
    text = bytes(5 * MIB + 17)
    assert inflate(gzip.compress(text[:MIB]) + gzip.compress(text[MIB:]), "gzip", 8 * MIB, told.append) == text
    assert told[-1] == len(text)
    assert max(later - earlier for earlier, later in itertools.pairwise(told)) <= MIB

    def refuse(size: int) -> None:
        if size > 2 * MIB:
            raise Unavailable("full")

    with pytest.raises(Unavailable):
        inflate(gzip.compress(text), "gzip", 8 * MIB, refuse)


@pytest.mark.parametrize("path", BODIES)
def test_a_client_that_stops_sending_is_let_go(server: Server, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "IDLE_S", 0.3)
    with half_sent(server, path, server.key("ingest"), 100) as connection:
        assert connection.recv(64).split()[1] == b"408"
    assert post(server, path, server.key("ingest")).status_code in (200, 207)


def test_a_client_that_drips_is_let_go(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflow, "GRACE_S", 0.5)
    with half_sent(server, NATIVE, server.key("ingest"), 10_000) as connection:
        started = time.monotonic()
        connection.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - started < 10:
            connection.sendall(b" ")
            try:
                answer = connection.recv(64)
            except TimeoutError:
                continue
        assert answer.split()[1] == b"408"
        assert time.monotonic() - started < 5


def test_litellm_is_answered_once_a_busy_store_is_free(server: Server) -> None:
    key = server.key("ingest")
    held = threading.Event()
    free = threading.Event()

    def hold() -> None:
        with sql.writing(server.store._engine):
            held.set()
            free.wait(30)

    with ThreadPoolExecutor(2) as threads:
        holding = threads.submit(hold)
        held.wait()
        waiting = threads.submit(post, server, LITELLM, key)
        assert post(server, TRACES, key).status_code == 503
        free.set()
        assert waiting.result().status_code == 200
        holding.result()
    assert server.store.tally()["accepted"] == 1


def test_room_is_given_back_whatever_happens() -> None:
    room = Room(100)
    place = Place(room, whole=True)
    place.leave()
    assert (room.held, room.bodies) == (0, 0)
    assert room.take(60, whole=False, first=True)
    assert not room.take(20, whole=False, first=True)
    assert room.take(40, whole=True, first=True)
    assert not room.take(1, whole=True, first=False)
    room.leave(40, last=True)
    assert room.take(1_000, whole=False, first=False), "alone, it has all the room it needs"
    room.leave(1_060, last=True)
    assert (room.held, room.bodies) == (0, 0)
