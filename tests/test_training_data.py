"""The rows and instructions that were written to learn from are whole, labelled, varied, and as their card says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from llmcensus.classify.features import RESULT_ROLES
from llmcensus.classify.instructions import Instruction
from llmcensus.classify.rows import Reading, Row
from llmcensus.taxonomy import SHIPPED

TRAINING = Path(__file__).parents[1] / "training"
CARD = (TRAINING / "README.md").read_text()
LANGUAGES = {"zh", "es", "de", "fr", "ja", "pt", "ru", "ko", "hi", "ar", "tr", "it"}


def lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    decoder = msgspec.json.Decoder(Row)
    return [decoder.decode(line) for path in sorted((TRAINING / "requests").iterdir()) for line in lines(path)]


@pytest.fixture(scope="module")
def bank() -> list[Instruction]:
    decoder = msgspec.json.Decoder(Instruction)
    return [decoder.decode(line) for path in sorted((TRAINING / "instructions").iterdir()) for line in lines(path)]


@pytest.fixture(scope="module")
def readings() -> list[Reading]:
    decoder = msgspec.json.Decoder(Reading)
    return [decoder.decode(line) for line in lines(TRAINING / "readings.jsonl")]


def test_every_row_is_a_request_with_a_tag(rows: list[Row]) -> None:
    for row in rows:
        SHIPPED.require(row.tag)
        assert row.written
        assert row.tag
        assert row.messages[-1].role in {"user", *RESULT_ROLES}, row.source


def test_no_request_is_there_twice(rows: list[Row]) -> None:
    repeated = [text for text, times in Counter(msgspec.json.encode(row.messages) for row in rows).items() if times > 1]
    assert len(repeated) == 0


def test_every_tag_and_language_is_met(rows: list[Row], bank: list[Instruction]) -> None:
    of_tags = Counter(row.tag for row in rows)
    assert min(of_tags[tag] for tag in SHIPPED.tags) >= 100
    for tag in SHIPPED.outcomes:
        assert of_tags[tag] > 0
    languages = Counter(row.lang for row in rows) + Counter(one.lang for one in bank)
    assert set(languages) >= LANGUAGES
    assert languages["en"] <= 0.85 * languages.total()


def test_every_instruction_has_a_tag_and_no_payload_of_its_own(bank: list[Instruction]) -> None:
    for one in bank:
        SHIPPED.require(one.tag)
        assert one.text.strip()
    assert {one.tag for one in bank} >= set(SHIPPED.tags)


def test_readings_are_of_different_requests(readings: list[Reading]) -> None:
    for reading in readings:
        SHIPPED.require(reading.tag)
    assert len({reading.id for reading in readings}) == len(readings)


def test_the_card_has_the_right_counts(rows: list[Row], bank: list[Instruction], readings: list[Reading]) -> None:
    of_rows, of_bank = Counter(row.tag for row in rows), Counter(one.tag for one in bank)
    told = re.findall(r"^\| `(\S+)` \| ([\d,]+) \| ([\d,]+) \|", CARD, re.MULTILINE)
    counted = [(tag, f"{of_rows[tag]:,}", f"{of_bank[tag]:,}") for tag in SHIPPED.outcomes]
    assert told == counted
    assert f"{len(rows):,} requests" in CARD
    assert f"{len(bank):,} instructions" in CARD
    assert f"{len(readings):,} readings" in CARD
