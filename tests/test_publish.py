"""The census as a folder: complete, the same bytes each time, and what the server shows."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin

import pytest

from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.demo import traffic
from llmcensus.errors import InputError
from llmcensus.ingest import Intake
from llmcensus.pages.address import Target, file
from llmcensus.pages.publish import SUMS, moment, publish
from llmcensus.pages.rows import FORMS
from llmcensus.store import Store, registry
from llmcensus.taxonomy import SHIPPED
from llmcensus.wire import named
from llmcensus.wire.lines import Line
from tests.browsing import Visit, browser, visiting
from tests.conftest import FIRST_DAY, NOW, SETTINGS
from tests.test_pages import HOSTILE, hostile
from tests.worlds import count, record, score

__all__ = ["browser"]

LINK = re.compile(r' (?:href|src)="([^"]+)"')


def published(store: Store, folder: Path) -> int:
    return publish(store, SETTINGS, SHIPPED, "spelled", moment(store, NOW), folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def store_of_demo(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('census')}/census.db", clock=lambda: NOW)
    intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW)
    intake.take(named("native"), [Line(number, line) for number, line in enumerate(traffic(NOW, 400), 1)])
    score(store, NOW)
    yield store
    store.close()


@pytest.fixture(scope="module")
def folder(store_of_demo: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / "census"
    published(store_of_demo, made)
    return made


def test_the_same_store_gives_the_same_bytes(store_of_demo: Store, folder: Path, tmp_path: Path) -> None:
    store_of_demo.session_costs("2026-10-01", "2026-10-30")
    published(store_of_demo, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_the_sums_are_those_of_the_files(folder: Path) -> None:
    found = contents(folder)
    lines = found.pop(SUMS).decode().splitlines()
    assert lines == [f"{hashlib.sha256(body).hexdigest()}  {name}" for name, body in sorted(found.items())]


def test_every_link_leads_to_a_file(folder: Path) -> None:
    pages = list(folder.rglob("*.html"))
    assert len(pages) > 100
    for page in pages:
        for link in map(unescape, LINK.findall(page.read_text())):
            if link.startswith("#"):
                continue
            assert not re.match(r"/|[a-z]+:", link), link
            at = unquote(urljoin(f"http://x/{page.relative_to(folder)}", link)).removeprefix("http://x/")
            assert (folder / at / "index.html" if at.endswith("/") or not at else folder / at).is_file(), at


def test_rows_are_in_every_form(folder: Path) -> None:
    for form in FORMS:
        assert list(folder.glob(f"data/model-rankings/*.{form}"))
    pages = (folder / "index.html").read_text()
    assert "/search" not in pages
    assert "Log out" not in pages


def test_parquet_has_the_rows_of_the_csv(folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    for path in folder.glob("data/*/*.parquet"):
        table: Any = parquet.read_table(io.BytesIO(path.read_bytes()))
        assert table.num_rows == path.with_suffix(".csv").read_bytes().count(b"\r\n") - 1


def test_what_is_gone_is_removed_and_what_is_not_ours_stays(store: Store, intake: Intake, tmp_path: Path) -> None:
    count(intake, record(http_referer="https://a.example", app_title="A"))
    published(store, tmp_path / "site")
    app = next((tmp_path / "site" / "apps").glob("[0-9]*"))
    (tmp_path / "site" / "CNAME").write_text("census.example")
    with store.writing() as connection:
        registry.hide_app(connection, int(app.name), True)
    published(store, tmp_path / "site")
    assert not app.exists()
    assert (tmp_path / "site" / "CNAME").exists()


def test_a_folder_with_something_in_it_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="expected a new or an empty folder"):
        published(store, tmp_path)
    assert contents(tmp_path).keys() <= {"mine", "census.db", "census.db-wal", "census.db-shm"}


def test_a_list_of_files_cannot_lead_out_of_the_folder(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / SUMS).write_text(f"0  ../outside\n0  {outside}\n")
    published(store, tmp_path / "site")
    assert outside.exists()


def test_the_store_decides_what_it_is_as_of(store: Store, intake: Intake) -> None:
    assert moment(store, NOW).isoformat() == "2026-11-21T00:00:00+00:00"
    count(intake, record(created_at="2026-11-18T10:00:00Z"))
    assert moment(store, NOW).isoformat() == "2026-11-19T00:00:00+00:00"
    count(intake, record(id="today", created_at=NOW.isoformat()))
    assert moment(store, NOW).isoformat() == "2026-11-21T00:00:00+00:00"


def test_names_of_files_are_safe_and_each_ones_own() -> None:
    names = ["a", "A", "a:b", "a,b", "a:b:c", "..", ".", "...", "é", "x" * 300, "x" * 301, "a/b", "a b", "<", ">"]
    found = [file(Target("/x", (("q", name),), "csv")) for name in names]
    assert len({name.lower() for name in found}) == len(names)
    for name in (*found, *(file(Target(f"/models/a/{name}")) for name in names)):
        assert all(re.fullmatch(r"[a-z0-9_.+~,\-]{1,200}", part) and part.strip(".") for part in name.split("/"))


def test_hostile_names_stay_in_the_folder(store: Store, intake: Intake, tmp_path: Path) -> None:
    hostile(store, intake)
    count(intake, record(id="dots", model="openai/.."), record(id="long", model="openai/" + "x" * 249))
    published(store, tmp_path / "deep" / "site")
    assert set(os.listdir(tmp_path / "deep")) == {"site"}
    text = (tmp_path / "deep" / "site" / "apps" / "index.html").read_text()
    assert HOSTILE[0] not in text
    assert "&lt;script&gt;window.hacked=1" in text


def test_it_works_at_any_address(folder: Path, request: pytest.FixtureRequest) -> None:
    handler = partial(Quiet, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            look_around(request.getfixturevalue("browser"), f"http://127.0.0.1:{site.server_address[1]}")
        finally:
            site.shutdown()
            thread.join()


def look_around(browser: Any, url: str) -> None:
    with visiting(browser, Somewhere(url)) as visit:
        visit.open("/census/")
        assert visit.page.locator("#tokens .plot svg").count() == 1
        visit.page.get_by_role("link", name="7 days").click()
        visit.page.get_by_role("link", name="Models", exact=True).click()
        first(visit, "#ranking tbody a")
        assert visit.page.locator("#curve .plot svg").count() == 1
        assert visit.page.url.endswith("/window-7d/")
        visit.page.get_by_role("link", name="Tasks", exact=True).click()
        first(visit, "#definitions tbody a")
        visit.page.get_by_role("link", name="Benchmarks", exact=True).click()
        assert visit.page.locator("#scores tbody tr").count() > 1


def first(visit: Visit, links: str) -> None:
    visit.page.locator(links).first.click()


class Somewhere(NamedTuple):
    url: str


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""
