"""
Messages and tools as clients of any vendor send them → ours.

OpenAI's chat form is ours. Anthropic's blocks and the items of OpenAI's Responses have calls and results among their
content: these become calls of the assistant, and turns of the role `tool`. What has no form that is known here is None,
and the request is counted without a task: a message that cannot be read is no reason to lose a request.

See: https://platform.openai.com/docs/api-reference/chat, https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from llmcensus.generation import Message, Part, Tool, ToolCall
from llmcensus.wire.problems import UNREADABLE

# What senders write in place of a text that they keep to themselves.
NO_CONTENT = frozenset(
    {
        "",
        "redacted-by-litellm",
        "__REDACTED__",
        "<truncated due to size exceeding limit>",
        "<fully masked due to failed mask function>",
    }
)
# Forms in which calls and results are part of the content: without one of these words, messages are read as they are.
WITHIN = re.compile(rb'"(?:tool_use|tool_result|function_call|mcp_call)')


class Block(msgspec.Struct, gc=False):
    """A part of a message in any form. `content` is what a tool returned, `input` what it was called with."""

    type: str = "text"
    text: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()


class Turn(msgspec.Struct, gc=False):
    """A message, or an item of OpenAI's Responses, which has a type in place of a role."""

    type: str | None = None
    role: str = "user"
    content: str | list[Block | str] | None = None
    tool_calls: list[ToolCall] | None = None
    name: str | None = None
    arguments: str | None = None
    output: msgspec.Raw = msgspec.Raw()


class Conversation(msgspec.Struct):
    """An input that holds more than messages."""

    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    role: str | None = None


_messages = msgspec.json.Decoder(list[Message])
_turns = msgspec.json.Decoder(list[Turn])
_content = msgspec.json.Decoder(str | list[Block | str])
_tools = msgspec.json.Decoder(list[Tool | str])
_conversation = msgspec.json.Decoder(Conversation)
_text = msgspec.json.Decoder(str)


def read(raw: bytes | msgspec.Raw) -> tuple[list[Message] | None, list[Tool | str] | None]:
    """
    Returns the messages and tools that one JSON value holds: a list of messages, an object with `messages` and `tools`
    (or `input`), one message, or a text.
    """
    value = bytes(raw).strip()
    try:
        if value.startswith(b"["):
            return known(_listed(value)), None
        if value.startswith(b'"'):
            return of_text(_text.decode(value))
        if value.startswith(b"{"):
            return _of_object(value)
    except UNREADABLE:
        pass
    return None, None


def of_text(text: str) -> tuple[list[Message] | None, list[Tool | str] | None]:
    """Returns what a text holds: messages written down as JSON, or what a person said."""
    if text.lstrip()[:1] in ("[", "{"):
        found = read(text.encode("utf-8", "surrogatepass"))
        if found[0] is not None:
            return found
    return known([Message(content=text)]), None


def tools(raw: bytes | msgspec.Raw) -> list[Tool | str] | None:
    try:
        return _tools.decode(raw) if bytes(raw) else None
    except UNREADABLE:
        return None


def content(raw: msgspec.Raw) -> str | list[Part | str] | None:
    """Returns a text, or the parts of one; None where it is neither, or is kept back."""
    try:
        found = _content.decode(raw)
    except UNREADABLE:
        return None
    if isinstance(found, str):
        return None if found in NO_CONTENT else found
    return [part if isinstance(part, str) else Part(part.type, part.text) for part in found]


def known(messages: list[Message]) -> list[Message] | None:
    """Returns messages, or None where nothing is left of what they said."""
    return messages if any(map(_says, messages)) else None


def _says(message: Message) -> bool:
    if isinstance(message.content, str):
        return message.content not in NO_CONTENT or bool(message.tool_calls)
    return bool(message.tool_calls) or any(map(_holds, message.content or ()))


def _holds(part: Part | str) -> bool:
    text = part if isinstance(part, str) else part.text
    return text not in NO_CONTENT if text is not None else isinstance(part, Part) and part.type != "text"


def _of_object(value: bytes) -> tuple[list[Message] | None, list[Tool | str] | None]:
    found = _conversation.decode(value)
    if bytes(found.messages):
        return read(found.messages)[0], tools(found.tools)
    if found.role is not None:
        return known(_listed(b"[" + value + b"]")), None
    if bytes(found.input):
        return read(found.input)[0], tools(found.tools)
    return None, None


def _listed(value: bytes) -> list[Message]:
    if not WITHIN.search(value):
        return _messages.decode(value)
    return [message for turn in _turns.decode(value) for message in _said(turn)]


def _said(turn: Turn) -> Iterator[Message]:
    """Yields the messages that one turn of another form is."""
    if turn.type in ("function_call", "mcp_call"):
        yield Message("assistant", tool_calls=[ToolCall(turn.name, turn.arguments)])
    elif turn.type == "function_call_output":
        yield Message("tool", content(turn.output))
    elif isinstance(turn.content, list):
        yield from _unfolded(turn.role, turn.content, turn.tool_calls or [])
    else:
        yield Message(turn.role, turn.content, turn.tool_calls)


def _unfolded(role: str, blocks: Sequence[Block | str], calls: list[ToolCall]) -> Iterator[Message]:
    parts: list[Part | str] = []
    calls = list(calls)
    for block in blocks:
        if isinstance(block, str):
            parts.append(block)
        elif block.type == "tool_result":
            yield Message("tool", content(block.content))
        elif block.type == "tool_use":
            calls.append(ToolCall(block.name, bytes(block.input).decode()))
        else:
            parts.append(Part(block.type, block.text))
    if parts or calls:
        yield Message(role, parts or None, calls or None)
