"""
What real programs sent, as it was captured: each capture decodes to the records that are written down here.

The captures are not in the repository. `RECONSTRUCTED` ones are from documents and from what others recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmcensus.errors import DecodeError
from llmcensus.generation import Generation
from llmcensus.ingest import Intake
from llmcensus.store import Store
from llmcensus.wire import detect

pytestmark = pytest.mark.shared

Said = dict[str, Any]

OSLO = [("user", "Weather in Oslo?")]
TERSE = ("system", "You are a terse weather bot.")
LOOKED = ("assistant", "get_weather")
RAIN = ("tool", "7C, rain")
HELLO = [("user", "Say hello.")]
USED: Said = {"tokens_prompt": 31, "tokens_completion": 9, "tokens_cached": 12, "tokens_reasoning": 4}
MOCKED: Said = {"tokens_prompt": 10, "tokens_completion": 20, "cost_usd": 1.35e-05}
BILLED = USED | {"cost_usd": 9.149999999999999e-06}


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-21T{clock}").replace(tzinfo=UTC)


SDK: Said = {
    "source": "litellm",
    "operation": "chat",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "streamed": False,
    "cache_hit": False,
}
PROXY: Said = {
    **SDK,
    "model": "demo-chat",
    "model_served": "openai/gpt-4o-mini",
    "http_referer": "https://example.org/app",
    "app_title": "Demo App OR",
    "app_categories": "cli-agent,programming-app",
    "user_agent": "demo-agent/1.2",
    "account": "litellm_proxy_master_key",
    "session_id": "hdr-sess-1",
}
CLAUDE: Said = {
    **SDK,
    **USED,
    "model": "demo-chat",
    "provider": "hosted_vllm",
    "user_agent": "claude-cli/2.1 (external, cli)",
    "account": "litellm_proxy_master_key",
    "session_id": "123e",
    "said": [("user", "Fix the bug in a.py")],
}
PLAIN: Said = {
    **SDK,
    **BILLED,
    "model": "demo-chat",
    "model_served": "openai/gpt-4o-mini",
    "http_referer": "https://example.org/app",
    "app_title": "Demo App",
    "user_agent": "OpenAI/Python 2.54.0",
    "account": "litellm_proxy_master_key",
    "finish_reason": "stop",
}
CACHED = (
    PROXY
    | USED
    | {
        "id": "239e7ac4-09ed-4e0b-b565-e1d966cc9d9f",
        "created_at": at("03:05:53.275799"),
        "model_served": "gpt-4o-mini",
        "cost_usd": 0.0,
        "latency_ms": 0.978,
        "finish_reason": "stop",
        "cache_hit": True,
        "said": HELLO,
    }
)
CALLED = (
    PROXY
    | BILLED
    | {
        "id": "f62ddb5b-6fcf-4eb8-acaa-458fe676ce02",
        "created_at": at("03:05:54.851540"),
        "latency_ms": 43.232,
        "finish_reason": "tool_calls",
        "said": [TERSE, *OSLO],
        "offered": ["get_weather"],
    }
)
ANSWERED = (
    PROXY
    | BILLED
    | {
        "id": "ee7fe3a9-73eb-46e2-834f-a12beafbe6e9",
        "created_at": at("03:05:56.455668"),
        "latency_ms": 18.886,
        "finish_reason": "stop",
        "session_id": "hdr-litellm-trace",
        "said": [TERSE, *OSLO, LOOKED, RAIN],
        "offered": ["get_weather"],
    }
)
PAIR: Said = {"source": "openai", "model": "demo-model", "model_served": "demo-model-2026-01"} | USED
# What a part of a request leaves open is not in it.
OBSERVED: Said = {"source": "langfuse", "operation": "chat"}
FIRST, SECOND = "79ca68c3-c2b4-4770-9337-fea5f8566c2b", "e9a9e88d-279d-42df-84be-5e998a70759f"

# File → the records in it, in order: what is known of each, None for what is ignored, a reason for what is refused.
SAMPLES: dict[str, list[Said | str | None]] = {
    "litellm_sdk_slp.a_chat_mock.async_success.json": [
        SDK
        | MOCKED
        | {
            "id": "b6dc3810-02a1-4fdb-b813-1613f6b0773b",
            "created_at": at("03:03:40.262666"),
            "model_served": "gpt-4o-mini",
            "latency_ms": 399.944,
            "finish_reason": "stop",
            "said": HELLO,
        }
    ],
    "litellm_sdk_slp.b_tools_mock.async_success.json": [
        SDK
        | MOCKED
        | {
            "id": "bb88c650-5cf9-4d86-9ae5-4a50b9cd9b93",
            "created_at": at("03:03:41.679662"),
            "model_served": "gpt-4o-mini",
            "latency_ms": 1455.872,
            "finish_reason": "stop",
            "session_id": "sess-litellm-1",
            "said": [TERSE, *OSLO, LOOKED, RAIN],
            "offered": ["get_weather"],
        }
    ],
    "litellm_sdk_slp.c_stream_mock.async_success.json": [
        SDK
        | {
            "id": "d8183fae-c1c0-4c7c-9072-8dbad460f197",
            "created_at": at("03:03:44.139585"),
            "model_served": "gpt-4o-mini",
            "tokens_prompt": 11,
            "tokens_completion": 4,
            "tokens_reasoning": 0,
            "cost_usd": 4.05e-06,
            "latency_ms": 1056.108,
            "finish_reason": "stop",
            "streamed": True,
            "said": [("user", "Count to three.")],
        }
    ],
    "litellm_sdk_slp.d_error_mock.async_failure.json": [
        SDK
        | {
            "id": "fc63b2aa-0d7f-44d8-af8c-579f1280766c",
            "created_at": at("03:03:46.197750"),
            "latency_ms": 4.017,
            "error": "429",
            "said": HELLO,
        }
    ],
    "litellm_sdk_slp.e_http_chat_toolcall.async_success.json": [
        SDK
        | BILLED
        | {
            "id": "30b401e4-7cbe-4844-9740-0f6d8d3865e0",
            "created_at": at("03:03:47.230379"),
            "model_served": "gpt-4o-mini-2026-01",
            "latency_ms": 581.021,
            "finish_reason": "tool_calls",
            "said": OSLO,
            "offered": ["get_weather"],
        }
    ],
    "litellm_sdk_slp.f_http_stream.async_success.json": [
        SDK
        | BILLED
        | {
            "id": "2ca756f5-7eaa-4806-85bc-3b614999e517",
            "created_at": at("03:03:48.815228"),
            "model_served": "gpt-4o-mini",
            "latency_ms": 43.84,
            "finish_reason": "stop",
            "streamed": True,
            "said": HELLO,
        }
    ],
    "litellm_sdk_slp.g_embedding.async_success.json": [
        SDK
        | {
            "id": "011f5345-abe2-44e4-9ffe-8fbbf94cd056",
            "created_at": at("03:03:49.859252"),
            "operation": "embeddings",
            "model": "text-embedding-3-small",
            "model_served": "mock-embed-2026-01",
            "tokens_prompt": 5,
            "tokens_completion": 0,
            "cost_usd": 1e-07,
            "latency_ms": 11.306,
        }
    ],
    "litellm_sdk_slp.h_http_error.async_failure.json": [
        SDK
        | {
            "id": "2c939ca9-55b9-4252-9910-54dbe91620c2",
            "created_at": at("03:03:50.874453"),
            "model": "fail-model",
            "latency_ms": 13.136,
            "error": "429",
            "said": [("user", "x")],
        }
    ],
    "litellm_sdk_slp.i_sync_chat.sync_success.json": [
        SDK
        | MOCKED
        | {
            "id": "17b10edc-03d3-4b34-9578-42061cce43b0",
            "created_at": at("03:03:51.908657"),
            "model_served": "gpt-4o-mini",
            "latency_ms": 2.777,
            "finish_reason": "stop",
            "said": HELLO,
        }
    ],
    "litellm_proxy_generic_api.01_chat.json": [
        PROXY
        | BILLED
        | {
            "id": "8938f00c-ffe5-4649-a19a-3b255173c365",
            "created_at": at("03:05:49.795807"),
            "latency_ms": 1836.789,
            "finish_reason": "stop",
            "said": HELLO,
        }
    ],
    "litellm_proxy_generic_api.02_cache_hit.json": [CACHED],
    "litellm_proxy_generic_api.03_tools.json": [CALLED],
    "litellm_proxy_generic_api.04_tool_result.json": [ANSWERED],
    "litellm_proxy_generic_api.05_stream.json": [
        PROXY
        | BILLED
        | {
            "id": "6b21638e-d36b-482c-a96e-c5b6ea9a5685",
            "created_at": at("03:05:58.014044"),
            "latency_ms": 545.054,
            "finish_reason": "stop",
            "streamed": True,
            "said": [("user", "Count to three.")],
        }
    ],
    "litellm_proxy_generic_api.06_embedding.json": [
        PROXY
        | {
            "id": "6006f7e0-4512-478c-881c-6ff5ad1bb4bd",
            "created_at": at("03:06:00.098245"),
            "operation": "embeddings",
            "model": "demo-embed",
            "model_served": "openai/text-embedding-3-small",
            "tokens_prompt": 5,
            "tokens_completion": 0,
            "cost_usd": 1e-07,
            "latency_ms": 26.396,
        }
    ],
    "litellm_proxy_generic_api.07_error_429.json": [
        PROXY
        | {
            "id": "669058da-9799-42a6-8006-76a065945d50",
            "created_at": at("03:06:01.692574"),
            "model": "demo-fail",
            "model_served": None,
            "latency_ms": 29.632,
            "error": "429",
            "said": [("user", "x")],
        }
    ],
    # No price was known, and 0 was written.
    "litellm_proxy_generic_api.08_openrouter_provider.json": [
        PROXY
        | USED
        | {
            "id": "392318ce-21d5-4bab-bc67-36bf33668502",
            "created_at": at("03:06:03.442684"),
            "model": "demo-openrouter",
            "model_served": "openrouter/openai/gpt-4o-mini",
            "provider": "openrouter",
            "latency_ms": 12.998,
            "finish_reason": "stop",
            "said": [("user", "Hi via openrouter.")],
        }
    ],
    "litellm_proxy_generic_api.09_error_bad_model.json": [
        PROXY
        | {
            "id": "53ef764d-3451-4b74-9337-0df02bbdbaa2",
            "created_at": at("03:06:04.995653"),
            "model": "nope",
            "model_served": None,
            "provider": None,
            "latency_ms": 14.47,
            "error": "400",
            "said": [("user", "x")],
        }
    ],
    "litellm_proxy_generic_api.anthropic_messages_stream.json": [
        CLAUDE
        | {
            "id": "4bedd8d5-dd35-465a-8370-66f653004c70",
            "created_at": at("03:25:00.999737"),
            "model_served": "qwen-demo",
            "latency_ms": 133.561,
            "finish_reason": "stop",
            "streamed": True,
        }
    ],
    "litellm_proxy_generic_api.anthropic_messages_tools.json": [
        CLAUDE
        | {
            "id": "839298aa-d437-4c5c-ac29-9d8875e3d62c",
            "created_at": at("03:25:00.271098"),
            "model_served": "qwen-demo-2026-01",
            "latency_ms": 657.607,
            "finish_reason": "tool_calls",
            "offered": ["Bash"],
        }
    ],
    "litellm_proxy_generic_api.post_batch_json_array.json": [CACHED, CALLED, ANSWERED],
    # What was said was kept back: the request has no task.
    "litellm_proxy_generic_api.post_ndjson_redacted.json": [
        PLAIN
        | {
            "id": "ee44b59d-e4f1-40c7-ac83-b723bfc5648a",
            "created_at": at("03:23:22.751002"),
            "latency_ms": 1724.317,
        },
        PLAIN
        | {
            "id": "fd2c75c0-9e13-463b-8d84-7d010f22370d",
            "created_at": at("03:23:24.556200"),
            "latency_ms": 17.229,
        },
    ],
    "langfuse_2.60.10_ingestion_batch.json": [
        None,
        OBSERVED
        | {
            "id": FIRST,
            "created_at": at("03:19:33.201562"),
            "model": "demo-model",
            "session_id": "lf-sess",
            "said": HELLO,
            "ends": False,
        },
        OBSERVED
        | USED
        | {
            "id": FIRST,
            "created_at": at("03:19:33.248108"),
            "model": "demo-model-2026-01",
            "session_id": "lf-sess",
            "begins": False,
        },
        None,
        None,
        OBSERVED
        | {
            "id": SECOND,
            "created_at": at("03:19:33.258651"),
            "model": "demo-model",
            "said": OSLO,
            "offered": ["get_weather"],
            "ends": False,
        },
        OBSERVED
        | USED
        | {
            "id": SECOND,
            "created_at": at("03:19:33.314680"),
            "model": "demo-model-2026-01",
            "finish_reason": "tool_calls",
            "begins": False,
        },
        None,
    ],
    "RECONSTRUCTED.openrouter_broadcast_s3.json": [
        {
            "source": "openrouter",
            "id": "gen-1795230000-DemoDemoDemoDemoDemo",
            "created_at": at("03:00:00.123"),
            "model": "openai/gpt-4o-mini",
            "model_served": "openai/gpt-4o-mini",
            "provider": "OpenAI",
            "tokens_prompt": 31,
            "tokens_completion": 9,
            "cost_usd": 1.005e-05,
            "latency_ms": 1500.0,
            "finish_reason": "tool_calls",
            "streamed": True,
            "account": "demo key",
            "session_id": "session_abc",
            "said": [TERSE, *OSLO],
            "offered": ["get_weather"],
        }
    ],
    "jsonl_openai_pairs.jsonl": [
        PAIR
        | {
            "id": "chatcmpl-mock144",
            "created_at": at("03:29:02.699803"),
            "latency_ms": 657.5,
            "finish_reason": "stop",
            "streamed": False,
            "said": HELLO,
        },
        PAIR
        | {
            "id": "chatcmpl-mock145",
            "created_at": at("03:29:03.357361"),
            "latency_ms": 50.7,
            "finish_reason": "tool_calls",
            "streamed": False,
            "said": [TERSE, *OSLO],
            "offered": ["get_weather"],
        },
        PAIR
        | {
            "id": "chatcmpl-mock146",
            "created_at": at("03:29:03.408057"),
            "latency_ms": 14.4,
            "finish_reason": "stop",
            "streamed": True,
            "said": [("user", "Count to three.")],
        },
        "missing_field",
    ],
}
# What all reports are unless they say otherwise.
USUAL = {"begins": True, "ends": True}
FAMILIES = (
    "litellm_sdk_slp.",
    "litellm_proxy_generic_api.",
    "langfuse_2.",
    "RECONSTRUCTED.openrouter_broadcast_s3",
    "jsonl_",
)


def bodies(path: Path) -> Iterator[bytes]:
    """Yields the values of a capture: one a file, lines, or what was posted."""
    try:
        found = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError:
        yield from path.read_bytes().splitlines()
        return
    for post in found if isinstance(found, list) else [found]:
        body = post.get("body", post.get("body_text_is_ndjson_lines", post))
        yield from map(msgspec.json.encode, body if isinstance(body, list) else [body])


def told(path: Path) -> Iterator[Said | str | None]:
    """Yields what is known of each record, in the form of the table."""
    for value in bodies(path):
        wire = detect(value)
        assert wire is not None
        for record in wire.unpack(value):
            try:
                generation = wire.decode(record)
            except DecodeError as error:
                yield error.reason
            else:
                yield None if generation is None else known(generation)


def known(generation: Generation) -> Said:
    found = {name: value for name, value in msgspec.structs.asdict(generation).items() if value is not None}
    said, offered = found.pop("messages", None), found.pop("tools", None)
    if said is not None:
        found["said"] = [
            (turn.role, turn.text() or " ".join(call.called() for call in turn.tool_calls or ())) for turn in said
        ]
    if offered is not None:
        found["offered"] = [tool if isinstance(tool, str) else tool.offered() for tool in offered]
    if "latency_ms" in found:
        found["latency_ms"] = round(found["latency_ms"], 3)
    # How calls of one id are told apart says nothing of the call.
    found.pop("occasion", None)
    return {name: value for name, value in found.items() if USUAL.get(name) is not value}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_capture_is_what_it_was(shared: Path, name: str) -> None:
    expected = [
        {name: value for name, value in said.items() if value is not None} if isinstance(said, dict) else said
        for said in SAMPLES[name]
    ]
    assert list(told(shared / "wire" / "samples" / name)) == expected


def test_no_capture_is_left_out(shared: Path) -> None:
    captured = {path.name for path in (shared / "wire" / "samples").iterdir() if path.name.startswith(FAMILIES)}
    assert captured == set(SAMPLES)


def test_all_captures_are_counted_once(shared: Path, store: Store, intake: Intake, tmp_path: Path) -> None:
    for name in SAMPLES:
        values = list(bodies(shared / "wire" / "samples" / name))
        (tmp_path / name).write_bytes(b"\n".join(values))
        # The same bytes are not read again: other bytes, with the same records.
        (tmp_path / f"again-{name}").write_bytes(b"\n".join([*values, b""]))
        *_, first = intake.take_file(tmp_path / name)
        *_, again = intake.take_file(tmp_path / f"again-{name}")
        assert again.tally["accepted"] == again.tally["part"] == 0, name
        assert again.tally.records() == first.tally.records() == len(SAMPLES[name])
    tally = store.tally()
    distinct = {said["id"] for saids in SAMPLES.values() for said in saids if isinstance(said, dict)}
    assert (tally["accepted"], tally["id_collision"]) == (len(distinct), 0)
    assert (tally["error"], tally["embeddings"], tally["part"]) == (4, 2, 2)
