"""Pages over HTTP: who sees them, what they say, and that names from outside are only text on them."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from llmcensus.api.watch import BELIEVED_S, Watch
from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.ingest import Intake
from llmcensus.pages import login, words
from llmcensus.pages.address import Filed, Served, Target, file
from llmcensus.pages.login import Visitors
from llmcensus.pages.rows import as_csv
from llmcensus.pages.views import VIEWS
from llmcensus.store import Store, benchmarks, keys
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.worlds import count, numbered, record

HOSTILE = (
    "<script>window.hacked=1</script>",
    '"><img src=x onerror=window.hacked=1>',
    "'-window.hacked=1-'",
    "</title><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "{{7*7}}{%raw%}",
    "=HYPERLINK(1)",
    "--><a href=javascript:window.hacked=1>x",
    "&lt;b&gt;",
)
APP = {"http_referer": "https://tidepool.example", "app_title": "Tidepool", "app_categories": ["cli-agent"]}
PAGES = ("/", "/tasks", "/tasks/translation", "/models", "/models/openai/gpt-4o", "/apps", "/benchmarks", "/about")


class Marks(HTMLParser):
    """The elements of a page, and what scripts could run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def open_server(store: Store) -> Iterator[Server]:
    with serving(store, lambda: NOW, pages="public") as running:
        yield running


def look(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(server.url + path, headers={"accept": "text/html"} | headers, timeout=30)


def enter(server: Server, key: str, onward: str = "/") -> httpx.Response:
    return httpx.post(f"{server.url}/login", data={"key": key, "next": onward})


def cookie(answer: httpx.Response) -> str:
    return answer.headers["set-cookie"].split(";")[0]


# -- who sees them


def test_a_page_asks_for_a_key_and_leads_on_to_what_was_wanted(server: Server, intake: Intake) -> None:
    count(intake, record())
    away = look(server, "/models?window=7d")
    assert (away.status_code, away.headers["location"]) == (303, "/login?next=%2Fmodels%3Fwindow%3D7d")
    assert 'value="/models?window=7d"' in look(server, away.headers["location"]).text
    inside = enter(server, server.key(), "/models?window=7d")
    assert (inside.status_code, inside.headers["location"]) == (303, "/models?window=7d")
    assert "gpt-4o" in look(server, "/models?window=7d", cookie=cookie(inside)).text
    assert "gpt-4o" not in look(server, "/models?window=7d", cookie="llmcensus=x").text


def test_data_is_for_those_who_see_pages(server: Server, intake: Intake) -> None:
    count(intake, record())
    assert look(server, "/data/model-rankings.csv").status_code == 303
    seen = look(server, "/data/model-rankings.csv", cookie=cookie(enter(server, server.key())))
    assert seen.text.splitlines()[1].startswith("1,openai/gpt-4o,120,1,")


def test_a_cookie_is_for_this_site_alone_and_out_of_reach_of_scripts(server: Server) -> None:
    flags = enter(server, server.key()).headers["set-cookie"].split("; ")[1:]
    assert set(flags) == {"Path=/", "Max-Age=604800", "HttpOnly", "SameSite=Lax"}


def test_a_cookie_is_secure_behind_https(server: Server) -> None:
    # The server believes this header of its own machine, as of a proxy there.
    secure = httpx.post(
        f"{server.url}/login", data={"key": server.key()}, headers={"x-forwarded-proto": "https"}
    ).headers["set-cookie"]
    assert secure.endswith("; Secure")


def test_a_wrong_key_is_refused_and_not_shown(server: Server) -> None:
    answer = enter(server, "sk-llmc-v1-wrong")
    assert answer.status_code == 401
    assert "No such key" in answer.text
    assert "sk-llmc-v1-wrong" not in answer.text
    assert "set-cookie" not in answer.headers


def test_logging_out_takes_the_cookie_away(server: Server) -> None:
    inside = cookie(enter(server, server.key()))
    answer = httpx.post(f"{server.url}/logout", headers={"cookie": inside})
    assert answer.headers["location"] == "/login"
    assert answer.headers["set-cookie"].startswith("llmcensus=; Path=/; Max-Age=0")


def test_a_revoked_key_ends_its_logins(server: Server) -> None:
    key = server.key()
    inside = cookie(enter(server, key))
    assert look(server, "/about", cookie=inside).status_code == 200
    with server.store.writing() as connection:
        keys.revoke(connection, key, 1)
    watch = Visitors(server.store, Watch(server.store))
    assert watch.identify(inside.encode()) is None


def test_a_cookie_ends_and_cannot_be_made_or_moved(store: Store) -> None:
    at = [1_000_000.0]
    visitors = Visitors(store, Watch(store), clock=lambda: at[0])
    with store.writing() as connection:
        made = [keys.create(connection, str(n), "read", 0) for n in range(2)]
    values = [visitors.enter(key) for key in made]
    assert None not in values
    one, other = (str(value) for value in values)
    name, until, signature = one.split(".")
    forged = (
        f"{name}.{int(until) + 1}.{signature}",
        f"{other.split('.')[0]}.{until}.{signature}",
        f"{name}.{until}.",
        f"{name}.{until}",
        name,
        "",
        "..",
        "é.1.2",
    )
    assert visitors.identify(f"llmcensus={one}".encode()) is not None
    assert [visitors.identify(f"llmcensus={value}".encode()) for value in forged] == [None] * len(forged)
    at[0] += login.GOOD_FOR_S + 1
    assert visitors.identify(f"llmcensus={one}".encode()) is None


def test_the_cookie_says_nothing_of_the_key(store: Store) -> None:
    with store.writing() as connection:
        key = keys.create(connection, "a", "read", 0)
    value = str(Visitors(store, Watch(store)).enter(key))
    digest = keys.digest(key).hex()
    assert not any(part in value for part in (key[11:27], digest[:16], digest[-16:]))


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil",
        "/\r\nx: y",
        "/\t/evil",
    ],
)
def test_a_login_leads_nowhere_else(server: Server, onward: str) -> None:
    assert enter(server, server.key(), onward).headers["location"] == "/"


