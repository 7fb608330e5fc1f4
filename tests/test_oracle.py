"""
Every dataset is what its rules say of the same records, written down again in plain Python from docs/datasets.md.

The oracle shares no code with the package; only reading the answers is ours. Ids of apps are the store's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from llmcensus.catalog import Catalog
from llmcensus.datasets import DATASETS, Census
from llmcensus.ingest import Intake
from llmcensus.store import Store, registry
from llmcensus.taxonomy import SHIPPED
from tests.conftest import FIRST_DAY, SETTINGS
from tests.worlds import Spelled, count, record

Record = dict[str, Any]
Rows = list[dict[str, Any]]

DAY = timedelta(days=1)
# Ends of months and years, the leap day, and what is right after them.
ANCHORS = [date(2026, 2, 28), date(2025, 12, 31), date(2028, 2, 29), date(2027, 1, 1), date(2026, 4, 30)]
# Days before the anchor that have traffic: three weeks, so that there is a past to trend against.
REACH = 20
TASKS = {
    "code:debugging": ("Debugging", "code"),
    "code:sql_database": ("SQL & Database", "code"),
    "agent:web_search": ("Web Search", "agent"),
    "translation": ("Translation", "general"),
    "math": ("Math", "general"),
}
MACROS = {"code": "Code", "data": "Data", "agent": "Agent", "general": "General"}
MODELS = ["a/a", "a/a:beta", "b/b", "c/c", "house"]
CATEGORIES = {"coding": {"cli-agent", "ide-extension"}, "entertainment": {"game"}, "productivity": {"legal"}}
TURNS = {"1-turn": (1, 1), "2-9-turns": (2, 9), "10-49-turns": (10, 49), "50-plus-turns": (50, 10**9)}
BUCKETS = {"1K": 10**3, "10K": 10**4, "100K": 10**5, "1M": 10**6, "10M": 10**99}


@dataclass
class World:
    """Records, and the moment at which they are looked at."""

    now: datetime
    records: list[Record]

    @property
    def today(self) -> date:
        return self.now.date()


# --- random traffic ---


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


@st.composite
def messages(draw: st.DrawFn) -> list[Record] | None:
    tag = draw(maybe("other", *TASKS, *TASKS))
    if tag is None:
        return None
    sent = draw(maybe("image_url", "input_audio"))
    turns = [{"role": "user", "content": [{"type": sent}]}] if sent else []
    if draw(st.booleans()):
        turns.append({"role": "assistant", "tool_calls": [{"name": "look", "arguments": "{}"}]})
    return [*turns, {"role": "user", "content": tag}]


@st.composite
def moments(draw: st.DrawFn, last: date) -> str:
    """An instant of one of the days up to `last`, as somebody far away might write it."""
    day = last - draw(st.integers(0, REACH)) * DAY
    at = datetime.combine(day, draw(st.sampled_from([time(0), time(12), time(23, 59, 59, 999000)])), UTC)
    zone = timezone(timedelta(minutes=draw(st.sampled_from([0, 0, -720, 330, 840]))))
    return at.astimezone(zone).isoformat(timespec="milliseconds")


def requests(last: date) -> st.SearchStrategy[Record]:
    return st.builds(
        record,
        created_at=moments(last),
        model=st.sampled_from(MODELS),
        tokens_prompt=maybe(0, 0, 1, 500, 999, 99_000, 2**31 - 1),
        tokens_completion=maybe(0, 1, 500, 501),
        cost_usd=maybe(0.0, 0.1, 0.25, 1e-9, 3.0),
        messages=messages(),
        http_referer=maybe("https://a.example", "https://www.a.example:8/x", "https://b.example", "http://localhost"),
        app_title=maybe("One", "Two"),
        app_categories=maybe(["game"], ["nonsense", "cli-agent", "legal", "ide-extension"], ["ide-extension"]),
        session_id=maybe("s1", "s2", "s3"),
        account=maybe("me"),
        public=maybe(True, True, False),
        error=maybe(None, None, "timeout"),
        finish_reason=maybe("stop", "tool_calls"),
        output_modalities=maybe(["text"], ["text", "image"]),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    last = draw(st.sampled_from(ANCHORS)) + draw(st.integers(0, 1)) * DAY
    found: list[Record] = []
    for one in draw(st.lists(requests(last), max_size=20)):
        found += [one] * draw(st.sampled_from([1, 1, 1, 1, 2, 9, 10, 49, 50]))
    flood = draw(requests(last))
    number = draw(st.sampled_from([0, 0, 50, 51, 70]))
    found += [flood | {"model": f"m/{n:02}", "cost_usd": n / 7} for n in range(number)]
    for n, one in enumerate(found):
        found[n] = one | {"id": str(n)}
    return World(datetime.combine(last, time(23, 59, 59, 999500), UTC), found)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, int]:
    """Days before today of the ends that are given."""
    end = draw(maybe(-3, 0, 1, 2, 7, REACH))
    last = 1 if end is None else end
    start = draw(st.none() | st.sampled_from([last, last + 1, last + 3, last + 366]) | st.integers(last, last + 40))
    return {name: days for name, days in (("start_date", start), ("end_date", end)) if days is not None}


def asked(*choices: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, None, *choices])


def given_(**query: Any) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


@contextmanager
def census(world: World, min_sessions: int = 1) -> Iterator[Census]:
    store = Store.open("sqlite:///:memory:", clock=lambda: world.now)
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: world.now)
    assert count(intake, *world.records).tally["accepted"] == len(world.records)
    yield Census.of(store, world.now, SETTINGS, SHIPPED)._replace(min_sessions=min_sessions)
    store.close()


def answer(of: Census, path: str, query: dict[str, str]) -> Any:
    return msgspec.to_builtins(DATASETS[path].read(of, query))


# --- the rules ---


def day_of(one: Record) -> date:
    return datetime.fromisoformat(one["created_at"]).astimezone(UTC).date()


def tokens(one: Record) -> int:
    return (one.get("tokens_prompt") or 0) + (one.get("tokens_completion") or 0)


def is_known(model: str) -> bool:
    return "/" in model


def counted(world: World, start: date, end: date) -> list[Record]:
    """Returns what belongs into the datasets of a window: no private traffic, no error that nothing came of."""
    return [
        one
        for one in world.records
        if start <= day_of(one) <= end
        and one.get("public") is not False
        and not (one.get("error") and not one.get("tokens_completion") and not one.get("finish_reason"))
    ]


def window_of(world: World, back: dict[str, int]) -> tuple[date, date, dict[str, str]]:
    """Returns the first day, the last, and how they are asked for."""
    days = {name: world.today - n * DAY for name, n in back.items()}
    end = days.get("end_date", world.today - DAY)
    start = max(days.get("start_date", end - 29 * DAY), FIRST_DAY)
    return start, end, {name: day.isoformat() for name, day in days.items()}


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0


def descending(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def expected_tasks(world: World, days: int) -> dict[str, Any]:
    end = world.today - DAY
    requests_: Counter[str] = Counter()
    volume: Counter[str] = Counter()
    models: defaultdict[str, Counter[str]] = defaultdict(Counter)
    spent: Counter[tuple[str, str]] = Counter()
    for one in counted(world, end - (days - 1) * DAY, end):
        tag = one["messages"][-1]["content"] if one.get("messages") else None
        if tag in TASKS:
            requests_[tag] += 1
            volume[tag] += tokens(one)
            models[tag][one["model"]] += 1
            spent[tag, one["model"]] += tokens(one)

    def of(macro: str, counts: Counter[str]) -> int:
        return sum(n for tag, n in counts.items() if TASKS[tag][1] == macro)

    return {
        "window_days": days,
        "as_of": end.isoformat(),
        "classifications": [
            {
                "tag": tag,
                "display_name": TASKS[tag][0],
                "macro_category": TASKS[tag][1],
                "usage_share": share(n, requests_.total()),
                "token_share": share(volume[tag], volume.total()),
                "category_usage_share": share(n, of(TASKS[tag][1], requests_)),
                "category_token_share": share(volume[tag], of(TASKS[tag][1], volume)),
                "models": [
                    {
                        "id": model,
                        "tag_usage_share": share(used, n),
                        "tag_token_share": share(spent[tag, model], volume[tag]),
                    }
                    for model, used in descending(models[tag])
                    if is_known(model)
                ][:10],
            }
            for tag, n in descending(requests_)
        ],
        "macro_categories": [
            {
                "key": key,
                "label": label,
                "usage_share": share(of(key, requests_), requests_.total()),
                "token_share": share(of(key, volume), volume.total()),
            }
            for key, label in MACROS.items()
        ],
    }


def is_of(one: Record, modality: str | None) -> bool:
    turns = one.get("messages") or []
    sent = {part["type"] for turn in turns if isinstance(turn.get("content"), list) for part in turn["content"]}
    shown = "image" in (one.get("output_modalities") or [])
    called = one.get("finish_reason") == "tool_calls" or any(turn.get("tool_calls") for turn in turns)
    return {
        None: True,
        "text": not shown,
        "image": "image_url" in sent,
        "audio": "input_audio" in sent,
        "image_output": shown,
        "tool_calling": called,
    }[modality]


def is_in(one: Record, bucket: str | None) -> bool:
    if bucket is None:
        return True
    if one.get("tokens_prompt") is None or one.get("tokens_completion") is None:
        return False
    return next(name for name, bound in BUCKETS.items() if tokens(one) <= bound) == bucket


def start_of(day: date, period: str | None) -> date:
    if period == "week":
        return date.fromisocalendar(*day.isocalendar()[:2], 1)
    return date(day.year, day.month, 1) if period == "month" else day


def expected_rankings(records: Sequence[Record], period: str | None) -> list[tuple[str, str, str]]:
    starts: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for one in records:
        starts[start_of(day_of(one), period)][one["model"]] += tokens(one)
    rows = []
    for start in sorted(starts):
        order = sorted((-n, model) for model, n in starts[start].items() if n and is_known(model))
        rows += [(start.isoformat(), model, str(-n)) for n, model in order[:50]]
        rest = starts[start].total() + sum(n for n, _ in order[:50])
        rows += [(start.isoformat(), "other", str(rest))] if rest else []
    return rows


def app_of(one: Record) -> str | None:
    """Returns an app's identity, as the store writes it."""
    parts = urlsplit(one.get("http_referer") or "")
    if not parts.hostname:
        return None
    if parts.hostname == "localhost":
        return f"http://localhost#{one['app_title']}" if one.get("app_title") else None
    return f"{parts.scheme}://{parts.hostname.removeprefix('www.')}"


