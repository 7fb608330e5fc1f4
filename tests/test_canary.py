"""A unique string in every field that holds text is nowhere afterwards: not on disk, in no log, in no answer."""

from __future__ import annotations

import gzip
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from llmcensus.store import Store
from tests.serving import Server
from tests.sources import create, event, posted, slp, update
from tests.worlds import record

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
