"""Exporters are answered as the protocol says, in the encoding of what they sent; what was answered 200 is counted."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from llmcensus import config
from llmcensus.api.otlp import Sweeper
from llmcensus.errors import ConfigError
from llmcensus.store import Store, keys, sql, utc_now
from llmcensus.wire.otlp import Encoding
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.telemetry import Record, Span, asked, call, encode
from tests.worlds import cells, total

MEDIA = {"protobuf": "application/x-protobuf", "json": "application/json"}
TRACES = ("/v1/traces", "/api/public/otel/v1/traces", "/integrations/openrouter")
ENCODINGS: list[Encoding] = ["protobuf", "json"]
BROADCAST = call(
    {"span.type": "generation", "gen_ai.response.id": "gen-1"},
    scope="openrouter",
    resource={"service.name": "openrouter"},
)


def post(
    server: Server,
    path: str,
    told: list[Span] | list[Record] | bytes,
    encoding: Encoding = "json",
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Posts spans or records with a new key, unless `headers` have one."""
    named = {"content-type": MEDIA[encoding]} | (headers or {})
    if "authorization" not in named and "x-api-key" not in named:
        named["authorization"] = f"Bearer {server.key('ingest')}"
    data = told if isinstance(told, bytes) else encode(told, encoding)
    return httpx.post(server.url + path, content=data, headers=named)


def status(answer: httpx.Response) -> tuple[int, str]:
    """Returns code and message of a `google.rpc.Status`, read by hand: the class is in a package that nobody needs."""
    if answer.headers["content-type"] == MEDIA["json"]:
        told = answer.json()
        assert set(told) == {"code", "message"}
        return told["code"], told["message"]
    assert answer.headers["content-type"] == MEDIA["protobuf"]
    body = answer.content
    assert (body[0], body[2]) == (0x08, 0x12)
    message = body[4:] if body[3] < 0x80 else body[5:]
    length = body[3] if body[3] < 0x80 else (body[3] & 0x7F) | body[4] << 7
    assert len(message) == length
    return body[1], message.decode()


@pytest.mark.parametrize("path", TRACES)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("compressed", [False, True])
def test_spans_are_counted_before_they_are_answered(
    server: Server, path: str, encoding: Encoding, compressed: bool
) -> None:
    data = encode([call()], encoding)
    headers = {"content-encoding": "gzip"} if compressed else {}
    answer = post(server, path, gzip.compress(data) if compressed else data, encoding, headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA[encoding])
    assert answer.content == (b"" if encoding == "protobuf" else b"{}")
    assert total(server.store, "task", "requests") == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_records_are_joined_to_spans(server: Server, encoding: Encoding) -> None:
    assert post(server, "/v1/traces", [call()], encoding).status_code == 200
    answer = post(server, "/v1/logs", [asked()], encoding)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA[encoding])
    [row] = cells(server.store)["task"]
    assert (row[1], row[4]) == ("translation", 1)
    if encoding == "protobuf":
        assert ExportLogsServiceResponse.FromString(answer.content) == ExportLogsServiceResponse()