def names_of(world: World) -> dict[str, str]:
    """Returns what every app is called: its newest title, of two at one time the last by name; else its host."""
    titles: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for one in counted(world, date.min, date.max):
        app = app_of(one)
        if app:
            claimed = [one["app_title"]] if one.get("app_title") else []
            titles[app] += [(datetime.fromisoformat(one["created_at"]), title) for title in claimed]
    return {app: max(said)[1] if said else urlsplit(app).hostname or "" for app, said in titles.items()}


def categories_of(world: World) -> dict[str, set[str]]:
    claimed: defaultdict[str, set[str]] = defaultdict(set)
    known = set().union(*CATEGORIES.values())
    for one in counted(world, date.min, date.max):
        claimed[app_of(one) or ""].update([name for name in one.get("app_categories") or [] if name in known][:2])
    return claimed


def expected_apps(
    world: World, start: date, end: date, sort: str | None, wanted: set[str] | None, ids: dict[str, int]
) -> list[tuple[int, int, str, str, int]]:
    length = (end - start).days + 1
    used: Counter[str] = Counter()
    requests_: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for one in counted(world, start - 3 * length * DAY, end):
        app = app_of(one)
        if app and day_of(one) >= start:
            used[app] += tokens(one)
            requests_[app] += 1
        elif app:
            before[app] += tokens(one)
    scores = {
        app: n - (Fraction(before[app], 3) if sort == "trending" else 0)
        for app, n in used.items()
        if n and (wanted is None or wanted & categories_of(world)[app])
    }
    order = sorted((-score, ids[app], app) for app, score in scores.items() if score > 0)
    names = names_of(world)
    return [
        (rank, app_id, names[app], str(used[app]), requests_[app]) for rank, (_, app_id, app) in enumerate(order, 1)
    ]


