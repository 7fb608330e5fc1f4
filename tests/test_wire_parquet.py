"""Rows of Parquet are records, whatever wrote them; memory holds few of them, and what is broken is said."""

from __future__ import annotations

import json
import sys
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmcensus.errors import InputError
from llmcensus.generation import Generation
from llmcensus.ingest import Intake
from llmcensus.store import Store
from llmcensus.wire import native
from llmcensus.wire.files import open_records
from tests.sources import row
from tests.worlds import numbered, record, total

AT = datetime(2026, 11, 20, 10, 0, 0, 250_000, UTC)


def columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [one.get(name) for one in records] for name in records[0]}


def written(path: Path, table: dict[str, Any], **more: Any) -> Path:
    pq.write_table(pa.table(table), path, **more)
    return path


def read(path: Path) -> list[Generation]:
    with open_records(path) as body:
        return [native.decode(line.data) for line in body.lines]


def test_rows_are_the_records_that_they_were(tmp_path: Path) -> None:
    records = [record(id="1", tools=["look"], public=False), record(id="2", tools=None, public=None, cost_usd=None)]
    path = written(tmp_path / "a.parquet", columns(records))
    assert read(path) == [native.decode(json.dumps(one).encode()) for one in records]


@pytest.mark.parametrize(
    ("name", "column", "found"),
    [
        ("created_at", pa.array([AT], pa.timestamp("us", "UTC")), AT),
        ("created_at", pa.array([AT], pa.timestamp("ms", "Europe/Oslo")), AT),
        ("created_at", pa.array([1795168800250000007], pa.timestamp("ns", "UTC")), AT),
        ("tokens_prompt", pa.array([31.0]), 31),
        ("tokens_prompt", pa.array([float("nan")]), None),
        ("tokens_prompt", pa.array([31], pa.uint64()), 31),
        ("cost_usd", pa.array([Decimal("0.5")], pa.decimal128(10, 4)), 0.5),
        ("cost_usd", pa.array([3.0]), 3.0),
        ("account", pa.array(["me"]).dictionary_encode(), "me"),
        ("account", pa.array([b"me"]), "me"),
        ("account", pa.array(["me"], pa.large_string()), "me"),
        ("error", pa.array(["a text"]), "a text"),
        ("error", pa.array(['{"code": 1}']), {"code": 1}),
        ("app_categories", pa.array([["game", "legal"]]), ["game", "legal"]),
        ("public", pa.array([False]), False),
    ],
)
def test_a_column_may_have_any_type_that_holds_its_values(
    tmp_path: Path, name: str, column: Any, found: object
) -> None:
    needed = {one: [value] for one, value in record().items() if one in ("source", "id", "created_at", "model")}
    [generation] = read(written(tmp_path / "a.parquet", needed | {name: column}))
    assert getattr(generation, name) == found


def test_messages_may_be_a_column_of_structures_or_of_json(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "hi"}]
    for name, column in (("structures", [said]), ("json", [json.dumps(said)])):
        path = written(
            tmp_path / f"{name}.parquet", {one: [value] for one, value in record().items()} | {"messages": column}
        )
        [generation] = read(path)
        assert [message.text() for message in generation.messages or ()] == ["hi"]


def test_a_bad_row_is_refused_by_its_number_and_the_others_are_counted(intake: Intake, tmp_path: Path) -> None:
    records = [record(id="1"), record(id="2", tokens_prompt=-1), record(id="3", messages="{broken")]
    for one in records:
        one["messages"] = one["messages"] if isinstance(one["messages"], str) else json.dumps(one["messages"])
    *_, last = intake.take_file(written(tmp_path / "a.parquet", columns(records)))
    assert (last.tally["accepted"], last.tally.refused()) == (1, {"out_of_range": 1, "wrong_type": 1})


def test_a_time_without_a_zone_is_refused(intake: Intake, tmp_path: Path) -> None:
    table = columns([record()]) | {"created_at": pa.array([AT.replace(tzinfo=None)])}
    steps = list(intake.take_file(written(tmp_path / "a.parquet", table)))
    [refusal] = [refusal for step in steps for refusal in step.refusals]
    assert refusal.reason == "bad_time"
    assert "`created_at` is '2026-11-20 10:00:00.250000': expected a time with a zone" in refusal.message


def test_an_import_of_parquet_is_counted_once_and_goes_on(store: Store, intake: Intake, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", columns(list(numbered(3000))), row_group_size=500)
    steps = intake.take_file(path)
    assert next(steps).tally.records() == 0
    *_, last = steps
    *_, again = intake.take_file(path)
    assert (last.tally["accepted"], again.tally["duplicate"], total(store, "model", "requests")) == (3000, 3000, 3000)
    assert last.bytes_read == path.stat().st_size


def test_rows_of_other_formats_are_recognised(intake: Intake, tmp_path: Path) -> None:
    export = [row(id=f"obs-{n}") for n in range(3)]
    table = columns(export)
    table["usage_details"] = pa.array(
        [list(one["usage_details"].items()) for one in export], pa.map_(pa.string(), pa.int64())
    )
    table |= {"metadata": pa.array(["{}"] * 3), "tool_definitions": pa.array(["{}"] * 3), "tool_calls": pa.nulls(3)}
    *_, last = intake.take_file(written(tmp_path / "a.parquet", table))
    assert (last.wire.name, last.tally["accepted"], last.tally["with_tokens"]) == ("langfuse", 3, 3)


def test_memory_holds_few_rows(tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    records = columns([record(id=str(n), account="x" * 10_000) for n in range(4_000)])
    written(path, records, row_group_size=1_000, use_dictionary=False)
    del records
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    with open_records(path) as body:
        most = max(pa.total_allocated_bytes() for _ in body.lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 48 << 20
    assert most - before < 32 << 20


@pytest.mark.parametrize("cut", [8, 100, -20])
def test_a_broken_file_is_said(intake: Intake, tmp_path: Path, cut: int) -> None:
    path = written(tmp_path / "a.parquet", columns([record()]))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="its Parquet is broken"):
        list(intake.take_file(path))


def test_without_the_extra_it_says_what_to_install(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.parquet", columns([record()]))
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"expected llmcensus\[parquet\] to be installed"):
        list(intake.take_file(path))