def test_a_body_may_come_in_chunks(server: Server) -> None:
    data = encode([call()], "json")
    chunks: Iterator[bytes] = (data[at : at + 50] for at in range(0, len(data), 50))
    headers = {"authorization": f"Bearer {server.key('ingest')}", "content-type": "application/json; charset=utf-8"}
    answer = httpx.post(f"{server.url}/v1/traces", content=chunks, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert total(server.store, "task", "requests") == 1


@pytest.mark.parametrize("path", [*TRACES, "/v1/logs"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_is_taken_in_well(server: Server, path: str, encoding: Encoding) -> None:
    assert post(server, path, b"" if encoding == "protobuf" else b"{}", encoding).status_code == 200


def test_spans_that_were_refused_are_told_and_not_to_be_sent_again(server: Server) -> None:
    told = [call(), call({"gen_ai.usage.input_tokens": -1}, id="a" * 16), Span({}, id="b" * 16)]
    answer = post(server, "/v1/traces", told, "protobuf")
    assert answer.status_code == 200
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 1
    assert partial.error_message.startswith(
        "1 of 3 spans were refused: out_of_range 1. The first: `tokens_prompt` is -1"
    )
    as_json = post(server, "/v1/traces", told, "json").json()
    assert as_json == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": partial.error_message}}


@pytest.mark.parametrize("path", [*TRACES, "/v1/logs"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_that_cannot_be_read_is_400(server: Server, path: str, encoding: Encoding) -> None:
    answer = post(server, path, b"\x0a\xffprompt", encoding)
    assert answer.status_code == 400
    code, message = status(answer)
    assert code == 3
    assert "prompt" not in message


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"content-encoding": "zstd"}, b"{}", "expected gzip"),
        ({"content-encoding": "gzip"}, b"{}", "no gzip"),
        ({"content-encoding": "gzip"}, gzip.compress(b"{}" * 99)[:-9], "cut off"),
    ],
)
def test_a_body_in_no_encoding_is_400(server: Server, headers: dict[str, str], body: bytes, expected: str) -> None:
    answer = post(server, "/v1/traces", body, headers=headers)
    assert answer.status_code == 400
    assert expected in status(answer)[1]


def test_another_media_type_is_415(server: Server) -> None:
    answer = post(server, "/v1/traces", b"<spans/>", headers={"content-type": "text/xml"})
    assert answer.status_code == 415
    assert status(answer) == (3, "Content-Type 'text/xml': expected application/x-protobuf or application/json")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("path", [*TRACES, "/v1/logs"])
def test_without_a_key_nothing_is_taken(server: Server, path: str, encoding: Encoding) -> None:
    nobody = base64.b64encode(b"public:sk-llmc-v1-0").decode()
    for given in ("", "Bearer sk-llmc-v1-0", f"Basic {nobody}", "Basic", "Basic %", "Digest x"):
        answer = post(server, path, b"", encoding, {"authorization": given})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert status(answer)[0] == 16
    reading = post(server, path, b"", encoding, {"authorization": f"Bearer {server.key('read')}"})
    assert (reading.status_code, status(reading)[0]) == (403, 7)


@pytest.mark.parametrize("scheme", ["bearer", "x-api-key", "basic"])
def test_a_key_may_be_sent_in_three_ways(server: Server, scheme: str) -> None:
    key = server.key("ingest")
    header = {
        "bearer": {"authorization": f"Bearer {key}"},
        "x-api-key": {"x-api-key": key},
        "basic": {"authorization": f"Basic {base64.b64encode(f'pk-lf-any:{key}'.encode()).decode()}"},
    }[scheme]
    assert post(server, "/v1/traces", [call()], headers=header).status_code == 200
    assert total(server.store, "task", "requests") == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_above_the_limit_is_413(store: Store, encoding: Encoding) -> None:
    with serving(store, lambda: NOW, max_body_mb="1") as server:
        for data, headers in (
            (b"x" * (1 << 20) + b"x", {}),
            (gzip.compress(b" " * (2 << 20)), {"content-encoding": "gzip"}),
        ):
            answer = post(server, "/v1/traces", data, encoding, headers)
            assert answer.status_code == 413
            assert "above 1 MiB" in status(answer)[1]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_store_that_is_busy_is_503_and_the_body_counts_when_it_comes_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, encoding: Encoding
) -> None:
    monkeypatch.setattr(sql, "BUSY_MS", 20)
    key = server.key("ingest")
    with server.store.writing():
        answer = post(server, "/v1/traces", [call()], encoding, {"authorization": f"Bearer {key}"})
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) < 8
    assert status(answer)[0] == 14
    assert post(server, "/v1/traces", [call()], encoding, {"authorization": f"Bearer {key}"}).status_code == 200
    assert total(server.store, "task", "requests") == 1


