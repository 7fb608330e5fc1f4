"""Routes that take what gateways and SDKs post as they post it: their keys, their forms, their answers."""

from __future__ import annotations

import base64
import gzip
import json
import threading
import time
from typing import Any

import httpx
import pytest

from llmcensus.api import intake as routes
from llmcensus.store import Store, sql
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.sources import create, event, posted, slp, trace_create, update
from tests.worlds import record, total

LITELLM = "/integrations/litellm"
LANGFUSE = "/api/public/ingestion"


def post(server: Server, path: str, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(server.url + path, content=body, headers={"content-type": "application/json"} | headers)


def basic(key: str, public: str = "pk-anything") -> str:
    return "Basic " + base64.b64encode(f"{public}:{key}".encode()).decode()


@pytest.mark.parametrize("path", [LITELLM, "/api/v1/generations"])
def test_a_key_comes_in_any_header_that_a_sender_can_set(server: Server, path: str) -> None:
    key = server.key("ingest")
    sent = json.dumps([slp()] if path == LITELLM else [record()]).encode()
    for header, value in (("authorization", f"Bearer {key}"), ("x-api-key", key), ("x-llmcensus-key", key)):
        assert post(server, path, sent, **{header: value}).status_code == 200
    assert post(server, path, sent, **{"x-ingest-key": key}).status_code == 401
    assert post(server, path, sent, **{"x-api-key": "sk-llmc-v1-" + "0" * 64}).status_code == 401
    assert post(server, path, sent, **{"x-api-key": server.key("read")}).status_code == 403
    assert post(server, path, sent).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([slp(), slp(litellm_call_id="call-2")]).encode(),
        b"\n".join(json.dumps(slp(litellm_call_id=name)).encode() for name in ("call-1", "call-2")),
        json.dumps([None, slp(), None, slp(litellm_call_id="call-2")]).encode(),
    ],
    ids=["array", "lines", "with nothing in between"],
)
def test_litellm_may_post_an_array_or_lines(server: Server, body: bytes) -> None:
    key = server.key("ingest")
    answer = post(server, LITELLM, body, **{"x-api-key": key})
    assert answer.status_code == 200
    taken = answer.json()
    nothing = body.count(b"null, {")
    assert (taken["accepted"], taken["duplicates"], taken["refused"]) == (2, 0, {})
    assert taken.get("ignored", 0) == nothing
    assert post(server, LITELLM, body, **{"x-api-key": key}).json()["duplicates"] == 2


def test_litellm_may_post_one_object(server: Server) -> None:
    answer = post(server, LITELLM, json.dumps(slp()).encode(), **{"x-api-key": server.key("ingest")})
    assert answer.json() == {"accepted": 1, "duplicates": 0, "refused": {}}
    assert total(server.store, "app", "requests") == 1
    assert total(server.store, "model", "tokens_prompt") == 100


def test_a_bad_payload_stops_no_other(server: Server) -> None:
    body = json.dumps([slp(prompt_tokens=-1), slp(call_type="amoderation"), slp()]).encode()
    taken = post(server, LITELLM, body, **{"x-api-key": server.key("ingest")}).json()
    assert (taken["accepted"], taken["ignored"], taken["refused"]) == (1, 1, {"out_of_range": 1})
    assert [(problem["record"], problem["reason"]) for problem in taken["problems"]] == [(1, "out_of_range")]


def test_a_store_that_is_busy_is_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BUSY_MS", 50)
    with serving(store, lambda: NOW) as server:
        key = server.key("ingest")
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with store.writing():
                held.set()
                done.wait(20)

        holding = threading.Thread(target=hold)
        holding.start()
        held.wait()
        native = server.post(json.dumps(record()).encode(), key)
        assert (native.status_code, native.headers["retry-after"]) == (503, "2")
        threading.Timer(1.0, done.set).start()
        answer = post(server, LITELLM, json.dumps([slp()]).encode(), **{"x-api-key": key})
        holding.join()
    assert answer.json()["accepted"] == 1


def test_waiting_has_an_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "BUSY_MS", 50)
    monkeypatch.setitem(routes.PATIENCE_S, LITELLM, 0.7)
    with serving(store, lambda: NOW) as server:
        key = {"x-api-key": server.key("ingest")}
        with store.writing():
            started = time.monotonic()
            answer = post(server, LITELLM, json.dumps([slp()]).encode(), **key)
    assert answer.status_code == 503
    assert 0.5 < time.monotonic() - started < 5


def test_langfuse_is_answered_event_by_event(server: Server) -> None:
    sent = posted(trace_create(), create(), update(usageDetails={"input": -1}), event("span-create", {"id": "s"}))
    answer = post(server, LANGFUSE, sent, authorization=basic(server.key("ingest")))
    assert answer.status_code == 207
    found = answer.json()
    assert set(found) == {"successes", "errors"}
    assert found["successes"] == [
        {"id": "trace-create-trace-1", "status": 201},
        {"id": "generation-create-obs-1", "status": 201},
        {"id": "span-create-s", "status": 201},
    ]
    [error] = found["errors"]
    assert (error["id"], error["status"], error["error"]) == ("generation-update-obs-1", 400, "out_of_range")
    assert "a count of tokens is -1" in error["message"]


def test_langfuse_events_are_counted_over_posts(server: Server) -> None:
    key = basic(server.key("ingest"))
    for sent in (posted(trace_create(), create()), posted(update()), posted(update())):
        assert post(server, LANGFUSE, sent, authorization=key).json()["errors"] == []
    assert total(server.store, "model", "requests") == total(server.store, "task", "requests") == 1
    assert total(server.store, "model", "tokens_completion") == 20


@pytest.mark.parametrize(
    "header", ["Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Basic", basic("sk-llmc-v1-nobody")]
)
def test_a_password_that_is_no_key_is_401(server: Server, header: str) -> None:
    answer = post(server, LANGFUSE, posted(create()), authorization=header)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}


def test_langfuse_asks_which_project_a_key_is_of(server: Server) -> None:
    found = httpx.get(server.url + "/api/public/projects", headers={"authorization": basic(server.key("ingest"))})
    assert [set(project) for project in found.json()["data"]] == [{"id", "name"}]
    assert httpx.get(server.url + "/api/public/projects", headers={"authorization": basic("x")}).status_code == 401


@pytest.mark.parametrize("path", [LITELLM, LANGFUSE])
def test_a_body_that_cannot_be_read_is_400_and_one_too_long_413(store: Store, path: str) -> None:
    with serving(store, lambda: NOW, max_body_mb="1") as server:
        key = {"authorization": basic(server.key("ingest"))}
        for body in (b"", b"hello", b"[{]"):
            assert post(server, path, body, **key).status_code == 400
        assert post(server, path, b" " * (2 << 20), **key).status_code == 413


@pytest.mark.parametrize(("path", "body"), [(LITELLM, json.dumps([slp()]).encode()), (LANGFUSE, posted(create()))])
def test_a_body_may_be_gzip(server: Server, path: str, body: bytes) -> None:
    key: dict[str, Any] = {"authorization": basic(server.key("ingest")), "content-encoding": "gzip"}
    assert post(server, path, gzip.compress(body), **key).status_code in (200, 207)
    tally = server.store.tally()
    assert tally["accepted"] + tally["part"] == 1
