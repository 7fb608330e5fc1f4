"""Limits are exact: whatever counts them, however many ask at once, and over restarts that they are to outlive."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from limits.storage import RedisStorage

from llmcensus import config
from llmcensus.api.quota import Limits, OwnQuota, Quota, SharedQuota
from llmcensus.errors import ConfigError, RateLimited, Unavailable
from llmcensus.store import Store, keys
from llmcensus.store.hits import HitStorage

PATH = "/api/v1/classifications/task"
MINUTE, DAY = 30, 500
THREADS, WORKERS = 16, 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = ["redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        url = f"redis://127.0.0.1:{port}/0"
        while not answers(url):
            time.sleep(0.05)
        yield url
        process.terminate()


def answers(url: str) -> bool:
    return bool(RedisStorage(url).check())


@pytest.fixture(params=["own", "store", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Quota]:
    """Opens a quota anew each time; what is counted outside the process is still there."""
    kind = request.param
    url = request.getfixturevalue("redis_url") if kind == "redis" else f"sqlite:///{tmp_path}/hits.db"
    if kind == "redis":
        RedisStorage(url).reset()

    def open_(limits: Limits, clock: Callable[[], float] = time.time) -> Quota:
        if kind == "own":
            return OwnQuota(limits, clock)
        storage = HitStorage(url, wrap_exceptions=True) if kind == "store" else RedisStorage(url, wrap_exceptions=True)
        return SharedQuota(limits, storage, clock)

    return open_


def spent(quota: Quota, key: bytes, account: str, tries: int) -> int:
    done = 0
    for _ in range(tries):
        try:
            quota.spend(key, account)
            done += 1
        except RateLimited:
            continue
    return done


def test_a_minute_is_a_keys_and_a_day_is_an_accounts(opened: Callable[..., Quota]) -> None:
    quota = opened(Limits(per_minute=3, per_day=5))
    assert spent(quota, b"one", "a", 5) == 3
    assert spent(quota, b"two", "a", 5) == 2
    assert spent(quota, b"three", "b", 5) == 3


def test_what_one_bucket_refuses_the_other_does_not_count(opened: Callable[..., Quota]) -> None:
    quota = opened(Limits(per_minute=2, per_day=3))
    assert spent(quota, b"one", "a", 10) == 2
    assert spent(quota, b"two", "a", 10) == 1
    with pytest.raises(RateLimited, match="3 requests a UTC day"):
        quota.spend(b"two", "a")
    assert spent(quota, b"two", "b", 10) == 1


def test_it_says_what_is_left(opened: Callable[..., Quota]) -> None:
    quota = opened(Limits(per_minute=2, per_day=10))
    before = time.time()
    first, second = quota.spend(b"one", "a"), quota.spend(b"one", "a")
    assert (first.limit, first.remaining, second.remaining) == (2, 1, 0)
    assert before + 59 <= first.reset <= time.time() + 61
    with pytest.raises(RateLimited, match="2 requests a minute") as caught:
        quota.spend(b"one", "a")
    assert 1 <= caught.value.retry_after <= 60


def test_a_day_ends_at_midnight(opened: Callable[..., Quota]) -> None:
    midnight = (time.time() // 86_400 + 1) * 86_400
    now = [midnight - 1.0]
    quota = opened(Limits(per_minute=100, per_day=2), lambda: now[0])
    assert spent(quota, b"one", "a", 5) == 2
    with pytest.raises(RateLimited) as caught:
        quota.spend(b"one", "a")
    assert caught.value.retry_after == 1
    now[0] = midnight
    assert spent(quota, b"one", "a", 5) == 2


def test_a_minute_is_any_sixty_seconds() -> None:
    now = [1_000_000.0]
    quota = OwnQuota(Limits(per_minute=2, per_day=100), lambda: now[0])
    quota.spend(b"one", "a")
    now[0] += 40
    assert spent(quota, b"one", "a", 5) == 1
    now[0] += 19.9
    assert spent(quota, b"one", "a", 5) == 0
    now[0] += 0.1
    assert spent(quota, b"one", "a", 5) == 1


def test_quiet_keys_are_forgotten() -> None:
    now = [1_000_000.0]
    quota = OwnQuota(Limits(per_minute=2, per_day=100), lambda: now[0])
    for number in range(1000):
        quota.spend(number.to_bytes(4), str(number))
    now[0] += 121
    quota.spend(b"one", "a")
    assert len(quota._minutes) == 1
    now[0] += 86_400
    quota.spend(b"one", "a")
    assert len(quota._days) == 1


@pytest.mark.parametrize("opened", ["store", "redis"], indirect=True)
def test_what_was_counted_outlives_the_process(opened: Callable[..., Quota]) -> None:
    limits = Limits(per_minute=3, per_day=5)
    assert spent(opened(limits), b"one", "a", 2) == 2
    assert spent(opened(limits), b"one", "a", 5) == 1
    assert spent(opened(limits), b"two", "a", 5) == 2


def test_a_storage_that_is_gone_lets_nobody_in() -> None:
    gone = RedisStorage(f"redis://127.0.0.1:{free_port()}/0", wrap_exceptions=True)
    with pytest.raises(Unavailable, match="cannot be counted"):
        SharedQuota(Limits(30, 500), gone).spend(b"one", "a")


def test_workers_need_limits_that_they_share() -> None:
    with pytest.raises(ConfigError, match=r"workers is 4, .* expected `redis` or `limits = store`"):
        config.load({"workers": "4"}, environ={})
    assert config.load({"workers": "4", "limits": "store"}, environ={}).workers == 4


@contextmanager
def workers(folder: Path, *options: str) -> Iterator[str]:
    """Gives the address of a server with several workers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "llmcensus", "serve", "--db", f"sqlite:///{folder}/census.db"]
    command += ["--port", str(port), "--workers", str(WORKERS), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LLMCENSUS_")}
    with (
        (folder / "server.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not alive(url):
                assert process.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline, (folder / "server.log").read_text()
                time.sleep(0.1)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def hammered(url: str, made: list[str], requests: int) -> Counter[int]:
    """Sends so many requests from each of many threads, going round the keys; each on a connection of its own."""
    codes: Counter[int] = Counter()

    def hammer(at: int) -> None:
        for number in range(requests):
            key = made[(at + number * THREADS) % len(made)]
            codes[httpx.get(url + PATH, headers={"authorization": f"Bearer {key}"}, timeout=30).status_code] += 1

    threads = [threading.Thread(target=hammer, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


@pytest.mark.heavy
@pytest.mark.parametrize("shared", ["store", "redis"])
def test_four_workers_count_as_one(shared: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    options = ["--limits", "store"] if shared == "store" else ["--redis", request.getfixturevalue("redis_url")]
    store = Store.open(f"sqlite:///{tmp_path}/census.db")
    with store.writing() as connection:
        alone = keys.create(connection, "alone", "read", store.now_ms())
        many = [keys.create(connection, "many", "read", store.now_ms()) for _ in range(20)]
    with workers(tmp_path, *options) as url:
        assert hammered(url, [alone], 5) == {200: MINUTE, 429: THREADS * 5 - MINUTE}
        codes = hammered(url, many, 40)
        assert codes == {200: DAY, 429: THREADS * 40 - DAY}
        with store.writing() as connection:
            late = keys.create(connection, "late", "read", store.now_ms())
        time.sleep(1)
        assert hammered(url, [late], 1) == {200: THREADS}
        with store.writing() as connection:
            keys.revoke(connection, late, store.now_ms())
        time.sleep(1)
        assert hammered(url, [late], 1) == {401: THREADS}
    with workers(tmp_path, *options) as url:
        assert hammered(url, many, 1) == {429: THREADS}
    store.close()
