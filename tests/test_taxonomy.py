"""Tags of one's own: out of a file, trained, counted, served, and never mixed with those of another taxonomy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openrouter import OpenRouter

from llmcensus.api import BASE
from llmcensus.api.intake import Taken
from llmcensus.api.openapi import document
from llmcensus.catalog import Catalog
from llmcensus.classify import Model, machine, shipped
from llmcensus.classify.rows import Row, as_generations
from llmcensus.classify.train import Recipe, train
from llmcensus.cli import group
from llmcensus.datasets import DATASETS, Census
from llmcensus.errors import InputError
from llmcensus.generation import Message
from llmcensus.ingest import Intake
from llmcensus.store import Store
from llmcensus.taxonomy import DEFINITIONS, MOST_TAGS, OTHER, SHIPPED, Taxonomy, in_force, read
from tests.conftest import FIRST_DAY, NOW, SETTINGS
from tests.serving import serving, serving_by
from tests.worlds import Spelled, count, record

DOCS = Path(__file__).parents[1] / "docs"
DESK = """
[macro_categories]
support = "Support desk"
sales = "Sales"

[tags]
"support:billing" = { name = "Billing", definition = "explain or correct a bill" }
"support:outage" = "Outages"
"sales:quote" = "Quotes"
smalltalk = "Small talk"
"""
# What each is about, and how it is asked for: rows are every pairing of the two.
SUBJECTS = {
    "support:billing": ["invoice", "double charge", "refund of a fee", "bill of March", "payment by card", "tax line"],
    "support:outage": ["server is down", "error 502", "login fails", "pages time out", "database offline", "no signal"],
    "sales:quote": ["price for 40 seats", "discount for schools", "quote for a year", "offer in euros", "trial for us"],
    "smalltalk": ["hello there", "how are you", "tell me a joke", "nice weather today", "good morning", "thanks a lot"],
    OTHER: ["zxcv qwer", "....", "asdf asdf", "test 123", "0000 1111", "-- -- --"],
}
PHRASES = [
    "{}",
    "{}, please",
    "about this: {}",
    "{} again",
    "my question: {}",
    "{} since Monday",
    "quick one: {}",
    "{}?",
]
# Requests of yesterday by tag, worded as no row is.
ASKED = {"support:billing": 6, "support:outage": 3, "sales:quote": 2, "smalltalk": 1, OTHER: 4}


def written(tag: str) -> list[str]:
    return [phrase.format(subject) for subject in SUBJECTS[tag] for phrase in PHRASES]


def command(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(group, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a taxonomy, rows of it, and the weights that `llmcensus train` makes of them."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "desk.toml").write_text(DESK)
    rows = [
        {"messages": [{"role": "user", "content": text}], "tag": tag, "source": f"desk-{at % 7}"}
        for tag in SUBJECTS
        for at, text in enumerate(written(tag))
    ]
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    trained = command(
        *("train", "--taxonomy", f"{folder}/desk.toml", "--data", f"{folder}/mine.jsonl", "--out", f"{folder}/desk.npz")
    )
    assert trained.exit_code == 0, trained.output
    assert "kappa" in trained.output
    assert "never be found" not in trained.output
    return folder


@pytest.fixture
def taxonomy(desk: Path) -> Taxonomy:
    return in_force(f"{desk}/desk.toml")


@pytest.fixture
def model(desk: Path, taxonomy: Taxonomy) -> Model:
    return Model.load(desk / "desk.npz", taxonomy)


@pytest.fixture
def own(store: Store, model: Model, taxonomy: Taxonomy) -> Intake:
    return Intake(store, Catalog(), model, FIRST_DAY, clock=lambda: NOW, taxonomy=taxonomy)


def asked(**changes: Any) -> Iterator[dict[str, Any]]:
    """Yields the requests of `ASKED`."""
    for tag, many in ASKED.items():
        for at, subject in enumerate(islice(cycle(SUBJECTS[tag]), many)):
            messages = [{"role": "user", "content": f"{subject}, please, since Monday"}]
            yield record(id=f"{tag}-{at}", messages=messages, **changes)


def tasks(store: Store, taxonomy: Taxonomy) -> Any:
    dataset = DATASETS["/classifications/task"]
    answer: Any = dataset.read(Census.of(store, NOW, SETTINGS, taxonomy), {"window": "7d"})
    return answer.data


def shares(store: Store, taxonomy: Taxonomy) -> dict[str, float]:
    return {row.tag: row.usage_share for row in tasks(store, taxonomy).classifications}


def spelled(store: Store, taxonomy: Taxonomy, *tags: str, day: int = 20) -> None:
    """Counts a request a tag, as a classifier that judges by the taxonomy would."""
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW, taxonomy=taxonomy)
    for at, tag in enumerate(tags):
        told = {"id": f"{taxonomy.name}-{day}-{at}", "created_at": f"2026-11-{day}T10:00:00Z"}
        count(intake, record(**told, messages=[{"role": "user", "content": tag}]))


def test_the_official_client_reads_tags_of_ones_own(own: Intake) -> None:
    receipt = count(own, *asked())
    assert receipt.tally["accepted"] == sum(ASKED.values())
    with (
        serving_by(own) as running,
        OpenRouter(api_key=running.key(), server_url=f"{running.url}/api/v1") as client,
    ):
        data = client.classifications.get_task_classifications(window="7d").data
    assert [(row.tag, row.display_name, row.macro_category, row.usage_share) for row in data.classifications] == [
        ("support:billing", "Billing", "support", 6 / 12),
        ("support:outage", "Outages", "support", 3 / 12),
        ("sales:quote", "Quotes", "sales", 2 / 12),
        ("smalltalk", "Small talk", "general", 1 / 12),
    ]
    assert [row.category_usage_share for row in data.classifications] == [6 / 9, 3 / 9, 1, 1]
    assert [(row.key, row.label, row.usage_share) for row in data.macro_categories] == [
        ("support", "Support desk", 9 / 12),
        ("sales", "Sales", 2 / 12),
        ("general", "General", 1 / 12),
    ]


def test_what_arrives_at_a_server_is_judged_by_its_tags(own: Intake) -> None:
    with serving_by(own) as running:
        body = json.dumps([*asked()]).encode()
        assert running.post(body, running.key("ingest")).json()["accepted"] == sum(ASKED.values())
        answer = running.get("/api/v1/classifications/task", running.key()).json()
        said = running.get("/openapi.json").text
    assert [row["tag"] for row in answer["data"]["classifications"]] == list(ASKED)[:4]
    for word in ("`support`, `sales` or `general`.", "Always support, sales, general.", "Support desk", "Billing"):
        assert word in said
    assert "code:general_impl" not in said


def test_two_taxonomies_never_mix(store: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[tags]\ntranslation = "Translating"\nlegal = "Contracts"\n')
    mine = in_force(f"{tmp_path}/mine.toml")
    spelled(store, SHIPPED, "translation", "translation", "math", "math", OTHER, day=18)
    before = tasks(store, SHIPPED)
    # A tag that both have would stand beside `legal` with all that it had before there was `legal`.
    spelled(store, mine, "translation", "legal", "legal", "legal", day=19)
    assert shares(store, mine) == {"legal": 3 / 4, "translation": 1 / 4}
    assert tasks(store, SHIPPED) == before
    assert shares(store, SHIPPED) == {"math": 1 / 2, "translation": 1 / 2}


def test_a_tag_that_was_added_begins_anew_and_a_new_name_does_not(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[tags]\nlegal = "Contracts"\nmath = "Sums"\n')
    spelled(store, read(path), "legal", "math")
    path.write_text('[tags]\nmath = { name = "Maths", definition = "reckon" }\nlegal = "Law"\n')
    assert shares(store, read(path)) == {"legal": 1 / 2, "math": 1 / 2}
    assert {row.display_name for row in tasks(store, read(path)).classifications} == {"Law", "Maths"}
    path.write_text('[tags]\nmath = "Maths"\nlegal = "Law"\npoems = "Poems"\n')
    assert shares(store, read(path)) == {}


def test_status_says_what_is_left_out(url: str, store: Store, desk: Path, taxonomy: Taxonomy) -> None:
    spelled(store, SHIPPED, "math", "math", OTHER)
    spelled(store, taxonomy, "smalltalk")
    ours = ("--taxonomy", f"{desk}/desk.toml", "--classifier", f"{desk}/desk.npz")
    shown = command("status", "--db", url, *ours).output
    assert f"desk.toml, {len(taxonomy.tags)} tags" in shown
    assert re.search(r"^spelled +3 +by other tags: in no share$", shown, re.MULTILINE)
    assert re.search(rf"^spelled{re.escape(taxonomy.mark)} +1 *$", shown, re.MULTILINE)
    shown = command("status", "--db", url).output
    assert "the shipped taxonomy, 30 tags" in shown
    assert re.search(r"^spelled +3 *$", shown, re.MULTILINE)
    assert re.search(r"^spelled\S+ +1 +by other tags: in no share$", shown, re.MULTILINE)


def test_traffic_is_imported_by_tags_of_ones_own_where_the_settings_name_them(url: str, desk: Path) -> None:
    traffic = desk / "traffic.jsonl"
    traffic.write_text(json.dumps(record(messages=[{"role": "user", "content": "quick one: login fails"}])))
    ours = ("--taxonomy", f"{desk}/desk.toml", "--classifier", f"{desk}/desk.npz")
    assert command("import", str(traffic), "--db", url, *ours).exit_code == 0
    with Store.open(url).reading() as connection:
        tags = connection.exec_driver_sql("SELECT tag FROM cells_task").scalars().all()
    assert tags == ["support:outage"]


def test_status_shows_what_was_counted_where_the_classifier_is_gone(url: str, store: Store, desk: Path) -> None:
    spelled(store, SHIPPED, "math")
    shown = command("status", "--db", url, "--classifier", f"{desk}/gone.npz")
    assert shown.exit_code == 0
    assert re.search(r"^classifier +none: .*gone\.npz", shown.output, re.MULTILINE)
    assert re.search(r"^accepted +1", shown.output, re.MULTILINE)


def test_without_text_there_is_nothing_to_leave_out(store: Store) -> None:
    intake = Intake(store, Catalog(), Spelled(), FIRST_DAY, clock=lambda: NOW)
    count(intake, record(messages=None))
    assert store.judged() == {}


@pytest.fixture
def spelled_out(tmp_path: Path) -> Path:
    """The shipped taxonomy, as a user would write it."""
    path = tmp_path / "thirty.toml"
    path.write_text(
        "[macro_categories]\n"
        + "\n".join(f"{key} = {json.dumps(name)}" for key, name in SHIPPED.macro_categories.items())
        + "\n\n[tags]\n"
        + "\n".join(
            f'"{tag}" = {{ name = {json.dumps(name)}, definition = {json.dumps(SHIPPED.definitions[tag])} }}'
            for tag, name in SHIPPED.tags.items()
        )
    )
    return path


def test_the_shipped_taxonomy_in_a_file_gives_the_same_bytes(store: Store, intake: Intake, spelled_out: Path) -> None:
    yesterday = (NOW - timedelta(days=1)).isoformat()
    texts = ("Solve 3x + 5 = 20", "Translate to French: good morning", "Fix this traceback: KeyError: 'a'", "")
    asks = [[{"role": "user", "content": text}] for text in texts]
    count(intake, *(record(id=str(at), created_at=yesterday, messages=said) for at, said in enumerate(asks)))
    answers = []
    for file in ("", str(spelled_out)):
        with serving(store, lambda: NOW, taxonomy=file) as running:
            task = running.get("/api/v1/classifications/task", running.key())
            answers.append((task.content, task.headers["etag"], running.get("/openapi.json").content))
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0][0])["data"]["classifications"]) >= 2


def test_a_file_says_what_the_shipped_taxonomy_says(spelled_out: Path) -> None:
    again = read(spelled_out)
    assert (again.tags, again.definitions, again.macro_categories) == (
        *(SHIPPED.tags, SHIPPED.definitions),
        SHIPPED.macro_categories,
    )
    assert list(again.tags) == list(SHIPPED.tags)
    assert again.mark == SHIPPED.mark == ""


def test_the_document_of_the_shipped_taxonomy_speaks_of_its_tags() -> None:
    schemas = document(SETTINGS, BASE, Taken, SHIPPED)["components"]["schemas"]
    item = schemas["TaskClassificationItem"]["properties"]
    assert item["tag"] == {"description": "The task.", "examples": ["code:general_impl"], "type": "string"}
    assert item["display_name"]["examples"] == ["Code Generation"]
    assert item["macro_category"]["description"] == "`code`, `data`, `agent` or `general`."
    data = schemas["TaskClassificationData"]["properties"]
    assert data["macro_categories"]["description"] == "Always code, data, agent, general."


def test_a_file_has_names_and_definitions(taxonomy: Taxonomy) -> None:
    assert taxonomy.outcomes == ("support:billing", "support:outage", "sales:quote", "smalltalk", OTHER)
    assert taxonomy.macro_categories == {"support": "Support desk", "sales": "Sales", "general": "General"}
    assert taxonomy.tags["support:billing"] == "Billing"
    assert taxonomy.definitions["support:billing"] == "explain or correct a bill"
    assert taxonomy.definitions["smalltalk"] == "Small talk"


def test_macro_categories_are_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "flat.toml"
    path.write_text('[tags]\nyes = "Yes"\n')
    assert read(path).macro_categories == {"general": "General"}
    path.write_text('[macro_categories]\ngeneral = "Everything"\n[tags]\nyes = "Yes"\n')
    assert read(path).macro_categories == {"general": "Everything"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[tags", "Cannot read the taxonomy"),
        ('[tags]\na = "A"\na = "B"', "Cannot read the taxonomy"),
        ("", "has 0 tags: expected 1 to 30"),
        ("[tags]\n" + "\n".join(f't{n} = "T"' for n in range(31)), "has 31 tags: expected 1 to 30, beside 'other'"),
        ('[tag]\na = "A"', "the file has 'tag': expected only macro_categories, tags"),
        ('tags = ["a"]', r"tags is \['a'\]: expected a table \[tags\]"),
        ('[tags]\nother = "Rest"', "tag 'other' cannot be redefined"),
        ('[tags]\nunclassified = "None"', "tag 'unclassified' cannot be redefined"),
        ('[tags]\nBilling = "B"', "tag 'Billing': expected up to 64 lower-case letters"),
        ('[tags]\n"a:b:c" = "B"', "tag 'a:b:c': expected .* at most one colon"),
        ('[tags]\n"a b" = "B"', "tag 'a b': expected"),
        ('[tags]\n":a" = "B"', "tag ':a': expected"),
        ('[tags]\n"ä" = "B"', "tag 'ä': expected"),
        (f'[tags]\n{"a" * 65} = "B"', "expected up to 64"),
        ('[tags]\n"desk:a" = "A"', "tag 'desk:a' is of macro-category 'desk', .*: expected one of general"),
        ('[macro_categories]\nsale = "S"\n[tags]\n"sales:a" = "A"', "'sales:a' .*: expected one of sale, general"),
        ('[macro_categories]\n"a:b" = "S"\n[tags]\na = "A"', "macro-category 'a:b': expected"),
        ('[macro_categories]\na = 1\n[tags]\n"a:b" = "A"', "macro-category 'a' is 1: expected one line of 1 to 100"),
        ("[tags]\na = 1", "tag 'a' is 1: expected one line .* or a table of `name` and `definition`"),
        ('[tags]\na = " "', "tag 'a' is ' ': expected one line"),
        ('[tags]\na = "two\\nlines"', "tag 'a' is .*: expected one line"),
        ('[tags]\na = { definition = "x" }', "`name` of tag 'a' is missing: expected one line of 1 to 100"),
        ('[tags]\na = { name = "A", definition = 3 }', "`definition` of tag 'a' is 3: expected one line of 1 to 400"),
        ('[tags]\na = { name = "A", meaning = "x" }', "tag 'a' has 'meaning': expected only name, definition"),
        ('[tags]\nsupport.billing = "B"', "tag 'support' has 'billing': expected only name, definition"),
    ],
)
def test_a_file_that_is_no_taxonomy_is_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_weights_and_taxonomy_must_fit(desk: Path, tmp_path: Path, taxonomy: Taxonomy) -> None:
    with pytest.raises(InputError, match=r"desk\.npz has 'support:billing', which the shipped taxonomy has not"):
        Model.load(desk / "desk.npz", SHIPPED)
    with pytest.raises(InputError, match=r"has 'code:general_impl', which .*desk\.toml has not: expected weights that"):
        shipped(taxonomy)
    more = tmp_path / "more.toml"
    more.write_text(DESK + 'legal = "Law"\n')
    with pytest.raises(InputError, match=r"more\.toml has 'legal', which .*desk\.npz has not: expected weights that"):
        Model.load(desk / "desk.npz", read(more))


@pytest.mark.parametrize("verb", [["import", "mine.jsonl"], ["classify", "mine.jsonl"], ["serve", "--port", "1"]])
def test_commands_do_not_run_with_weights_of_other_tags(
    desk: Path, verb: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLMCENSUS_DB", f"sqlite:///{tmp_path}/census.db")
    monkeypatch.setenv("LLMCENSUS_TAXONOMY", f"{desk}/desk.toml")
    monkeypatch.chdir(desk)
    with pytest.raises(InputError, match=r"expected weights that `llmcensus train` made for .*desk\.toml"):
        command(*verb)


def test_the_version_is_of_weights_and_outcomes() -> None:
    rows = [Row(messages=[Message(content=text)], tag=tag) for tag in ("smalltalk", OTHER) for text in written(tag)]
    chat = [row if row.tag == OTHER else Row(messages=row.messages, tag="chat") for row in rows]
    recipe = Recipe(buckets=1 << 10, epochs=1)
    one, other = train(rows, (), recipe, ("smalltalk", OTHER)), train(chat, (), recipe, ("chat", OTHER))
    assert (one.weights == other.weights).all()
    assert one.version != other.version
    assert train(rows, (), recipe, ("smalltalk", OTHER)).version == one.version


def test_the_largest_taxonomy_fits_the_kernel() -> None:
    # Beside the tags there is `other`, and one output is kept free.
    assert MOST_TAGS + 2 == machine.OUTPUTS
    outcomes = (
        *(f"tag_{letter}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
        *("one", "two", "three", "four"),
        OTHER,
    )
    assert len(outcomes) == machine.OUTPUTS - 1
    rows = [Row(messages=[Message(content=f"{tag} " * 3)], tag=tag) for tag in outcomes for _ in range(4)]
    model = train(rows, (), Recipe(buckets=1 << 12, epochs=20, drop=0, decay=0), outcomes)
    found = model.classify(as_generations(rows))
    assert {label.tag for label in found if label} == set(outcomes)


def test_training_says_which_tags_have_no_rows(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"messages": [{"content": "hello"}], "tag": "smalltalk"}\n')
    material = ("--data", f"{tmp_path}/few.jsonl", "--taxonomy", f"{desk}/desk.toml")
    said = command("train", *material, "--out", f"{tmp_path}/few.npz", "--folds", "0").output
    assert "never be found: support:billing, support:outage, sales:quote, other\n" in said


def test_rows_of_other_tags_are_refused_with_the_file_and_what_was_expected(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.jsonl").write_text('{"messages": [], "tag": "math"}\n')
    said = r"odd\.jsonl, line 1: tag 'math' is not in .*desk\.toml: expected one of support:billing, .*, other"
    with pytest.raises(InputError, match=said):
        command("train", "--data", f"{tmp_path}/odd.jsonl", "--taxonomy", f"{desk}/desk.toml", "--out", "weights.npz")


def test_tags_of_ones_own_are_evaluated(desk: Path) -> None:
    material = ("--data", f"{desk}/mine.jsonl", "--taxonomy", f"{desk}/desk.toml")
    card = desk / "card.md"
    card.write_text("<!-- figures of `llmcensus evaluate` -->\n<!-- end of figures -->\n")
    result = command("evaluate", *material, "--folds", "2", "--card", str(card))
    assert result.exit_code == 0, result.output
    figures = [float(found) for found in re.findall(r"kappa (\d\.\d+)", result.output)]
    assert len(figures) == 2
    assert min(figures) > 0.5
    assert re.findall(r"^\| `(\S+)` \| 4\d \|", card.read_text(), re.MULTILINE) == [*SUBJECTS]


def test_rows_that_name_no_source_are_evaluated_as_of_one_that_was_seen(desk: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) | {"source": "yours"} for line in (desk / "mine.jsonl").read_text().splitlines()]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    card = tmp_path / "card.md"
    card.write_text("<!-- figures of `llmcensus evaluate` -->\n<!-- end of figures -->\n")
    material = ("--data", f"{tmp_path}/mine.jsonl", "--taxonomy", f"{desk}/desk.toml")
    said = command("evaluate", *material, "--folds", "2", "--card", str(card)).output
    assert "too few sources to hold one out" in said
    [figure] = re.findall(r"^sources seen +\d+ rows +kappa (\d\.\d+)", said, re.MULTILINE)
    assert float(figure) > 0.5
    assert "Tags, on sources seen:" in card.read_text()
    assert "never seen" not in card.read_text()


def test_the_docs_have_the_shipped_tags_with_their_definitions() -> None:
    rows = re.findall(r"^\| `(\S+)` \| (.+) \| (.+) \|$", (DOCS / "taxonomy.md").read_text(), re.MULTILINE)
    assert rows == [(tag, name, DEFINITIONS[tag]) for tag, name in SHIPPED.tags.items()]


def test_the_example_of_the_docs_is_a_taxonomy(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.+?)```", (DOCS / "taxonomy.md").read_text(), re.DOTALL)
    (tmp_path / "mine.toml").write_text(example)
    assert len(read(tmp_path / "mine.toml").tags) == 4
