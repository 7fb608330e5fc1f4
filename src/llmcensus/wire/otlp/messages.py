"""
The forms in which a conversation is written → messages.

* OTel            {role, parts: [{type: text, content} | {type: tool_call} | {type: tool_call_response}]}
* OpenAI          {role, content: text | [{type: text, text} | {type: image_url} | …], tool_calls}
* Anthropic       {role, content: [{type: text} | {type: tool_use, name, input} | {type: tool_result, content}]}
* Vercel AI SDK   {role, content: [{type: text} | {type: tool-call, toolName, input} | {type: tool-result, output}]}
* flat            one attribute a field: `gen_ai.prompt.0.content`, `llm.input_messages.0.message.content`

The first four differ in words only, and one reader takes all; flat attributes are put together into dicts first. What a
tool returned becomes a message of the role `tool`, wherever it stood. Reasoning is left out.

See: https://github.com/open-telemetry/semantic-conventions-genai, https://github.com/Arize-ai/openinference/tree/main/spec
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from llmcensus.generation import Message, Part, ToolCall
from llmcensus.wire.otlp.bodies import Attributes
from llmcensus.wire.otlp.values import REMOVED, from_json, text

TEXTS = frozenset({"text", "input_text", "output_text"})
CALLS = frozenset({"tool_call", "tool-call", "tool_use", "function_call"})
RESULTS = frozenset({"tool_call_response", "tool-result", "tool_result", "function_call_output"})
# Kinds of input besides text, by the type of a part, or by the first half of the media type that it names.
KINDS = {
    "image": "image",
    "image_url": "image",
    "input_image": "image",
    "audio": "audio",
    "input_audio": "audio",
    "audio_url": "audio",
}
# Nobody numbers more messages, and Python refuses to read numbers without end.
MOST_DIGITS = 6
MEDIA = ("modality", "mediaType", "media_type", "mimeType", "mime_type")


def conversation(value: object) -> list[Message] | None:
    """Returns the messages of a list in any form, or of JSON of one; None where they say nothing."""
    said = from_json(value)
    if not isinstance(said, list):
        return None
    return known([message for one in said if isinstance(one, dict) for message in read(one)])


def request(value: object) -> list[Message] | None:
    """Returns the messages of a whole request, of a list of messages, or of a text that is the only one."""
    said = from_json(value) if isinstance(value, str) and value[:1] in ("[", "{", '"') else value
    if isinstance(said, str):
        return known([Message(content=said)])
    if not isinstance(said, dict):
        return conversation(said)
    system = said.get("system") or said.get("instructions") or said.get("system_instruction")
    asked = next((said[key] for key in ("messages", "input", "contents", "prompt") if said.get(key)), None)
    if asked is None:
        # Something of the sender's own: it is what was asked, in whatever words.
        return known([Message(content=msgspec.json.encode(said).decode())])
    turns = list(asked) if isinstance(asked, list) else [asked]
    return known([*_system(system), *(message for one in turns for message in _turn(one))])


def _system(value: object) -> Iterable[Message]:
    if isinstance(value, dict):
        value = value.get("parts") or value.get("content") or value.get("text")
    return [Message(role="system", content=said) for said in [instructions(value)] if said]


def _turn(value: object) -> Iterator[Message]:
    if isinstance(value, str):
        yield Message(content=value)
    elif isinstance(value, dict):
        yield from read(value)


def instructions(value: object) -> str | None:
    """Returns a system prompt that is written apart: a text, a list of parts or of messages, or JSON of either."""
    said = from_json(value) if isinstance(value, str) and value[:1] == "[" else value
    if isinstance(said, list):
        said = "\n".join(filter(None, (_said(part) for part in _flattened(said))))
    return text(said)


def _flattened(parts: Sequence[Any]) -> Iterator[Any]:
    for part in parts:
        inner = part.get("parts") if isinstance(part, dict) else None
        yield from inner if isinstance(inner, list) else [part]


def known(messages: list[Message]) -> list[Message] | None:
    """Returns messages of which at least one says something; where content was taken out, none does."""
    return messages if any(_says(message) for message in messages) else None


def _says(message: Message) -> bool:
    if isinstance(message.content, list):
        return any(isinstance(part, str) or part.type in KINDS or _clean(part.text) for part in message.content)
    return _clean(message.content)


def _clean(said: str | None) -> bool:
    return said is not None and said.strip() not in REMOVED


def read(said: dict[str, Any]) -> Iterator[Message]:
    """Yields what tools returned, and then the message itself."""
    role = said.get("role")
    parts: list[Part] = []
    calls = [call for call in map(_call, _listed(said.get("tool_calls"))) if call]
    results: list[str] = []
    for piece in _pieces(said):
        kind = piece.get("type", "text")
        if kind in CALLS:
            calls.append(_call(piece) or ToolCall())
        elif kind in RESULTS:
            results.append(_result(piece))
        elif (part := _part(piece, kind)) is not None:
            parts.append(part)
    yield from (Message(role="tool", content=result) for result in results)
    if parts or calls or not results:
        name = role if isinstance(role, str) and role else "user"
        yield Message(role="assistant" if name == "model" else name, content=_joined(parts), tool_calls=calls or None)


def _pieces(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for body in (said.get("parts"), said.get("content")):
        for piece in body if isinstance(body, list) else [body]:
            if isinstance(piece, dict):
                yield piece
            elif isinstance(piece, str):
                yield {"text": piece}


def _part(piece: dict[str, Any], kind: object) -> Part | None:
    if kind in TEXTS:
        said = _said(piece)
        return Part(text=said) if said else None
    if kind in KINDS:
        return Part(type=KINDS[str(kind)])
    media = next((piece[key] for key in MEDIA if isinstance(piece.get(key), str)), "")
    found = KINDS.get(media.split("/")[0])
    return Part(type=found) if found else None


def _said(piece: Any) -> str:
    if isinstance(piece, str):
        return piece
    said = (piece.get("text") or piece.get("content")) if isinstance(piece, dict) else None
    return said if isinstance(said, str) else ""


def _joined(parts: list[Part]) -> str | list[Part | str] | None:
    if all(part.type == "text" for part in parts):
        return "\n".join(part.text or "" for part in parts) or None
    return list(parts)


def _call(said: object) -> ToolCall | None:
    if not isinstance(said, dict):
        return None
    inner = said.get("function")
    function = inner if isinstance(inner, dict) else said
    name = function.get("name") or said.get("toolName") or said.get("tool_name")
    given = next((function[key] for key in ("arguments", "input", "args") if function.get(key) is not None), None)
    return ToolCall(
        name=name if isinstance(name, str) else None,
        arguments=given if isinstance(given, (str, dict)) else None,
    )


def _result(piece: dict[str, Any]) -> str:
    found = next((piece[key] for key in ("response", "result", "output", "content") if piece.get(key) is not None), "")
    if isinstance(found, dict) and "value" in found:  # as the AI SDK has it: {type, value}
        found = found["value"]
    if isinstance(found, list):
        found = "\n".join(filter(None, map(_said, found))) or found
    return found if isinstance(found, str) else str(found)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def offered(value: object) -> list[str] | None:
    """Returns the names of tools, defined in any form, each by itself as JSON or not; None where there are none."""
    names = []
    for tool in _listed(from_json(value)):
        defined = from_json(tool)
        found = _call(defined) if isinstance(defined, dict) else None
        if found is not None and found.name:
            names.append(found.name)
    return names or None


def flat(attributes: Attributes, prefix: str) -> list[dict[str, Any]]:
    """Returns what attributes below a prefix describe one by one: `prefix.0.role`, `prefix.0.content`, in order."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if not key.startswith(prefix):
            continue
        number, *path = key[len(prefix) + 1 :].split(".")
        if not path or not number.isdecimal() or len(number) > MOST_DIGITS:
            continue
        inner = found.setdefault(int(number), {})
        for step in path[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                break
        else:
            inner[path[-1]] = value
    return [said for _, said in sorted(found.items())]


def flat_conversation(attributes: Attributes, prefix: str) -> list[Message] | None:
    """Returns the messages of flat attributes, as OpenLLMetry and OpenInference write them."""
    said = (message.get("message", message) for message in flat(attributes, prefix))
    return known([message for one in said if isinstance(one, dict) for message in read(_nested(one))])


def _nested(said: dict[str, Any]) -> dict[str, Any]:
    content = said.get("content")
    if isinstance(content, str) and content.startswith('[{"type"'):
        content = from_json(content)  # parts, which OpenLLMetry writes as JSON
    contents = [part.get("message_content", part) for part in _numbered(said.get("contents"))]
    calls = [call.get("tool_call", call) for call in _numbered(said.get("tool_calls"))]
    return {"role": said.get("role"), "content": contents or content, "tool_calls": calls}


def _numbered(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [value[key] for key in sorted(value, key=lambda key: (len(key), key)) if isinstance(value[key], dict)]