def test_forms_of_other_sites_are_refused(server: Server) -> None:
    for path in ("/login", "/logout"):
        answer = httpx.post(server.url + path, data={"key": server.key()}, headers={"origin": "https://evil.example"})
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert httpx.post(f"{server.url}/logout", headers={"origin": server.url}).status_code == 303


def test_a_form_is_short(server: Server) -> None:
    assert enter(server, "x" * 5_000).status_code == 403


def test_pages_may_be_off(store: Store) -> None:
    with serving(store, lambda: NOW, pages="off") as running:
        assert look(running, "/").json()["error"]["code"] == 404


def test_the_api_is_as_it_was_behind_pages(open_server: Server) -> None:
    assert look(open_server, "/api/v1/nothing").json()["error"]["code"] == 404
    assert look(open_server, "/healthz").text == "ok"
    assert open_server.get("/nothing").json()["error"]["code"] == 404
    assert look(open_server, "/nothing").headers["content-type"] == "text/html; charset=utf-8"
    assert open_server.get("/api/v1/benchmarks").status_code == 401


def test_the_operators_page_is_for_the_operator(server: Server, intake: Intake) -> None:
    count(intake, record(), record(), record(id="bad", tokens_prompt=-1))
    assert look(server, "/status").headers["location"] == "/login?next=%2Fstatus"
    for scope in ("read", "ingest"):
        assert look(server, "/status", cookie=cookie(enter(server, server.key(scope)))).status_code == 403
    page = look(server, "/status", cookie=cookie(enter(server, server.key("admin")))).text
    for said in (
        "gateway",
        "Duplicates, counted once",
        "Refused, by reason",
        "20 Nov 2026",
    ):
        assert said in page


def test_an_admin_may_send(server: Server) -> None:
    assert server.post(b"[]", server.key("admin")).status_code == 200


# -- what they say


def test_an_empty_census_says_how_to_fill_it(open_server: Server) -> None:
    for path in ("/", "/models", "/apps"):
        page = look(open_server, path)
        assert page.status_code == 200
        assert "llmcensus import" in page.text
    for path in ("/tasks", "/tasks/math", "/benchmarks", "/about", "/search", "/search?q=x"):
        assert look(open_server, path).status_code == 200


def test_a_census_that_began_today_leads_to_today(open_server: Server, intake: Intake) -> None:
    count(intake, record(created_at=NOW.isoformat()))
    page = look(open_server, "/models").text
    link = re.search(r'href="(/models\?[^"]*)">Show that day', page)
    assert link is not None
    assert "gpt-4o" in look(open_server, link[1].replace("&amp;", "&")).text


def test_pages_that_are_not_there_say_so(open_server: Server, intake: Intake) -> None:
    count(intake, record())
    for path in (
        "/nope",
        "/tasks/none",
        "/models/a/b",
        "/models/openai",
        "/apps/1",
        "/data/none.csv",
        "/data/benchmarks.x",
    ):
        answer = look(open_server, path)
        assert (answer.status_code, "To the overview" in answer.text) == (404, True)


