"""
What a page weighs and how long the server takes for it, at a million generations of a year.

Budgets: 400 KB for the first page, with all that it loads, compressed; 20 ms of the server for a page that is kept. A
page that is made anew, as after every commit, stands beside it. Where Chromium and the group `browser` are installed,
what a browser says of the first visit, too. Run with `make bench`.
"""

from __future__ import annotations

import logging
import re
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.stores import fill
from llmcensus.store import Store
from tests.serving import Server, serving

GENERATIONS = 1_000_000
NOW = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)
FIRST_PAGE_KB = 400
KEPT_MS = 20
ROUNDS = 20
MODEL = "/models/laboratory-0/a-model-with-a-name-00"
PATHS = (
    "/",
    "/?window=90d",
    "/tasks",
    "/tasks/math",
    "/models",
    MODEL,
    "/apps",
    "/benchmarks",
    "/about",
    "/search?q=a",
)
ASSET = re.compile(r'"(/assets/[^"]+)"')
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FIRST_VISIT = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return { paint: paint.startTime, done: page.loadEventEnd, nodes: document.querySelectorAll("*").length };
}"""


def main() -> None:
    # The server of the tests says every request.
    logging.disable()
    over = []
    with tempfile.TemporaryDirectory() as name:
        store = Store.open(f"sqlite:///{Path(name)}/bench.db", clock=lambda: NOW)
        began = time.perf_counter()
        fill(store, GENERATIONS, GENERATIONS)
        print(f"{GENERATIONS:,} generations in {time.perf_counter() - began:.0f} s")
        with serving(store, lambda: NOW, pages="public") as server, httpx.Client(base_url=server.url) as client:
            kilobytes = weight(client)
            print(f"first page, compressed   {kilobytes:6.1f} KB   (budget {FIRST_PAGE_KB})")
            over += ["the first page weighs too much"] if kilobytes > FIRST_PAGE_KB else []
            for path in PATHS:
                anew, kept = milliseconds(client, path)
                print(f"{path:<50} made {anew:7.1f} ms   kept {kept:5.1f} ms   (budget {KEPT_MS})")
                over += [f"{path} takes too long"] if kept > KEPT_MS else []
            if CHROMIUM:
                first_visit(server)
        store.close()
    if over:
        sys.exit("; ".join(over))


def weight(client: httpx.Client) -> float:
    """Returns the kilobytes that a first visit to the overview moves."""
    moved = 0
    page = client.get("/", timeout=60).text
    for path in ("/", *ASSET.findall(page)):
        with client.stream("GET", path, headers={"accept-encoding": "gzip"}, timeout=60) as answer:
            moved += sum(len(part) for part in answer.iter_raw())
    return moved / 1024


def milliseconds(client: httpx.Client, path: str) -> tuple[float, float]:
    """Returns how long a page takes that is made, and one that is kept: the median of some."""
    # Another address of the same page: it was not made before.
    anew = timed(client, path + ("&" if "?" in path else "?") + "made=anew")
    timed(client, path)
    return anew, statistics.median(timed(client, path) for _ in range(ROUNDS))


def timed(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    answer = client.get(path, timeout=60)
    took = 1000 * (time.perf_counter() - began)
    answer.raise_for_status()
    return took


def first_visit(server: Server) -> None:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server.url)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        said: dict[str, Any] = page.evaluate(FIRST_VISIT)
        print(
            f"in Chromium: painted after {said['paint']:.0f} ms, loaded {said['done']:.0f} ms, {said['nodes']} elements"
        )
        browser.close()


if __name__ == "__main__":
    main()
