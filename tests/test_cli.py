"""The commands, run as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pyarrow
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from llmcensus import __version__
from llmcensus.apps import app_id
from llmcensus.classify import Model
from llmcensus.classify.model import Confidence
from llmcensus.classify.report import BEGIN, END
from llmcensus.cli import group, main
from llmcensus.demo import DAYS, REQUESTS, traffic
from llmcensus.errors import InputError
from llmcensus.taxonomy import SHIPPED, TAGS
from llmcensus.wire import native
from tests.conftest import NOW
from tests.sources import batched, create, posted, slp, trace, trace_create, update
from tests.worlds import encoded, numbered, record


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMCENSUS_DB", f"sqlite:///{tmp_path}/census.db")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str, input: bytes | None = None) -> Result:  # noqa: A002 - click's name
        return CliRunner().invoke(group, list(arguments), input=input, catch_exceptions=False)

    return command


def written(run: object, *arguments: str, **more: object) -> str:
    """Runs a command that must succeed; returns what it wrote."""
    result: Result = run(*arguments, **more)  # type: ignore[operator]
    assert result.exit_code == 0, result.output
    return result.stdout


def test_import_tells_what_became_of_each_record(run: object, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(encoded(*numbered(8), record(id="gen-0"), record(id="p", public=False)))
    result: Result = run("import", "a.jsonl")  # type: ignore[operator]
    assert result.exit_code == 0
    table = {tuple(re.split(r"\s{2,}", line.strip())) for line in result.stdout.splitlines()}
    assert {("accepted", "9"), ("of these private, in no dataset", "1"), ("duplicates", "1"), ("read", "10")} <= table
    assert {("tokens", "9", "100.0 %"), ("model", "9", "100.0 %"), ("session", "0", "0.0 %")} <= table
    again = written(run, "import", "a.jsonl")
    assert re.search(r"accepted +0\n", again)
    assert re.search(r"duplicates +10\n", again)


def test_import_shows_refused_lines_and_counts_the_rest(run: object, tmp_path: Path) -> None:
    bad = b"".join(encoded(record(id=f"{n}", tokens_prompt=-n)) for n in range(1, 31))
    (tmp_path / "a.jsonl").write_bytes(encoded(record()) + bad)
    result: Result = run("import", "a.jsonl")  # type: ignore[operator]
    assert "a.jsonl:2 out_of_range: `tokens_prompt` is -1: expected `int` >= 0" in result.stderr
    assert "… and 10 more refused lines" in result.stderr
    assert re.search(r"refused +30\n +out_of_range +30\n", result.stdout)


def test_import_reads_folders_and_goes_on_after_a_file_it_cannot_read(run: object, tmp_path: Path) -> None:
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    (tmp_path / "logs" / "a.jsonl").write_bytes(encoded(record(id="a")))
    (tmp_path / "logs" / "deep" / "b.json.log").write_bytes(encoded(record(id="b")))
    (tmp_path / "logs" / "notes.txt").write_bytes(b"not traffic")
    (tmp_path / "odd.jsonl").write_bytes(b"dear diary\n")
    result: Result = run("import", "nowhere.jsonl", "odd.jsonl", "logs")  # type: ignore[operator]
    assert result.exit_code == 1
    assert "Cannot read nowhere.jsonl" in result.stderr
    assert "Cannot tell the format of odd.jsonl" in result.stderr
    assert re.search(r"accepted +2\n", result.stdout)


def test_classify_answers_in_order(run: object) -> None:
    requests = [
        {"id": "first", "messages": [{"role": "user", "content": "Translate to French: good morning"}]},
        {"messages": [{"role": "user", "content": "Translate to Spanish: good morning"}]},
        {"id": 3},
    ]
    lines = b"\n".join(json.dumps(one).encode() for one in requests)
    answers = [json.loads(line) for line in written(run, "classify", "-", "--json", input=lines).splitlines()]
    assert [answer["id"] for answer in answers] == ["first", 2, 3]
    assert [answer["tag"] for answer in answers] == ["translation", "translation", None]
    assert all(set(answer) == {"id", "tag", "confidence"} for answer in answers)
    plain = written(run, "classify", input=lines).splitlines()
    assert plain[0].split("\t")[:2] == ["first", "translation"]


def test_classify_keeps_its_place_at_a_bad_line(run: object) -> None:
    result: Result = run("classify", "--json", input=b'{"id": 1, "messages": []}\n{secret\n{"id": 3}')  # type: ignore[operator]
    assert result.exit_code == 1
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == [1, 2, 3]
    assert "line 2: not JSON" in result.stderr
    assert "secret" not in result.output


def test_keys_are_made_listed_and_revoked(run: object) -> None:
    key = written(run, "keys", "create", "--account", "me", "--scope", "ingest").strip()
    assert re.fullmatch(r"sk-llmc-v1-[0-9a-f]{64}", key)
    listed = written(run, "keys", "list")
    [hint] = re.findall(r"sk-llmc-v1-\S+", listed)
    assert key not in listed
    assert "me" in listed
    assert "ingest" in listed
    assert written(run, "keys", "revoke", hint) == "Revoked.\n"
    assert len(re.findall(r"\d{4}-\d\d-\d\d", written(run, "keys", "list"))) == 2


def test_apps_are_listed_and_changed(run: object, tmp_path: Path) -> None:
    one, two = "https://one.example", "https://two.example"
    (tmp_path / "a.jsonl").write_bytes(encoded(*(record(id=app, http_referer=app) for app in (one, two))))
    written(run, "import", "a.jsonl")
    written(run, "apps", "rename", str(app_id(one)), "First [bold]")
    written(run, "apps", "hide", str(app_id(one)))
    written(run, "apps", "merge", str(app_id(two)), str(app_id(one)))
    listed = written(run, "apps", "list")
    assert "First [bold]" in listed
    assert "hidden" in listed
    assert f"merged into {app_id(one)}" in listed
    written(run, "apps", "merge", str(app_id(two)), "--undo")
    assert "merged" not in written(run, "apps", "list")


def test_names_that_look_like_markup_are_names(run: object, tmp_path: Path) -> None:
    path = tmp_path / "[bold]a[].jsonl"
    app = {"http_referer": "https://a.example", "app_title": "[/x]"}
    path.write_bytes(encoded(record(model="[/red]", **app)) + b"{broken\n")
    result: Result = run("import", str(path))  # type: ignore[operator]
    assert f"{path}:2 bad_json" in result.stderr
    assert "?[/red]" in written(run, "models", "list")
    assert "[/x]" in written(run, "apps", "list")
    written(run, "keys", "create", "--account", "[/x]")
    assert "[/x]" in written(run, "keys", "list")


def test_import_says_what_each_file_is_read_as(run: object, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.jsonl").write_bytes(encoded(record(id="a")))
    (logs / "b.json").write_text(json.dumps([slp(), None, slp(call_type="amoderation")], indent=1))
    (logs / "c.jsonl").write_bytes(posted(trace_create(), create(), update()))
    (logs / "d.json").write_text(json.dumps(trace(), indent=1))
    (logs / "e.jsonl").write_text(json.dumps(batched()))
    (logs / "f.json").write_text("not traffic")
    parquet.write_table(pyarrow.table({name: [value] for name, value in record(id="g").items()}), logs / "g.parquet")
    result: Result = run("import", "logs")  # type: ignore[operator]
    said = [line for line in result.stderr.splitlines() if line.startswith("logs/") and line.endswith(")")]
    assert said == [
        "logs/a.jsonl: native generations (native)",
        "logs/b.json: LiteLLM payloads (litellm)",
        "logs/c.jsonl: Langfuse events or exported observations (langfuse)",
        "logs/d.json: OpenRouter Broadcast traces (openrouter)",
        "logs/e.jsonl: OpenAI Batch output (openai-batch)",
        "logs/g.parquet: native generations (native)",
    ]
    assert result.exit_code == 1
    assert "Cannot tell the format of logs/f.json" in result.stderr
    table = {tuple(re.split(r"\s{2,}", line.strip())) for line in result.stdout.splitlines()}
    assert {("accepted", "6"), ("ignored, no requests", "3"), ("read", "10")} <= table
    assert ("parts of requests, others told the rest or will", "1") in table
    asked: Result = run("import", "logs/a.jsonl", "--format", "native")  # type: ignore[operator]
    assert "(native)" not in asked.stderr


def test_import_of_many_files_says_only_what_changes(run: object, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(25):
        (logs / f"{number:02}.json").write_text(json.dumps(slp(litellm_call_id=str(number)), indent=1))
    (logs / "10.json").write_bytes(encoded(record()))
    result: Result = run("import", "logs")  # type: ignore[operator]
    assert [line.split(":")[0] for line in result.stderr.splitlines() if "what follows" in line] == [
        f"logs/{name}.json, and what follows" for name in ("00", "10", "11")
    ]
    assert re.search(r"accepted +25\n", result.stdout)


def test_import_counts_what_no_file_tells_more_of(run: object, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(posted(create()))
    shown = written(run, "import", "a.jsonl")
    assert re.search(r"accepted +1\n", shown)
    assert "parts of requests" not in shown


def test_import_says_that_it_read_nothing(run: object, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "b.txt").write_bytes(b"notes")
    empty: Result = run("import", "logs")  # type: ignore[operator]
    assert empty.exit_code == 1
    assert "Cannot read logs: expected a folder with files of JSON lines" in empty.stderr
    (logs / "a.NDJSON").write_bytes(encoded(record()))
    first: Result = run("import", "logs")  # type: ignore[operator]
    assert "1 files passed over" in first.stderr
    again: Result = run("import", "logs/a.NDJSON")  # type: ignore[operator]
    assert re.search(r"a\.NDJSON: imported before, on \d{4}-\d\d-\d\d; nothing was read", again.stderr)


def test_import_does_not_wait_for_a_pipe(run: object, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    result: Result = run("import", "pipe.jsonl")  # type: ignore[operator]
    assert result.exit_code == 1
    assert "Cannot read pipe.jsonl: expected a file or a folder" in result.stderr


def test_classify_reads_pairs_and_pipes(run: object, tmp_path: Path) -> None:
    pair = {"request": {"messages": [{"role": "user", "content": "Translate to French: good morning"}]}}
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(json.dumps(pair).encode(),))
    writer.start()
    assert written(run, "classify", "pipe").split("\t")[1] == "translation"
    writer.join()


def test_unknown_models_are_listed_and_named(run: object, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(encoded(record(model="house"), record(id="2")))
    written(run, "import", "a.jsonl")
    assert "?house" in written(run, "models", "list", "--unknown")
    assert "1 requests that were counted as unknown" in written(run, "models", "alias", "house", "acme/house")
    assert "acme/house" in written(run, "models", "list")
    assert "?" not in written(run, "models", "list", "--unknown")
    assert written(run, "models", "sync") == ""


def test_status_shows_coverage_and_versions(run: object, tmp_path: Path) -> None:
    assert "nothing was counted yet" in written(run, "status")
    (tmp_path / "a.jsonl").write_bytes(encoded(*numbered(3, cost_usd=None)) + b"{broken\n")
    written(run, "import", "a.jsonl")
    shown = written(run, "status")
    for said in ("2026-11-20", "hashed-", "accepted", "bad_json", "cost, from the price list"):
        assert said in shown


def test_training_and_evaluating_run_on_a_file(run: object, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in traffic(NOW, 300)]
    known = ["translation", "math", "summarization"]
    data = [{"messages": row["messages"], "tag": known[n % 3], "source": f"r{n % 4}:x"} for n, row in enumerate(rows)]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in data))
    (tmp_path / "bank.jsonl").write_text('{"kind": "alone", "text": "7 times 8?", "tag": "math"}\n')
    material = ("--data", "rows.jsonl", "--instructions", "bank.jsonl")
    trained = written(run, "train", *material, "--out", "weights.npz", "--folds", "2")
    assert "kappa" in trained
    assert f"{len(data)} checked" in trained
    assert Model.load(tmp_path / "weights.npz", SHIPPED).card.confidence != Confidence()
    (tmp_path / "card.md").write_text(f"By hand.\n{BEGIN}\nold\n{END}\nAlso by hand.\n")
    shown = written(run, "evaluate", *material, "--folds", "2", "--card", "card.md")
    assert shown.count("kappa") == 2
    card = (tmp_path / "card.md").read_text()
    assert card.startswith("By hand.")
    assert card.endswith("Also by hand.\n")
    assert "old" not in card
    assert "| `math` |" in card
    assert (tmp_path / "card.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("source", "said"), [("yours", "kappa"), ("authored:mine", "not calibrated")])
def test_rows_of_one_source_are_learned_from(run: object, tmp_path: Path, source: str, said: str) -> None:
    rows = [
        {"messages": [{"role": "user", "content": f"{word} {n}"}], "tag": tag, "source": source}
        for n in range(20)
        for word, tag in (("translate", "translation"), ("add", "math"))
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert said in written(run, "train", "--data", "rows.jsonl", "--out", "weights.npz")
    assert (tmp_path / "weights.npz").exists()


@pytest.mark.parametrize(
    ("option", "line", "said"),
    [
        ("--data", '{"messages": [], "tag": "cooking"}', "cooking"),
        ("--data", '{"messages": "x"}', "messages"),
        ("--instructions", '{"kind": "song", "text": "x", "tag": "math"}', "kind"),
        ("--readings", '{"id": "1", "tag": "cooking"}', "cooking"),
    ],
)
def test_training_material_that_cannot_be_read_is_named(
    run: object, tmp_path: Path, option: str, line: str, said: str
) -> None:
    (tmp_path / "fine.jsonl").write_text('{"messages": [], "tag": "math"}\n')
    (tmp_path / "bad.jsonl").write_text(line)
    with pytest.raises(InputError, match=rf"bad\.jsonl, line 1: .*{said}"):
        run("train", "--data", "fine.jsonl", option, "bad.jsonl", "--out", "weights.npz")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["keys", "revoke", "nobody"], "No usable key"),
        (["models", "alias", "a", "b"], "expected author/slug"),
        (["apps", "hide", "7"], "No app 7"),
        (["import", "x", "--format", "odd"], "expected one of auto, langfuse, litellm, native, openai"),
        (["serve", "--port", "99999"], "expected a whole number from 1 to 65,535"),
        (["status", "--db", "nonsense"], "expected an SQLAlchemy URL"),
        (["status", "--taxonomy", "nowhere.toml"], "Cannot read the taxonomy nowhere.toml"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: list[str],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["llmcensus", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    errors = capsys.readouterr().err
    assert ended.value.code == 1
    assert says in errors
    assert errors.startswith("Error: ")
    assert errors.count("\n") == 1


def test_it_knows_its_version(run: object) -> None:
    assert __version__ in written(run, "--version")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_demo_serves_what_it_prints_and_leaves_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "llmcensus", "demo", "--port", "8931", "--requests", "2000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        text=True,
        # What it makes up is judged by what is shipped, whatever is set.
        env=os.environ | {"TMPDIR": str(tmp_path), "LLMCENSUS_CLASSIFIER": "judge"},
    )
    try:
        assert process.stdout is not None
        shown = ""
        while "display_name" not in shown:
            shown += process.stdout.readline()
        while True:
            try:
                httpx.get("http://localhost:8931/healthz")
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        [key] = set(re.findall(r"sk-llmc-v1-[0-9a-f]{64}", shown))
        for line in re.findall(r"^  curl .*$", shown, re.MULTILINE):
            done = subprocess.run(
                ["bash", "-c", f"{line.strip()} --silent --fail"],
                env=os.environ | {"KEY": key},
                capture_output=True,
                check=True,
            )
            assert json.loads(done.stdout)["data"]
        snippet = "\n".join(line[2:] for line in shown[shown.index("  from openrouter") :].splitlines())
        done = subprocess.run([sys.executable, "-c", snippet], capture_output=True, check=True)
        assert len(done.stdout.splitlines()) == 5
    finally:
        process.send_signal(ending)
        process.communicate(timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said_before_the_work(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "llmcensus", "demo", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr


def test_the_demos_traffic_is_native_repeatable_and_has_every_tag() -> None:
    lines = list(traffic(NOW, 3000))
    assert lines == list(traffic(NOW, 3000))
    generations = [native.decode(line) for line in lines]
    assert 3000 < len(generations) < 3060
    assert min(one.created_at for one in generations) < max(one.created_at for one in generations) <= NOW
    assert (NOW - generations[0].created_at).days in (DAYS - 1, DAYS)
    assert REQUESTS > 10_000
    texts = {one.messages[-1].text() for one in generations if one.messages}
    assert len(texts) > 15 * len(TAGS)
