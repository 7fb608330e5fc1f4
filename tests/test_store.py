"""A commit is all or nothing, ids are remembered for a while, and what operators say of apps and models holds."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text, update

from llmcensus import permaslug
from llmcensus.apps import app_id
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.errors import ConfigError, InputError, NotFound, StoreError, Unavailable
from llmcensus.ingest import Intake
from llmcensus.store import HEAD, Store, keys, registry, seen, sql
from llmcensus.store.schema import cubes, metadata
from tests.conftest import FIRST_DAY, NOW
from tests.worlds import cells, count, numbered, record, total

A, B, C = (f"https://{name}.example" for name in "abc")


def test_a_duplicate_is_counted_once(store: Store, intake: Intake) -> None:
    first = count(intake, record(), record())
    again = count(intake, record())
    assert (first.tally["accepted"], first.tally["duplicate"]) == (1, 1)
    assert (again.tally["accepted"], again.tally["duplicate"]) == (0, 1)
    assert total(store, "model", "requests") == 1


def test_a_reused_id_with_another_payload_is_another_request(store: Store, intake: Intake) -> None:
    count(intake, record(id="chatcmpl-1"))
    receipt = count(intake, record(id="chatcmpl-1", tokens_prompt=7), record(id="chatcmpl-1", tokens_prompt=7))
    assert (receipt.tally["accepted"], receipt.tally["id_collision"], receipt.tally["duplicate"]) == (1, 1, 1)
    assert total(store, "model", "requests") == 2


def test_two_sources_may_use_one_id(store: Store, intake: Intake) -> None:
    receipt = count(intake, record(source="one"), record(source="two"))
    assert (receipt.tally["accepted"], receipt.tally["id_collision"]) == (2, 0)
    assert total(store, "task", "requests") == 2


def test_ids_are_forgotten_after_the_window(url: str, classifier: Classifier) -> None:
    now = NOW

    def at(days: int) -> int:
        nonlocal now
        now = NOW + timedelta(days=days)
        store = Store.open(url, clock=lambda: now, dedup_days=35)
        intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: now)
        accepted = count(intake, record()).tally["accepted"]
        store.close()
        return accepted

    assert [at(0), at(35), at(71)] == [1, 0, 1]


def test_what_is_still_being_sent_is_not_forgotten(url: str, classifier: Classifier) -> None:
    now = NOW
    store = Store.open(url, clock=lambda: now, dedup_days=35)
    intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: now)
    for day in range(80):
        now = NOW + timedelta(days=day)
        count(intake, *numbered(day + 1))
    assert total(store, "model", "requests") == 80
    store.close()


def test_forgetting_is_done_in_portions(url: str, classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "FORGOTTEN_AT_ONCE", 10)
    now = NOW
    store = Store.open(url, clock=lambda: now, dedup_days=35)
    intake = Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: now)
    count(intake, *numbered(25))
    now = NOW + timedelta(days=40)
    left = []
    for number in range(4):
        count(intake, record(id=f"new-{number}"))
        with store.reading() as connection:
            left.append(connection.execute(text("SELECT count(*) FROM seen")).scalar())
    store.close()
    assert left == [16, 7, 3, 4]


def test_a_sum_above_64_bits_is_refused_not_rounded(store: Store, intake: Intake) -> None:
    count(intake, record(id="a"))
    with store.writing() as connection:
        connection.execute(update(cubes["model"]).values(cost_nanousd=2**63 - 5))
    before = cells(store)
    with pytest.raises(StoreError):
        count(intake, record(id="b"))
    assert cells(store) == before


def test_a_commit_that_fails_leaves_no_trace(store: Store, intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cells(store)

    def broken(*_: object) -> None:
        raise RuntimeError("the power went")

    monkeypatch.setattr(registry, "claim", broken)
    with pytest.raises(RuntimeError):
        count(intake, *numbered(3))
    monkeypatch.undo()
    assert cells(store) == before
    assert store.tally()["accepted"] == 0
    assert count(intake, *numbered(3)).tally["accepted"] == 3


def test_a_commit_raises_the_version(store: Store, intake: Intake) -> None:
    before = store.versions().data
    count(intake, record())
    assert store.versions().data == before + 1


def test_what_was_committed_is_there_after_reopening(store: Store, intake: Intake, url: str) -> None:
    count(intake, *numbered(5))
    found = cells(store)
    store.close()
    again = Store.open(url)
    assert cells(again) == found
    again.close()


def test_two_writers_take_turns(store: Store, intake: Intake, url: str, classifier: Classifier) -> None:
    other = Store.open(url, clock=lambda: NOW)
    beside = Intake(other, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW)
    for number in range(10):
        count(intake, record(id=f"a{number}"))
        count(beside, record(id=f"b{number}"), record(id=f"a{number}"))
    assert total(store, "model", "requests") == 20
    other.close()


def test_a_writer_that_waits_too_long_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BUSY_MS", 50)
    told: list[Exception] = []

    def write() -> None:
        try:
            store.commit([])
        except Unavailable as error:
            told.append(error)

    with store.writing():
        waiting = threading.Thread(target=write)
        waiting.start()
        waiting.join()
    assert len(told) == 1
    assert store.commit([]).records() == 0


def test_the_newest_title_wins_whatever_came_last(store: Store, intake: Intake) -> None:
    for hour, title in ((12, "Newest"), (9, "Older"), (13, None)):
        count(
            intake,
            record(id=str(hour), created_at=f"2026-11-20T{hour:02}:00:00Z", http_referer=A, app_title=title),
        )
    with store.reading() as connection:
        [app] = registry.list_apps(connection)
    assert (app.title, app.requests) == ("Newest", 3)


def test_an_app_is_listed_merged_hidden_and_renamed(store: Store, intake: Intake) -> None:
    count(intake, *(record(id=referer, http_referer=referer) for referer in (A, B, C)))
    with store.writing() as connection:
        registry.merge_app(connection, app_id(A), app_id(B))
        registry.merge_app(connection, app_id(B), app_id(C))
        registry.hide_app(connection, app_id(C), hidden=True)
        registry.rename_app(connection, app_id(C), "See")
    with store.reading() as connection:
        found = {app.identity: app for app in registry.list_apps(connection)}
    # A moved along when B was merged: one step leads to the canonical app.
    assert found[A].merged_into == found[B].merged_into == app_id(C)
    assert (found[C].hidden, found[C].renamed) == (True, "See")


def test_merging_in_circles_is_refused(store: Store, intake: Intake) -> None:
    count(intake, *(record(id=referer, http_referer=referer) for referer in (A, B)))
    with store.writing() as connection:
        registry.merge_app(connection, app_id(A), app_id(B))
        with pytest.raises(InputError):
            registry.merge_app(connection, app_id(B), app_id(A))
        with pytest.raises(InputError):
            registry.merge_app(connection, app_id(B), app_id(B))
        with pytest.raises(NotFound, match="No app 5"):
            registry.merge_app(connection, app_id(B), 5)
        with pytest.raises(NotFound, match="No app 5"):
            registry.hide_app(connection, 5, hidden=True)


def test_an_alias_takes_past_traffic_along(store: Store, intake: Intake) -> None:
    session = {"session_id": "s", "http_referer": A}
    count(intake, *numbered(3, model="house", **session), record(id="x", model="openai/gpt-4o", **session))
    with store.writing() as connection:
        moved = registry.alias_model(connection, "house", "openai/gpt-4o", permaslug.unknown("house"))
        assert registry.aliases(connection) == {"house": "openai/gpt-4o"}
    assert moved == 3
    with store.reading() as connection:
        [model] = registry.list_models(connection)
    assert (model.permaslug, model.requests, model.tokens) == ("openai/gpt-4o", 4, 480)
    assert total(store, "session", "requests") == total(store, "task", "requests") == 4


def test_a_key_is_found_until_it_is_revoked(store: Store) -> None:
    with store.writing() as connection:
        key = keys.create(connection, "me", "ingest", store.now_ms())
    assert key.startswith("sk-llmc-v1-")
    assert len(key) == len("sk-llmc-v1-") + 64
    with store.reading() as connection:
        found = keys.find(connection, keys.digest(key))
        assert found is not None
        assert found.key == ("me", "ingest")
    with store.writing() as connection:
        keys.revoke(connection, key, store.now_ms())
    with store.reading() as connection:
        assert keys.find(connection, keys.digest(key)) is None
    with store.writing() as connection, pytest.raises(NotFound):
        keys.revoke(connection, key, store.now_ms())


def test_a_key_is_not_on_disk(store: Store, tmp_path: Path) -> None:
    with store.writing() as connection:
        key = keys.create(connection, "me", "read", store.now_ms())
    assert all(key.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("bad", ["nonsense", "mysql://host/db", "postgresql://host/db"])
def test_a_url_that_is_no_store_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Store.open(bad)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open database file"):
        Store.open(f"sqlite:///{tmp_path}/nowhere/census.db")


def test_migrations_make_the_tables_that_the_code_names(store: Store, url: str) -> None:
    assert store.versions().data >= 0
    engine = create_engine(url)
    made = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column for column in made.get_columns(table.name)}
        assert list(columns) == [column.name for column in table.columns]
        assert made.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        assert {name for name, column in columns.items() if column["nullable"]} == {
            column.name for column in table.columns if column.nullable
        }
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == HEAD
    engine.dispose()
    folder = Path(__file__).parents[1] / "src/llmcensus/store/migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD
