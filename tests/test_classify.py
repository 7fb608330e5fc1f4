"""The classifier judges each request by itself, in bounded time, whatever the text; training is repeatable."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcensus.classify import Model, kernel, machine, shipped
from llmcensus.classify.evaluate import by_source, by_text, calibrated, calibration_error, fitted, hold_out, kappa
from llmcensus.classify.features import CUT, FIELDS, fields, segments
from llmcensus.classify.instructions import Instruction, joined, noise
from llmcensus.classify.model import Card, Confidence
from llmcensus.classify.rows import Reading, Row, as_generations, read
from llmcensus.classify.train import Recipe, chosen, train
from llmcensus.classify.typos import mistyped
from llmcensus.demo import prompts
from llmcensus.errors import InputError
from llmcensus.generation import Generation, Message, ToolCall
from llmcensus.taxonomy import MACRO_CATEGORIES, SHIPPED, TAGS, macro_category

NEVER = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = Recipe(buckets=1 << 12, epochs=4)
LONGER = Recipe(buckets=1 << 15, epochs=12, decay=0, drop=0.25)


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
    assert kappa([row.tag or "" for row in rows], [label.tag if label else "" for label in labels]) > 0.7


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
        assert count <= machine.FEATURES_PER_BYTE * len(text)


def test_rows_added_eight_weights_at_once_add_up_exactly() -> None:
    generator = np.random.default_rng(1)
    weights = generator.integers(-128, 128, (64, machine.OUTPUTS)).astype(np.int8)
    found = generator.integers(0, 64, 5000).astype(np.uint32)
    lanes, sums = np.zeros(8, np.uint64), np.zeros(machine.OUTPUTS, np.int64)
    kernel.add_rows(weights.view(np.uint64), found, len(found), lanes, lanes.view(np.uint16), sums)
    assert (sums == weights[found].astype(np.int64).sum(axis=0)).all()


def test_what_is_scored_is_what_is_learned(model: Model) -> None:
    parts = segments(as_generations(demo_rows()[:40]))
    features, factors, begins = kernel.extract(*parts, len(model.weights))
    scores = machine.score(parts, model.weights, model.card.scale, model.bias)
    for row in range(40):
        used = slice(begins[row], begins[row + 1])
        expected = model.bias + model.card.scale * (factors[used, None] * model.weights[features[used]]).sum(axis=0)
        assert scores[row] == pytest.approx(expected, abs=1e-3)


IN_A_FRESH_PROCESS = """
import sys
from llmcensus.classify import shipped
print(shipped().version, "numba" in sys.modules)
"""


def loads_compiler(folder: Path) -> bool:
    """Classifies in a process that keeps its machine code in `folder`; says whether it imported the compiler."""
    run = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    version, compiler = run.stdout.split()
    assert version == shipped().version
    return compiler == "True"


def test_machine_code_is_made_once_and_made_again_where_it_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    assert loads_compiler(folder)
    assert not loads_compiler(folder)
    [kept] = folder.glob("kernel-*.o")
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert loads_compiler(folder)
    assert kept.read_bytes() == whole


BY_MANY_THREADS = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from llmcensus.classify import Model, machine
from llmcensus.taxonomy import SHIPPED
model = Model.load(Path(machine.__file__).with_name("model.npz"), SHIPPED)
ready = Barrier(8)
def first():
    ready.wait()
    return model.scores([]).shape
with ThreadPoolExecutor(8) as pool:
    print({done.result() for done in [pool.submit(first) for _ in range(8)]})
"""


def test_threads_may_be_the_first_together(tmp_path: Path) -> None:
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", BY_MANY_THREADS],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == "{(0, 31)}"
    [kept] = tmp_path.glob("kernel-*.o")
    assert kept.stat().st_mode & 0o777 == 0o644


def test_code_is_kept_in_no_folder_that_one_happens_to_be_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert all(folder.is_absolute() for folder in machine.folders())


def test_where_machine_code_cannot_be_kept_it_is_made_every_time(tmp_path: Path) -> None:
    taken = tmp_path / "a file"
    taken.touch()
    assert loads_compiler(taken)
    assert loads_compiler(taken)
    assert list(tmp_path.iterdir()) == [taken]


