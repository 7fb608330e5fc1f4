"""
Programs that are traced as their authors would trace them send to a server of ours: each call is counted once, with the
right model, tokens and task. What is expected was written by hand, as native records.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmcensus.classify import shipped
from llmcensus.ingest import Intake
from llmcensus.store import Store, utc_now
from tests.conftest import FIRST_DAY
from tests.serving import Server, serving
from tests.upstream import SERVED, provider
from tests.worlds import cells, count

CLIENTS = Path(__file__).parent / "clients"
CALL = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
WEATHER: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a terse weather bot."},
    {"role": "user", "content": "What is the weather in Oslo?"},
]
RESULT = [*WEATHER, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "content": "7C, rain"}]
CALLS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "Translate 'good morning' into French."}]},
    {"messages": WEATHER, "tools": ["get_weather"], "finish_reason": "tool_calls"},
    {"messages": RESULT, "tools": ["get_weather"]},
    {"messages": [{"role": "user", "content": "Solve 3x + 5 = 20 and show each step."}]},
]
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    """A server with the clock of the world: what is sent was made now."""
    store = Store.open(url)
    with serving(store, utc_now) as running:
        yield running
    store.close()


def expected(model: str = "gpt-4o", calls: list[dict[str, Any]] = CALLS) -> object:
    """Returns what native records of the calls are counted as; without messages where `calls` have none."""
    store = Store.open("sqlite:///:memory:")
    known = {"source": "native", "model": model, "tokens_prompt": 31, "tokens_completion": 9, "tokens_cached": 12}
    now = datetime.now(UTC).isoformat()
    intake = Intake.open(store, shipped(), FIRST_DAY)
    count(intake, *(known | call | {"id": str(number), "created_at": now} for number, call in enumerate(calls)))
    found = counted(store)
    store.close()
    return found


def counted(store: Store) -> object:
    """Returns the cells of models and tasks without their day: the clock may pass midnight meanwhile."""
    found = cells(store)
    return {cube: sorted(row[1:] for row in found[cube]) for cube in ("model", "task")}


def run(command: list[str], folder: Path, **environment: str) -> None:
    ran = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert "Failed to export" not in ran.stderr, ran.stderr


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is in
        return False


def trace(server: Server, name: str, module: str, **environment: str) -> None:
    """Runs the Python program with an instrumentation, if that is installed."""
    if not installed(module):
        pytest.skip(f"{module} is not installed: run `uv sync --group traced`")
    key = server.key("ingest")
    exporting = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{key}",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_SERVICE_NAME": "tests",
        "LANGFUSE_BASE_URL": server.url,
        "LANGFUSE_HOST": server.url,
        "LANGFUSE_PUBLIC_KEY": "pk-lf-any",
        "LANGFUSE_SECRET_KEY": key,
    }
    with provider() as upstream:
        given = exporting | {"UPSTREAM_URL": upstream} | environment
        run([sys.executable, "app.py", name], CLIENTS / "python", **given)


GENAI = "opentelemetry.instrumentation.genai.openai"
OPENLLMETRY = "opentelemetry.instrumentation.openai"
OPENINFERENCE = "openinference.instrumentation.openai"


@pytest.mark.parametrize(
    ("name", "module", "content"),
    [
        ("genai", GENAI, "SPAN_ONLY"),
        ("genai", GENAI, "EVENT_ONLY"),
        ("genai", GENAI, "SPAN_AND_EVENT"),
        ("openllmetry", OPENLLMETRY, ""),
        ("openinference", OPENINFERENCE, ""),
    ],
)
def test_what_an_instrumented_program_asks_is_counted_once(
    server: Server, name: str, module: str, content: str
) -> None:
    trace(server, name, module, **{CONTENT: content})
    assert counted(server.store) == expected()
    assert server.store.tally()["error"] == 1


def test_langfuse_names_the_model_that_answered(server: Server) -> None:
    trace(server, "langfuse", "langfuse.openai")
    calls = [{name: value for name, value in call.items() if name != "finish_reason"} for call in CALLS]
    assert counted(server.store) == expected(SERVED, calls)
    assert server.store.tally()["error"] == 1
    assert server.store.tally().counts["langfuse", "accepted"] == 5


@pytest.mark.parametrize(
    ("name", "module", "off"),
    [
        ("genai", GENAI, {}),
        ("openllmetry", OPENLLMETRY, {"TRACELOOP_TRACE_CONTENT": "false"}),
        ("openinference", OPENINFERENCE, {"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"}),
    ],
)
def test_without_content_calls_count_as_unclassified(
    server: Server, name: str, module: str, off: dict[str, str]
) -> None:
    trace(server, name, module, **off)
    silent = [{"finish_reason": call.get("finish_reason")} for call in CALLS]
    assert counted(server.store) == expected(calls=silent)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.skipif(
    not (CLIENTS / "vercel" / "node_modules").is_dir(),
    reason="the SDK is not installed: run `npm ci` in tests/clients/vercel",
)
@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_the_vercel_ai_sdk_is_counted_once(server: Server, encoding: str) -> None:
    with provider() as upstream:
        given = {"CENSUS_URL": server.url, "CENSUS_KEY": server.key("ingest"), "UPSTREAM_URL": upstream}
        run(["node", "app.mjs", encoding], CLIENTS / "vercel", **given)
    assert counted(server.store) == expected()
    tally = server.store.tally()
    assert (tally["accepted"], tally["error"]) == (5, 1)
    assert tally["ignored"] >= 5
