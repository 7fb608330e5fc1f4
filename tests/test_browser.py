"""
Pages in Chromium, as people see them: that they work, show the API's numbers, ask nobody else, and can be read by all.

Needs the system's Chromium and the dependency group `browser`; what axe checks needs `npm ci` in tests/browser.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.ingest import Intake
from llmcensus.store import Store
from tests.browsing import Scheme, browser, visiting
from tests.conftest import FIRST_DAY, NOW
from tests.serving import Server, serving
from tests.test_pages import hostile
from tests.worlds import count, demonstration, numbered

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Fixtures of other modules are found by their names here.
__all__ = ["browser"]

AXE = Path(__file__).parent / "browser" / "node_modules" / "axe-core" / "axe.min.js"

MODES = list(itertools.product(("light", "dark"), (1280, 360)))
NAMES = [f"{scheme}-{width}" for scheme, width in MODES]
APP = "/apps/{app}"
PAGES = [
    "/",
    "/?window=7d&by=tokens",
    "/tasks",
    "/tasks/code:debugging",
    "/models",
    "/models?sort=trending&start_date=2026-11-01&end_date=2026-11-20",
    "/models/openai/gpt-5.4",
    "/apps",
    "/apps?category=coding&sort=trending",
    APP,
    "/benchmarks",
    "/benchmarks?source=design-arena",
    "/benchmarks?source=openrouter",
    "/about",
    "/search?q=openai",
    "/login",
    "/nothing-is-here",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Server]:
    with demonstration(tmp_path_factory.mktemp("census"), classifier, NOW, pages="public") as running:
        yield running


def api(server: Server, path: str) -> Any:
    answer = server.get(f"/api/v1{path}", server.key(account=path))
    assert answer.status_code == 200
    return answer.json()


def app_of(server: Server) -> str:
    return str(api(server, "/datasets/app-rankings?limit=1")["data"][0]["app_id"])


@pytest.mark.parametrize(("scheme", "width"), MODES, ids=NAMES)
def test_every_page_is_sound(browser: Browser, demo: Server, scheme: Scheme, width: int) -> None:
    app = app_of(demo)
    with visiting(browser, demo, scheme, width) as visit:
        for path in PAGES:
            visit.open(path.replace("{app}", app))
            assert visit.page.locator("h1").count() == 1
            # A phone is not scrolled sideways; tables that are wider are, in their own box.
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= width, path
            for chart in visit.page.locator("[data-chart]:not([data-chart=none])").all():
                assert chart.locator(".plot svg").count() == 1, path


@pytest.mark.skipif(not AXE.exists(), reason="axe is not installed: run `npm ci` in tests/browser")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_everyone_can_read_every_page(browser: Browser, demo: Server, scheme: Scheme, width: int) -> None:
    app = app_of(demo)
    found: dict[str, list[str]] = {}
    with visiting(browser, demo, scheme, width) as visit:
        for path in PAGES:
            visit.open(path.replace("{app}", app))
            visit.page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
            visit.page.evaluate(AXE.read_text())
            violations = visit.page.evaluate("axe.run().then(found => found.violations)")
            if violations:
                found[path] = [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:120]}" for one in violations]
    assert found == {}


def test_the_overview_shows_the_numbers_of_the_api(browser: Browser, demo: Server) -> None:
    daily = api(demo, "/datasets/rankings-daily")["data"]
    by_day: dict[str, dict[str, int]] = defaultdict(dict)
    for row in daily:
        by_day[row["date"]][row["model_permaslug"]] = int(row["total_tokens"])
    with visiting(browser, demo) as visit:
        visit.open("/")
        heads = visit.page.eval_on_selector_all("#tokens thead th", "all => all.slice(1).map(one => one.dataset.label)")
        assert len(heads) == 11
        assert heads[-1] == "All others"
        for day, *values in visit.cells("#tokens table"):
            of_day = by_day[day]
            named = [of_day.get(slug, 0) for slug in heads[:-1]]
            assert [int(value) for value in values] == [*named, sum(of_day.values()) - sum(named)]
        totals = visit.page.eval_on_selector_all(".totals dd[data-value]", "all => all.map(one => one.dataset.value)")
        assert int(totals[1]) == sum(int(row["total_tokens"]) for row in daily)
        apps = api(demo, "/datasets/app-rankings?limit=8")["data"]
        assert visit.cells("#apps table") == [
            [row["app_name"], row["total_tokens"], str(row["total_requests"])] for row in apps
        ]


@pytest.mark.parametrize("window", ["7d", "30d", "90d"])
def test_tasks_show_the_numbers_of_the_api(browser: Browser, demo: Server, window: str) -> None:
    data = api(demo, f"/classifications/task?window={window}")["data"]
    expected = [[item["display_name"], item["usage_share"], item["token_share"]] for item in data["classifications"]]
    with visiting(browser, demo) as visit:
        visit.open(f"/tasks?window={window}")
        rows = visit.cells("#tasks table")
        assert [[name, float(usage), float(tokens)] for name, _, usage, tokens in rows] == expected
        tiles = visit.page.locator("#tasks .tile").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
        assert {tile.split(",")[0] for tile in tiles} == {item[0] for item in expected}
        first = data["classifications"][0]
        visit.open(f"/tasks/{first['tag']}?window={window}")
        models = [[row["id"], row["tag_usage_share"], row["tag_token_share"]] for row in first["models"]]
        shown = visit.cells("#models table")
        assert [[slug, float(usage), float(tokens)] for slug, usage, tokens, _ in shown] == models


def test_models_show_the_numbers_of_the_api(browser: Browser, demo: Server) -> None:
    totals: dict[str, int] = defaultdict(int)
    for row in api(demo, "/datasets/rankings-daily")["data"]:
        totals[row["model_permaslug"]] += int(row["total_tokens"])
    # So few are used a day that none is left to the rest: what is there is of unknown models.
    rest = totals.pop("other", 0)
    order = sorted(totals, key=lambda slug: (-totals[slug], slug))
    with visiting(browser, demo) as visit:
        visit.open("/models")
        rows = visit.cells("#ranking table")
        assert [[row[0], row[1], row[2]] for row in rows if int(row[2])] == [
            [str(rank), slug, str(totals[slug])] for rank, slug in enumerate(order, 1)
        ]
        assert float(rows[0][3]) == pytest.approx(totals[order[0]] / (sum(totals.values()) + rest))
        visit.open(f"/models/{order[0]}")
        assert sum(int(row[1]) for row in visit.cells("#curve table")) == totals[order[0]]
        costs = api(demo, f"/datasets/session-cost?model={order[0]}")["data"]
        assert len(visit.page.locator("#apps tbody tr").all()) == len(costs)


@pytest.mark.parametrize(
    "query", ["", "?sort=trending", "?category=coding", "?start_date=2026-11-01&end_date=2026-11-10"]
)
def test_apps_show_the_numbers_of_the_api(browser: Browser, demo: Server, query: str) -> None:
    rows = api(demo, f"/datasets/app-rankings{query}{'&' if query else '?'}limit=100")["data"]
    with visiting(browser, demo) as visit:
        visit.open(f"/apps{query}")
        assert [[row[0], row[1], row[2], row[4]] for row in visit.cells("#ranking table")] == [
            [str(row["rank"]), row["app_name"], row["total_tokens"], str(row["total_requests"])] for row in rows
        ]


def test_benchmarks_show_the_numbers_of_the_api(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo) as visit:
        for source, score in (("artificial-analysis", "intelligence_index"), ("design-arena", "elo")):
            rows = api(demo, f"/benchmarks?source={source}{'&task_type=intelligence' if 'index' in score else ''}")[
                "data"
            ]
            visit.open(f"/benchmarks?source={source}")
            shown = visit.cells("#scores table")
            assert len(rows) > 1
            assert [float(row[2]) for row in shown] == [row[score] for row in rows]
            assert [row[3] for row in shown] == [(row["pricing"] or {}).get("prompt", "") for row in rows]


def test_choices_stay_in_the_address(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo) as visit:
        visit.open("/models")
        visit.page.get_by_role("link", name="Fastest growing").click()
        visit.page.get_by_role("link", name="7 days").click()
        assert visit.page.url.endswith("/models?sort=trending&window=7d")
        visit.page.locator("input[name=start_date]").fill("2026-11-02")
        visit.page.locator("input[name=end_date]").fill("2026-11-15")
        visit.page.get_by_role("button", name="Show").click()
        assert "sort=trending&start_date=2026-11-02&end_date=2026-11-15" in visit.page.url
        visit.page.locator("#ranking tbody a").first.click()
        assert "start_date=2026-11-02" in visit.page.url
        assert len(visit.cells("#curve table")) == 14
        visit.page.go_back()
        assert "sort=trending" in visit.page.url


def test_tables_can_be_sorted_and_filtered(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo) as visit:
        visit.open("/models")
        head = visit.page.locator("#ranking thead th", has_text="Requests")
        head.get_by_role("button").click()
        requests = [int(row[5]) for row in visit.cells("#ranking table")]
        assert requests == sorted(requests, reverse=True)
        assert head.get_attribute("aria-sort") == "descending"
        head.get_by_role("button").press("Enter")
        assert [int(row[5]) for row in visit.cells("#ranking table")] == sorted(requests)
        visit.page.get_by_label("Filter this list").fill("QWEN")
        seen = visit.page.locator("#ranking tbody tr:visible").all_inner_texts()
        assert seen
        assert all("qwen" in row for row in seen)


def test_search_finds_models_apps_and_tasks(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo) as visit:
        visit.open("/")
        box = visit.page.get_by_role("searchbox")
        box.fill("tide")
        box.press("Enter")
        visit.page.get_by_role("link", name="Tidepool").click()
        assert visit.page.locator("h1").inner_text() == "Tidepool"
        visit.open("/search?q=claude")
        assert visit.page.get_by_role("link", name="anthropic/claude-sonnet-4.6").count() == 1
        visit.open("/search?q=debugging")
        visit.page.get_by_role("link", name="Debugging").click()
        assert "/tasks/code:debugging" in visit.page.url


def test_charts_can_be_taken_away_with_their_citation(browser: Browser, demo: Server, tmp_path: Path) -> None:
    with visiting(browser, demo, accept_downloads=True) as visit:
        for path, figure in (("/", "#tokens"), ("/tasks", "#tasks"), ("/benchmarks", "#scores")):
            visit.open(path)
            for form in ("svg", "png"):
                with visit.page.expect_download() as taken:
                    visit.page.locator(f"{figure} [data-save={form}]").click()
                file = tmp_path / taken.value.suggested_filename
                taken.value.save_as(file)
                assert file.suffix == f".{form}"
                if form == "svg":
                    text = file.read_text()
                    assert re.search(r"Source: .*localhost/rankings", text)
                    assert "var(" not in text
                else:
                    assert file.read_bytes().startswith(b"\x89PNG")
                    assert file.stat().st_size > 10_000


def test_tiles_can_be_reached_by_keyboard(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo) as visit:
        visit.open("/tasks")
        tile = visit.page.locator("#tasks .tile").first
        tile.focus()
        assert visit.page.locator("#tasks .tip").is_visible()
        tile.press("Enter")
        visit.page.wait_for_url("**/tasks/*")


def test_without_a_script_there_are_tables(browser: Browser, demo: Server) -> None:
    with visiting(browser, demo, java_script_enabled=False) as visit:
        for path, table in (("/", "#tokens table"), ("/tasks", "#tasks table"), ("/benchmarks", "#scores table")):
            visit.open(path)
            assert visit.page.locator(table).is_visible()
            assert visit.page.locator("[data-save]").first.is_hidden()


def test_one_logs_in_and_out(browser: Browser, store: Store, classifier: Classifier) -> None:
    count(Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW), *numbered(3))
    with serving(store, lambda: NOW) as server, visiting(browser, server) as visit:
        visit.open("/models")
        assert "/login" in visit.page.url
        visit.page.get_by_label("Key").fill("sk-llmc-v1-wrong")
        visit.page.get_by_role("button", name="Log in").click()
        assert visit.page.get_by_role("alert").is_visible()
        visit.page.get_by_label("Key").fill(server.key("admin"))
        visit.page.get_by_role("button", name="Log in").click()
        assert visit.page.url == f"{server.url}/models"
        assert visit.page.evaluate("document.cookie") == ""
        visit.page.get_by_role("link", name="Status").click()
        assert visit.page.locator("h1").inner_text() == "Status"
        visit.page.get_by_role("button", name="Log out").click()
        visit.open("/models")
        assert "/login" in visit.page.url


def test_an_empty_census_is_a_page_that_helps(browser: Browser, store: Store) -> None:
    with serving(store, lambda: NOW, pages="public") as server, visiting(browser, server, width=360) as visit:
        for path in ("/", "/models", "/apps", "/tasks", "/benchmarks", "/about"):
            visit.open(path)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        visit.open("/")
        assert "llmcensus import" in visit.page.locator("main").inner_text()


@pytest.mark.usefixtures("hostile_names")
def test_hostile_names_stay_inert(browser: Browser, store: Store) -> None:
    with serving(store, lambda: NOW, pages="public") as server, visiting(browser, server) as visit:
        apps = httpx.get(f"{server.url}/data/app-rankings.json?limit=100").json()["data"]
        links = [f"/apps/{row['app_id']}" for row in apps]
        for path in (
            "/",
            "/tasks",
            "/models",
            "/apps",
            "/benchmarks",
            "/search?q=<script>",
            "/models?author=<b>",
            *links,
        ):
            visit.open(path)
            for chart in visit.page.locator("[data-chart]").all():
                chart.hover()
            assert visit.page.evaluate("typeof window.hacked") == "undefined"
        visit.open("/apps")
        assert "<script>window.hacked=1</script>" in visit.page.locator("#ranking").inner_text()


@pytest.fixture
def hostile_names(store: Store, intake: Intake) -> None:
    hostile(store, intake)