def test_fields_are_cut() -> None:
    long = "w " * 5000
    messages = [
        Message(role="system", content=long),
        Message(role="user", content=long),
        Message(role="assistant", content=long, tool_calls=[ToolCall(name="n" * 99, arguments=long)] * 9),
        Message(role="tool", content=long),
    ]
    in_a_loop, last_said = (dict(fields(sent, [long] * 99)) for sent in (messages, messages[:2]))
    assert {FIELDS[number] for number in in_a_loop} >= {"goal", "tail", "system", "calls", "result", "tools", "shape"}
    assert {FIELDS[number] for number in last_said} >= {"opening", "head", "tail", "ending", "system_tail"}
    for number, text in (*in_a_loop.items(), *last_said.items()):
        assert number not in CUT or len(text) <= CUT[number]


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        ("Shorten this", ""),
        ("word " * 40 + "\n\nWhat does the author want from us?", "What does the author want from us?"),
        ("word " * 40 + ". Now put it into French please", "Now put it into French please"),
    ],
)
def test_what_a_text_ends_with_is_a_field_of_its_own(said: str, ending: str) -> None:
    found = {FIELDS[number]: text for number, text in fields([Message(role="user", content=said)], [])}
    assert found.get("ending", "").strip() == ending


def test_the_same_rows_give_the_same_weights() -> None:
    first, second = (train(demo_rows(), instructions(), QUICK) for _ in range(2))
    assert first.version == second.version
    assert (first.weights == second.weights).all()


def test_other_rows_give_another_version() -> None:
    assert train(demo_rows()[:-1], (), QUICK).version != train(demo_rows(), (), QUICK).version


def test_shuffled_labels_give_chance() -> None:
    rows = demo_rows()
    tags = [row.tag for row in rows]
    random.Random(1).shuffle(tags)  # noqa: S311
    shuffled = [msgspec.structs.replace(row, tag=tag) for row, tag in zip(rows, tags, strict=True)]
    assert abs(hold_out(shuffled, (), 3, LONGER).judged().kappa()) < 0.1
    assert hold_out(rows, (), 3, LONGER).judged().kappa() > 0.15


def test_a_tag_that_was_not_learned_is_not_found() -> None:
    rows = demo_rows()
    model = train([row for row in rows if row.tag != "translation"], (), QUICK)
    found = model.classify(as_generations([row for row in rows if row.tag == "translation"]))
    assert "translation" not in {label.tag for label in found if label}


def instructions() -> list[Instruction]:
    return [
        Instruction(kind="program", text="Give the chat a title.", tag="agent:memory_extraction", takes="chat"),
        Instruction(kind="ask", text="Shorten this to one line", tag="summarization", takes="prose"),
        Instruction(kind="alone", text="how tall is a giraffe", tag="qa_knowledge"),
    ]


def test_instructions_are_joined_with_the_texts_of_rows() -> None:
    written = [msgspec.structs.replace(row, source="authored:demo") for row in demo_rows()]
    made = joined(instructions(), written, seed=1)
    assert made == joined(instructions(), written, seed=1)
    asked = {row.tag: row for row in made}
    assert set(asked) >= {"agent:memory_extraction", "summarization", "qa_knowledge", "other"}
    titles = [row for row in made if "Give the chat a title." in row.messages[0].text()]
    assert {row.tag for row in titles} == {"agent:memory_extraction"}
    assert len(titles) == 4
    assert all(row.messages[-1].text() != "Give the chat a title." for row in titles)
    assert len({row.messages[-1].text() for row in titles}) == 4


def test_instructions_need_no_rows() -> None:
    made = joined([Instruction(kind="program", text="Serve our guests.", tag="customer_support")], [], seed=1)
    assert len([row for row in made if row.tag == "customer_support"]) == 4


def test_noise_is_no_request() -> None:
    chance = random.Random(1)  # noqa: S311
    assert len({noise(chance) for _ in range(100)}) > 50


@pytest.mark.parametrize("text", ["", " ", "...", "test 123", "ping", "????", "!!! ... !!!", "aaaaaaaaaaaaaaaaaaaaa"])
def test_what_asks_for_nothing_is_other(model: Model, text: str) -> None:
    [label] = model.classify([asks(text)])
    assert label is not None
    assert label.tag == "other"


def test_readings_stand_in_for_tags_and_never_replace_them() -> None:
    rows = [Row(messages=[], id="1"), Row(messages=[], id="2", tag="math"), Row(messages=[], weak_label="devops")]
    found = read(rows, {name: Reading(id=name, tag="translation", sure=False) for name in ("1", "2")})
    assert [row.label for row in found] == ["translation", "math", "devops"]


