"""What an operator sees of a running server: `/metrics`, `status` and the log."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmcensus.logs import DETAILS, ConsoleFormatter, JsonFormatter
from llmcensus.store import Store, keys
from tests.serving import Server
from tests.sources import slp
from tests.telemetry import call, encode
from tests.worlds import encoded, numbered, record

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
CANARY = "canary-5d0e"


def read(server: Server) -> Samples:
    answer = httpx.get(f"{server.url}/metrics", headers={"authorization": f"Bearer {server.key('ingest')}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (
            sample.name,
            frozenset((name, value) for name, value in sample.labels.items() if name != "process"),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def at(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_metrics_are_for_who_may_send(server: Server) -> None:
    assert httpx.get(f"{server.url}/metrics").status_code == 401
    assert server.get("/metrics", server.key("read")).status_code == 403
    assert server.get("/metrics", server.key("ingest")).status_code == 200


def test_metrics_tell_what_became_of_records_by_source(server: Server) -> None:
    key = server.key("ingest")
    server.post(encoded(*numbered(3, source="mine"), record(id="x", source="mine", messages=None)), key)
    server.post(encoded(*numbered(3, source="mine")), key)
    server.post(encoded(record(id="n0", source="mine", tokens_prompt=5)) + b"{broken\n", key)
    httpx.post(
        f"{server.url}/integrations/litellm",
        content=json.dumps([slp(), slp(litellm_call_id="b", prompt_tokens=-1), None]),
        headers={"x-api-key": key},
    )
    httpx.post(
        f"{server.url}/v1/traces",
        content=encode([call()], "json"),
        headers={"x-api-key": key, "content-type": "application/json"},
    )
    samples = read(server)
    tally = server.store.tally()
    assert at(samples, "llmcensus_accepted", source="mine") == tally.of("mine")["accepted"]
    assert at(samples, "llmcensus_duplicates_total", source="mine") == 3
    assert at(samples, "llmcensus_refused_total", source="native", reason="bad_json") == 1
    assert at(samples, "llmcensus_refused_total", source="litellm", reason="out_of_range") == 1
    assert at(samples, "llmcensus_ignored", source="litellm") == 1
    assert at(samples, "llmcensus_known", source="litellm", what="app") == 1
    assert at(samples, "llmcensus_known", source="otlp", what="text") == 0
    assert at(samples, "llmcensus_known", source="otlp", what="tokens") == 1
    assert at(samples, "llmcensus_bodies_total", route="/integrations/litellm", status="200") == 1
    assert at(samples, "llmcensus_body_seconds_count", route="/api/v1/generations") == 3
    assert at(samples, "llmcensus_queue_bytes") == at(samples, "llmcensus_queue_bodies") == 0
    assert at(samples, "llmcensus_queue_limit_bytes") == 256 << 20
    assert at(samples, "llmcensus_newest_request_timestamp_seconds") == 1795168800.25
    assert any(name == "llmcensus_classifier_info" for name, _ in samples)


def test_a_refused_body_is_counted_by_its_answer(server: Server) -> None:
    assert server.post(b"[]", None).status_code == 401
    assert server.post(b"nonsense", server.key("ingest")).status_code == 400
    samples = read(server)
    assert at(samples, "llmcensus_bodies_total", route="/api/v1/generations", status="401") == 1
    assert at(samples, "llmcensus_bodies_total", route="/api/v1/generations", status="400") == 1


def test_how_far_counting_is_never_goes_back(store: Store, server: Server) -> None:
    assert store.progress()[:2] == (None, None)
    key = server.key("ingest")
    server.post(encoded(record(id="1", created_at="2026-11-20T10:00:00Z")), key)
    server.post(encoded(record(id="2", created_at="2026-11-19T10:00:00Z")), key)
    newest, counted, waiting = store.progress()
    assert newest == 1795168800000
    assert counted == store.now_ms()
    assert waiting == 0


def line(exception: BaseException | None = None) -> logging.LogRecord:
    info = (type(exception), exception, None) if exception else None
    made = logging.LogRecord("llmcensus.test", logging.INFO, "", 1, "counted %d", (3,), info)
    setattr(made, DETAILS, {"route": "/v1/logs", "accepted": 3})
    made.created = 1795168800.25
    return made


def test_a_log_record_is_one_line_of_json() -> None:
    assert json.loads(JsonFormatter().format(line())) == {
        "at": "2026-11-20T10:00:00.250+00:00",
        "level": "info",
        "logger": "llmcensus.test",
        "message": "counted 3",
        "route": "/v1/logs",
        "accepted": 3,
    }


def test_a_log_record_is_a_line_for_people() -> None:
    assert ConsoleFormatter().format(line()) == "2026-11-20 10:00:00 info    counted 3 route=/v1/logs accepted=3"


@pytest.mark.parametrize("formatter", [JsonFormatter(), ConsoleFormatter()])
def test_of_an_exception_only_its_type_is_logged(formatter: logging.Formatter) -> None:
    written = formatter.format(line(ValueError(CANARY)))
    assert "ValueError" in written
    assert CANARY not in written


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_server_logs_what_it_counts_and_no_text(tmp_path: Path, form: str) -> None:
    db = f"sqlite:///{tmp_path}/census.db"
    store = Store.open(db)
    with store.writing() as connection:
        key = keys.create(connection, "tests", "ingest", 0)
    store.close()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "llmcensus", "serve", "--db", db, "--port", str(port), "--log", form]
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(command, stderr=log, stdout=log, cwd=tmp_path, env=os.environ)
    try:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while True:
            try:
                assert httpx.get(f"{url}/healthz").status_code == 200
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.1)
        said = [{"role": "user", "content": CANARY}]
        body = encoded(record(messages=said, created_at="2026-11-20T10:00:00Z"), record(id=7, messages=said))
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(f"{url}/api/v1/generations", content=body, headers=headers).status_code == 200
        assert httpx.post(f"{url}/v1/traces", content=CANARY, headers=headers).status_code == 400
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(30)
    written = (tmp_path / "log").read_text()
    assert CANARY not in written
    if form == "json":
        lines = [json.loads(one) for one in written.splitlines()]
        [counted] = [one for one in lines if one["message"] == "counted"]
        assert (counted["route"], counted["accepted"]) == ("/api/v1/generations", 1)
        assert counted["refused"] == {"wrong_type": 1}
    else:
        assert "counted route=/api/v1/generations accepted=1" in written
