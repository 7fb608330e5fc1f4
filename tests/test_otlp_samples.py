"""What real libraries sent, as it was captured, becomes exactly these generations. A sample is a request each line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from llmcensus.generation import Generation
from llmcensus.wire import otlp
from llmcensus.wire.otlp import Told


class Expected(NamedTuple):
    """
    A generation, told in short.

    `usage` is prompt, completion, cached, reasoning; `said` is how many messages, and of the first how its text begins,
    None where nothing was sent.
    """

    model: str
    served: str | None
    usage: tuple[int | None, ...]
    finish: str | None = "stop"
    said: tuple[int, str] | None = None
    tools: tuple[str, ...] = ()
    streamed: bool | None = None
    failed: bool = False
    embeddings: bool = False


FULL = (31, 9, 12, 4)
CACHED = (31, 9, 12, None)
PLAIN = (31, 9, None, None)
UNKNOWN = (None, None, None, None)
HELLO = (1, "Say hello.")
WEATHER = (2, "You are a terse weather bot.")
RESULT = (4, "You are a terse weather bot.")
COUNT = (1, "Count to three.")
TOOL = ("get_weather",)
DATED = "demo-model-2026-01"


def instrumented(
    usage: tuple[int | None, ...],
    stream: tuple[int | None, ...] | None = None,
    said: bool = True,
    tools: bool = True,
    finish: str = "tool_calls",
    streamed: tuple[bool | None, bool | None] = (None, True),
    stream_finish: str | None = "stop",
    embedded: tuple[int | None, ...] | None = (5, 0, None, None),
) -> list[Expected]:
    """Returns what the captured program asked: a greeting, a tool, its result, two streams, an error, a vector."""

    def words(*texts: tuple[int, str]) -> list[tuple[int, str] | None]:
        return [text if said else None for text in texts]

    hello, weather, result, count, failing = words(HELLO, WEATHER, RESULT, COUNT, (1, "x"))
    offered = TOOL if said and tools else ()
    plain, streaming = streamed
    calls = [
        Expected("demo-model", DATED, usage, "stop", hello, streamed=plain),
        Expected("demo-model", DATED, usage, finish, weather, offered, plain),
        Expected("demo-model", DATED, usage, "stop", result, offered, plain),
        Expected("demo-model", DATED, usage if stream is None else stream, stream_finish, count, (), streaming),
        Expected("demo-model", DATED, UNKNOWN, stream_finish, count, (), streaming),
        Expected("fail-model", None, UNKNOWN, None, failing, (), plain, failed=True),
    ]
    vector = Expected("demo-embed", "mock-embed-2026-01", embedded or (), None, streamed=plain, embeddings=True)
    return [*calls, vector] if embedded else calls


def openinference(said: bool) -> list[Expected]:
    hello = HELLO if said else None
    return [*instrumented(FULL, said=said), Expected("demo-model", DATED, FULL, "stop", hello)]


def litellm_v1() -> list[Expected]:
    served = "openai/gpt-4o-mini"
    return [
        Expected("demo-chat", served, FULL, "stop", HELLO, streamed=False),
        # From the gateway's cache.
        Expected("demo-chat", "gpt-4o-mini", FULL, "stop", HELLO, streamed=False),
        Expected("demo-chat", served, FULL, "tool_calls", WEATHER, TOOL, False),
        Expected("demo-chat", served, FULL, "stop", RESULT, TOOL, False),
        Expected("demo-chat", served, FULL, "stop", COUNT, streamed=True),
        Expected("demo-embed", "openai/text-embedding-3-small", (5, 0, None, None), None, None, (), False, False, True),
        Expected("demo-fail", "openai/fail-model", UNKNOWN, None, (1, "x"), (), False, True),
        Expected("demo-openrouter", f"openrouter/{served}", FULL, "stop", (1, "Hi via openrouter."), (), False),
        Expected("nope", "nope", UNKNOWN, None, (1, "x"), (), False, True),
    ]


def litellm_v2() -> list[Expected]:
    served = "openai/gpt-4o-mini"
    return [
        Expected("demo-chat", served, CACHED),
        Expected("demo-chat", served, CACHED, "tool_calls", tools=TOOL),
        Expected("demo-chat", served, CACHED, tools=TOOL),
        Expected("demo-chat", served, CACHED, streamed=True),
        Expected("demo-embed", "openai/text-embedding-3-small", (5, 0, None, None), None, embeddings=True),
        Expected("demo-fail", "openai/fail-model", (0, 0, None, None), None, failed=True),
        Expected("demo-openrouter", f"openrouter/{served}", CACHED),
    ]


OPENROUTER = Expected("openai/gpt-4o-mini", "openai/gpt-4o-mini", FULL, "tool_calls", WEATHER, TOOL)
LANGFUSE = Expected(DATED, DATED, FULL, None, HELLO)
VQWEN = Expected("demo-chat", "hosted_vllm/qwen-demo", CACHED, "tool_calls", (1, "Fix the bug in a.py"), ("Bash",))

SAMPLES: dict[str, list[Expected]] = {
    "litellm_otel_v1.litellm_request_spans": litellm_v1(),
    "litellm_otel_v2.no_content": litellm_v2(),
    "litellm_otel_v2.full_post_with_noise": litellm_v2()[:1],
    "litellm_otel_v2.span_only_content": [
        VQWEN,
        VQWEN._replace(finish="stop", tools=(), streamed=True),
        VQWEN._replace(usage=(0, 0, None, None), finish=None, said=(1, "Hi via responses."), tools=(), failed=True),
    ],
    "otel_genai_openai_1.3b0.SPAN_ONLY": instrumented(FULL),
    "otel_genai_openai_1.3b0.EVENT_ONLY": instrumented(FULL),
    "otel_genai_openai_1.3b0.no_content": instrumented(FULL, said=False),
    "otel_openai_v2_2.1b0.capture_true": instrumented(
        PLAIN, said=False, stream_finish=None, streamed=(None, None), embedded=None
    ),
    "otel_openai_v2_2.4b0.default": instrumented(PLAIN, said=False, streamed=(None, None)),
    "otel_openai_v2_2.4b0.capture_true_log_events": instrumented(PLAIN, tools=False, streamed=(None, None)),
    "otel_openai_v2_2.4b0.latest_experimental_SPAN_ONLY": instrumented(
        PLAIN, tools=False, stream_finish=None, streamed=(None, None)
    ),
    "otel_openai_v2_2.4b0.latest_experimental_EVENT_ONLY": instrumented(
        PLAIN, tools=False, stream_finish=None, streamed=(None, None)
    ),
    "openllmetry_0.62.4.default": instrumented(
        FULL, CACHED, finish="tool_call", streamed=(False, True), embedded=(5, 0, 0, None)
    ),
    "openllmetry_0.62.4.TRACE_CONTENT_false": instrumented(
        FULL, CACHED, said=False, finish="tool_call", streamed=(False, True), embedded=(5, 0, 0, None)
    ),
    "openllmetry_0.40.14.default": instrumented(CACHED, UNKNOWN, streamed=(False, True), embedded=(5, 0, 0, None)),
    "openinference_0.1.66.default": openinference(said=True),
    "openinference_0.1.66.hide_inputs_outputs": openinference(said=False),
    "vercel_ai_6.0.326_js_otlp_json": [
        Expected("demo-model", DATED, FULL, "stop", (2, "Be terse."), streamed=False),
        Expected("demo-model", DATED, FULL, "tool-calls", (1, "Weather in Oslo?"), TOOL, False),
        Expected("demo-model", DATED, FULL, "stop", COUNT, streamed=True),
        Expected("fail-model", None, UNKNOWN, None, (1, "x"), (), False, True),
    ],
    "langfuse_5.0.4_otlp": [
        LANGFUSE,
        LANGFUSE._replace(said=WEATHER, tools=TOOL),
        LANGFUSE._replace(said=COUNT, finish="stop", streamed=True),
        LANGFUSE._replace(model="fail-model", served="fail-model", usage=UNKNOWN, said=(1, "x"), failed=True),
        LANGFUSE._replace(said=(1, "Say hello twice.")),
    ],
    "langfuse_5.0.4_otlp_propagated_session": [LANGFUSE],
    "RECONSTRUCTED.openrouter_broadcast_otlp": [OPENROUTER],
    "RECONSTRUCTED.openrouter_broadcast_otlp.privacy_mode": [OPENROUTER._replace(said=None, tools=())],
    "RECONSTRUCTED.openrouter_broadcast_otlp.identity_optin": [OPENROUTER._replace(streamed=True)],
    "RECONSTRUCTED.openrouter_broadcast_otlp.error": [OPENROUTER._replace(usage=UNKNOWN, finish=None, failed=True)],
    "RECONSTRUCTED.openrouter_broadcast_otlp.connection_test": [],
}
# Of the same wire, but not of this protocol.
OTHERS = ("litellm_proxy", "litellm_sdk", "jsonl", "langfuse_2", "RECONSTRUCTED.openrouter_broadcast_s3")


@pytest.fixture(scope="module")
def samples(shared: Path) -> Path:
    return shared / "wire" / "samples"


def posts(written: Any) -> Iterator[dict[str, Any]]:
    """Yields the bodies of a sample, which may be one, one with what was sent around it, or a list of those."""
    if isinstance(written, list):
        for one in written:
            yield from posts(one)
    else:
        yield written.get("body", written)


def joined(path: Path) -> list[Generation]:
    """Returns the generations of a sample, with what its log records tell of them."""
    found: list[tuple[str, Generation]] = []
    told: dict[str, list[Told]] = {}
    for post in posts(json.loads(path.read_bytes())):
        data = json.dumps(post).encode()
        for span in otlp.read_spans(data, "json"):
            generation = otlp.generation(span)
            if generation is not None:
                found.append((span.span_id, generation))
        for piece in map(otlp.told, otlp.read_records(data, "json")):
            assert piece is not None
            told.setdefault(piece.span_id, []).append(piece)
    for span_id, generation in found:
        content = otlp.joined(told.get(span_id, ()))
        generation.messages = generation.messages or content.messages
        generation.tools = generation.tools or content.tools
        generation.finish_reason = generation.finish_reason or content.finish_reason
    return [generation for _, generation in found]


def short(found: Generation) -> Expected:
    return Expected(
        model=found.model,
        served=found.model_served,
        usage=(found.tokens_prompt, found.tokens_completion, found.tokens_cached, found.tokens_reasoning),
        finish=found.finish_reason,
        said=(len(found.messages), found.messages[0].text()) if found.messages else None,
        tools=tuple(tool if isinstance(tool, str) else tool.offered() for tool in found.tools or ()),
        streamed=found.streamed,
        failed=found.error is not None,
        embeddings=found.operation == "embeddings",
    )


@pytest.mark.shared
@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_these_generations_and_no_others(samples: Path, name: str) -> None:
    assert [short(found) for found in joined(samples / f"{name}.json")] == SAMPLES[name]


@pytest.mark.shared
def test_every_sample_of_the_protocol_is_in_the_table(samples: Path) -> None:
    names = {path.stem for path in samples.glob("*.json") if not path.name.startswith(OTHERS)}
    assert names == set(SAMPLES)


@pytest.mark.shared
def test_protobuf_as_it_was_sent_is_the_same(samples: Path) -> None:
    name = "otel_genai_openai_1.3b0.SPAN_ONLY"
    plain = (samples / f"{name}.pb").read_bytes()
    assert gzip.decompress((samples / f"{name}.pb.gz").read_bytes()) == plain
    [post] = posts(json.loads((samples / f"{name}.json").read_bytes()))
    assert otlp.read_spans(plain, "protobuf") == otlp.read_spans(json.dumps(post).encode(), "json")


@pytest.mark.shared
def test_a_gateway_wired_to_two_callbacks_names_its_calls_alike(samples: Path) -> None:
    logged = {
        record["litellm_call_id"]
        for path in samples.glob("litellm_proxy_generic_api.0*.json")
        for record in posts(json.loads(path.read_bytes()))
    }
    spans = joined(samples / "litellm_otel_v1.litellm_request_spans.json")
    assert {found.id for found in spans} == logged
    assert {found.source for found in spans} == {"litellm"}


@pytest.mark.shared
def test_who_called_a_gateway_is_in_its_spans(samples: Path) -> None:
    first, hit, *_ = joined(samples / "litellm_otel_v1.litellm_request_spans.json")
    assert (first.http_referer, first.app_title) == ("https://example.org/app", "Demo App OR")
    assert (first.app_categories, first.user_agent) == ("cli-agent,programming-app", "demo-agent/1.2")
    assert (first.account, first.session_id) == ("litellm_proxy_master_key", "hdr-sess-1")
    assert first.cost_usd == pytest.approx(9.15e-06)
    assert first.cache_hit is None
    assert (hit.cost_usd, hit.cache_hit) == (0, True)
