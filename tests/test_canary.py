"""A unique string in every field that holds text is nowhere afterwards: not on disk, in no log, in no answer."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Response

from llmcensus.store import Store
from llmcensus.wire.otlp import Encoding
from tests.conftest import NOW
from tests.endpoints import Asked, Reply, completion, said, speaking
from tests.serving import Server, serving
from tests.sources import create, event, posted, slp, update
from tests.telemetry import Record, Span, asked, call, encode
from tests.worlds import encoded, record

CANARY = "canary-7c1f4e"


def sung(field: str) -> str:
    return f"{CANARY}-{field}"


def texts() -> dict[str, Any]:
    """Returns a record with a canary in everything that may hold text of a person or a program."""
    parts = [{"type": "text", "text": sung("part")}, {"type": "image_url", "image_url": {"url": sung("image")}}]
    call = {"name": sung("call"), "arguments": json.dumps({"a": sung("argument")})}
    return record(
        id="canary",
        messages=[
            {"role": "system", "content": sung("system")},
            {"role": "user", "content": parts},
            {"role": "assistant", "content": sung("reply"), "tool_calls": [call]},
            {"role": "tool", "content": sung("result"), "name": sung("name")},
            {"role": "user", "content": sung("user")},
        ],
        tools=[sung("tool"), {"type": "function", "function": {"name": sung("function"), "description": sung("docs")}}],
        error={"message": sung("error"), "trace": [sung("trace")]},
        tokens_completion=3,
        metadata={"file": sung("file")},
        user_agent=sung("agent"),
        account=sung("account"),
        session_id=sung("session"),
        task_type=sung("declared"),
        finish_reason=sung("finish"),
        provider=sung("provider"),
    )


def broken() -> list[bytes]:
    """Returns records that are refused, each with a canary where the fault is."""
    whole = json.dumps(texts())
    return [
        whole[:-40].encode(),
        whole.replace(f'"{sung("user")}"', f'"{sung("user")}\x01"').encode(),
        json.dumps(texts() | {"messages": sung("messages")}).encode(),
        json.dumps(texts() | {"tokens_prompt": sung("tokens")}).encode(),
        json.dumps(texts() | {"created_at": sung("time") * 3}).encode(),
        json.dumps(texts() | {"id": ["x", sung("id")]}).encode(),
        whole.encode().replace(sung("user").encode(), sung("user").encode() + b"\xff"),
        (sung("not json") + "\n").encode(),
    ]


def foreign() -> dict[str, bytes]:
    """Returns bodies as other programs post them, by path, with a canary in everything that may hold text."""
    turns = texts()["messages"]
    payload = slp(
        messages=turns,
        response={"choices": [{"finish_reason": "stop", "message": {"content": sung("completion")}}]},
        error_str=sung("error"),
        error_information={"error_message": sung("message"), "traceback": sung("traceback")},
        end_user=sung("user"),
        request_tags=[sung("tag")],
        model_parameters={"instructions": sung("instructions"), "tools": texts()["tools"][1:]},
        metadata__requester_metadata={"session_id": sung("session"), "note": sung("note")},
    )
    broken = payload | {"prompt_tokens": sung("tokens")}
    begun = create(input={"messages": turns, "tools": texts()["tools"]}, metadata={"k": sung("metadata")})
    ended = update(output={"content": sung("output")}, statusMessage=sung("status"))
    odd = update(id="odd", usageDetails={f"input_{sung('key')}": sung("count")}, startTime=sung("time"))
    held = create(id="held", input=sung("held"), name=sung("name"))
    told = event("trace-create", {"id": "trace-1", "sessionId": sung("talk"), "input": sung("trace"), "userId": "u"})
    return {
        "/integrations/litellm": json.dumps([payload, broken]).encode(),
        "/api/public/ingestion": posted(told, begun, ended, odd, held),
    }


def silent(folder: Path) -> None:
    """Asserts that no file below `folder` holds a canary, plain or in UTF-16, compressed or not."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        data = path.read_bytes()
        assert CANARY.encode() not in data, path
        assert CANARY.encode("utf-16-le") not in data, path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "everything"
    made.mkdir()
    return made


