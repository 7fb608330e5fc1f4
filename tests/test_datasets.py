"""Each dataset does what docs/datasets.md says, on small worlds where everything can be seen."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, get_args

import msgspec
import pytest
from sqlalchemy import select

from llmcensus.apps import CATEGORIES, SUBCATEGORIES, app_id
from llmcensus.catalog import Catalog
from llmcensus.datasets import DATASETS, Census, app_rankings
from llmcensus.datasets.window import Window, resolve, timestamp
from llmcensus.errors import BadParameter
from llmcensus.ingest import Intake
from llmcensus.store import Store, registry
from llmcensus.store.schema import cubes
from tests.conftest import FIRST_DAY, NOW
from tests.worlds import Spelled, count, record

A, B, C = (f"https://{name}.example" for name in "abc")
TRANSLATE = [{"role": "user", "content": "translation"}]
SQL = [{"role": "user", "content": "code:sql_database"}]


@pytest.fixture
def intake(store: Store) -> Intake:
    return Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)


def ask(census: Census, path: str, **query: str) -> Any:
    return msgspec.to_builtins(DATASETS[path].read(census, query))


def tasks(census: Census, **query: str) -> Any:
    return ask(census, "/classifications/task", **query)["data"]


def rankings(census: Census, **query: str) -> list[tuple[str, str, str]]:
    rows = ask(census, "/datasets/rankings-daily", **query)["data"]
    return [(row["date"], row["model_permaslug"], row["total_tokens"]) for row in rows]


def apps(census: Census, **query: str) -> list[tuple[int, str, str, int]]:
    rows = ask(census, "/datasets/app-rankings", **query)["data"]
    return [(row["rank"], row["app_name"], row["total_tokens"], row["total_requests"]) for row in rows]


def used(day: str, tokens: int, **more: Any) -> dict[str, Any]:
    name = f"{day} {tokens} {more.get('model')} {more.get('http_referer')} {more.get('n')}"
    return record(id=name, created_at=f"{day}T12:00:00Z", tokens_prompt=tokens, tokens_completion=0, **more)


def test_embeddings_count_for_models_and_apps_and_have_no_task_and_no_turn(census: Census, intake: Intake) -> None:
    app = {"http_referer": A, "app_title": "Tidepool", "session_id": "s", "cost_usd": 0.5}
    count(
        intake,
        used("2026-11-19", 100, model="a/chat", messages=TRANSLATE, **app),
        used("2026-11-19", 7, model="a/vectors", operation="embeddings", messages=TRANSLATE, **app),
        record(id="?", model="a/vectors", operation="embeddings", tokens_prompt=None, tokens_completion=None, **app),
    )
    assert rankings(census) == [("2026-11-19", "a/chat", "100"), ("2026-11-19", "a/vectors", "7")]
    assert rankings(census, modality="text") == [("2026-11-19", "a/chat", "100")]
    assert apps(census) == [(1, "Tidepool", "107", 2)]
    [task] = tasks(census)["classifications"]
    assert [(model["id"], model["tag_usage_share"]) for model in task["models"]] == [("a/chat", 1.0)]
    with census.store.reading() as connection:
        sessions = connection.execute(select(cubes["session"])).all()
    assert [(session.permaslug, session.requests) for session in sessions] == [("a/chat", 1)]


# --- windows ---


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        (None, None, ("2026-10-22", "2026-11-20")),
        (None, "2026-05-11", ("2026-04-12", "2026-05-11")),
        ("2026-11-01", None, ("2026-11-01", "2026-11-20")),
        ("2026-11-20", "2026-11-20", ("2026-11-20", "2026-11-20")),
        ("2024-06-01", "2025-02-01", ("2025-01-01", "2025-02-01")),
        (None, "2025-01-05", ("2025-01-01", "2025-01-05")),
        ("2025-11-20", "2026-11-21", ("2025-11-20", "2026-11-21")),
        (None, "2027-01-01", ("2026-12-03", "2027-01-01")),
    ],
)
def test_windows(census: Census, start: str | None, end: str | None, window: tuple[str, str]) -> None:
    days = [date.fromisoformat(day) if day else None for day in (start, end)]
    assert resolve(days[0], days[1], census).texts() == window


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-21", None),
        ("2026-11-02", "2026-11-01"),
        (None, "2024-12-31"),
        ("2025-11-18", "2026-11-20"),
    ],
)
def test_windows_that_are_none(census: Census, start: str | None, end: str | None) -> None:
    days = [date.fromisoformat(day) if day else None for day in (start, end)]
    with pytest.raises(BadParameter):
        resolve(days[0], days[1], census)


def test_a_census_that_began_today_has_a_window(census: Census) -> None:
    today = census.now.date()
    assert resolve(None, None, census._replace(first_day=today)) == Window(today, today)


def test_the_periods_before_are_as_long() -> None:
    window = Window(date(2026, 3, 1), date(2026, 3, 7))
    assert window.before(3) == Window(date(2026, 2, 8), date(2026, 2, 28))


def test_times_have_milliseconds_and_a_z() -> None:
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, 678999, UTC)) == "2026-01-02T03:04:05.678Z"


# --- classifications/task ---


def test_no_traffic_has_no_tasks(census: Census) -> None:
    data = tasks(census)
    assert (data["window_days"], data["as_of"], data["classifications"]) == (7, "2026-11-20", [])
    assert [(macro["key"], macro["label"], macro["usage_share"]) for macro in data["macro_categories"]] == [
        ("code", "Code", 0),
        ("data", "Data", 0),
        ("agent", "Agent", 0),
        ("general", "General", 0),
    ]


def test_shares_are_of_classified_traffic(census: Census, intake: Intake) -> None:
    count(
        intake,
        used("2026-11-20", 300, messages=TRANSLATE),
        used("2026-11-20", 100, messages=TRANSLATE, n=2, model="house"),
        used("2026-11-19", 600, messages=SQL),
        used("2026-11-20", 9999, messages=None),
        used("2026-11-21", 9999, messages=SQL),
        used("2026-11-13", 9999, messages=SQL),
        used("2026-11-20", 9999, messages=SQL, public=False),
    )
    translation, sql = tasks(census)["classifications"]
    assert translation == {
        "tag": "translation",
        "display_name": "Translation",
        "macro_category": "general",
        "usage_share": 2 / 3,
        "token_share": 0.4,
        "category_usage_share": 1,
        "category_token_share": 1,
        # The model that is unknown is in the denominators and not in the list.
        "models": [{"id": "openai/gpt-4o", "tag_usage_share": 0.5, "tag_token_share": 0.75}],
    }
    assert (sql["tag"], sql["usage_share"], sql["token_share"]) == ("code:sql_database", 1 / 3, 0.6)
    macros = {macro["key"]: (macro["usage_share"], macro["token_share"]) for macro in tasks(census)["macro_categories"]}
    assert macros == {"code": (1 / 3, 0.6), "data": (0, 0), "agent": (0, 0), "general": (2 / 3, 0.4)}


def test_windows_of_tasks_are_complete_days_up_to_yesterday(census: Census, intake: Intake) -> None:
    days = ["2026-11-20", "2026-11-14", "2026-11-13", "2026-10-22", "2026-10-21", "2026-08-23", "2026-08-22"]
    count(intake, *(used(day, 1, messages=TRANSLATE, model=f"m/{n}") for n, day in enumerate(days)))
    for window, days_with_traffic in {"1d": 1, "7d": 2, "30d": 4, "90d": 6}.items():
        [tag] = tasks(census, window=window)["classifications"]
        assert len(tag["models"]) == days_with_traffic


def test_without_tokens_the_token_shares_are_zero(census: Census, intake: Intake) -> None:
    count(intake, used("2026-11-20", 0, messages=TRANSLATE), record(id="x", tokens_prompt=None, messages=TRANSLATE))
    [tag] = tasks(census)["classifications"]
    assert (tag["usage_share"], tag["token_share"]) == (1, 1)
    count(intake, record(id="y", tokens_prompt=None, tokens_completion=None, messages=SQL))
    assert {tag["tag"]: tag["token_share"] for tag in tasks(census)["classifications"]}["code:sql_database"] == 0


def test_ten_models_a_tag_ties_by_name(census: Census, intake: Intake) -> None:
    count(intake, *(used("2026-11-20", n, messages=TRANSLATE, model=f"m/{n:02}") for n in range(12)))
    count(intake, used("2026-11-20", 99, messages=TRANSLATE, model="m/11"))
    [tag] = tasks(census)["classifications"]
    assert [model["id"] for model in tag["models"]] == ["m/11", *(f"m/{n:02}" for n in range(9))]


# --- rankings-daily ---


def test_days_ascend_and_models_are_by_tokens_then_name(census: Census, intake: Intake) -> None:
    count(
        intake,
        used("2026-11-20", 5, model="b/b"),
        used("2026-11-20", 5, model="a/a"),
        used("2026-11-20", 7, model="c/c:free"),
        used("2026-11-18", 1, model="c/c"),
        used("2026-11-20", 0, model="z/zero"),
    )
    assert rankings(census) == [
        ("2026-11-18", "c/c", "1"),
        ("2026-11-20", "c/c:free", "7"),
        ("2026-11-20", "a/a", "5"),
        ("2026-11-20", "b/b", "5"),
    ]


def test_the_rest_is_last_whatever_its_size(census: Census, intake: Intake) -> None:
    count(intake, *(used("2026-11-20", 10, model=f"m/{n:03}") for n in range(150)))
    rows = rankings(census)
    assert [row[1] for row in rows] == [*(f"m/{n:03}" for n in range(50)), "other"]
    assert rows[-1][2] == "1000"


def test_exactly_fifty_models_have_no_rest(census: Census, intake: Intake) -> None:
    count(intake, *(used("2026-11-20", 10, model=f"m/{n:03}") for n in range(50)))
    assert len(rankings(census)) == 50


def test_unknown_models_are_in_the_rest(census: Census, intake: Intake) -> None:
    count(intake, used("2026-11-20", 10, model="house-model"), used("2026-11-20", 1, model="a/a"))
    assert rankings(census) == [("2026-11-20", "a/a", "1"), ("2026-11-20", "other", "10")]


def test_totals_above_32_bits_are_whole(census: Census, intake: Intake) -> None:
    count(intake, *(used("2026-11-20", 2**31 - 1, n=n) for n in range(5)))
    assert rankings(census) == [("2026-11-20", "openai/gpt-4o", str(5 * (2**31 - 1)))]


def test_a_day_that_is_not_over_is_shown_on_request(census: Census, intake: Intake) -> None:
    count(intake, used("2026-11-21", 3))
    assert rankings(census) == []
    assert rankings(census, end_date="2026-11-21") == [("2026-11-21", "openai/gpt-4o", "3")]


def test_meta_says_which_days_these_are(census: Census) -> None:
    meta = ask(census, "/datasets/rankings-daily", start_date="2024-01-01", end_date="2025-01-31")["meta"]
    assert meta == {
        "as_of": "2026-11-21T12:00:00.000Z",
        "version": "v1",
        "start_date": "2025-01-01",
        "end_date": "2025-01-31",
    }


@pytest.mark.parametrize("day", ["2025-12-31", "2026-01-01", "2026-02-28", "2026-03-01"])
def test_single_days_add_up_to_the_range(census: Census, intake: Intake, day: str) -> None:
    zones = ["T00:00:00Z", "T23:59:59.999Z", "T01:00:00+14:00", "T23:00:00-12:00", "T12:00:00+05:30"]
    count(intake, *(record(id=zone, created_at=day + zone) for zone in zones))
    days = [f"{date.fromordinal(date.fromisoformat(day).toordinal() + n)}" for n in (-1, 0, 1)]
    single = [row for one in days for row in rankings(census, start_date=one, end_date=one)]
    assert rankings(census, start_date=days[0], end_date=days[-1]) == single
    assert sum(int(row[2]) for row in single) == 5 * 120


# --- app-rankings ---


def test_apps_are_by_tokens_and_paged(census: Census, intake: Intake) -> None:
    count(
        intake,
        used("2026-11-20", 5, http_referer=A, app_title="Ay"),
        used("2026-11-19", 6, http_referer=A),
        used("2026-11-20", 50, http_referer=B),
        used("2026-11-20", 0, http_referer=C),
        used("2026-11-20", 999, app_title="No referer"),
        used("2026-10-01", 999, http_referer=A),
    )
    assert apps(census) == [(1, "b.example", "50", 1), (2, "Ay", "11", 2)]
    assert apps(census, offset="1", limit="1") == [(2, "Ay", "11", 2)]
    assert apps(census, offset="2") == []


def test_trending_is_above_the_mean_of_three_periods(census: Census, intake: Intake) -> None:
    window = {"start_date": "2026-11-19", "end_date": "2026-11-20"}
    for referer, past, present in ((A, [30, 0, 0], 11), (B, [300, 300, 300], 300), (C, [], 5)):
        days = ["2026-11-17", "2026-11-15", "2026-11-13"]
        count(intake, *(used(day, n, http_referer=referer) for day, n in zip(days, past, strict=False)))
        count(intake, used("2026-11-19", present, http_referer=referer))
    assert apps(census, sort="trending", **window) == [(1, "c.example", "5", 1), (2, "a.example", "11", 1)]
    assert apps(census, **window)[0][1] == "b.example"


def test_categories_filter_and_ranks_restart(census: Census, intake: Intake) -> None:
    count(
        intake,
        used("2026-11-20", 30, http_referer=A, app_categories=["game"]),
        used("2026-11-20", 20, http_referer=B, app_categories=["cli-agent", "legal"]),
        used("2026-11-20", 10, http_referer=C, app_categories="ide-extension"),
    )
    assert apps(census, category="coding") == [(1, "b.example", "20", 1), (2, "c.example", "10", 1)]
    assert apps(census, subcategory="legal") == [(1, "b.example", "20", 1)]
    assert apps(census, category="coding", subcategory="ide-extension") == [(1, "c.example", "10", 1)]


def test_ten_categories_an_app_the_first_that_it_claimed(census: Census, intake: Intake) -> None:
    names = sorted(SUBCATEGORIES)
    for hour, name in enumerate(names):
        count(
            intake,
            record(id=name, created_at=f"2026-11-20T{hour:02}:00:00Z", http_referer=A, app_categories=[name]),
        )
    assert [name for name in names if apps(census, subcategory=name)] == names[:10]


def test_merged_apps_are_one_and_hidden_ones_none(census: Census, intake: Intake) -> None:
    count(intake, *(used("2026-11-20", n, http_referer=referer) for n, referer in ((5, A), (7, B), (9, C))))
    with census.store.writing() as connection:
        registry.merge_app(connection, app_id(A), app_id(B))
        registry.hide_app(connection, app_id(C), hidden=True)
        registry.rename_app(connection, app_id(B), "Both")
    assert apps(census) == [(1, "Both", "12", 2)]


def test_the_categories_of_the_parameters_are_those_of_apps() -> None:
    assert set(get_args(app_rankings.Category)) == set(CATEGORIES)
    assert set(get_args(app_rankings.Subcategory)) == SUBCATEGORIES
