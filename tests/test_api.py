"""What a client may rely on: keys, limits, errors, headers, caching, ingest."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
import zstandard

from llmcensus.api.answers import matches, negotiate
from llmcensus.api.quota import Limits, OwnQuota
from llmcensus.datasets import DATASETS
from llmcensus.errors import RateLimited, Unavailable
from llmcensus.ingest import Intake
from llmcensus.store import Store, keys
from tests.conftest import NOW
from tests.serving import Server, serving
from tests.worlds import count, encoded, numbered, record, total

PATHS = [f"/api/v1{path}" for path in DATASETS]


def is_error(answer: httpx.Response, status: int) -> str:
    """Asserts the one body that every error has; returns its message."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == status
    message = body["error"]["message"]
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize("path", PATHS)
def test_any_valid_key_reads(server: Server, path: str) -> None:
    assert server.get(path, server.key("read")).status_code == 200
    assert server.get(path, server.key("ingest")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer sk-llmc-v1-" + "0" * 64, "Bearer é"])
def test_without_a_valid_key_it_is_401(server: Server, path: str, header: str) -> None:
    headers = {b"authorization": header.encode()} if header else {}
    answer = httpx.get(server.url + path, headers=headers)
    is_error(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("spelled", ["{}/", "/{}", "{}//", "//{}", "/x/..{}", "{}/.", "{};a", "{}%2f", "{}%00"])
def test_no_spelling_of_a_path_gets_past_the_keys(server: Server, path: str, spelled: str) -> None:
    with socket.create_connection((server.host, server.port)) as raw:
        raw.sendall(f"GET {spelled.format(path)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split()[1] in (b"401", b"404")


def test_a_revoked_key_is_refused_within_a_second(server: Server) -> None:
    key = server.key()
    assert server.get(PATHS[0], key).status_code == 200
    with server.store.writing() as connection:
        keys.revoke(connection, key, server.store.now_ms())
    threading.Event().wait(0.6)
    assert server.get(PATHS[0], key).status_code == 401


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("/classifications/task?window=2d", ["window", "'2d'", "7d"]),
        ("/classifications/task?window=", ["window", "''"]),
        ("/datasets/rankings-daily?start_date=2026-02-30", ["start_date", "2026-02-30", "YYYY-MM-DD"]),
        ("/datasets/rankings-daily?end_date=20260201", ["end_date"]),
        ("/datasets/rankings-daily?end_date=2026-2-1", ["end_date"]),
        ("/datasets/rankings-daily?start_date=2026-11-02&end_date=2026-11-01", ["start_date", "2026-11-01"]),
        ("/datasets/rankings-daily?end_date=2024-12-31", ["end_date", "2025-01-01"]),
        ("/datasets/rankings-daily?end_date=0001-01-05", ["end_date", "0001-01-05"]),
        ("/datasets/rankings-daily?start_date=0001-01-01", ["start_date", "0001-01-01", "366"]),
        ("/datasets/rankings-daily?start_date=2025-01-01&end_date=2026-01-03", ["start_date", "366"]),
        ("/datasets/app-rankings?sort=best", ["sort", "'best'", "popular", "trending"]),
        ("/datasets/app-rankings?limit=0", ["limit", "'0'", "from 1 to 100"]),
        ("/datasets/app-rankings?limit=101", ["limit", "'101'"]),
        ("/datasets/app-rankings?limit=ten", ["limit", "'ten'"]),
        ("/datasets/app-rankings?limit=" + "9" * 5000, ["limit"]),
        ("/datasets/app-rankings?offset=-1", ["offset", "'-1'", "from 0 to 100"]),
        ("/datasets/app-rankings?category=sport", ["category", "'sport'", "coding"]),
        ("/datasets/app-rankings?subcategory=x", ["subcategory", "'x'"]),
        ("/datasets/app-rankings?category=coding&subcategory=game", ["subcategory", "'game'", "coding"]),
    ],
)
def test_a_message_names_parameter_value_and_what_was_expected(server: Server, query: str, names: list[str]) -> None:
    message = is_error(server.get(f"/api/v1{query}", server.key()), 400)
    for name in names:
        assert name in message


def test_unknown_parameters_are_ignored(server: Server) -> None:
    assert server.get(PATHS[1] + "?colour=red&%ff=%00", server.key()).status_code == 200


def test_what_is_not_there_is_404_and_what_cannot_be_done_is_405(server: Server) -> None:
    key = {"authorization": f"Bearer {server.key()}"}
    is_error(httpx.get(f"{server.url}/api/v1/nothing", headers=key), 404)
    is_error(httpx.get(f"{server.url}/nothing"), 404)
    is_error(httpx.post(server.url + PATHS[0], headers=key), 405)
    is_error(httpx.get(f"{server.url}/api/v1/generations", headers=key), 405)


def test_thirty_a_minute_and_not_one_more(server: Server) -> None:
    key = server.key(account="one")
    codes: Counter[int] = Counter()

    def hammer() -> None:
        with httpx.Client(headers={"authorization": f"Bearer {key}"}) as client:
            codes.update(client.get(server.url + PATHS[0]).status_code for _ in range(6))

    threads = [threading.Thread(target=hammer) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == {200: 30, 429: 30}
    refused = server.get(PATHS[0], key)
    assert "30 requests a minute" in is_error(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-limit"] == "30"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert server.get(PATHS[0], server.key(account="one")).status_code == 200


def test_the_day_is_the_accounts(store: Store) -> None:
    with serving(store, lambda: NOW, requests_per_minute="5", requests_per_day="8") as server:
        codes = [server.get(PATHS[0], key).status_code for key in [server.key() for _ in range(3)] for _ in range(4)]
        other = server.get(PATHS[0], server.key(account="other"))
    assert codes == [200] * 8 + [429] * 4
    assert other.status_code == 200


def test_a_refusal_by_one_bucket_is_not_counted_in_the_other() -> None:
    quota = OwnQuota(Limits(per_minute=2, per_day=3))
    for _ in range(2):
        quota.spend(b"one", "account")
    for _ in range(5):
        with pytest.raises(RateLimited, match="minute"):
            quota.spend(b"one", "account")
    quota.spend(b"two", "account")
    for _ in range(5):
        with pytest.raises(RateLimited, match="day") as caught:
            quota.spend(b"two", "account")
    assert 1 <= caught.value.retry_after <= 86_401
    quota.spend(b"two", "another account")


def test_a_refused_key_counts_nowhere(server: Server) -> None:
    for _ in range(40):
        assert server.get(PATHS[0], "sk-llmc-v1-" + "0" * 64).status_code == 401
    assert server.get(PATHS[0], server.key()).headers["x-ratelimit-remaining"] == "29"


def test_task_answers_may_be_a_minute_old(server: Server) -> None:
    headers = server.get("/api/v1/classifications/task", server.key()).headers
    assert headers["cache-control"] == "private, max-age=60, stale-while-revalidate=300"


@pytest.mark.parametrize("path", PATHS)
def test_an_unchanged_answer_is_304(server: Server, intake: Intake, path: str) -> None:
    count(intake, *numbered(3))
    key = server.key()
    first = server.get(path, key)
    assert first.headers["etag"].startswith('"')
    again = server.get(path, key, **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = server.get(path, key, **{"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


def test_new_traffic_is_seen_within_a_second(server: Server, intake: Intake) -> None:
    key = server.key()
    path = "/api/v1/datasets/rankings-daily"
    assert server.get(path, key).json()["data"] == []
    count(intake, record())
    threading.Event().wait(0.6)
    assert server.get(path, key).json()["data"] == [
        {"date": "2026-11-20", "model_permaslug": "openai/gpt-4o", "total_tokens": "120"}
    ]


def test_encoded_answers_are_the_same_answers(server: Server, intake: Intake) -> None:
    count(intake, *(record(id=str(n), model=f"lab/model-{n}") for n in range(60)))
    key = server.key()

    def ask(encoding: str) -> httpx.Response:
        with httpx.stream(
            "GET",
            server.url + "/api/v1/datasets/rankings-daily",
            headers={"authorization": f"Bearer {key}", "accept-encoding": encoding},
        ) as answer:
            answer.extensions["raw"] = b"".join(answer.iter_raw())
        return answer

    plain, zipped, zstd = (ask(encoding) for encoding in ("identity", "gzip", "zstd, gzip;q=0.5"))
    assert "content-encoding" not in plain.headers
    assert (zipped.headers["content-encoding"], zstd.headers["content-encoding"]) == ("gzip", "zstd")
    body = plain.extensions["raw"]
    assert gzip.decompress(zipped.extensions["raw"]) == body
    assert zstandard.ZstdDecompressor().decompress(zstd.extensions["raw"]) == body
    assert len({answer.headers["etag"] for answer in (plain, zipped, zstd)}) == 3


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0", "identity"),
        ("br", "identity"),
        ("*", "zstd"),
        ("gzip;q=0.5, *;q=0.1", "gzip"),
        ("gzip;q=nonsense", "identity"),
    ],
)
def test_the_client_says_which_encodings_it_takes(accepted: str, encoding: str) -> None:
    assert negotiate(accepted.encode()) == encoding


@pytest.mark.parametrize(
    ("asked", "same"),
    [('"a"', True), ('W/"a"', True), ('"x", "a"', True), ("*", True), ('"b"', False), ("", False)],
)
def test_tags_are_compared_one_by_one(asked: str, same: bool) -> None:
    assert matches(asked.encode(), b'"a"') is same


def test_ingest_counts_what_it_says(server: Server) -> None:
    key = server.key("ingest")
    body = encoded(*numbered(3), record(id="gen-0")) + b"{broken\n" + encoded(record(id="late", cost_usd=-1))
    answer = server.post(body, key)
    assert answer.status_code == 200
    taken = answer.json()
    assert (taken["accepted"], taken["duplicates"]) == (3, 1)
    assert taken["refused"] == {"bad_json": 1, "out_of_range": 1}
    assert [problem["record"] for problem in taken["problems"]] == [5, 6]
    assert "`cost_usd` is -1: expected" in taken["problems"][1]["message"]
    assert server.post(body, key).json()["accepted"] == 0
    assert total(server.store, "model", "requests") == 3


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([record()]).encode(),
        json.dumps({"generations": [record()]}).encode(),
        json.dumps(record(), indent=1).encode(),
        encoded(record()),
    ],
    ids=["array", "envelope", "object", "lines"],
)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_body_may_have_any_form(server: Server, body: bytes, compressed: bool) -> None:
    sent: dict[str, Any] = {"content_encoding": "gzip"} if compressed else {}
    answer = server.post(gzip.compress(body) if compressed else body, server.key("ingest"), **sent)
    assert answer.json() == {"accepted": 1, "duplicates": 0, "refused": {}}


def test_sending_needs_the_scope(server: Server) -> None:
    assert "'read': expected 'ingest'" in is_error(server.post(encoded(record()), server.key("read")), 403)
    is_error(server.post(encoded(record())), 401)


def test_a_body_that_cannot_be_read_is_400(server: Server) -> None:
    key = server.key("ingest")
    is_error(server.post(b"", key), 400)
    is_error(server.post(b"hello", key), 400)
    is_error(server.post(b"hello", key, content_encoding="gzip"), 400)
    is_error(server.post(b"hello", key, content_encoding="br"), 400)


def test_all_members_of_a_gzip_are_counted(server: Server) -> None:
    body = b"".join(gzip.compress(encoded(one)) for one in numbered(3))
    assert server.post(body, server.key("ingest"), content_encoding="gzip").json()["accepted"] == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("error", {"code": 2**70}),
        ("error", {"deep": json.loads("[" * 940 + "]" * 940)}),
        ("messages", [{"role": "assistant", "tool_calls": [{"arguments": {"a": json.loads("[" * 900 + "]" * 900)}}]}]),
        ("messages", [{"role": "assistant", "tool_calls": [{"name": "t", "arguments": {"n": 2**70}}]}]),
        ("created_at", "0001-01-01T00:00:00+23:59"),
        ("created_at", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_an_odd_value_never_fails_the_others(server: Server, field: str, value: object) -> None:
    odd = json.dumps(record(id="odd") | {field: value}).encode()
    taken = server.post(odd + b"\n" + encoded(record()), server.key("ingest")).json()
    assert taken["accepted"] + sum(taken["refused"].values()) == 2
    assert taken["accepted"] >= 1


def test_a_store_that_is_gone_is_503(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(store, lambda: NOW) as server:
        key = server.key()

        def gone() -> int:
            raise Unavailable("The store cannot be used now")

        monkeypatch.setattr(store, "versions", gone)
        answer = server.get(PATHS[0], key)
    is_error(answer, 503)
    assert 1 <= int(answer.headers["retry-after"]) <= 5


def test_a_body_above_the_limit_is_413(store: Store) -> None:
    with serving(store, lambda: NOW, max_body_mb="1") as server:
        key = server.key("ingest")
        is_error(server.post(b" " * (2 << 20), key), 413)
        is_error(server.post(gzip.compress(b" " * (64 << 20)), key, content_encoding="gzip"), 413)
        assert server.post(encoded(record()), key).status_code == 200


def test_a_body_is_never_cut_off_at_a_batch(server: Server) -> None:
    answer = server.post(encoded(*numbered(20_000, messages=None)), server.key("ingest"))
    assert answer.json()["accepted"] == 20_000


def test_it_says_that_it_lives(server: Server) -> None:
    assert server.get("/healthz").text == server.get("/readyz").text == "ok"


def test_a_window_ends_with_the_last_complete_day_of_the_servers_clock(store: Store) -> None:
    with serving(store, lambda: NOW + timedelta(days=1)) as server:
        meta = server.get("/api/v1/datasets/rankings-daily", server.key()).json()["meta"]
    assert (meta["start_date"], meta["end_date"]) == ("2026-10-23", "2026-11-21")
    assert meta["as_of"] == "2026-11-22T12:00:00.000Z"
