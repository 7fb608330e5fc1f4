"""Records as other programs write them, made up for tests: each builder returns a good one, and takes changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

Record = dict[str, Any]

SAID = [{"role": "user", "content": "Translate 'good morning' into French."}]
TOOLS = [{"type": "function", "function": {"name": "lookup", "description": "Looks a word up", "parameters": {}}}]
CALLS = [{"id": "c", "type": "function", "function": {"name": "lookup", "arguments": '{"word": "morning"}'}}]
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 40},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Record:
    """Returns `base` with changes; `a__b` changes the value b of the value a."""
    record: Record = copy.deepcopy(dict(base))
    for name, value in changes.items():
        *path, last = name.split("__")
        place = record
        for part in path:
            place = place[part]
        place[last] = value
    return record


SLP: Record = {
    "id": "chatcmpl-9",
    "litellm_call_id": "call-1",
    "trace_id": "0b8d1f7e-3c2a-4d5e-9f60-718293a4b5c6",
    "session_id": "",
    "call_type": "acompletion",
    "cache_hit": None,
    "stream": None,
    "status": "success",
    "custom_llm_provider": "openai",
    "startTime": 1795168800.25,
    "endTime": 1795168801.0,
    "response_time": 0.1,
    "model": "openai/gpt-4o-mini",
    "model_group": "fast",
    "metadata": {
        "user_api_key_hash": "5e884898",
        "user_agent": "tidepool/2.0",
        "requester_metadata": {
            "headers": {
                "host": "gateway.example",
                "http-referer": "https://tidepool.example/chat",
                "x-title": "Tidepool",
                "x-openrouter-categories": "general-chat",
                "user-agent": "tidepool/2.0",
            }
        },
        "requester_custom_headers": {"x-title": "Tidepool", "x-openrouter-categories": "general-chat"},
        "usage_object": USAGE,
    },
    "response_cost": 0.0015,
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "user_agent": "tidepool/2.0",
    "messages": SAID,
    "response": {
        "id": "chatcmpl-9",
        "model": "fast",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Bonjour"}}],
        "usage": USAGE,
    },
    "model_parameters": {"stream": False, "tools": TOOLS},
    "hidden_params": {"litellm_model_name": "openai/gpt-4o-mini-2024-07-18"},
    "model_map_information": {"model_map_key": "gpt-4o-mini", "model_map_value": {"max_tokens": 16384}},
    "error_str": None,
    "error_information": {"error_code": "", "error_class": "", "traceback": ""},
}


def slp(**changes: Any) -> Record:
    """Returns what LiteLLM's proxy logs of a chat."""
    return changed(SLP, changes)


GENERATION: Record = {
    "id": "obs-1",
    "traceId": "trace-1",
    "startTime": "2026-11-20T10:00:00.250Z",
    "endTime": None,
    "model": "gpt-4o-mini",
    "modelParameters": {"max_tokens": "inf"},
    "input": SAID,
}
REPLY: Record = {
    "id": "obs-1",
    "traceId": "trace-1",
    "endTime": "2026-11-20T10:00:01Z",
    "model": "gpt-4o-mini-2024-07-18",
    "output": {"role": "assistant", "content": "Bonjour"},
    "usage": {"input": 100, "output": 20, "total": 120, "unit": "TOKENS"},
    "usageDetails": USAGE,
}


def event(kind: str, body: Mapping[str, Any], **changes: Any) -> Record:
    """Returns an event that a Langfuse SDK posts."""
    name = f"{kind}-{body.get('id')}"
    return {"id": name, "type": kind, "timestamp": "2026-11-20T10:00:02Z", "body": changed(body, changes)}


def create(**changes: Any) -> Record:
    return event("generation-create", GENERATION, **changes)


def update(**changes: Any) -> Record:
    return event("generation-update", REPLY, **changes)


def trace_create(**changes: Any) -> Record:
    return event("trace-create", {"id": "trace-1", "name": "greet", "sessionId": "talk-1", "userId": "u"}, **changes)


def posted(*events: Record) -> bytes:
    return msgspec.json.encode({"batch": events, "metadata": {"sdk_name": "python", "batch_size": len(events)}})


ROW: Record = {
    "id": "obs-1",
    "trace_id": "trace-1",
    "project_id": "project-1",
    "type": "GENERATION",
    "start_time": "2026-11-20 10:00:00.250000",
    "end_time": "2026-11-20 10:00:01.000000",
    "completion_start_time": None,
    "name": "greet",
    "metadata": {},
    "level": "DEFAULT",
    "status_message": "",
    "input": msgspec.json.encode(SAID).decode(),
    "output": '{"role":"assistant","content":"Bonjour"}',
    "provided_model_name": "gpt-4o-mini",
    "model_parameters": '{"temperature":0.7}',
    "usage_details": {"input": 60, "input_cached_tokens": 40, "output": 15, "output_reasoning_tokens": 5, "total": 120},
    "cost_details": {"input": 0.001, "output": 0.0005},
    "total_cost": 0.0015,
    "latency": 0.75,
    "created_at": "2026-11-20 10:00:03.000000",
    "tool_calls": [],
    "tool_call_names": [],
    "tool_definitions": {"lookup": "{}"},
    "user_id": "u",
    "session_id": "talk-1",
    "public": False,
}


def row(**changes: Any) -> Record:
    """Returns an observation as Langfuse exports it to blob storage."""
    return changed(ROW, changes)


TRACE: Record = {
    "id": "gen-1795168800-AbCdEfGhIjKlMnOpQrSt",
    "name": "OpenRouter Request",
    "timestamp": "2026-11-20T10:00:00.250Z",
    "sessionId": "talk-1",
    "apiKeyName": "team key",
    "input": {"messages": SAID},
    "output": {
        "completion": "Bonjour",
        "toolCalls": [],
        "tools": TOOLS,
        "rawRequest": {"model": "openrouter/auto", "stream": True},
    },
    "metadata": {},
    "observations": [
        {"id": "gen-1795168800-AbCdEfGhIjKlMnOpQrSt:attempt-0", "type": "SPAN", "name": "provider attempt 0: Azure"},
        {
            "id": "gen-1795168800-AbCdEfGhIjKlMnOpQrSt",
            "type": "GENERATION",
            "startTime": "2026-11-20T10:00:00.250Z",
            "endTime": "2026-11-20T10:00:01Z",
            "model": "openai/gpt-4o-mini",
            "providerName": "Azure",
            "promptTokens": 100,
            "completionTokens": 20,
            "totalCost": 0.0015,
            "finishReason": "stop",
            "normalizedFinishReason": "stop",
        },
    ],
}


def trace(**changes: Any) -> Record:
    """Returns a trace that OpenRouter writes to a bucket; changes to `observation` are to its generation."""
    of_generation = {name[13:]: changes.pop(name) for name in list(changes) if name.startswith("observation__")}
    record = changed(TRACE, changes)
    record["observations"] = [*record["observations"][:-1], changed(record["observations"][-1], of_generation)]
    return record


BATCHED: Record = {
    "id": "batch_req_1",
    "custom_id": "row-1",
    "response": {
        "status_code": 200,
        "request_id": "r",
        "body": {
            "id": "chatcmpl-9",
            "object": "chat.completion",
            "created": 1795168800,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Bonjour"}}],
            "usage": USAGE,
        },
    },
    "error": None,
}


def batched(**changes: Any) -> Record:
    """Returns a line of what OpenAI's Batch API writes."""
    return changed(BATCHED, changes)
