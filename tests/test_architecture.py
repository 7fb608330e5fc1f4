"""The four properties of docs/architecture.md, and what the documentation says of settings and commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import get_type_hints

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus import __version__
from llmcensus.apps import App
from llmcensus.catalog import Catalog
from llmcensus.cli import COMMANDS, group
from llmcensus.config import SETTINGS
from llmcensus.datasets import DATASETS
from llmcensus.event import Event
from llmcensus.ingest import Intake
from llmcensus.store import Store
from tests.conftest import FIRST_DAY, NOW
from tests.worlds import Spelled, cells, count, record

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "llmcensus"
ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", re.MULTILINE)
ALLOWED = {
    name: set(re.findall(r"\w+", cell)) for name, cell in ROW.findall((ROOT / "docs" / "architecture.md").read_text())
}
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or not path.name.startswith("__")]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "llmcensus":
            yield from (alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("llmcensus."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("llmcensus."))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_table(path: Path) -> None:
    part = path.relative_to(PACKAGE).with_suffix("").parts[0]
    assert set(imported(path)) - {part} <= ALLOWED[part]


def test_the_table_names_every_module_and_no_other() -> None:
    assert {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} == set(ALLOWED)


def test_an_event_has_no_field_that_could_hold_a_prompt() -> None:
    names = {name: kind for name, kind in get_type_hints(Event).items() if kind in (str, str | None, App | None)}
    # Each of these strings is one of few, or bounded and checked where it is made.
    bounded = {"source", "date", "permaslug", "tag", "classifier", "context_bucket", "modality", "unjudged"}
    assert set(names) == bounded | {"app"}
    assert set(get_type_hints(App)) == {"app_id", "identity", "title", "categories"}


def test_the_api_serves_the_datasets_and_nothing_else_of_the_store() -> None:
    for path in (*(PACKAGE / "api").glob("*.py"), *(PACKAGE / "cli").glob("*.py"), PACKAGE / "server.py"):
        assert "sqlalchemy" not in path.read_text()
        assert "cells_" not in path.read_text()
    assert set(DATASETS) == {
        "/classifications/task",
        "/datasets/rankings-daily",
        "/datasets/app-rankings",
        "/datasets/session-cost",
        "/benchmarks",
    }


generations = st.builds(
    record,
    id=st.sampled_from(["a", "b", "c", "d", "e"]),
    created_at=st.sampled_from(["2026-11-19T23:59:59Z", "2026-11-20T00:00:00Z", "2026-11-20T10:00:00.123Z"]),
    model=st.sampled_from(["openai/gpt-4o", "gpt-4o", "house-model"]),
    tokens_prompt=st.sampled_from([None, 0, 7, 2**31 - 1]),
    cost_usd=st.sampled_from([None, 0.0, 0.1, 1e-9]),
    http_referer=st.sampled_from([None, "https://a.example", "http://localhost"]),
    app_title=st.sampled_from([None, "One", "Two"]),
    app_categories=st.sampled_from([None, ["game"], ["legal", "cli-agent"]]),
    session_id=st.sampled_from([None, "s1", "s2"]),
    public=st.sampled_from([None, False]),
    error=st.sampled_from([None, "timeout"]),
)


@given(records=st.lists(generations, max_size=12), seed=st.integers(0, 2**32), parts=st.integers(1, 5))
def test_any_split_order_or_repetition_gives_the_same_store(
    records: list[dict[str, object]], seed: int, parts: int
) -> None:
    generator = Random(seed)  # noqa: S311
    shuffled = records + generator.choices(records, k=3) if records else []
    generator.shuffle(shuffled)
    assert in_parts([records]) == in_parts([shuffled[part::parts] for part in range(parts)])


def in_parts(parts: list[list[dict[str, object]]]) -> object:
    store = Store.open("sqlite:///:memory:", clock=lambda: NOW)
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
    for part in parts:
        count(intake, *part)
    found = cells(store)
    store.close()
    return found


def test_every_setting_has_its_line_in_the_docs() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for setting in SETTINGS:
        assert f"| `{setting.name}` | `LLMCENSUS_{setting.name.upper()}` | `{setting.default}` |" in text


def test_every_command_has_help_and_a_section() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        assert command.help
        assert f"## {name}\n" in text


def test_every_dataset_has_a_section_with_its_columns() -> None:
    text = (ROOT / "docs" / "datasets.md").read_text()
    for path, dataset in DATASETS.items():
        assert f"## `/api/v1{path}`" in text
        for field in msgspec.structs.fields(dataset.parameters):
            assert f"`{field.encode_name}`" in text


def test_the_changelog_has_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    listed = re.findall(r'^    "([a-z0-9-]+)[\[><=]', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert len(listed) > 10
    for name in listed:
        assert f"`{name}`" in text
