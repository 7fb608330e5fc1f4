"""Files and bodies are counted once, bad records by their reason; an import that was stopped goes on."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmcensus import ingest
from llmcensus.catalog import Catalog
from llmcensus.classify import Classifier
from llmcensus.errors import InputError
from llmcensus.ingest import Intake, Refusal, Step
from llmcensus.store import Store, registry
from llmcensus.wire import lines as wire_lines
from llmcensus.wire import named
from tests.conftest import FIRST_DAY, NOW
from tests.worlds import cells, counted, encoded, numbered, record, total


def take(intake: Intake, path: Path) -> tuple[Step, list[Refusal]]:
    """Returns the last step of an import, and all that was refused on the way."""
    steps = list(intake.take_file(path))
    return steps[-1], [refusal for step in steps for refusal in step.refusals]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "BATCH_RECORDS", 100)


BAD = {
    b'{"source": "s", "id"': "bad_json",
    encoded(record(id="b2", cost_usd=0.1)).replace(b"0.1", b"NaN"): "bad_json",
    encoded(record(id="b3")).replace(b"good morning", b"\\ud800"): "bad_json",
    encoded(record(id="b4")).replace(b"good morning", b"\xff\xfe"): "bad_json",
    encoded(record(id=None)): "missing_field",
    encoded(record(id="b5", tokens_prompt="12")): "wrong_type",
    encoded(record(id="b6", messages="text")): "wrong_type",
    encoded(record(id="b7", tokens_prompt=-5)): "out_of_range",
    encoded(record(id="b8", cost_usd=1e300)): "out_of_range",
    encoded(record(id="b9", created_at="1970-01-01T00:00:00Z")): "before_first_day",
    encoded(record(id="b10", created_at="2090-01-01T00:00:00Z")): "in_future",
    encoded(record(id="b11", created_at="2026-11-21T12:05:01Z")): "in_future",
    encoded(record(id="b12", created_at="2024-12-31T23:59:59Z")): "before_first_day",
    encoded(record(id="b13", created_at="noon")): "bad_time",
    b'{"source": "' + b"x" * (3 << 20) + b'"}': "too_long",
}


def test_bad_lines_are_refused_with_reason_and_line_and_the_rest_is_counted(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_lines.split_lines, "__defaults__", (1 << 20,))
    path = tmp_path / "mixed.jsonl"
    good = [encoded(one).strip() for one in numbered(len(BAD))]
    bad = [line.strip() for line in BAD]
    path.write_bytes(b"\n".join(line for pair in zip(good, bad, strict=True) for line in pair))
    last, refusals = take(intake, path)
    assert last.tally["accepted"] == len(BAD)
    assert [(refusal.number, refusal.reason) for refusal in refusals] == [
        (2 * position, reason) for position, reason in enumerate(BAD.values(), 1)
    ]
    assert sum(last.tally.refused().values()) == len(BAD)
    assert all(refusal.message for refusal in refusals)


def test_the_edges_of_time_are_counted(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "edges.jsonl"
    times = ["2025-01-01T00:00:00Z", "2026-11-21T12:05:00Z", "2026-11-21T00:00:00+14:00"]
    path.write_bytes(encoded(*(record(id=at, created_at=at) for at in times)))
    assert take(intake, path)[0].tally["accepted"] == 3


def test_a_gzip_that_is_cut_off_is_counted_up_to_there(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl.gz"
    whole = gzip.compress(encoded(*(record(id=f"{n}", account=f"{n * 7919}") for n in range(3000))))
    path.write_bytes(whole[:-2000])
    last, [refusal] = take(intake, path)
    assert last.tally["accepted"] > 1000
    assert (refusal.reason, refusal.number) == ("truncated_file", last.tally["accepted"] + 1)


def test_importing_a_file_again_changes_nothing(store: Store, intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    path.write_bytes(encoded(*numbered(50), *numbered(5)) + b"{broken\n")
    first, _ = take(intake, path)
    before = (cells(store), counted(store), store.versions().data)
    again, _ = take(intake, path)
    assert (first.tally["accepted"], first.tally["duplicate"]) == (50, 5)
    assert (again.tally["accepted"], again.tally["duplicate"], again.tally.refused()) == (0, 55, {"bad_json": 1})
    assert (cells(store), counted(store), store.versions().data) == before


def test_a_file_under_another_name_is_the_same_file(intake: Intake, tmp_path: Path) -> None:
    for name in ("monday.jsonl", "copy.jsonl"):
        (tmp_path / name).write_bytes(encoded(*numbered(3)))
    take(intake, tmp_path / "monday.jsonl")
    assert take(intake, tmp_path / "copy.jsonl")[0].tally["accepted"] == 0


def test_a_file_that_grew_adds_what_is_new(store: Store, intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "growing.jsonl"
    for size in (10, 25):
        path.write_bytes(encoded(*numbered(size)))
        last, _ = take(intake, path)
    assert (last.tally["accepted"], last.tally["duplicate"]) == (15, 10)
    assert total(store, "model", "requests") == 25


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("stopped_after", [1, 2, 7])
def test_a_stopped_import_goes_on_where_it_was(
    store: Store, intake: Intake, tmp_path: Path, classifier: Classifier, stopped_after: int
) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(encoded(*numbered(950), *numbered(30)) + b"{broken\n")
    steps: Iterator[Step] = intake.take_file(path)
    for _ in range(stopped_after + 1):
        step = next(steps)
    assert step.tally["accepted"] == stopped_after * 100
    steps.close()  # type: ignore[attr-defined]
    again = list(intake.take_file(path))
    assert again[0].tally.records() == stopped_after * 100
    assert (again[-1].tally["accepted"], again[-1].tally["duplicate"]) == (950, 30)
    undisturbed = Store.open("sqlite:///:memory:", clock=lambda: NOW)
    take(Intake(undisturbed, Catalog(), classifier, FIRST_DAY, clock=lambda: NOW), path)
    assert cells(store) == cells(undisturbed)
    assert counted(store) == counted(undisturbed)
    undisturbed.close()


def test_a_file_read_in_the_wrong_format_can_be_read_again_in_the_right_one(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "traffic.jsonl"
    path.write_bytes(encoded(*numbered(5)))
    *_, wrong = intake.take_file(path, named("openai"))
    assert sum(wrong.tally.refused().values()) == 5
    assert take(intake, path)[0].tally["accepted"] == 5


def test_the_format_is_told_from_the_first_good_line(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "traffic"
    path.write_bytes(b"{broken\nnonsense\n" + encoded(*numbered(3)))
    last, _ = take(intake, path)
    assert (last.tally["accepted"], last.tally.refused()) == (3, {"bad_json": 2})


def test_a_file_of_another_kind_is_refused_whole(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"dear diary\n" * 100)
    with pytest.raises(InputError, match="Cannot tell the format"):
        take(intake, path)


def test_a_file_that_is_cut_while_it_is_read_is_not_finished(
    store: Store, intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BATCH_RECORDS", 100)
    monkeypatch.setattr(wire_lines, "CHUNK", 1 << 12)
    path, archive = tmp_path / "live.jsonl", tmp_path / "archive.jsonl"
    for file in (path, archive):
        file.write_bytes(encoded(*numbered(1000)))
    steps = intake.take_file(path)
    next(steps)
    next(steps)
    os.truncate(path, 0)
    *_, last = steps
    assert last.changed
    assert last.tally["accepted"] < 1000
    take(intake, archive)
    assert total(store, "model", "requests") == 1000


def test_a_file_that_breaks_off_at_once_says_so(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "broken.gz"
    whole = bytearray(gzip.compress(encoded(*numbered(50))))
    whole[-6] ^= 1
    path.write_bytes(whole)
    last, _ = take(intake, path)
    assert last.tally.refused() == {"truncated_file": 1}


def test_an_empty_file_is_no_error(intake: Intake, tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    assert take(intake, path)[0].tally.records() == 0


def test_a_body_is_one_transaction_whatever_its_size(
    store: Store, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BATCH_RECORDS", 10)
    before = store.versions().data
    receipt = intake.take_body("native", encoded(*numbered(35)), "identity", 1 << 20)
    assert receipt.tally["accepted"] == 35
    assert store.versions().data == before + 1


def test_an_alias_counts_from_the_next_batch_on(store: Store, intake: Intake) -> None:
    for number in range(2):
        intake.take(named("native"), [wire_lines.Line(1, encoded(record(id=str(number), model="house")))])
        with store.writing() as connection:
            registry.alias_model(connection, "house", "acme/house", "?house")
    with store.reading() as connection:
        assert [(model.permaslug, model.requests) for model in registry.list_models(connection)] == [("acme/house", 2)]
