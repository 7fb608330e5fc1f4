"""
CPU time of a hot request, beside a bare ASGI function that returns the same bytes on the same server, in one run.

Every server is uvicorn in a process of its own, driven by wrk over loopback; its CPU time (user and system, from /proc)
is divided by the requests that it answered. FastAPI returning the same bytes behind the same checks stands beside them.
Goals: at most 2.0 times the bare function at 12 KB, 1.2 times at 1.7 MB, 1.5 times for a 304. Run with `make bench`;
needs wrk and Linux.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bench.stores import fill
from llmcensus import config, server
from llmcensus.api import quota as quotas
from llmcensus.api.answers import SECURITY, VARY
from llmcensus.api.errors import ratelimit
from llmcensus.api.keyring import Keyring
from llmcensus.api.quota import Quota
from llmcensus.api.watch import Watch
from llmcensus.errors import CensusError, RateLimited
from llmcensus.store import Store, keys

ROUNDS = 3
SECONDS = 3
CONNECTIONS = 32
KEYS = 64
# Limits as high as an operator may set them: a benchmark of refusals would be none.
PER_MINUTE = PER_DAY = 1_000_000
HOT = {
    "12 KB": "/api/v1/datasets/app-rankings?limit=100",
    "100 KB": "/api/v1/datasets/rankings-daily?start_date=2026-10-01&end_date=2026-10-21",
    "1.7 MB": "/api/v1/datasets/rankings-daily?start_date=2025-11-01&end_date=2026-10-31",
}
# The bare function returns the same bytes: these headers, too.
UNCHANGED = [
    (b"cache-control", b"private, max-age=0, must-revalidate"),
    (b"etag", b'"d77f9d6ee21a807b4c675834"'),
    VARY,
    *SECURITY,
    *ratelimit(PER_MINUTE, PER_MINUTE, 1_800_000_000),
]
REQUESTS = re.compile(r"(\d+) requests in")
FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


def main() -> None:
    if not shutil.which("wrk"):
        print("bench/api needs wrk: apt-get install wrk")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens = prepare(folder)
        for label, path in [*HOT.items(), ("304", HOT["12 KB"])]:
            measured: dict[str, list[float]] = {"bare": [], "ours": [], "fastapi": []}
            for _ in range(ROUNDS):
                for kind, figures in measured.items():
                    figures.append(microseconds(kind, folder, path, tokens, label == "304"))
            ratios = {
                kind: statistics.median(ours / bare for ours, bare in zip(figures, measured["bare"], strict=True))
                for kind, figures in measured.items()
            }
            row = "   ".join(f"{kind} {statistics.median(measured[kind]):6.0f} µs" for kind in measured)
            print(f"{label:>7}   {row}   ours / bare {ratios['ours']:.2f}   fastapi / bare {ratios['fastapi']:.2f}")


def prepare(folder: Path) -> list[str]:
    """Fills a store, makes keys, and keeps the bytes of the hot answers for the servers that only return them."""
    store = Store.open(f"sqlite:///{folder}/bench.db")
    fill(store)
    with store.writing() as connection:
        tokens = [keys.create(connection, f"account-{n}", "read", store.now_ms()) for n in range(KEYS)]
    store.close()
    with running("ours", folder, "") as (port, _):
        for path in HOT.values():
            answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers=plain(tokens[0]), timeout=60)
            answer.raise_for_status()
            kept(folder, path).write_bytes(answer.content)
            print(f"{len(answer.content):>9,} bytes   {path}")
    return tokens


def kept(folder: Path, path: str) -> Path:
    return folder / hashlib.sha256(path.encode()).hexdigest()[:16]


def plain(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "accept-encoding": "identity"}


def lua(tokens: list[str], etag: str | None) -> str:
    condition = f"wrk.headers['If-None-Match'] = '{etag}'" if etag else ""
    listed = ",".join(f"'Bearer {token}'" for token in tokens)
    return (
        f"local keys = {{{listed}}}\nlocal at = 0\n{condition}\n"
        "request = function()\n at = at % #keys + 1\n wrk.headers['Authorization'] = keys[at]\n"
        " return wrk.format('GET')\nend\n"
    )


def microseconds(kind: str, folder: Path, path: str, tokens: list[str], unchanged: bool) -> float:
    """Returns the CPU microseconds that a server of some kind took a request."""
    script = folder / "keys.lua"
    with running(kind, folder, path, unchanged) as (port, pid):
        # The first answer is read from the store: that is no hot one. What it is tagged with, others are asked for.
        first = httpx.get(f"http://127.0.0.1:{port}{path}", headers=plain(tokens[0]), timeout=60)
        script.write_text(lua(tokens, first.headers["etag"] if unchanged else None))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", "-s", str(script), f"http://127.0.0.1:{port}{path}"]
        subprocess.run([*command, "-d1s"], check=True, capture_output=True)
        before = cpu_seconds(pid)
        out = subprocess.run(
            [*command, f"-d{SECONDS}s", "--timeout=10s"], check=True, capture_output=True, text=True
        ).stdout
        took = cpu_seconds(pid) - before
    failed = FAILED.search(out)
    if failed:
        raise SystemExit(f"{kind} {path}: {failed[0]}")
    found = REQUESTS.search(out)
    if not found:
        raise SystemExit(out)
    check_unchanged(out, unchanged)
    return 1e6 * took / int(found[1])


def check_unchanged(out: str, unchanged: bool) -> None:
    """A 304 has no body: what wrk read a request says whether it was one."""
    read = re.search(r"requests in [\d.]+\w+, ([\d.]+)(\w)B read", out)
    requests = REQUESTS.search(out)
    if read and requests:
        size = float(read[1]) * {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[read[2]] / int(requests[1])
        if (size < 2_000) is not unchanged:
            raise SystemExit(f"{size:.0f} bytes a request: expected {'a 304' if unchanged else 'a body'}")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(kind: str, folder: Path, path: str, unchanged: bool = False) -> Iterator[tuple[int, int]]:
    """Gives the port and process id of a server of some kind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [sys.executable, "-m", "bench.api", kind, str(folder), path, str(port), "304" if unchanged else ""]
    process = subprocess.Popen(arguments)
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx.TransportError:
                if process.poll() is not None:
                    raise SystemExit(f"{kind} did not start") from None
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def serve(kind: str, folder: Path, path: str, port: int, unchanged: bool) -> None:
    settings = config.load(
        {
            "db": f"sqlite:///{folder}/bench.db",
            "requests_per_minute": str(PER_MINUTE),
            "requests_per_day": str(PER_DAY),
        },
        environ={},
    )
    store = Store.open(settings.db)
    if kind == "ours":
        app: Any = server.build(settings, store)
    elif kind == "bare":
        app = bare(kept(folder, path).read_bytes(), unchanged)
    else:
        app = fastapi(kept(folder, path).read_bytes(), store, quotas.opened(settings, store))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, server_header=False)


