"""OpenRouter's official Python client, as it is on PyPI, reads every dataset from a running server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

import httpx
import pytest
from openrouter import OpenRouter, errors
from pydantic import BaseModel

from llmcensus.classify import Classifier
from tests.conftest import NOW
from tests.serving import Server
from tests.worlds import RUN, SCORES, demonstration

PERIODS = [("day", "2026-11-01"), ("week", "2026-10-26"), ("month", "2026-11-01")]
MODALITIES = ["text", "image", "image_output", "audio", "tool_calling"]
BUCKETS = ["1K", "10K", "100K", "1M", "10M"]
# What `talks` cost.
MEDIANS = [("1-turn", 0.001), ("2-9-turns", 0.003), ("10-49-turns", 0.012), ("50-plus-turns", 0.05)]
SOURCES = ["artificial-analysis", "design-arena", "openrouter"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Iterator[Server]:
    with demonstration(tmp_path_factory.mktemp("census"), classifier, NOW) as running:
        yield running


@pytest.fixture
def bodies() -> list[Any]:
    """What the server sent to `client`, as JSON."""
    return []


@pytest.fixture
def client(demo: Server, bodies: list[Any]) -> Iterator[OpenRouter]:
    def keep(answer: httpx.Response) -> None:
        answer.read()
        bodies.append(answer.json())

    with (
        httpx.Client(event_hooks={"response": [keep]}) as http,
        OpenRouter(api_key=demo.key(), server_url=f"{demo.url}/api/v1", client=http) as opened,
    ):
        yield opened


class Page(Protocol):
    @property
    def result(self) -> BaseModel: ...

    @property
    def next(self) -> Callable[[], Page | None] | Callable[[], Awaitable[Page | None]]: ...


def pages(first: Page | None) -> Iterator[Any]:
    """Yields the answer of each page that the client turns to."""
    page = first
    while page is not None:
        yield page.result
        following = page.next()
        assert not isinstance(following, Awaitable)
        page = following


def same(answer: BaseModel, body: Any) -> bool:
    """Says whether the client keeps all that was served: keys that it does not know it drops."""
    return bool(answer.model_dump(mode="json", by_alias=True) == body)


def test_it_reads_the_tasks(client: OpenRouter, bodies: list[Any]) -> None:
    answer = client.classifications.get_task_classifications(window="7d")
    assert same(answer, bodies[-1])
    data = answer.data
    assert (data.window_days, data.as_of) == (7, "2026-11-20")
    assert len(data.classifications) > 20
    assert sum(task.usage_share for task in data.classifications) == pytest.approx(1)
    assert [macro.key for macro in data.macro_categories] == ["code", "data", "agent", "general"]


def test_it_reads_the_tasks_of_the_week_unless_asked_for_others(client: OpenRouter) -> None:
    assert client.classifications.get_task_classifications() == client.classifications.get_task_classifications(
        window="7d"
    )


def test_it_reads_the_rankings(client: OpenRouter, bodies: list[Any]) -> None:
    answer = client.datasets.get_rankings_daily(start_date="2026-11-01", end_date="2026-11-07")
    assert same(answer, bodies[-1])
    assert {row.date_ for row in answer.data} == {f"2026-11-0{day}" for day in range(1, 8)}
    assert all(int(row.total_tokens) > 0 for row in answer.data)
    assert (answer.meta.start_date, answer.meta.end_date, answer.meta.version) == ("2026-11-01", "2026-11-07", "v1")


@pytest.mark.parametrize(("period", "first"), PERIODS)
def test_it_reads_the_rankings_of_a_period(client: OpenRouter, bodies: list[Any], period: Any, first: str) -> None:
    answer = client.datasets.get_rankings_daily(start_date="2026-11-01", end_date="2026-11-07", period=period)
    assert same(answer, bodies[-1])
    assert answer.data[0].date_ == first


def test_it_reads_the_rankings_of_each_modality(client: OpenRouter, bodies: list[Any]) -> None:
    rows = {}
    for modality in MODALITIES:
        answer = client.datasets.get_rankings_daily(period="month", modality=modality)  # type: ignore[arg-type]
        assert same(answer, bodies[-1])
        rows[modality] = len(answer.data)
    # The traffic of the demo has no images and no sound.
    assert [modality for modality in MODALITIES if rows[modality]] == ["text", "tool_calling"]


def test_it_reads_the_rankings_of_each_bucket(client: OpenRouter, bodies: list[Any]) -> None:
    totals = []
    for bucket in BUCKETS:
        answer = client.datasets.get_rankings_daily(context_bucket=bucket)  # type: ignore[arg-type]
        assert same(answer, bodies[-1])
        totals.append(sum(int(row.total_tokens) for row in answer.data))
    assert sum(totals) == sum(int(row.total_tokens) for row in client.datasets.get_rankings_daily().data)
    assert all(totals[:3])


def test_it_reads_the_apps_page_by_page(client: OpenRouter, bodies: list[Any]) -> None:
    ranks = []
    for page in pages(client.datasets.get_app_rankings(category="coding", limit=2)):
        assert same(page, bodies[-1])
        ranks += [row.rank for row in page.data]
    assert ranks == [1, 2, 3, 4]


def test_it_reads_the_apps_that_grow(client: OpenRouter, bodies: list[Any]) -> None:
    answer = client.datasets.get_app_rankings(
        sort="trending", category="coding", subcategory="cli-agent", start_date="2026-11-01", end_date="2026-11-20"
    )
    assert answer is not None
    assert same(answer.result, bodies[-1])
    assert [(row.rank, row.app_name) for row in answer.result.data] == [(1, "Loom Code")]


def test_it_reads_what_sessions_cost_page_by_page(client: OpenRouter, bodies: list[Any]) -> None:
    (whole,) = pages(client.datasets.get_session_cost())
    assert same(whole, bodies[-1])
    assert len(whole.data) > 20
    assert (whole.meta.version, whole.meta.window_days, whole.meta.window_end_date) == ("v1", 30, "2026-11-20")
    paged = list(pages(client.datasets.get_session_cost(limit=20)))
    assert list(itertools.chain.from_iterable(page.data for page in paged)) == whole.data
    assert [len(page.data) for page in paged[:-1]] == [20] * (len(paged) - 1)


@pytest.mark.parametrize(("turns", "median"), MEDIANS)
def test_it_reads_what_the_sessions_asked_for_cost(
    client: OpenRouter, bodies: list[Any], turns: Any, median: float
) -> None:
    (answer,) = pages(
        client.datasets.get_session_cost(app_slug="longtalk.example", model="openlab/small-01", turn_range=turns)
    )
    assert same(answer, bodies[-1])
    assert [(cell.app_name, cell.median_session_cost_usd) for cell in answer.data] == [("Longtalk", median)]


@pytest.mark.parametrize("source", SOURCES)
def test_it_reads_the_benchmarks_of_a_source(client: OpenRouter, bodies: list[Any], source: Any) -> None:
    answer = client.benchmarks.get_benchmarks(source=source)
    assert same(answer, bodies[-1])
    assert {row.source for row in answer.data} == {source}
    assert answer.meta.source == source
    assert answer.meta.citation


def test_it_reads_the_benchmarks_of_all_sources(client: OpenRouter, bodies: list[Any]) -> None:
    answer = client.benchmarks.get_benchmarks()
    assert same(answer, bodies[-1])
    assert [source for source, _ in itertools.groupby(row.source for row in answer.data)] == SOURCES
    # Of Design Arena one arena at a time.
    assert len(answer.data) == len([row for row in SCORES if row.get("arena") != "builders"])
    meta = answer.meta
    assert (meta.source, meta.source_url, meta.citation, meta.model_count) == (None, None, None, 3)


@pytest.mark.parametrize("task_type", ["coding", "intelligence", "agentic", "search"])
def test_it_reads_the_benchmarks_of_a_task(client: OpenRouter, bodies: list[Any], task_type: Any) -> None:
    answer = client.benchmarks.get_benchmarks(task_type=task_type)
    assert same(answer, bodies[-1])
    assert answer.data
    assert answer.meta.task_type == task_type


def test_it_reads_an_arena(client: OpenRouter, bodies: list[Any]) -> None:
    answer = client.benchmarks.get_benchmarks(source="design-arena", arena="models", category="website", max_results=1)
    assert same(answer, bodies[-1])
    assert [row.model_permaslug for row in answer.data] == ["openlab/small-01"]
    builders = client.benchmarks.get_benchmarks(source="design-arena", arena="builders")
    assert [row.model_permaslug for row in builders.data] == ["openlab/small-03"]


def test_it_reads_how_a_search_benchmark_was_run_only_if_asked(client: OpenRouter, bodies: list[Any]) -> None:
    plain = client.benchmarks.get_benchmarks(task_type="search")
    assert same(plain, bodies[-1])
    assert not any("run_config" in row for row in bodies[-1]["data"])
    full = client.benchmarks.get_benchmarks(
        benchmark_type="search_browsecomp", search_engine="exa", search_surface="server-tool", include_run_config=True
    )
    assert same(full, bodies[-1])
    assert [row["run_config"] for row in bodies[-1]["data"]] == [RUN]


def test_it_reads_everything_without_waiting(demo: Server) -> None:
    async def read() -> list[int]:
        async with OpenRouter(api_key=demo.key(), server_url=f"{demo.url}/api/v1") as client:
            tasks, rankings, benchmarks, apps, costs = await asyncio.gather(
                client.classifications.get_task_classifications_async(),
                client.datasets.get_rankings_daily_async(),
                client.benchmarks.get_benchmarks_async(),
                client.datasets.get_app_rankings_async(category="coding", limit=2),
                client.datasets.get_session_cost_async(limit=1),
            )
            assert tasks.data.classifications
            assert rankings.data
            assert benchmarks.data
            assert costs is not None
            assert costs.result.data
            assert apps is not None
            following = apps.next()
            assert isinstance(following, Awaitable)
            second = await following
            assert second is not None
            return [row.rank for row in apps.result.data + second.result.data]

    assert asyncio.run(read()) == [1, 2, 3, 4]


# Not of the tasks: the client itself refuses any window but 7d.
@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda client: client.datasets.get_rankings_daily(start_date="2026-02-30"), "2026-02-30"),
        (lambda client: client.datasets.get_app_rankings(limit=0), "Invalid limit '0'"),
        (lambda client: client.datasets.get_session_cost(limit=501), "Invalid limit '501'"),
        (lambda client: client.benchmarks.get_benchmarks(max_results=101), "Invalid max_results '101'"),
    ],
    ids=["rankings", "apps", "sessions", "benchmarks"],
)
def test_it_knows_a_bad_request(client: OpenRouter, ask: Callable[[OpenRouter], object], message: str) -> None:
    with pytest.raises(errors.BadRequestResponseError, match=message) as caught:
        ask(client)
    assert (caught.value.status_code, caught.value.data.error.code) == (400, 400)


def test_it_knows_a_stranger(demo: Server) -> None:
    with OpenRouter(api_key="nobody", server_url=f"{demo.url}/api/v1") as stranger:
        for ask in (
            stranger.classifications.get_task_classifications,
            stranger.datasets.get_rankings_daily,
            stranger.datasets.get_app_rankings,
            stranger.datasets.get_session_cost,
            stranger.benchmarks.get_benchmarks,
        ):
            with pytest.raises(errors.UnauthorizedResponseError, match="Invalid API key") as caught:
                ask()
            assert caught.value.data.error.code == 401


def test_it_knows_the_limit_of_a_key(client: OpenRouter) -> None:
    for _ in range(30):
        client.classifications.get_task_classifications()
    for ask in (
        client.classifications.get_task_classifications,
        client.datasets.get_rankings_daily,
        client.datasets.get_app_rankings,
        client.datasets.get_session_cost,
        client.benchmarks.get_benchmarks,
    ):
        with pytest.raises(errors.TooManyRequestsResponseError, match="30 requests a minute") as caught:
            ask()
        assert caught.value.data.error.code == 429
        assert 1 <= int(caught.value.headers["retry-after"]) <= 60
