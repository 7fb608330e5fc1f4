"""OpenRouter's official Python client, as it is on PyPI, reads the datasets from a running server."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator

import pytest
from openrouter import OpenRouter, errors

from llmcensus.demo import traffic
from llmcensus.ingest import Intake
from llmcensus.wire import named
from llmcensus.wire.lines import Line
from tests.conftest import NOW
from tests.serving import Server


@pytest.fixture
def demo(server: Server, intake: Intake) -> Server:
    intake.take(named("native"), [Line(n, line) for n, line in enumerate(traffic(NOW, 3000), 1)])
    return server


@pytest.fixture
def client(demo: Server) -> Iterator[OpenRouter]:
    with OpenRouter(api_key=demo.key(), server_url=f"{demo.url}/api/v1") as opened:
        yield opened


def test_it_reads_the_tasks(client: OpenRouter) -> None:
    data = client.classifications.get_task_classifications(window="7d").data
    assert (data.window_days, data.as_of) == (7, "2026-11-20")
    assert len(data.classifications) > 20
    assert sum(task.usage_share for task in data.classifications) == pytest.approx(1)
    assert [macro.key for macro in data.macro_categories] == ["code", "data", "agent", "general"]


def test_it_reads_the_rankings(client: OpenRouter) -> None:
    answer = client.datasets.get_rankings_daily(start_date="2026-11-01", end_date="2026-11-07")
    assert {row.date_ for row in answer.data} == {f"2026-11-0{day}" for day in range(1, 8)}
    assert all(int(row.total_tokens) > 0 for row in answer.data)
    assert (answer.meta.start_date, answer.meta.end_date, answer.meta.version) == ("2026-11-01", "2026-11-07", "v1")


def test_it_reads_the_apps_page_by_page(client: OpenRouter) -> None:
    page = client.datasets.get_app_rankings(category="coding", limit=2)
    assert page is not None
    assert [row.rank for row in page.result.data] == [1, 2]
    ranks = []
    while page is not None and page.result.data:
        ranks += [row.rank for row in page.result.data]
        following = page.next()
        assert not isinstance(following, Awaitable)
        page = following
    assert ranks == [1, 2, 3, 4]


def test_it_knows_our_errors(client: OpenRouter, demo: Server) -> None:
    with pytest.raises(errors.BadRequestResponseError, match="Invalid limit '0'"):
        client.datasets.get_app_rankings(limit=0)
    with (
        OpenRouter(api_key="nobody", server_url=f"{demo.url}/api/v1") as stranger,
        pytest.raises(errors.UnauthorizedResponseError, match="Invalid API key"),
    ):
        stranger.classifications.get_task_classifications()
    for _ in range(29):
        client.classifications.get_task_classifications()
    with pytest.raises(errors.TooManyRequestsResponseError, match="30 requests a minute"):
        client.classifications.get_task_classifications()