def expected_costs(world: World, min_sessions: int) -> Rows:
    end = world.today - DAY
    samples: defaultdict[tuple[str, str, str, str], list[Record]] = defaultdict(list)
    for one in counted(world, end - 29 * DAY, end):
        app = app_of(one)
        if app and one.get("session_id") and is_known(one["model"]):
            samples[app, one["model"], one["session_id"], one.get("account") or ""].append(one)
    cells: defaultdict[tuple[str, str, int, str], list[Fraction]] = defaultdict(list)
    for (app, model, *_), turns in samples.items():
        if all(one.get("cost_usd") is not None for one in turns):
            name = next(name for name, (least, most) in TURNS.items() if least <= len(turns) <= most)
            cost = sum((nano(one["cost_usd"]) for one in turns), Fraction(0))
            cells[slug_of(app), model, list(TURNS).index(name), app].append(cost)
    names = names_of(world)
    return [
        {
            "app_slug": slug,
            "app_name": names[app],
            "turn_range": list(TURNS)[turn],
            "model_permaslug": model,
            "median_session_cost_usd": float(median(costs)),
        }
        for (slug, model, turn, app), costs in sorted(cells.items())
        if len(costs) >= min_sessions
    ]


def nano(dollars: float) -> Fraction:
    """Costs are kept to the billionth of a dollar."""
    return Fraction(Decimal(str(dollars)).quantize(Decimal("1e-9")))


def slug_of(app: str) -> str:
    parts = urlsplit(app)
    return f"localhost-{parts.fragment.lower()}" if parts.fragment else parts.hostname or ""


# --- what is promised ---