def test_a_choice_that_there_is_not_is_explained(open_server: Server) -> None:
    for path, said in {
        "/?window=1y": "Invalid window &#39;1y&#39;: expected one of 7d, 30d, 90d",
        "/models?sort=x": "expected one of popular, trending",
        "/apps?category=x": "Invalid category",
        "/apps?category=coding&subcategory=legal": "expected one of cli-agent",
        "/models?start_date=2026-02-30": "a calendar date as YYYY-MM-DD",
        "/models?offset=-1": "a whole number from 0",
        "/apps?offset=101": "a whole number from 0 to 100",
        "/?by=x": "expected one of requests, tokens",
        "/data/task-classification.csv?window=x": "Invalid window",
        "/benchmarks?source=x": "Invalid source",
    }.items():
        answer = look(open_server, path)
        assert answer.status_code == 400
        assert said in answer.text


def test_a_trailing_slash_leads_to_the_page(open_server: Server) -> None:
    answer = look(open_server, "/models/?window=7d")
    assert (answer.status_code, answer.headers["location"]) == (308, "/models?window=7d")


def test_a_page_is_kept_until_the_store_changes(open_server: Server, intake: Intake) -> None:
    count(intake, record())
    first = look(open_server, "/models")
    again = look(open_server, "/models", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    count(intake, record(id="two", model="openai/gpt-4o-mini"))
    time.sleep(BELIEVED_S + 0.1)
    assert "gpt-4o-mini" in look(open_server, "/models").text


def test_pages_are_encoded_and_only_for_who_asked(open_server: Server) -> None:
    answer = look(open_server, "/about", **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "Cookie" in answer.headers["vary"]


def test_every_page_is_behind_a_strict_policy(open_server: Server, intake: Intake) -> None:
    count(intake, record(**APP))
    for path in (*PAGES, "/login", "/nothing", "/data/census-daily.json", "/assets/census.css"):
        answer = look(open_server, path)
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.headers.get_list("content-security-policy")) == 1


def test_pages_need_no_script(open_server: Server, intake: Intake) -> None:
    count(intake, *numbered(3, **APP))
    for path in PAGES:
        marks = Marks(look(open_server, path).text)
        assert not any(name.startswith("on") or name == "style" for _, found in marks.elements for name in found)
        assert all("src" in script for script in marks.named("script"))
        # What a script closes is open without it.
        assert all("open" in details for details in marks.named("details"))


def test_assets_are_kept_for_ever_by_the_name_of_their_bytes(open_server: Server) -> None:
    links = re.findall(r'"(/assets/[^"]+)"', look(open_server, "/about").text)
    assert len(links) >= 3
    for link in links:
        answer = look(open_server, link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


# -- names from outside


@pytest.fixture
def hostile_names(store: Store, intake: Intake) -> None:
    hostile(store, intake)


def hostile(store: Store, intake: Intake) -> None:
    """Counts traffic, and imports scores, whose names are attacks on pages."""
    for number, text in enumerate(HOSTILE):
        about = {"id": f"h{number}", "source": text, "model": text, "session_id": text}
        count(
            intake,
            record(**about, http_referer=f"https://h{number}.example/{text}", app_title=text, app_categories=[text]),
        )
        count(intake, record(id=f"t{number}", http_referer="http://localhost", app_title=text, session_id="s"))
        count(intake, record(id=f"r{number}", http_referer=f"https://{text}", app_title=text))
        count(intake, record(id=f"m{number}", model=f"openai/{text}"))
    rows = [
        {"source": "artificial-analysis", "model_permaslug": text, "display_name": text, "intelligence_index": 50.0}
        | {"coding_index": None, "agentic_index": None, "pricing": {"prompt": "0.000001", "completion": "0.000002"}}
        for text in HOSTILE
    ]
    reading = read(msgspec.json.encode(rows), Names(Catalog(), NOW))
    with store.writing() as connection:
        benchmarks.record(connection, store.now_ms(), reading.encoded())


@pytest.mark.usefixtures("hostile_names")
def test_hostile_names_are_only_text(open_server: Server) -> None:
    apps = [f"/apps/{row['app_id']}" for row in look(open_server, "/data/app-rankings.json?limit=100").json()["data"]]
    assert len(apps) > len(HOSTILE)
    inside = cookie(enter(open_server, open_server.key("admin")))
    reflected = [f"/search?q={text}" for text in HOSTILE] + [f"/?window={text}" for text in HOSTILE]
    for path in (*PAGES, *apps, *reflected, *(f"/tasks/{text}" for text in HOSTILE[1:3]), "/status"):
        marks = Marks(look(open_server, path, cookie=inside).text)
        assert {tag for tag, _ in marks.elements} <= KNOWN
        assert not any(name.startswith("on") for _, found in marks.elements for name in found)
        assert all((link.get("href") or "").startswith(("/", "#")) for link in marks.named("a"))
        assert all("src" in script for script in marks.named("script"))


KNOWN = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "script",
        "body",
        "a",
        "header",
        "nav",
        "main",
        "footer",
        "form",
        "input",
    ),
    *("button", "label", "div", "span", "p", "h1", "h2", "ul", "li", "dl", "dt", "dd", "small", "code", "pre", "wbr"),
    *("table", "thead", "tbody", "tr", "th", "td", "section", "details", "summary", "svg", "rect"),
}


