"""
A program that asks a model four things and is traced, as its author would set it up: `app.py INSTRUMENTATION`.

Where telemetry goes is in the environment, in the variables that OpenTelemetry and Langfuse have for it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

TRACED = {
    "genai": "opentelemetry.instrumentation.genai.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "openinference": "openinference.instrumentation.openai",
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


def opentelemetry(module: str) -> tuple[Any, Callable[[], object]]:
    """Traces the client of OpenAI; returns it, and what sends all that is left."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    importlib.import_module(module).OpenAIInstrumentor().instrument(tracer_provider=traces, logger_provider=logs)
    import openai

    def flush() -> None:
        # Spans first: what they are joined with comes after they were counted.
        traces.shutdown()
        logs.shutdown()

    return openai, flush


def langfuse() -> tuple[Any, Callable[[], object]]:
    from langfuse import get_client
    from langfuse.openai import openai

    return openai, get_client().flush


def ask(openai: Any) -> None:
    client = openai.OpenAI(base_url=os.environ["UPSTREAM_URL"], api_key="none", max_retries=0)
    create = client.chat.completions.create
    create(model="gpt-4o", messages=[{"role": "user", "content": "Translate 'good morning' into French."}])
    turns: list[Any] = [
        {"role": "system", "content": "You are a terse weather bot."},
        {"role": "user", "content": "What is the weather in Oslo?"},
    ]
    called = create(model="gpt-4o", messages=turns, tools=[TOOL]).choices[0].message.tool_calls[0]
    call = {"id": called.id, "type": "function", "function": called.function.model_dump()}
    turns += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": called.id, "content": "7C, rain"},
    ]
    create(model="gpt-4o", messages=turns, tools=[TOOL])
    asked = [{"role": "user", "content": "Solve 3x + 5 = 20 and show each step."}]
    for _ in create(model="gpt-4o", messages=asked, stream=True, stream_options={"include_usage": True}):
        pass
    with suppress(openai.RateLimitError):
        create(model="busy", messages=[{"role": "user", "content": "Are you there?"}])


def main(name: str) -> None:
    openai, flush = langfuse() if name == "langfuse" else opentelemetry(TRACED[name])
    ask(openai)
    flush()


if __name__ == "__main__":
    main(sys.argv[1])