def test_a_fault_of_ours_is_500_without_a_word(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("prompt")

    monkeypatch.setattr("llmcensus.spans.otlp.read_spans", broken)
    answer = post(server, "/v1/traces", [call()], "protobuf")
    assert answer.status_code == 500
    assert status(answer) == (13, "Internal Server Error")


def test_many_exporters_at_once_are_all_counted(server: Server) -> None:
    key = server.key("ingest")

    def send(number: int) -> None:
        for span in range(5):
            told = [call(id=f"{number + 1:08x}{span + 1:08x}")]
            assert post(server, "/v1/traces", told, "protobuf", {"authorization": f"Bearer {key}"}).status_code == 200

    threads = [threading.Thread(target=send, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(server.store, "task", "requests") == 30


def test_text_is_forgotten_when_nothing_more_comes() -> None:
    left = iter([True, True, False, False])
    asked: list[bool] = []

    def forget() -> bool:
        asked.append(next(left))
        return asked[-1]

    async def wait() -> None:
        sweeper = Sweeper(forget, every_s=0.01)
        sweeper.begin()
        sweeper.begin()
        await asyncio.sleep(0.2)
        assert asked == [True, True, False], "until nothing is left, and no further"
        sweeper.begin()
        await asyncio.sleep(0.1)

    asyncio.run(wait())
    assert asked == [True, True, False, False]


def test_what_was_answered_is_on_disk_when_the_server_is_killed(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/census.db")
    with store.writing() as connection:
        key = keys.create(connection, "tests", "ingest", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "llmcensus",
        "serve",
        "--db",
        f"sqlite:///{tmp_path}/census.db",
        "--port",
        str(port),
    ]
    now = time.time_ns()
    told = [[call(id=f"{number + 1:016x}", start=now)] for number in range(400)]
    headers = {"authorization": f"Bearer {key}", "content-type": MEDIA["protobuf"]}

    def send(client: httpx.Client, spans: list[Span]) -> bool:
        with suppress(httpx.TransportError):
            url = f"http://127.0.0.1:{port}/v1/traces"
            return client.post(url, content=encode(spans, "protobuf"), headers=headers).status_code == 200
        return False

    answered = 0
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running,
        httpx.Client() as client,
    ):
        while not send(client, told[0]):
            time.sleep(0.05)
        threading.Timer(0.3, running.kill).start()
        while running.poll() is None:
            answered += 1
            if not send(client, told[answered]):
                break
        running.kill()
    assert 0 < answered < len(told), "it was killed in the middle"
    assert answered <= store.tally()["accepted"] <= answered + 1
    with serving(store, utc_now) as server, httpx.Client() as client:
        port = server.port
        assert all(send(client, spans) for spans in told)
    assert total(store, "task", "requests") == store.tally()["accepted"] == len(told)
    store.close()


# --- OpenRouter


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_broadcast_is_posted_or_put(server: Server, method: str) -> None:
    headers = {"x-api-key": server.key("ingest"), "content-type": "application/json"}
    url = f"{server.url}/integrations/openrouter"
    answer = httpx.request(method, url, content=encode([BROADCAST], "json"), headers=headers)
    assert (answer.status_code, answer.json()) == (200, {})
    assert server.store.tally().counts["openrouter", "accepted"] == 1


@pytest.mark.parametrize("content", [b'{"resourceSpans":[]}', b"{}", b"", b"test"])
def test_a_connection_is_tested_with_a_key(server: Server, content: bytes) -> None:
    url = f"{server.url}/integrations/openrouter"
    key = server.key("ingest")
    headers = {"authorization": f"Bearer {key}", "x-test-connection": "true"}
    assert httpx.post(url, content=content, headers=headers).status_code == 200
    assert httpx.post(url, content=content, headers=headers | {"authorization": "Bearer x"}).status_code == 401
    assert server.store.tally().records() == 0


def test_a_test_over_a_collector_is_no_traffic(server: Server) -> None:
    test = Span(
        {}, trace="0" * 31 + "1", id="0" * 15 + "1", scope="openrouter", resource={"service.name": "openrouter"}
    )
    assert post(server, "/v1/traces", [test]).json() == {}
    assert server.store.tally()["ignored"] == 1
    assert total(server.store, "model", "requests") == 0


@pytest.mark.parametrize(
    ("share", "weight"), [("1", 1), ("1.0", 1), ("0.5", 2), ("0.25", 4), ("1/3", 3), ("0.0001", 10_000)]
)
def test_a_share_that_was_sent_counts_whole(store: Store, share: str, weight: int) -> None:
    with serving(store, lambda: NOW, openrouter_sampling=share) as server:
        post(server, "/integrations/openrouter", [BROADCAST])
        post(server, "/v1/traces", [BROADCAST, call()])
    assert total(store, "model", "requests") == weight + 1
    assert store.tally()["accepted"] == 2


@pytest.mark.parametrize("share", ["0", "-1", "2", "0.3", "0.00001", "half", "", "1/0"])
def test_a_share_that_is_no_whole_part_is_refused_at_the_start(share: str) -> None:
    with pytest.raises(ConfigError, match=r"openrouter_sampling is .* whole number"):
        config.load({"openrouter_sampling": share}, environ={})


def test_other_methods_are_not_for_it(server: Server) -> None:
    for path in (*TRACES, "/v1/logs"):
        answer = httpx.get(server.url + path)
        assert answer.status_code == 405
        assert json.loads(answer.content)["error"]["code"] == 405


def test_answers_have_the_headers_of_all_answers(server: Server) -> None:
    answer = post(server, "/v1/traces", [call()])
    assert answer.headers["x-content-type-options"] == "nosniff"