@settings(max_examples=50)
@given(world=worlds(), window=asked("1d", "7d", "30d", "90d"))
def test_tasks_are_those_of_the_rules(world: World, window: str | None) -> None:
    with census(world) as of:
        found = answer(of, "/classifications/task", given_(window=window))["data"]
    assert found == expected_tasks(world, int((window or "7d")[:-1]))


@settings(max_examples=50)
@given(
    world=worlds(),
    back=windows(),
    period=asked("day", "week", "month"),
    modality=asked("text", "image", "image_output", "audio", "tool_calling"),
    bucket=asked(*BUCKETS),
)
def test_rankings_are_those_of_the_rules(
    world: World, back: dict[str, int], period: str | None, modality: str | None, bucket: str | None
) -> None:
    start, end, days = window_of(world, back)
    with census(world) as of:
        query = given_(period=period, modality=modality, context_bucket=bucket, **days)
        found = answer(of, "/datasets/rankings-daily", query)
    records = [one for one in counted(world, start, end) if is_of(one, modality) and is_in(one, bucket)]
    rows = [(row["date"], row["model_permaslug"], row["total_tokens"]) for row in found["data"]]
    assert rows == expected_rankings(records, period)
    assert (found["meta"]["start_date"], found["meta"]["end_date"]) == (f"{start}", f"{end}")


@settings(max_examples=50)
@given(
    world=worlds(),
    back=windows(),
    sort=asked("popular", "trending", "trending"),
    category=asked(*CATEGORIES),
    subcategory=asked("cli-agent", "game"),
    limit=asked("1", "2", "100"),
    offset=asked("0", "1", "2"),
)
def test_apps_are_those_of_the_rules(
    world: World,
    back: dict[str, int],
    sort: str | None,
    category: str | None,
    subcategory: str | None,
    limit: str | None,
    offset: str | None,
) -> None:
    start, end, days = window_of(world, back)
    wanted = CATEGORIES[category] if category else None
    if subcategory and (wanted is None or subcategory in wanted):
        wanted = {subcategory}
    else:
        subcategory = None
    with census(world) as of:
        query = {"sort": sort, "category": category, "subcategory": subcategory, "limit": limit, "offset": offset}
        found = answer(of, "/datasets/app-rankings", given_(**query, **days))["data"]
        with of.store.reading() as connection:
            ids = {row.identity: row.app_id for row in registry.list_apps(connection)}
    expected = expected_apps(world, start, end, sort, wanted, ids)
    skipped = int(offset or 0)
    assert [tuple(row.values()) for row in found] == expected[skipped : skipped + int(limit or 50)]


@settings(max_examples=50)
@given(
    world=worlds(),
    min_sessions=st.integers(1, 3),
    app_slug=asked("a.example", "localhost-one"),
    model=asked("a/a", "a/a:beta"),
    turn_range=asked(*TURNS),
    limit=asked("1", "3"),
    offset=asked("1", "2"),
)
def test_costs_of_sessions_are_those_of_the_rules(
    world: World,
    min_sessions: int,
    app_slug: str | None,
    model: str | None,
    turn_range: str | None,
    limit: str | None,
    offset: str | None,
) -> None:
    query = given_(app_slug=app_slug, model=model, turn_range=turn_range)
    with census(world, min_sessions) as of:
        found = answer(of, "/datasets/session-cost", given_(limit=limit, offset=offset, **query))["data"]
    keys = {"app_slug": "app_slug", "model": "model_permaslug", "turn_range": "turn_range"}
    expected = [
        row
        for row in expected_costs(world, min_sessions)
        if all(row[keys[name]] == value for name, value in query.items())
    ]
    skipped = int(offset or 0)
    assert found == expected[skipped : skipped + int(limit or 100)]


def test_the_traffic_of_these_tests_has_what_they_are_about() -> None:
    """Random traffic that never has a rest, a tie or a long session would promise nothing."""
    seen: set[str] = set()

    @settings(max_examples=60, derandomize=True, database=None)
    @given(worlds())
    def look(world: World) -> None:
        rows = expected_rankings(counted(world, date.min, date.max), None)
        seen.update(["rest"] * any(row[1] == "other" and int(row[2]) > 0 for row in rows))
        seen.update(["tie"] * (len({row[::2] for row in rows}) < len(rows)))
        seen.update(row["turn_range"] for row in expected_costs(world, 1))
        seen.update(["trend"] * bool(expected_apps_of_a_day(world)))
        seen.update(task["macro_category"] for task in expected_tasks(world, 7)["classifications"])

    look()
    assert seen == {"rest", "tie", "trend", *TURNS, "code", "agent", "general"}


def expected_apps_of_a_day(world: World) -> list[Any]:
    ids = {app: n for n, app in enumerate(names_of(world))}
    return expected_apps(world, world.today - DAY, world.today - DAY, "trending", None, ids)