def test_slips_are_the_same_each_time_and_leave_the_rest_alone() -> None:
    said = "Please summarise the following correspondence for the committee in seven sentences " * 5
    row = Row(messages=[Message(role="system", content=said), Message(role="user", content=said)], tag="summarization")
    slipped = mistyped(row)
    assert slipped == mistyped(row)
    assert slipped.messages[0] == row.messages[0]
    before, after = said.split(), slipped.messages[1].text().split()
    assert 3 <= sum(a != b for a, b in zip(before, after, strict=True)) <= len(before) // 3
    assert all(abs(len(a) - len(b)) <= 1 for a, b in zip(before, after, strict=True))
    assert mistyped(Row(messages=[])) == Row(messages=[])


def test_rows_are_dealt_by_source_or_by_text() -> None:
    one, other = Row(messages=[], source="a/b:x"), Row(messages=[], source="a/b:y")
    assert by_source(one, 5) == by_source(other, 5) < 5
    texts = [Row(messages=[Message(role="user", content=str(n))], source="a/b:x") for n in range(40)]
    assert {by_text(row, 5) for row in texts} == set(range(5))


def test_calibration_makes_confidence_honest() -> None:
    rows = demo_rows()
    judged = hold_out(rows, (), 3, LONGER).judged()
    model = calibrated(train(rows, (), QUICK), judged)
    assert model.card.confidence == fitted(judged.scores, judged.right()) != Confidence()
    assert calibration_error(judged.confidence(), judged.right()) < 0.1
    assert calibration_error(np.array([0.9, 0.9, 0.1, 0.1]), np.array([True, True, False, False])) == pytest.approx(0.1)


@pytest.mark.parametrize("all_right", [True, False])
def test_confidence_is_finite_where_every_row_is_right_or_none(all_right: bool) -> None:
    scores = np.array([[2, 1], [5, 1], [1, 9]], np.float32)
    sure = fitted(scores, np.full(3, all_right)).of(scores)
    assert ((sure > 0.9) if all_right else (sure < 0.1)).all()
    assert ((sure > 0) & (sure < 1)).all()


def test_rows_that_may_not_be_learned_from_are_not() -> None:
    rows = [msgspec.structs.replace(row, train_ok=False) for row in demo_rows()]
    assert chosen(rows, QUICK) == []
    with pytest.raises(InputError, match="No row to learn from"):
        train(rows, (), QUICK)


def test_weak_labels_of_one_source_are_capped() -> None:
    weak = [Row(messages=[], weak_label="math", source="a:x") for _ in range(50)]
    assert len(chosen(weak, Recipe(weak_per_source=20))) == 20


def test_weights_are_kept_in_a_file(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "weights.npz")
    again = Model.load(tmp_path / "weights.npz", SHIPPED)
    rows = as_generations(demo_rows()[:50])
    assert again.card == model.card
    assert again.classify(rows) == model.classify(rows)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no weights file"):
        Model.load(path, SHIPPED)


@pytest.mark.parametrize(("weights", "bias"), [(np.float32, np.float32), (np.int8, np.float64)])
def test_weights_of_another_kind_are_refused(tmp_path: Path, weights: Any, bias: Any) -> None:
    card = Card(version="x", outcomes=list(SHIPPED.outcomes), scale=1, confidence=Confidence(), rows={})
    Model(card=card, weights=np.zeros((8, 32), weights), bias=np.zeros(32, bias)).save(tmp_path / "weights.npz")
    with pytest.raises(InputError, match=r"its (weights|bias) are float\d\d, expected (int8|float32)"):
        Model.load(tmp_path / "weights.npz", SHIPPED)


@pytest.mark.parametrize("shape", [(1000, 32), (1024, 31), (0, 32)])
def test_weights_that_the_kernel_would_read_beyond_are_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "weights.npz"
    card = Card(version="x", outcomes=["math"], scale=1, confidence=Confidence(), rows={})
    Model(card=card, weights=np.zeros(shape, np.int8), bias=np.zeros(32, np.float32)).save(path)
    with pytest.raises(InputError, match="power of two"):
        Model.load(path, SHIPPED)


def test_the_shipped_weights_are_small() -> None:
    path = Path(machine.__file__).with_name("model.npz")
    assert path.stat().st_size < 20 << 20


def test_every_tag_has_a_category() -> None:
    assert len(TAGS) == 30
    assert {macro_category(tag) for tag in TAGS} == set(MACRO_CATEGORIES)