def test_an_import_leaves_no_text_anywhere(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "traffic.jsonl.gz"
    source.write_bytes(gzip.compress(b"\n".join([json.dumps(texts()).encode(), *broken()])))
    command = [sys.executable, "-m", "llmcensus", "import", str(source), "--db", f"sqlite:///{folder}/census.db"]
    done = subprocess.run(
        command, capture_output=True, env=os.environ | {"TMPDIR": str(folder)}, timeout=120, check=False
    )
    (folder / "stdout").write_bytes(done.stdout)
    (folder / "stderr").write_bytes(done.stderr)
    assert b"accepted" in done.stdout
    assert b"refused" in done.stdout
    silent(folder)
    store = Store.open(f"sqlite:///{folder}/census.db")
    assert store.tally()["accepted"] == 1
    assert sum(store.tally().refused().values()) == len(broken())
    store.close()


def test_ingest_over_http_leaves_no_text_anywhere(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = server.key("ingest")
    for body in [json.dumps(texts()).encode(), json.dumps([texts()]).encode(), *broken(), b"\n".join(broken())]:
        answer = server.post(body, key)
        assert answer.status_code in (200, 400)
        assert CANARY not in answer.text
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err
    silent(tmp_path)


async def echoes(asked: Asked) -> Reply:
    """Fails in every way, each time with all that it was asked in what it says."""
    whole = json.dumps(asked.payload)
    replies: list[Reply] = [
        Response(whole.encode(), status_code=500, headers={"retry-after": "0"}),
        Response({"error": {"message": whole, "param": whole}}, status_code=400),
        Response(whole.encode(), media_type="text/html"),
        completion(whole),
        said(sung("user")),
        said("math", whole),
        completion(None, refusal=whole),
    ]
    at = int(asked.request["asked_last"].rpartition("-")[2])
    return replies[at % len(replies)]


def asking() -> list[dict[str, Any]]:
    """Returns more records than a judge takes failures of in a row, each another."""
    each = []
    for number in range(40):
        changed = texts() | {"id": f"canary-{number}"}
        changed["messages"][-1]["content"] = f"{sung('user')}-{number}"
        each.append(changed)
    return each


REASONS = {"http_500", "http_400", "bad_answer", "unknown_tag", "declined"}


def test_an_import_whose_judge_fails_leaves_no_text_anywhere(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "traffic.jsonl"
    source.write_bytes(encoded(*asking()))
    command = [sys.executable, "-m", "llmcensus", "import", str(source), "--db", f"sqlite:///{folder}/census.db"]
    with speaking(echoes) as speaks:
        given = os.environ | {"TMPDIR": str(folder)} | speaks.environ(judge_key=sung("key"))
        done = subprocess.run(command, capture_output=True, env=given, timeout=120, check=False)
        assert any(sung("system") in json.dumps(asked.payload) for asked in speaks.asked)
    (folder / "stdout").write_bytes(done.stdout)
    (folder / "stderr").write_bytes(done.stderr)
    assert b"not judged" in done.stderr
    silent(folder)
    store = Store.open(f"sqlite:///{folder}/census.db")
    assert store.tally()["unclassified"] == store.tally()["accepted"] == 40
    assert set(store.tally().unjudged()) >= REASONS
    store.close()


@pytest.fixture
def judged(store: Store) -> Iterator[Server]:
    """A server whose judge fails."""
    with speaking(echoes) as speaks, serving(store, lambda: NOW, **speaks.settings(judge_key=sung("key"))) as running:
        yield running


def test_ingest_whose_judge_fails_leaves_no_text_anywhere(
    judged: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = judged.post(encoded(*asking()), judged.key("ingest"))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 40)
    captured = capfd.readouterr()
    assert "not judged" in caplog.text
    assert CANARY not in answer.text + caplog.text + captured.out + captured.err
    assert set(judged.store.tally().unjudged()) >= REASONS
    silent(tmp_path)


def spans() -> list[Span]:
    """Returns spans with a canary in every attribute that may hold text, and some that are refused for theirs."""
    said = json.dumps([{"role": "user", "content": sung("user"), "parts": [{"type": "text", "content": sung("part")}]}])
    texts = {
        "gen_ai.input.messages": said,
        "gen_ai.output.messages": said,
        "gen_ai.system_instructions": sung("system"),
        "gen_ai.tool.definitions": json.dumps([{"name": sung("tool")}]),
        "gen_ai.conversation.id": sung("session"),
        "user_agent.original": sung("agent"),
        "error.type": sung("error"),
        sung("key"): sung("value"),
    }
    asked = json.dumps({"messages": json.loads(said), "model": sung("model")})
    langfuse = {"langfuse.observation.type": "generation", "langfuse.observation.input": asked}
    odd = {"langfuse.observation.usage_details": json.dumps({f"input_{sung('count')}": -1})}
    return [
        call(texts, id="a" * 16, resource={"service.name": sung("service")}),
        call(texts, id="b" * 16, failed=True),
        call(langfuse | {"langfuse.observation.model.name": "gpt-4o"}, id="c" * 16),
        call(texts | {"gen_ai.usage.input_tokens": sung("tokens")}, id="d" * 16),
        call(texts | {"gen_ai.usage.output_tokens": [sung("tokens")]}, id="e" * 16),
        call(langfuse | odd, id="2" * 16),
        call({"gen_ai.response.finish_reasons": sung("finish")}, id="f" * 16),
        call({"openinference.span.kind": "LLM", "input.value": asked, "llm.cost.total": sung("cost")}, id="1" * 16),
    ]


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_spans_and_log_records_leave_no_text_anywhere(
    server: Server,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    encoding: Encoding,
) -> None:
    caplog.set_level(logging.DEBUG)
    media = "application/x-protobuf" if encoding == "protobuf" else "application/json"
    headers = {"authorization": f"Bearer {server.key('ingest')}", "content-type": media}
    told: list[tuple[str, bytes]] = [
        ("/v1/traces", encode(spans(), encoding)),
        ("/v1/logs", encode([asked(sung("record"), id="f" * 16), asked(sung("early"), id="9" * 16)], encoding)),
        ("/v1/logs", encode([Record("gen_ai.choice", {"finish_reason": sung("choice")}, id="f" * 16)], encoding)),
        ("/v1/traces", encode(spans(), encoding)[:-40] + sung("cut").encode()),
        ("/v1/logs", sung("no body").encode()),
    ]
    for path, data in told:
        answer = httpx.post(server.url + path, content=data, headers=headers)
        assert answer.status_code in (200, 400)
        assert CANARY.encode() not in answer.content
    assert server.store.tally()["accepted"] == 4
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err
    silent(tmp_path)


def test_what_others_post_leaves_no_text_anywhere(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    key = {"x-llmcensus-key": server.key("ingest")}
    for path, body in foreign().items():
        answer = httpx.post(server.url + path, content=body, headers=key)
        assert answer.status_code in (200, 207)
        assert CANARY not in answer.text
    tally = server.store.tally()
    assert (tally["accepted"], tally["part"], sum(tally.refused().values())) == (2, 2, 2)
    captured = capfd.readouterr()
    assert CANARY not in caplog.text + captured.out + captured.err
    silent(tmp_path)
