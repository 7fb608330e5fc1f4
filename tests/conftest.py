"""A small world for each test: an empty store in a temporary folder, and a clock that stands still."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from llmcensus import config
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier, shipped
from llmcensus.datasets import Census
from llmcensus.ingest import Intake
from llmcensus.store import Store
from llmcensus.taxonomy import SHIPPED
from tests.serving import ENDING, Server, serving

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FIRST_DAY = date(2025, 1, 1)
SETTINGS = config.load(environ={}, file=Path("none"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("LLMCENSUS_HEAVY"):
        for item in items:
            if item.get_closest_marker("heavy"):
                item.add_marker(pytest.mark.skip(reason="LLMCENSUS_HEAVY is not set: this takes long"))


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    yield
    for thread in ENDING:
        thread.join()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with tables and nothing in them: to copy it is faster than to make it."""
    path = tmp_path_factory.mktemp("empty") / "census.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def url(tmp_path: Path, empty: Path) -> str:
    shutil.copy(empty, tmp_path / "census.db")
    return f"sqlite:///{tmp_path}/census.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url, clock=lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return shipped()


@pytest.fixture
def intake(store: Store, classifier: Classifier) -> Intake:
    return Intake(store, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW)


@pytest.fixture
def census(store: Store) -> Census:
    return Census.of(store, NOW, SETTINGS, SHIPPED)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The material that is not in the repository: real traffic, captures, the corpus."""
    folder = os.environ.get("LLMCENSUS_SHARED")
    if not folder:
        pytest.skip("LLMCENSUS_SHARED is not set: this needs material that is not in the repository")
    return Path(folder)


@pytest.fixture
def server(store: Store) -> Iterator[Server]:
    with serving(store, lambda: NOW) as running:
        yield running
