"""
What a client may rely on, sentence by sentence, asked of a running server.

What is only about one layer is beside it: limits, keys and encodings in `test_api`, more of each dataset in
`test_datasets`, any traffic and any window in `test_oracle`, any request in `test_schemathesis`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from llmcensus.apps import CATEGORIES, app_id
from llmcensus.benchmarks import Names, read
from llmcensus.catalog import Catalog
from llmcensus.datasets import DATASETS
from llmcensus.errors import StoreError, Unavailable
from llmcensus.ingest import Intake
from llmcensus.store import Store, benchmarks, registry
from tests.conftest import FIRST_DAY, NOW
from tests.serving import Server, serving
from tests.test_api import is_error
from tests.worlds import Spelled, count, encoded, record

PATHS = [f"/api/v1{path}" for path in DATASETS]
TASK, RANKINGS, APPS, COSTS, BENCHMARKS = (
    "/classifications/task",
    "/datasets/rankings-daily",
    "/datasets/app-rankings",
    "/datasets/session-cost",
    "/benchmarks",
)
WINDOWED = [RANKINGS, APPS]
ENDLESS = {"requests_per_minute": "1000000", "requests_per_day": "1000000"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
A, B, C = (f"https://{name}.example" for name in "abc")
YESTERDAY = "2026-11-20"


@dataclass
class Api:
    """A server that limits nobody, and what is sent to it."""

    server: Server
    intake: Intake
    key: str

    def ask(self, path: str, **query: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"}
        given = {name: str(value) for name, value in query.items()}
        return httpx.get(f"{self.server.url}/api/v1{path}", params=given, headers=headers)

    def body(self, path: str, **query: object) -> Any:
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, path: str, **query: object) -> Any:
        return self.body(path, **query)["data"]

    def refusal(self, path: str, **query: object) -> str:
        return is_error(self.ask(path, **query), 400)

    def take(self, *records: dict[str, Any]) -> None:
        assert count(self.intake, *records).tally["accepted"] == len(records)

    def score(self, *rows: dict[str, Any], at: datetime = NOW) -> None:
        reading = read(json.dumps(rows).encode(), Names(Catalog(), at))
        assert not reading.refusals
        with self.server.store.writing() as connection:
            boards = [(*name, msgspec.json.encode(items)) for name, items in reading.boards().items()]
            benchmarks.record(connection, int(at.timestamp() * 1000), boards)


@contextmanager
def opened(store: Store, **settings: str) -> Iterator[Api]:
    with serving(store, lambda: NOW, **(ENDLESS | settings)) as server:
        intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
        yield Api(server, intake, server.key())


@pytest.fixture
def api(store: Store) -> Iterator[Api]:
    with opened(store, min_sessions="1") as running:
        yield running


def used(n: int | str, tokens: int = 1, day: str = YESTERDAY, **more: Any) -> dict[str, Any]:
    """A request of `tokens` at the noon of a day; its text is its task."""
    spelled = {"messages": [{"role": "user", "content": more.pop("tag", "translation")}]}
    counts = {"tokens_prompt": tokens, "tokens_completion": 0}
    return record(**({"id": f"{n}", "created_at": f"{day}T12:00:00Z"} | counts | spelled | more))


def column(rows: list[dict[str, Any]], *names: str) -> list[Any]:
    return [row[names[0]] if len(names) == 1 else tuple(row[name] for name in names) for row in rows]


# --- All endpoints ---


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_datasets_are_read_by_get_only(api: Api, method: str) -> None:
    for path in PATHS:
        answer = httpx.request(method, api.server.url + path, headers={"authorization": f"Bearer {api.key}"})
        is_error(answer, 405)
        assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (None, "Missing"),
        ("", "Missing"),
        ("Bearer", "Bearer <key>"),
        ("Basic dXNlcjpwYXNz", "Bearer <key>"),
        ("{key}", "Bearer <key>"),
        ("Bearer {key}x", "no such key"),
        ("Bearer {key},{key}", "no such key"),
    ],
)
def test_a_missing_or_unknown_key_is_401_and_says_why(api: Api, header: str | None, says: str) -> None:
    headers = {} if header is None else {"authorization": header.format(key=api.key)}
    assert says in is_error(httpx.get(api.server.url + PATHS[0], headers=headers), 401)


def test_the_scheme_of_a_key_is_written_in_any_case(api: Api) -> None:
    answer = httpx.get(api.server.url + PATHS[0], headers={"authorization": f"bearer {api.key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize("setting", [{"requests_per_minute": "1"}, {"requests_per_day": "1"}])
def test_all_endpoints_share_the_limits(store: Store, setting: dict[str, str]) -> None:
    with opened(store, **setting) as api:
        assert api.ask(TASK).status_code == 200
        for path in DATASETS:
            answer = api.ask(path)
            is_error(answer, 429)
            assert int(answer.headers["retry-after"]) >= 1


def test_every_error_has_the_one_body(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(store, max_body_mb="1") as api:
        ingest = api.server.key("ingest")
        is_error(api.ask(TASK, window="x"), 400)
        is_error(api.server.get(PATHS[0]), 401)
        is_error(api.server.post(encoded(record()), api.key), 403)
        is_error(api.ask("/nothing"), 404)
        is_error(httpx.post(api.server.url + PATHS[0]), 405)
        is_error(api.server.post(b" " * (2 << 20), ingest), 413)
        for error, status in ((Unavailable("Busy"), 503), (StoreError("Broken"), 500), (KeyError("secret"), 500)):

            def fail(error: Exception = error) -> None:
                raise error

            monkeypatch.setattr(store, "reading", fail)
            # A key is believed for a while without asking the store.
            assert "secret" not in is_error(api.ask(APPS, n=str(error)), status)
            monkeypatch.undo()


@pytest.mark.parametrize("path", DATASETS)
def test_unknown_parameters_are_ignored_everywhere(api: Api, path: str) -> None:
    assert api.rows(path, colour="red", Limit="x", **{"start_date[]": "x", "": "y"}) == api.rows(path)


@pytest.mark.parametrize(
    ("path", "query", "names"),
    [
        (RANKINGS, {"period": "year"}, ["period", "'year'", "day, week, month"]),
        (RANKINGS, {"modality": "video"}, ["modality", "'video'", "tool_calling"]),
        (RANKINGS, {"context_bucket": "1k"}, ["context_bucket", "'1k'", "1K"]),
        (COSTS, {"turn_range": "3-turns"}, ["turn_range", "'3-turns'", "50-plus-turns"]),
        (COSTS, {"limit": "501"}, ["limit", "'501'", "from 1 to 500"]),
        (COSTS, {"limit": "0"}, ["limit", "'0'", "from 1 to 500"]),
        (COSTS, {"offset": "5001"}, ["offset", "'5001'", "from 0 to 5000"]),
        (APPS, {"offset": "101"}, ["offset", "'101'", "from 0 to 100"]),
        (APPS, {"limit": "1.5"}, ["limit", "'1.5'"]),
        (APPS, {"limit": ""}, ["limit", "''"]),
        (BENCHMARKS, {"source": "mine"}, ["source", "'mine'", "design-arena"]),
        (BENCHMARKS, {"task_type": "x"}, ["task_type", "'x'", "coding, intelligence, agentic, search"]),
        (BENCHMARKS, {"max_results": "0"}, ["max_results", "'0'", "from 1 to 100"]),
        (BENCHMARKS, {"max_results": "101"}, ["max_results", "'101'", "from 1 to 100"]),
        (BENCHMARKS, {"benchmark_type": "x"}, ["benchmark_type", "'x'", "gpqa_diamond"]),
        (BENCHMARKS, {"include_run_config": "yes"}, ["include_run_config", "'yes'", "true, false"]),
        (BENCHMARKS, {"search_surface": "x"}, ["search_surface", "'x'", "server-tool, plugin"]),
        (BENCHMARKS, {"source": "design-arena", "arena": "x"}, ["arena", "'x'", "models, builders, agents"]),
        (BENCHMARKS, {"source": "openrouter", "arena": "agents"}, ["arena", "'agents'", "design-arena"]),
        (BENCHMARKS, {"source": "artificial-analysis", "category": "x"}, ["category", "'x'", "design-arena"]),
        (BENCHMARKS, {"arena": "models"}, ["arena", "'models'", "design-arena"]),
    ],
)
def test_a_message_names_parameter_value_and_what_would_do(
    api: Api, path: str, query: dict[str, str], names: list[str]
) -> None:
    message = api.refusal(path, **query)
    for name in names:
        assert name in message


KEYS = {
    TASK: [
        *("tag", "display_name", "macro_category", "usage_share", "token_share"),
        *("category_usage_share", "category_token_share", "models"),
    ],
    RANKINGS: ["date", "model_permaslug", "total_tokens"],
    APPS: ["rank", "app_id", "app_name", "total_tokens", "total_requests"],
    COSTS: ["app_slug", "app_name", "turn_range", "model_permaslug", "median_session_cost_usd"],
}
WINDOW_META = {"as_of", "version", "start_date", "end_date"}


def test_rows_have_the_documented_keys_and_no_other(api: Api) -> None:
    api.take(used(1, http_referer=A, session_id="s"))
    data = api.rows(TASK)
    assert set(data) == {"window_days", "as_of", "classifications", "macro_categories"}
    assert set(data["classifications"][0]["models"][0]) == {"id", "tag_usage_share", "tag_token_share"}
    assert set(data["macro_categories"][0]) == {"key", "label", "usage_share", "token_share"}
    for path, keys in KEYS.items():
        [row] = data["classifications"] if path == TASK else api.rows(path)
        assert set(row) == set(keys)
    assert set(api.body(TASK)) == {"data"}
    for path in WINDOWED:
        assert set(api.body(path)["meta"]) == WINDOW_META
    assert set(api.body(COSTS)["meta"]) == {"as_of", "version", "window_days", "window_end_date"}


def test_totals_are_decimal_strings(api: Api) -> None:
    api.take(*(used(n, 2**31 - 1, http_referer=A) for n in range(3)))
    assert api.rows(RANKINGS)[0]["total_tokens"] == api.rows(APPS)[0]["total_tokens"] == str(3 * (2**31 - 1))


@pytest.mark.parametrize("path", [path for path in DATASETS if path != TASK])
def test_timestamps_have_milliseconds_and_a_z(api: Api, path: str) -> None:
    meta = api.body(path)["meta"]
    assert TIMESTAMP.fullmatch(meta["as_of"])
    assert meta["version"] == "v1"


@pytest.mark.parametrize(
    "day",
    [
        *("2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "2026-04-31"),
        *("2026-2-3", "20260203", "2026-W06-2", "2026-034", "2026-02-03T00:00:00Z", " 2026-02-03", "03.02.2026"),
        *("", "today", "２０２６-02-03", "-2026-02-03", "2026-02-03\n"),
    ],
)
def test_a_date_is_a_day_of_the_calendar_as_yyyy_mm_dd(api: Api, day: str) -> None:
    for path in WINDOWED:
        for name in ("start_date", "end_date"):
            message = api.refusal(path, **{name: day})
            assert name in message
            assert "YYYY-MM-DD" in message


@pytest.mark.parametrize("path", WINDOWED)
def test_both_ends_of_a_window_are_in_it(api: Api, path: str) -> None:
    for n, day in enumerate(["2026-11-09", "2026-11-10", "2026-11-12", "2026-11-13"]):
        api.take(used(n, 10**n, day, http_referer=A))
    rows = api.rows(path, start_date="2026-11-10", end_date="2026-11-12")
    assert sum(int(row["total_tokens"]) for row in rows) == 110


@pytest.mark.parametrize("path", WINDOWED)
def test_windows_that_cannot_be_are_400(api: Api, path: str) -> None:
    assert "start_date" in api.refusal(path, start_date="2026-11-02", end_date="2026-11-01")
    # The last complete day is the end where none is given.
    assert "start_date" in api.refusal(path, start_date="2026-11-21")
    assert "end_date" in api.refusal(path, end_date="2024-12-31")
    assert "366" in api.refusal(path, start_date="2025-11-18", end_date="2026-11-20")


def days(api: Api, path: str, **query: str) -> tuple[str, str]:
    meta = api.body(path, **query)["meta"]
    return meta["start_date"], meta["end_date"]


@pytest.mark.parametrize("path", WINDOWED)
def test_windows_that_can_be(api: Api, path: str) -> None:
    # 366 days between the ends: a year and a leap day.
    assert days(api, path, start_date="2025-11-19", end_date="2026-11-20") == ("2025-11-19", "2026-11-20")
    assert days(api, path, start_date="2026-11-20", end_date="2026-11-20") == ("2026-11-20", "2026-11-20")
    # A start before the first day is moved there, and the answer says so.
    assert days(api, path, start_date="2020-01-01", end_date="2025-01-01") == ("2025-01-01", "2025-01-01")
    assert days(api, path, start_date="2024-12-31", end_date="2026-01-02") == ("2025-01-01", "2026-01-02")
    # Defaults.
    assert days(api, path) == ("2026-10-22", "2026-11-20")
    assert days(api, path, end_date="2026-05-11") == ("2026-04-12", "2026-05-11")
    assert days(api, path, start_date="2026-11-01") == ("2026-11-01", "2026-11-20")
    # An end of today or later.
    assert days(api, path, end_date="2026-11-21") == ("2026-10-23", "2026-11-21")
    assert days(api, path, start_date="2026-11-21", end_date="2027-03-01") == ("2026-11-21", "2027-03-01")


@pytest.mark.parametrize("path", WINDOWED)
def test_an_end_of_today_or_later_shows_what_is_there(api: Api, path: str) -> None:
    api.take(used(1, 7, "2026-11-21", http_referer=A, created_at="2026-11-21T11:00:00Z"))
    assert api.rows(path) == []
    for end in ("2026-11-21", "2027-01-01"):
        assert column(api.rows(path, start_date="2026-11-21", end_date=end), "total_tokens") == ["7"]


def test_the_first_day_is_a_setting(store: Store) -> None:
    with opened(store, first_day="2026-06-01") as api:
        assert days(api, RANKINGS, end_date="2026-06-02") == ("2026-06-01", "2026-06-02")
        assert "2026-06-01" in api.refusal(RANKINGS, end_date="2026-05-31")


def test_private_traffic_is_in_no_dataset(api: Api) -> None:
    api.take(used(1, 7, http_referer=A, session_id="s", public=False))
    assert api.rows(TASK)["classifications"] == []
    for path in (RANKINGS, APPS, COSTS):
        assert api.rows(path) == []


def test_hidden_apps_are_in_no_dataset_of_apps(api: Api) -> None:
    api.take(used(1, 7, http_referer=A, session_id="s"))
    with api.server.store.writing() as connection:
        registry.hide_app(connection, app_id(A), hidden=True)
    assert api.rows(APPS) == api.rows(COSTS) == []


def test_every_answer_has_a_strong_tag_and_says_how_long_it_is_good(api: Api) -> None:
    for path in DATASETS:
        headers = api.ask(path).headers
        assert re.fullmatch(r'"[^"]+"', headers["etag"])
        assert headers["cache-control"].startswith("private, max-age=")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', '"a", W/{} , "b"', "*"])
def test_what_a_client_has_is_304(api: Api, form: str) -> None:
    for path in DATASETS:
        tag = api.ask(path).headers["etag"]
        answer = api.server.get(f"/api/v1{path}", api.key, **{"if-none-match": form.format(tag)})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["cache-control"] == DATASETS[path].cache_control


def test_what_a_client_has_is_304_only_with_a_key(api: Api) -> None:
    is_error(api.server.get(PATHS[0], **{"if-none-match": "*"}), 401)


# --- /classifications/task ---


@pytest.mark.parametrize("window", ["1d", "7d", "30d", "90d"])
def test_a_window_of_tasks_is_days_up_to_yesterday(api: Api, window: str) -> None:
    first = NOW.date() - timedelta(days=int(window[:-1]))
    api.take(used("before", day=f"{first - timedelta(days=1)}", tag="devops"))
    api.take(used("first", day=f"{first}", tag="math"), used("last", tag="math"))
    api.take(used("today", day="2026-11-21", tag="devops"))
    data = api.rows(TASK, window=window)
    assert (data["window_days"], data["as_of"]) == (int(window[:-1]), YESTERDAY)
    assert column(data["classifications"], "tag", "token_share") == [("math", 1)]


@pytest.mark.parametrize("window", ["7D", "7", "2d", "365d", "7d ", ""])
def test_any_other_window_is_400(api: Api, window: str) -> None:
    assert "1d, 7d, 30d, 90d" in api.refusal(TASK, window=window)


def test_shares_add_up(api: Api) -> None:
    tags = ["math", "math", "devops", "code:debugging", "code:sql_database", "agent:web_search"]
    api.take(*(used(n, 3 + n, tag=tag, model=f"m/{n}") for n, tag in enumerate(tags)))
    api.take(used("other", 10**6, tag="other"), used("none", 10**6, messages=None))
    data = api.rows(TASK)
    found, macros = data["classifications"], data["macro_categories"]
    for name in ("usage_share", "token_share"):
        assert sum(column(found, name)) == pytest.approx(1, abs=1e-9)
        for macro in macros:
            within = [row for row in found if row["macro_category"] == macro["key"]]
            assert sum(column(within, name)) == pytest.approx(macro[name], abs=1e-9)
            assert sum(column(within, f"category_{name}")) == pytest.approx(1 if within else 0, abs=1e-9)
    assert column(macros, "key", "label") == [
        ("code", "Code"),
        ("data", "Data"),
        ("agent", "Agent"),
        ("general", "General"),
    ]
    # By share, then by tag; tags without traffic are left out.
    assert column(found, "tag") == ["math", "agent:web_search", "code:debugging", "code:sql_database", "devops"]


def test_without_traffic_the_lists_are_empty_and_no_share_is_nan(api: Api) -> None:
    api.take(used("other", tag="other"))
    data = api.rows(TASK)
    assert data["classifications"] == []
    assert {(row["usage_share"], row["token_share"]) for row in data["macro_categories"]} == {(0, 0)}


def test_a_share_of_no_tokens_is_zero(api: Api) -> None:
    api.take(used(1, 0, tag="math"), used(2, 0, tag="code:debugging"))
    for row in api.rows(TASK)["classifications"]:
        assert (row["usage_share"], row["token_share"], row["category_token_share"]) == (0.5, 0, 0)
        assert row["models"][0]["tag_token_share"] == 0


def test_ten_models_of_a_tag_by_requests_then_name_and_no_unknown_one(api: Api) -> None:
    api.take(*(used(n, model=f"m/{n:02}") for n in range(12)), used("more", model="m/11"))
    api.take(*(used(f"house {n}", model="house") for n in range(7)))
    [row] = api.rows(TASK)["classifications"]
    assert column(row["models"], "id") == ["m/11", *(f"m/{n:02}" for n in range(9))]
    assert column(row["models"], "tag_usage_share") == [0.1, *[0.05] * 9]


def test_tasks_are_at_most_a_minute_old(api: Api) -> None:
    headers = api.ask(TASK).headers
    assert headers["cache-control"] == "private, max-age=60, stale-while-revalidate=300"


# --- /datasets/rankings-daily ---


def test_fifty_models_a_day_then_one_row_of_the_rest(api: Api) -> None:
    api.take(*(used(n, 5, model=f"m/{n:02}") for n in range(53)), used("house", 1000, model="house"))
    api.take(used("day before", 1, "2026-11-18"), used("nothing", 0, "2026-11-17"))
    rows = api.rows(RANKINGS)
    assert rows[0] == {"date": "2026-11-18", "model_permaslug": "openai/gpt-4o", "total_tokens": "1"}
    assert column(rows[1:], "model_permaslug", "total_tokens") == [
        *((f"m/{n:02}", "5") for n in range(50)),
        ("other", "1015"),
    ]


def test_models_without_tokens_take_no_place(api: Api) -> None:
    api.take(*(used(f"a{n}", 0, model=f"a/{n:02}") for n in range(60)))
    api.take(*(used(f"b{n}", 1, model=f"b/{n:02}") for n in range(50)))
    assert column(api.rows(RANKINGS), "model_permaslug") == [f"b/{n:02}" for n in range(50)]


def test_a_variant_is_a_model_of_its_own(api: Api) -> None:
    names = ["openai/gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13:free"]
    api.take(*(used(name, model=name) for name in names))
    assert column(api.rows(RANKINGS), "model_permaslug") == names


def test_weeks_begin_on_monday_and_months_on_the_first(api: Api) -> None:
    api.take(used(1, 1, "2025-12-28"), used(2, 2, "2025-12-29"), used(3, 4, "2025-12-31"), used(4, 8, "2026-01-01"))
    window = {"start_date": "2025-12-28", "end_date": "2026-01-04"}
    assert column(api.rows(RANKINGS, period="week", **window), "date", "total_tokens") == [
        ("2025-12-22", "1"),
        ("2025-12-29", "14"),
    ]
    assert column(api.rows(RANKINGS, period="month", **window), "date", "total_tokens") == [
        ("2025-12-01", "7"),
        ("2026-01-01", "8"),
    ]
    assert api.rows(RANKINGS, period="day", **window) == api.rows(RANKINGS, **window)


def test_a_week_has_its_own_fifty(api: Api) -> None:
    api.take(*(used(n, 5, f"2026-11-{16 + n % 5}", model=f"m/{n:02}") for n in range(53)))
    assert "other" not in column(api.rows(RANKINGS), "model_permaslug")
    assert api.rows(RANKINGS, period="week")[-1] == {
        "date": "2026-11-16",
        "model_permaslug": "other",
        "total_tokens": "15",
    }


def test_a_modality_is_of_single_requests(api: Api) -> None:
    def sent(kind: str) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"type": kind}]}, {"role": "user", "content": "math"}]

    api.take(
        used(1, 1),
        used(2, 10, messages=sent("image_url")),
        used(3, 100, messages=sent("input_audio")),
        used(4, 1000, output_modalities=["text", "image"]),
        used(5, 10000, finish_reason="tool_calls"),
    )
    totals = {
        name: int(api.rows(RANKINGS, modality=name)[0]["total_tokens"])
        for name in ("text", "image", "audio", "image_output", "tool_calling")
    }
    assert totals == {"text": 10111, "image": 10, "audio": 100, "image_output": 1000, "tool_calling": 10000}


def test_a_bucket_is_the_smallest_bound_that_holds(api: Api) -> None:
    bounds = {"1K": 1_000, "10K": 10_000, "100K": 100_000, "1M": 1_000_000, "10M": 10_000_000}
    api.take(used(0, 1, model="m/1"))
    for bound in bounds.values():
        api.take(used(bound, bound - 1, model=f"m/{bound}", tokens_completion=1))
        api.take(used(bound + 1, bound + 1, model=f"m/{bound + 1}"))
    found = {name: set(column(api.rows(RANKINGS, context_bucket=name), "model_permaslug")) for name in bounds}
    assert found == {
        "1K": {"m/1", "m/1000"},
        "10K": {"m/1001", "m/10000"},
        "100K": {"m/10001", "m/100000"},
        "1M": {"m/100001", "m/1000000"},
        # There is no larger bucket.
        "10M": {"m/1000001", "m/10000000", "m/10000001"},
    }


# --- /datasets/app-rankings ---


def test_apps_with_equal_tokens_are_by_id(api: Api) -> None:
    api.take(*(used(origin, 5, http_referer=origin) for origin in (A, B, C)))
    rows = api.rows(APPS)
    assert column(rows, "app_id") == sorted(map(app_id, (A, B, C)))
    assert all(isinstance(row["app_id"], int) and row["app_id"] > 0 for row in rows)


def test_ranks_are_absolute_and_restart_after_filtering(api: Api) -> None:
    api.take(
        *(used(n, 100 - n, http_referer=f"https://{n}.example", app_categories=["game"] * (n % 2)) for n in range(6))
    )
    assert column(api.rows(APPS, limit=2, offset=3), "rank", "app_name") == [(4, "3.example"), (5, "4.example")]
    assert column(api.rows(APPS, category="entertainment"), "rank", "app_name") == [
        (1, "1.example"),
        (2, "3.example"),
        (3, "5.example"),
    ]
    assert column(api.rows(APPS, subcategory="game", offset=1, limit=1), "rank", "app_name") == [(2, "3.example")]


def test_fifty_apps_unless_asked_otherwise_and_a_hundred_at_most(api: Api) -> None:
    api.take(*(used(n, 1 + n, http_referer=f"https://{n}.example") for n in range(120)))
    assert len(api.rows(APPS)) == 50
    assert column(api.rows(APPS, limit=100, offset=100), "rank") == list(range(101, 121))


def test_trending_is_what_is_above_the_mean_of_three_periods_before(api: Api) -> None:
    window = {"start_date": "2026-11-19", "end_date": "2026-11-20"}
    past = {A: [3, 3, 4], B: [3, 3, 3], C: [0, 0, 0]}
    for origin, volumes in past.items():
        # The last days of the three periods: 13 to 14, 15 to 16, 17 to 18.
        for day, volume in zip(("2026-11-14", "2026-11-16", "2026-11-18"), volumes, strict=True):
            api.take(used(f"{origin}{day}", volume, day, http_referer=origin))
    api.take(used("too early", 10**6, "2026-11-12", http_referer=A))
    api.take(used("a", 4, http_referer=A), used("b", 3, http_referer=B), used("c", 1, http_referer=C))
    # 4 - 10/3 is above 0, 3 - 9/3 is not.
    assert column(api.rows(APPS, sort="trending", **window), "rank", "app_name", "total_tokens") == [
        (1, "c.example", "1"),
        (2, "a.example", "4"),
    ]


def test_apps_without_tokens_are_not_listed(api: Api) -> None:
    api.take(used(1, 0, http_referer=A), used(2, 9, "2026-09-01", http_referer=B))
    assert api.rows(APPS) == api.rows(APPS, sort="trending") == []


def test_a_subcategory_is_of_its_category(api: Api) -> None:
    named = {category: list(names) for category, names in CATEGORIES.items()}
    assert named == {
        "coding": ["cli-agent", "ide-extension", "cloud-agent", "programming-app", "native-app-builder"],
        "creative": ["creative-writing", "video-gen", "image-gen", "audio-gen"],
        "productivity": ["writing-assistant", "general-chat", "personal-agent", "legal"],
        "entertainment": ["roleplay", "game"],
    }
    for category in named:
        for subcategory in (name for names in named.values() for name in names):
            status = api.ask(APPS, category=category, subcategory=subcategory).status_code
            assert status == (200 if subcategory in named[category] else 400)


@pytest.mark.parametrize(
    ("referer", "title", "name"),
    [
        ("https://www.a.example:8443/path?q=1", None, "a.example"),
        ("HTTPS://A.example", None, "a.example"),
        ("https://a.example", "Ay", "Ay"),
        (None, "Ay", None),
        ("http://localhost:3000", None, None),
        ("http://localhost:3000", "Mine", "Mine"),
        ("http://127.0.0.1/x", "Mine", "Mine"),
    ],
)
def test_an_app_is_its_referer(api: Api, referer: str | None, title: str | None, name: str | None) -> None:
    api.take(used(1, http_referer=referer, app_title=title))
    assert column(api.rows(APPS), "app_name") == ([name] if name else [])


def test_what_does_not_count_makes_no_other_app(api: Api) -> None:
    spelled = ["https://a.example", "https://www.a.example", "https://a.example:444/", "https://a.example/x"]
    api.take(*(used(one, http_referer=one) for one in spelled), used("http", http_referer="http://a.example"))
    assert column(api.rows(APPS), "total_requests") == [4, 1]


def test_the_newest_title_wins_whenever_it_arrives(api: Api) -> None:
    api.take(used(1, day="2026-11-19", http_referer=A, app_title="New"))
    api.take(used(2, day="2026-11-18", http_referer=A, app_title="Old"), used(3, http_referer=A))
    assert column(api.rows(APPS), "app_name") == ["New"]


def test_a_title_is_part_of_what_a_local_app_is(api: Api) -> None:
    api.take(*(used(title, 1, http_referer="http://localhost", app_title=title) for title in ("One", "Two")))
    assert sorted(column(api.rows(APPS), "app_name")) == ["One", "Two"]


def test_two_known_categories_a_request(api: Api) -> None:
    api.take(used(1, http_referer=A, app_categories=["sport", "game", "legal", "cli-agent"]))
    assert [len(api.rows(APPS, subcategory=name)) for name in ("game", "legal", "cli-agent")] == [1, 1, 0]


def test_the_traffic_of_aliases_is_that_of_their_app_also_of_the_past(api: Api) -> None:
    api.take(used(1, 5, "2026-11-18", http_referer=A, session_id="s"), used(2, 7, http_referer=B, session_id="s"))
    with api.server.store.writing() as connection:
        registry.merge_app(connection, app_id(A), app_id(B))
    api.take(used(3, 1, http_referer=A, session_id="s"))
    assert column(api.rows(APPS), "app_id", "total_tokens", "total_requests") == [(app_id(B), "13", 3)]
    assert column(api.rows(COSTS), "app_slug", "turn_range") == [("b.example", "2-9-turns")]


# --- /benchmarks ---

RUN = {"source": "openrouter", "last_run_timestamp": "2026-11-01T02:00:00+02:00", "total_tasks": 9}
SEARCH = RUN | {"benchmark_type": "search_hle", "primary_metric": "accuracy", "avg_latency_per_task_ms": 9.5}


def aa(model: str, **more: Any) -> dict[str, Any]:
    return {"source": "artificial-analysis", "model_permaslug": model} | more


def da(model: str, elo: float, category: str = "website", arena: str = "models") -> dict[str, Any]:
    row = {"source": "design-arena", "model_permaslug": model, "elo": elo, "win_rate": 50}
    return row | {"category": category, "arena": arena}


def gpqa(model: str, accuracy: float, benchmark_type: str = "gpqa_diamond") -> dict[str, Any]:
    return RUN | {"model_permaslug": model, "benchmark_type": benchmark_type, "accuracy": accuracy}


def search(model: str, score: float, engine: str = "exa", surface: str = "plugin", **more: Any) -> dict[str, Any]:
    how = {"model_permaslug": model, "primary_score": score, "search_engine": engine, "search_surface": surface}
    return SEARCH | how | more


def models(api: Api, **query: object) -> list[str]:
    return column(api.rows(BENCHMARKS, **query), "model_permaslug")


ITEM_KEYS = [
    (
        aa("x/aa"),
        {"intelligence_index", "coding_index", "agentic_index", "pricing"},
    ),
    (
        da("x/da", 1),
        {"arena", "category", "elo", "win_rate", "avg_generation_time_ms", "tournament_stats", "pricing"},
    ),
    (
        gpqa("x/or", 0.5),
        {
            *("benchmark_type", "accuracy", "accuracy_stddev", "avg_cost_per_task"),
            *("total_tasks", "last_run_timestamp"),
        },
    ),
    (
        search("x/se", 0.5, run_config={"temperature": 1}),
        {
            *("benchmark_type", "primary_metric", "primary_score", "total_tasks", "avg_cost_per_task"),
            *("avg_latency_per_task_ms", "search_engine", "search_surface", "last_run_timestamp"),
        },
    ),
]


@pytest.mark.parametrize(("row", "keys"), ITEM_KEYS, ids=["aa", "da", "or", "search"])
def test_rows_of_each_source_have_their_keys_and_no_other(api: Api, row: dict[str, Any], keys: set[str]) -> None:
    api.score(row)
    always = {"source", "model_permaslug", "display_name"}
    [found] = api.rows(BENCHMARKS)
    assert set(found) == always | keys
    [found] = api.rows(BENCHMARKS, include_run_config="true")
    assert set(found) == always | keys | ({"run_config"} if "run_config" in row else set())
    assert api.rows(BENCHMARKS, include_run_config="false") == api.rows(BENCHMARKS)


def test_statistics_of_a_tournament_are_five(api: Api) -> None:
    api.score(da("x/x", 1))
    [row] = api.rows(BENCHMARKS)
    assert set(row["tournament_stats"]) == {"first_place", "second_place", "third_place", "fourth_place", "total"}


def test_models_are_by_the_index_of_the_task_those_without_last(api: Api) -> None:
    api.score(
        aa("x/b", intelligence_index=50, coding_index=1),
        aa("x/a", intelligence_index=50, agentic_index=7),
        aa("x/none", coding_index=9),
        aa("x/best", intelligence_index=70),
    )
    source = {"source": "artificial-analysis"}
    assert models(api, **source) == ["x/best", "x/a", "x/b", "x/none"]
    assert models(api, task_type="intelligence", **source) == ["x/best", "x/a", "x/b"]
    assert models(api, task_type="coding", **source) == ["x/none", "x/b"]
    assert models(api, task_type="agentic", **source) == ["x/a"]
    assert models(api, task_type="search") == []


def test_arenas_and_their_categories(api: Api) -> None:
    api.score(
        da("x/low", 900),
        da("x/high", 1200),
        da("x/code", 1000, "codecategories"),
        da("x/built", 1, "website", "builders"),
    )
    source = {"source": "design-arena"}
    assert models(api, **source) == models(api, arena="models", **source) == ["x/high", "x/code", "x/low"]
    assert models(api, arena="builders", **source) == ["x/built"]
    assert models(api, arena="agents", **source) == []
    assert models(api, category="website", **source) == ["x/high", "x/low"]
    assert models(api, task_type="coding", **source) == models(api, task_type="coding") == ["x/code"]
    assert models(api, category="none", **source) == []


def test_own_benchmarks_and_their_filters(api: Api) -> None:
    api.score(gpqa("x/a", 0.5), gpqa("x/b", 0.75), gpqa("x/t", 0.9, "tau_bench_verified_airline"))
    api.score(search("x/s", 0.1), search("x/p", 0.3, "native", "server-tool"))
    assert models(api, source="openrouter") == ["x/b", "x/a", "x/p", "x/s", "x/t"]
    assert models(api, task_type="intelligence") == ["x/b", "x/a"]
    assert models(api, task_type="agentic") == ["x/t"]
    assert models(api, task_type="search") == ["x/p", "x/s"]
    assert models(api, benchmark_type="gpqa_diamond") == ["x/b", "x/a"]
    assert models(api, benchmark_type="search_hle") == ["x/p", "x/s"]
    assert models(api, benchmark_type="search_dsqa") == []
    assert models(api, search_engine="exa") == models(api, search_surface="plugin") == ["x/s"]
    assert TIMESTAMP.fullmatch(api.rows(BENCHMARKS)[0]["last_run_timestamp"])


def test_without_a_source_all_are_served_and_nobody_is_cited(api: Api) -> None:
    api.score(gpqa("x/a", 0.5), da("x/a", 1), aa("x/a"), aa("x/b"))
    body = api.body(BENCHMARKS)
    assert column(body["data"], "source") == [*["artificial-analysis"] * 2, "design-arena", "openrouter"]
    assert body["meta"] == {
        "as_of": "2026-11-21T12:00:00.000Z",
        "version": "v1",
        "source": None,
        "source_url": None,
        "citation": None,
        "model_count": 2,
        "task_type": None,
    }
    assert api.body(BENCHMARKS, max_results=1)["meta"]["model_count"] == len(models(api, max_results=1)) == 1


@pytest.mark.parametrize(
    ("source", "home", "cited"),
    [
        (
            "artificial-analysis",
            "https://artificialanalysis.ai",
            "Source: Artificial Analysis (artificialanalysis.ai) via LLM Census (localhost/rankings).",
        ),
        (
            "design-arena",
            "https://www.designarena.ai",
            "Source: Design Arena (www.designarena.ai) via LLM Census (localhost/rankings).",
        ),
        (
            "openrouter",
            "https://localhost",
            "Source: LLM Census (localhost/rankings), as of 2026-11-21T12:00:00.000Z.",
        ),
    ],
)
def test_a_source_is_cited(api: Api, source: str, home: str, cited: str) -> None:
    meta = api.body(BENCHMARKS, source=source, task_type="coding")["meta"]
    assert (meta["source"], meta["source_url"], meta["citation"]) == (source, home, cited)
    assert meta["task_type"] == "coding"


def test_as_of_is_the_last_import(api: Api) -> None:
    api.score(da("x/x", 1), at=NOW - timedelta(days=3))
    api.score(aa("x/old"), at=NOW - timedelta(days=2))
    api.score(aa("x/new"), at=NOW - timedelta(days=1))
    assert models(api) == ["x/new", "x/x"]
    assert api.body(BENCHMARKS)["meta"]["as_of"] == "2026-11-20T12:00:00.000Z"
    assert api.body(BENCHMARKS, source="design-arena")["meta"]["as_of"] == "2026-11-18T12:00:00.000Z"


@pytest.mark.parametrize(
    ("dollars", "written"),
    [(0.0000025, "0.0000025"), (1e-10, "0.0000000001"), (0, "0"), (0.00001, "0.00001"), (1, "1")],
)
def test_prices_are_plain_decimals(api: Api, dollars: float, written: str) -> None:
    # As their API gives them: USD per million tokens.
    row = {
        "slug": "nobody-knows-this",
        "name": "Nobody",
        "model_creator": {"slug": "nobody"},
        "evaluations": {},
        "pricing": {"price_1m_input_tokens": dollars * 1_000_000, "price_1m_output_tokens": dollars * 1_000_000},
    }
    api.score(row)
    [found] = api.rows(BENCHMARKS)
    assert found["pricing"] == {"prompt": written, "completion": written}


def test_a_price_that_is_unknown_is_null(api: Api) -> None:
    api.score(aa("nobody/knows-this"), da("nobody/knows-this", 1))
    assert column(api.rows(BENCHMARKS), "pricing") == [None, None]


def test_fifty_scores_unless_asked_otherwise(api: Api) -> None:
    api.score(*(aa(f"x/{n:03}", intelligence_index=n / 2) for n in range(120)))
    assert len(models(api)) == 50
    assert models(api, max_results=100) == [f"x/{n:03}" for n in reversed(range(20, 120))]


# --- /datasets/session-cost ---


def session(name: str, turns: int, cost: float = 0.5, **more: Any) -> list[dict[str, Any]]:
    """The requests of one session that costs `cost` in all."""
    each = {"session_id": name, "http_referer": A, "cost_usd": cost / turns, **more}
    return [used(f"{name} {n} {more.get('model')} {more.get('http_referer')}", **each) for n in range(turns)]


@pytest.mark.parametrize(
    ("turns", "range_"),
    [
        *((1, "1-turn"), (2, "2-9-turns"), (9, "2-9-turns")),
        *((10, "10-49-turns"), (49, "10-49-turns"), (50, "50-plus-turns"), (51, "50-plus-turns")),
    ],
)
def test_turns_are_in_ranges(api: Api, turns: int, range_: str) -> None:
    api.take(*session("s", turns))
    assert column(api.rows(COSTS), "turn_range") == [range_]
    assert api.rows(COSTS, turn_range=range_) == api.rows(COSTS)


@pytest.mark.parametrize(
    ("costs", "middle"),
    [
        ([0.3], 0.3),
        ([0.3, 0.1], 0.2),
        ([0.5, 0.1, 0.3], 0.3),
        ([9, 0, 0.1, 0.2], 0.15),
        ([0.000000001, 0.000000002], 0.0000000015),
        ([0, 0, 0], 0),
    ],
)
def test_a_median_is_exact(api: Api, costs: list[float], middle: float) -> None:
    api.take(*(one for n, cost in enumerate(costs) for one in session(f"s{n}", 1, cost)))
    assert column(api.rows(COSTS), "median_session_cost_usd") == [middle]


def test_cells_of_few_sessions_are_not_shown(store: Store) -> None:
    with opened(store) as api:
        api.take(*(one for n in range(4) for one in session(f"s{n}", 1)))
    with opened(store, min_sessions="4") as api:
        assert len(api.rows(COSTS)) == 1
    with opened(store) as api:
        assert api.rows(COSTS) == []


def test_costs_are_by_app_model_and_turns_and_in_pages(api: Api) -> None:
    for origin in (B, A):
        for model in ("z/z", "a/a"):
            for turns in (50, 10, 2, 1):
                api.take(*session(f"s{turns}", turns, model=model, http_referer=origin))
    rows = api.rows(COSTS)
    ranges = ["1-turn", "2-9-turns", "10-49-turns", "50-plus-turns"]
    assert column(rows, "app_slug", "model_permaslug", "turn_range") == [
        (slug, model, name) for slug in ("a.example", "b.example") for model in ("a/a", "z/z") for name in ranges
    ]
    assert api.rows(COSTS, limit=3, offset=5) == rows[5:8]
    assert api.rows(COSTS, offset=5000) == []
    assert api.rows(COSTS, app_slug="b.example", model="z/z", turn_range="1-turn") == [rows[12]]
    assert api.rows(COSTS, app_slug="none") == api.rows(COSTS, model="none") == []


def test_the_window_of_costs_is_thirty_days_up_to_yesterday(api: Api) -> None:
    for n, day in enumerate(["2026-10-21", "2026-10-22", YESTERDAY, "2026-11-21"]):
        api.take(*session(f"s{n}", 1, created_at=f"{day}T10:00:00Z", model=f"m/{n}"))
    body = api.body(COSTS)
    assert (body["meta"]["window_days"], body["meta"]["window_end_date"]) == (30, YESTERDAY)
    assert column(body["data"], "model_permaslug") == ["m/1", "m/2"]


def test_a_session_of_unknown_cost_or_model_or_app_is_no_sample(api: Api) -> None:
    api.take(*session("known", 2, 0.5))
    api.take(used("x", session_id="part", http_referer=A, cost_usd=9.0, model="lab/unpriced"))
    api.take(used("y", session_id="part", http_referer=A, cost_usd=None, model="lab/unpriced"))
    api.take(*session("house", 1, model="house"), *session("none", 1, http_referer=None))
    assert column(api.rows(COSTS), "model_permaslug", "median_session_cost_usd") == [("openai/gpt-4o", 0.5)]


def test_a_day_is_of_utc(api: Api) -> None:
    at = {"late": "2026-11-20T01:00:00+02:00", "early": "2026-11-19T23:30:00-02:00"}
    api.take(*(used(name, created_at=moment) for name, moment in at.items()))
    assert column(api.rows(RANKINGS), "date") == ["2026-11-19", "2026-11-20"]
    assert date.fromisoformat(api.rows(RANKINGS)[0]["date"]) < NOW.date()
