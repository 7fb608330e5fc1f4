"""Medians of sessions are made once for a window, of what is there, and again when that has changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from alembic import command
from alembic.config import Config

from llmcensus.apps import app_id
from llmcensus.catalog import Catalog
from llmcensus.datasets import DATASETS, Census, session_cost
from llmcensus.ingest import Intake
from llmcensus.store import Store, registry, sessions, sql
from llmcensus.store.schema import cubes
from llmcensus.taxonomy import SHIPPED
from tests.conftest import FIRST_DAY, NOW, SETTINGS
from tests.worlds import Spelled, cells, count, record

A, B = "https://a.example", "https://b.example"


class World:
    """A store whose clock can be moved."""

    def __init__(self, url: str) -> None:
        self.now = NOW
        self.url = url
        self.store = Store.open(url, clock=lambda: self.now)
        self.intake = Intake(self.store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: self.now)
        self._sent = 0

    def send(self, session: str, dollars: float | None, *, day: str = "2026-11-20", referer: str = A) -> None:
        self._sent += 1
        changes: dict[str, Any] = {"http_referer": referer, "session_id": session, "cost_usd": dollars}
        sent = record(id=str(self._sent), created_at=f"{day}T12:00:00Z", model="house/one", messages=None, **changes)
        assert count(self.intake, sent).tally["accepted"] == 1

    def medians(self) -> list[tuple[str, str, float]]:
        census = Census.of(self.store, self.now, SETTINGS, SHIPPED)._replace(min_sessions=1)
        rows = msgspec.to_builtins(DATASETS["/datasets/session-cost"].read(census, {}))["data"]
        return [(row["app_slug"], row["turn_range"], row["median_session_cost_usd"]) for row in rows]


@pytest.fixture
def world(url: str) -> World:
    return World(url)


def test_a_late_arrival_is_taken_up_after_ten_minutes(world: World) -> None:
    world.send("one", 0.1)
    assert world.medians() == [("a.example", "1-turn", 0.1)]
    world.send("two", 0.3)
    assert world.medians() == [("a.example", "1-turn", 0.1)]
    world.now += timedelta(minutes=10)
    assert world.medians() == [("a.example", "1-turn", 0.2)]


def test_a_new_day_has_a_window_of_its_own(world: World) -> None:
    world.send("one", 0.1)
    world.send("two", 0.5, day="2026-11-21")
    assert world.medians() == [("a.example", "1-turn", 0.1)]
    world.now += timedelta(days=1)
    assert world.medians() == [("a.example", "1-turn", 0.3)]
    world.now += timedelta(days=30)
    assert world.medians() == []


def test_what_arrives_today_makes_nothing_stale(world: World) -> None:
    world.send("one", 0.1)
    world.medians()
    world.send("two", 0.5, day="2026-11-21")
    with world.store.reading() as connection:
        later = world.store.now_ms() + sessions.GOOD_FOR_MS + 1
        assert sessions.current(connection, "2026-10-22", "2026-11-20", later) is not None


def test_merged_apps_have_their_sessions_together(world: World) -> None:
    world.send("one", 0.1)
    world.send("two", 0.3, referer=B)
    assert world.medians() == [("a.example", "1-turn", 0.1), ("b.example", "1-turn", 0.3)]
    with world.store.writing() as connection:
        registry.merge_app(connection, app_id(B), app_id(A))
    assert world.medians() == [("a.example", "1-turn", 0.2)]


def test_medians_are_read_while_somebody_writes(world: World) -> None:
    world.send("one", 0.1)
    with sql.writing(sql.connect(str(world.url))):
        assert world.medians() == [("a.example", "1-turn", 0.1)]


def test_a_cost_that_is_unknown_is_not_zero(world: World) -> None:
    for session, dollars in (("one", 0.4), ("one", 0.1), ("two", 0.7), ("two", None), ("three", None)):
        world.send(session, dollars)
    assert world.medians() == [("a.example", "2-9-turns", 0.5)]


def test_to_read_changes_no_data(world: World) -> None:
    world.send("one", 0.1)
    before = world.store.versions()
    world.medians()
    assert world.store.versions() == before


def test_turn_ranges_are_those_of_the_dataset() -> None:
    assert tuple(sessions.TURN_RANGES.values()) == get_args(session_cost.TurnRange)


def test_a_store_of_the_first_version_is_brought_up_with_all_it_holds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    migrate(url, "0001")
    engine = sql.connect(url)
    with sql.writing(engine) as connection:
        cell = ("2026-11-20", bytes(16), app_id(A), "house/one", 1, 1, 10, 2, 250_000_000, 1)
        sql.add(connection, cubes["session"], [cell])
        app = "INSERT INTO apps (app_id, identity, title_at, hidden) VALUES (?, ?, -1, 0)"
        connection.exec_driver_sql(app, (app_id(A), A))
    engine.dispose()
    world = World(url)
    assert cells(world.store)["session"] == [cell]
    assert world.medians() == [("a.example", "1-turn", 0.25)]


def migrate(url: str, revision: str) -> None:
    """Makes the tables as an older version of the code did."""
    engine = sql.connect(url)
    settings = Config()
    settings.set_main_option("script_location", str(Path(sessions.__file__).with_name("migrations")))
    with sql.writing(engine) as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)
    engine.dispose()


def test_the_clock_may_step_back(world: World) -> None:
    world.send("one", 0.1)
    assert world.medians() == [("a.example", "1-turn", 0.1)]
    world.now = datetime(2026, 11, 20, 23, 59, tzinfo=NOW.tzinfo)
    assert world.medians() == []