@pytest.mark.usefixtures("hostile_names")
def test_spreadsheets_are_given_no_formulas(open_server: Server) -> None:
    for name in ("app-rankings", "benchmarks", "session-cost", "model-rankings"):
        rows = csv.reader(io.StringIO(look(open_server, f"/data/{name}.csv").text))
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


# -- parts


def test_csv_has_every_row_and_column(open_server: Server, intake: Intake) -> None:
    count(intake, *numbered(3, **APP))
    for name in ("app-rankings", "census-daily", "task-daily", "task-classification", "rankings-daily"):
        answer = look(open_server, f"/data/{name}.json").json()["data"]
        data: list[dict[str, Any]] = answer["classifications"] if isinstance(answer, dict) else answer
        rows = list(csv.DictReader(io.StringIO(look(open_server, f"/data/{name}.csv").text)))
        assert rows == [{key: str(value) for key, value in row.items() if key != "models"} for row in data]


def test_csv_of_nothing_has_its_columns(open_server: Server) -> None:
    assert look(open_server, "/data/app-rankings.csv").text == "rank,app_id,app_name,total_tokens,total_requests\r\n"
    assert look(open_server, "/data/task-classification.csv").text.startswith(
        "tag,display_name,macro_category,usage_share"
    )


def test_unknown_is_an_empty_field() -> None:
    class Row(msgspec.Struct):
        one: float | None
        nested: dict[str, int]
        text: str

    class Answer(msgspec.Struct):
        data: list[Row]

    assert as_csv(Answer([Row(None, {"a": 1}, "=1"), Row(0.0, {"b": 2}, "x")])) == (
        b"one,nested_a,text,nested_b\r\n,1,'=1,\r\n0.0,,x,2\r\n"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999_499, "999 K"),
        (999_500, "1.00 M"),
        (16_062_821, "16.1 M"),
        (1234, "1.23 K"),
        (None, "–"),
    ],
)
def test_numbers_are_short(number: int, text: str) -> None:
    assert words.short(number).replace(words.NARROW, " ") == text


def test_what_is_little_is_not_nothing() -> None:
    assert words.percent(0.0001).replace(words.NARROW, " ") == "< 0.1 %"
    assert words.percent(0.0).replace(words.NARROW, " ") == "0.0 %"
    assert words.percent(None) == words.UNKNOWN
    assert words.price("0.00000003") == "$0.0300"
    assert words.price("0") == "$0.00"


def test_links_lead_to_files_or_pages() -> None:
    target = Target.of("/models/qwen/qwen3:free", {"window": "7d", "sort": None})
    assert Served({}).link(target) == "/models/qwen/qwen3:free?window=7d"
    assert file(target) == "models/qwen/qwen3,free/window-7d/index.html"
    here = Filed(Target.of("/apps/1", {"window": "7d"}))
    assert here.link(target) == "../../../models/qwen/qwen3,free/window-7d/"
    assert list(here.wanted) == [target]
    assert Filed(Target("/")).link(Target("/")) == "./"


def test_every_page_has_its_line_in_the_docs() -> None:
    text = (Path(__file__).parents[1] / "docs" / "pages.md").read_text()
    for pattern in VIEWS:
        path = pattern.replace("([^/]+/[^/]+)", "{author}/{slug}").replace("([0-9]{1,15})", "{id}")
        assert f"`{path.replace('([^/]+)', '{tag}')}`" in text


def test_growth_is_over_the_past_that_there_is(open_server: Server, intake: Intake) -> None:
    for number in range(3):
        at = (NOW - timedelta(days=1 + 7 * number)).isoformat()
        count(intake, record(id=f"g{number}", created_at=at, tokens_prompt=100 * (3 - number), tokens_completion=0))
    rows = look(open_server, "/data/model-rankings.json?start_date=2026-11-20&end_date=2026-11-20").json()["data"]
    # Of the three days before, none had traffic, though the census had begun.
    assert rows[0]["growth"] is None
    rows = look(open_server, "/data/model-rankings.json?start_date=2026-11-14&end_date=2026-11-20").json()["data"]
    assert rows[0]["growth"] == pytest.approx(300 / 200 - 1)
