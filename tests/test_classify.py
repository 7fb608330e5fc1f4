"""The classifier judges each request by itself, in bounded time, whatever the text; training is repeatable."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.classify import Model, kernel, shipped
from llmcensus.classify.evaluate import Judged, fold_of, leave_sources_out
from llmcensus.classify.features import CUT, FIELDS, fields, segments
from llmcensus.classify.train import Recipe, Row, as_generations, chosen, read_row, train
from llmcensus.demo import prompts
from llmcensus.errors import InputError
from llmcensus.generation import Generation, Message, ToolCall
from llmcensus.taxonomy import MACRO_CATEGORIES, OUTCOMES, TAGS, macro_category

NEVER = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = Recipe(buckets=1 << 12, epochs=4)


@pytest.fixture(scope="module")
def model() -> Model:
    loaded = shipped()
    assert isinstance(loaded, Model)
    return loaded


def generation(messages: Any, tools: Any = None) -> Generation:
    return Generation(
        source="s",
        id="1",
        created_at=NEVER,
        model="m",
        messages=None if messages is None else msgspec.convert(messages, list[Message]),
        tools=tools,
    )


def asks(text: str) -> Generation:
    return generation([{"role": "user", "content": text}])


def demo_rows() -> list[Row]:
    return [
        msgspec.convert({"messages": one.messages, "tools": one.tools, "tag": one.tag, "source": f"r{n % 7}"}, Row)
        for n, one in enumerate(prompts())
    ]


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Translate the following sentence into German: The train is late.", "translation"),
        ("Write a select statement joining orders and customers, group by month, postgres", "code:sql_database"),
        ("Summarize this article in three sentences:\n\nThe council met on Tuesday and …", "summarization"),
        ("Write me a poem about the sea, as a pirate would", "roleplay_fiction"),
        ("Solve 3x + 5 = 20", "math"),
        ("把下面这句话翻译成英文：今天天气很好。", "translation"),
    ],
)
def test_plain_requests_are_told_apart(model: Model, text: str, tag: str) -> None:
    [label] = model.classify([asks(text)])
    assert label is not None
    assert label.tag == tag
    assert 0 < label.confidence <= 1


def test_it_beats_guessing_by_far_on_texts_of_the_demo(model: Model) -> None:
    rows = demo_rows()
    labels = model.classify(as_generations(rows))
    judged = Judged([row.tag or "" for row in rows], [label.tag if label else "" for label in labels], [])
    assert judged.kappa() > 0.7
    assert judged.majority() < 0.1


def test_without_messages_there_is_no_label(model: Model) -> None:
    assert model.classify([generation(None)]) == [None]
    [empty] = model.classify([generation([])])
    assert empty is not None


requests = st.lists(
    st.builds(
        lambda role, text: {"role": role, "content": text},
        st.sampled_from(["system", "user", "assistant", "tool", "developer", "odd"]),
        st.none()
        | st.text(max_size=60)
        | st.lists(st.builds(lambda t: {"type": "text", "text": t}, st.text(max_size=9))),
    ),
    max_size=6,
)


@given(batch=st.lists(requests, min_size=1, max_size=12), at=st.integers(0, 11))
def test_neither_order_nor_size_of_a_batch_changes_a_result(model: Model, batch: list[Any], at: int) -> None:
    generations = [generation(messages) for messages in batch]
    alone = [model.classify([one])[0] for one in generations]
    at %= len(generations)
    turned = generations[at:] + generations[:at]
    assert model.classify(generations) == alone
    assert model.classify(turned) == alone[at:] + alone[:at]


def test_large_batches_are_those_of_small_ones(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    generations = as_generations(demo_rows()) * 3
    whole = model.classify(generations)
    monkeypatch.setattr("llmcensus.classify.model.CHUNK", 7)
    assert model.classify(generations) == whole


def test_text_after_the_cut_changes_nothing(model: Model) -> None:
    head, tail = "Translate into French: " + "word " * 400, "and so on " * 60
    short, long = (asks(head + "x" * filler + tail) for filler in (10_000, 900_000))
    # The length is a feature, by its order of magnitude; so compare with the same length and other text.
    other = asks(head + "y" * 900_000 + tail)
    assert model.classify([long]) == model.classify([other])
    assert model.classify([short]) != [None]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "x" * 10_000_000}],
        [{"role": "user", "content": "hello"}] * 10_000,
        [{"role": "assistant", "tool_calls": [{"name": "t", "arguments": "{" * 100_000}] * 1000}],
        [{"role": "tool", "content": None}] * 50,
        [{"role": "user", "content": "\u202e\u0301\u0301مرحبا שלום\ud83d\ude00" * 1000}],
        [{"role": "user", "content": "\x00\x01\x02" * 5000}],
        [{"role": "user", "content": "漢字" * 50_000}],
        [{"role": "", "content": ""}],
    ],
    ids=["10 MB turn", "10,000 turns", "deep calls", "nulls", "right to left", "binary", "chinese", "empty"],
)
def test_hostile_requests_cost_bounded_time_and_never_raise(model: Model, messages: Any) -> None:
    one = generation(messages, ["tool"] * 10_000)
    started = time.perf_counter()
    [label] = model.classify([one])
    assert label is not None
    assert time.perf_counter() - started < 1


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8), st.integers(0, 9))
def test_no_bytes_overflow_the_kernel(texts: list[bytes], field: int) -> None:
    start = np.cumsum([0, *(len(text) for text in texts)]).astype(np.int64)
    features, factors, begins = kernel.extract(
        np.frombuffer(b"".join(texts) or b" ", np.uint8),
        start,
        np.full(len(texts), field, np.int64),
        np.arange(len(texts) + 1, dtype=np.int64),
        1 << 12,
    )
    assert len(features) == len(factors) == begins[-1]
    assert (features < 1 << 12).all()
    for text, count in zip(texts, np.diff(begins), strict=True):
        assert count <= kernel.FEATURES_PER_BYTE * len(text)


def test_packed_rows_add_up_exactly() -> None:
    generator = np.random.default_rng(1)
    weights = generator.integers(-127, 128, (64, kernel.OUTPUTS)).astype(np.int8)
    found = generator.integers(0, 64, 5000).astype(np.uint32)
    sums = np.zeros(kernel.OUTPUTS, np.int64)
    kernel.add_rows(kernel.pack(weights), found, len(found), np.zeros(8, np.uint64), sums)
    assert (sums == weights[found].astype(np.int64).sum(axis=0)).all()


def test_what_is_scored_is_what_is_learned(model: Model) -> None:
    parts = segments(as_generations(demo_rows()[:40]))
    features, factors, begins = kernel.extract(*parts, len(model.weights))
    scores = kernel.score(*parts, kernel.pack(model.weights), model.card.scale, model.bias)
    for row in range(40):
        used = slice(begins[row], begins[row + 1])
        expected = model.bias + model.card.scale * (factors[used, None] * model.weights[features[used]]).sum(axis=0)
        assert scores[row] == pytest.approx(expected, abs=1e-3)


def test_fields_are_cut() -> None:
    long = "w " * 5000
    messages = [
        Message(role="system", content=long),
        Message(role="user", content=long),
        Message(role="assistant", content=long, tool_calls=[ToolCall(name="n" * 99, arguments=long)] * 9),
        Message(role="tool", content=long),
    ]
    found = dict(fields(messages, [long] * 99))
    assert {FIELDS[number] for number in found} >= {"head", "tail", "system", "calls", "result", "tools", "shape"}
    for number, text in found.items():
        assert number not in CUT or len(text) <= CUT[number]


def test_the_same_rows_give_the_same_weights() -> None:
    first, second = (train(demo_rows(), QUICK) for _ in range(2))
    assert first.version == second.version
    assert (first.weights == second.weights).all()


def test_shuffled_labels_give_chance() -> None:
    recipe = Recipe(buckets=1 << 15, epochs=12, decay=0, drop=0.25)
    rows = demo_rows()
    tags = [row.tag for row in rows]
    random.Random(1).shuffle(tags)  # noqa: S311
    shuffled = [msgspec.structs.replace(row, tag=tag) for row, tag in zip(rows, tags, strict=True)]
    assert abs(leave_sources_out(shuffled, 3, recipe).kappa()) < 0.1
    assert leave_sources_out(rows, 3, recipe).kappa() > 0.15


def test_a_tag_that_was_not_learned_is_not_found() -> None:
    rows = demo_rows()
    model = train([row for row in rows if row.tag != "translation"], QUICK)
    found = model.classify(as_generations([row for row in rows if row.tag == "translation"]))
    assert "translation" not in {label.tag for label in found if label}


def test_rows_that_may_not_be_learned_from_are_not() -> None:
    rows = [msgspec.structs.replace(row, train_ok=False) for row in demo_rows()]
    assert chosen(rows, QUICK) == []
    with pytest.raises(InputError, match="No row to learn from"):
        train(rows, QUICK)


def test_weak_labels_of_one_source_are_capped() -> None:
    weak = [Row(messages=[], weak_label="math", source="a:x") for _ in range(50)]
    assert len(chosen(weak, Recipe(weak_per_source=20))) == 20


def test_a_repository_is_in_one_fold() -> None:
    assert fold_of("a/b", 5) == fold_of("a/b", 5) < 5
    assert Row(messages=[], source="a/b:path").repository == "a/b"


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"messages": [], "tag": "cooking"}', b'{"messages": "x"}'])
def test_a_row_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(InputError):
        read_row(line)


def test_weights_are_kept_in_a_file(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "weights.npz")
    again = Model.load(tmp_path / "weights.npz")
    rows = as_generations(demo_rows()[:50])
    assert again.card == model.card
    assert again.classify(rows) == model.classify(rows)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no weights file"):
        Model.load(path)


def test_the_shipped_weights_are_small() -> None:
    path = Path(kernel.__file__).with_name("model.npz")
    assert path.stat().st_size < 20 << 20


def test_every_tag_has_a_category_and_room_in_the_kernel() -> None:
    assert len(TAGS) == 30
    assert len(OUTCOMES) <= kernel.OUTPUTS
    assert {macro_category(tag) for tag in TAGS} == set(MACRO_CATEGORIES)