def bare(body: bytes, unchanged: bool) -> Any:
    """A function that returns bytes: what the server and the protocol cost."""
    start = {
        "type": "http.response.start",
        "status": 304 if unchanged else 200,
        "headers": UNCHANGED
        if unchanged
        else [
            *UNCHANGED,
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    end = {"type": "http.response.body", "body": b"" if unchanged else body}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        await send(start)
        await send(end)

    return app


async def lifespan(receive: Any, send: Any) -> None:
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})
    await asyncio.sleep(0)


def fastapi(body: bytes, store: Store, quota: Quota) -> Any:
    """The same checks and the same bytes, as an application in FastAPI has them."""
    from fastapi import FastAPI, Header, Response

    app = FastAPI(openapi_url=None)
    watch = Watch(store)
    keyring = Keyring(store, watch)
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'

    @app.get("/healthz")
    async def alive() -> str:
        return "ok"

    @app.get("/{path:path}")
    async def read(authorization: str = Header(""), if_none_match: str = Header("")) -> Response:
        try:
            digest, key = keyring.identify(authorization.encode(), watch.versions().keys)
            limit, remaining, reset = quota.spend(digest, key.account)
        except RateLimited as error:
            return Response(str(error), 429)
        except CensusError as error:
            return Response(str(error), error.status)
        headers = {
            "etag": etag,
            "cache-control": "private, max-age=0, must-revalidate",
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-reset": str(reset),
        }
        if etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return app


if __name__ == "__main__":
    if len(sys.argv) > 1:
        kind, folder, path, port, status = sys.argv[1:]
        serve(kind, Path(folder), path, int(port), status == "304")
    else:
        main()
