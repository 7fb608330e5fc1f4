"""
A request as a labelled transcript: which pieces of text decide its task, each cut to a bounded length.

Structure (who spoke last, how many tools, how long) is written as words of a field of its own, so that one kernel reads
everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llmcensus.generation import Generation, Message, Tool, ToolCall

# The fields, in the order of their numbers; a word in one is not the same feature as that word in another.
FIELDS = (
    "opening",
    "head",
    "tail",
    "ending",
    "system",
    "system_opening",
    "system_tail",
    "first",
    "goal",
    "reply",
    "tools",
    "calls",
    "result",
    "shape",
)
(
    OPENING,
    HEAD,
    TAIL,
    ENDING,
    SYSTEM,
    SYSTEM_OPENING,
    SYSTEM_TAIL,
    FIRST,
    GOAL,
    REPLY,
    TOOLS,
    CALLS,
    RESULT,
    SHAPE,
) = range(len(FIELDS))
# Characters of each field that are read.
CUT = {
    OPENING: 60,
    HEAD: 900,
    TAIL: 400,
    ENDING: 250,
    SYSTEM: 600,
    SYSTEM_OPENING: 120,
    SYSTEM_TAIL: 400,
    FIRST: 400,
    GOAL: 900,
    REPLY: 200,
    TOOLS: 400,
    CALLS: 400,
    RESULT: 200,
}
# A text as short as this is all opening; a sentence shorter than this is not what a text ends with.
SHORT = 120
SENTENCE = 15
WORD = re.compile(r"\w")
STOP = re.compile(r"[.!?:。！？]\s*")
# A turn of this role carries what a tool returned.
RESULT_ROLES = frozenset({"tool", "function"})
RECENT_CALLS = 3


class Segments(NamedTuple):
    """
    The fields of a batch, flat: segment i is `text[start[i]:start[i + 1]]` of field `field[i]`.

    Request r has the segments `first[r]` up to `first[r + 1]`; one without text to judge has none.
    """

    text: NDArray[np.uint8]
    start: NDArray[np.int64]
    field: NDArray[np.int64]
    first: NDArray[np.int64]


def segments(generations: Sequence[Generation]) -> Segments:
    pieces: list[bytes] = []
    numbers: list[int] = []
    first = [0]
    for generation in generations:
        if generation.messages is not None:
            for number, text in fields(generation.messages, generation.tools or ()):
                pieces.append(text.encode("utf-8", "surrogatepass"))
                numbers.append(number)
        first.append(len(pieces))
    start = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(piece) for piece in pieces], out=start[1:])
    return Segments(
        text=np.frombuffer(b"".join(pieces) or b" ", np.uint8),
        start=start,
        field=np.array(numbers, np.int64),
        first=np.array(first, np.int64),
    )


def fields(messages: Sequence[Message], tools: Sequence[Tool | str]) -> list[tuple[int, str]]:
    """Returns (number of the field, its text) for every field that is not empty."""
    turns = [message for message in messages if message.role not in ("system", "developer")]
    asked = [message for message in turns if message.role == "user"]
    last = turns[-1] if turns else None
    returned = last is not None and last.role in RESULT_ROLES
    said = asked[-1].text() if asked else (last.text() if last and not returned else "")
    calls = recent_calls(turns)
    found = [
        (SHAPE, shape(said, messages, turns, tools, calls)),
        (TAIL, said[max(CUT[HEAD], len(said) - CUT[TAIL]) :]),
        (TOOLS, " ".join([_offered(tool) for tool in tools[:32]])[: CUT[TOOLS]]),
    ]
    if returned:
        # In the middle of its work: what was wished for is not what is done next.
        found.append((GOAL, said[: CUT[GOAL]]))
    else:
        found += ((OPENING, said[: CUT[OPENING]]), (HEAD, said[: CUT[HEAD]]), (ENDING, _ending(said)))
    if len(turns) != len(messages):
        system = next(message for message in messages if message.role in ("system", "developer")).text()
        found += (
            (SYSTEM, system[: CUT[SYSTEM]]),
            (SYSTEM_OPENING, system[: CUT[SYSTEM_OPENING]]),
            (SYSTEM_TAIL, system[max(CUT[SYSTEM], len(system) - CUT[SYSTEM_TAIL]) :]),
        )
    if len(asked) > 1:
        found.append((FIRST, asked[0].text()[: CUT[FIRST]]))
    if calls:
        found.append((CALLS, "\n".join([f"{call.called()} {call.given()[:120]}" for call in calls])[: CUT[CALLS]]))
    if returned and last is not None:
        found.append((RESULT, last.text()[: CUT[RESULT]]))
    elif len(turns) > 1:
        replies = [message for message in turns[-3:] if message.role == "assistant"]
        found.append((REPLY, replies[-1].text()[: CUT[REPLY]] if replies else ""))
    return [(number, text) for number, text in found if text]


def has_words(messages: Sequence[Message]) -> bool:
    """Says whether any turn holds a letter or a digit, or calls for one: an image alone asks for something."""
    return any(
        WORD.search(message.text()) or message.tool_calls or isinstance(message.content, list) for message in messages
    )


def _ending(said: str) -> str:
    """Returns the last line or sentence of a text: what was asked may stand behind what was pasted."""
    if len(said) <= SHORT:
        return ""
    end = said[-CUT[ENDING] :].rstrip()
    line = end.rfind("\n")
    if line >= 0 and len(end) - line >= SENTENCE:
        return end[line:]
    stops = [stop.end() for stop in STOP.finditer(end[:-SENTENCE])]
    return end[stops[-1] if stops else 0 :]


def _offered(tool: Tool | str) -> str:
    return tool if isinstance(tool, str) else tool.offered()


def recent_calls(turns: Sequence[Message]) -> list[ToolCall]:
    """Returns the latest calls since a person last spoke, newest first."""
    calls: list[ToolCall] = []
    for turn in reversed(turns):
        if turn.role == "user" or len(calls) >= RECENT_CALLS:
            break
        calls.extend(reversed(turn.tool_calls or ()))
    return calls[:RECENT_CALLS]


def shape(
    said: str,
    messages: Sequence[Message],
    turns: Sequence[Message],
    tools: Sequence[Tool | str],
    calls: Sequence[ToolCall],
) -> str:
    """Returns what the request is built like, as words. What its text looks like, the text itself shows."""
    return " ".join(
        (
            "last" + (turns[-1].role if turns else "none"),
            TURNS[len(turns).bit_length() if len(turns) < MANY else -1],
            "systemyes" if len(messages) > len(turns) else "systemno",
            OFFERED[len(tools).bit_length() if len(tools) < MANY else -1],
            CALLED[len(calls)],
            LENGTHS[len(said).bit_length() if len(said) < LONG else -1],
            "wordsyes" if WORD.search(said[:SHORT]) else "wordsno",
            "starts" + _kind(said.lstrip()[:1]),
            "ends" + _kind(said.rstrip()[-1:]),
        )
    )


def _words(name: str, sizes: int) -> tuple[str, ...]:
    """Returns a word a size, to be chosen by its number of bits. The kernel reads all digits alike, so: letters."""
    return tuple(name + letter for letter in "abcdefghijklmnopqrstu"[:sizes])


MANY = 1 << 9
LONG = 1 << 19
TURNS = _words("turns", 11)
OFFERED = _words("tools", 11)
CALLED = _words("calls", RECENT_CALLS + 1)
LENGTHS = _words("length", 21)
KINDS = {
    "{": "brace",
    "[": "bracket",
    "<": "angle",
    "#": "hash",
    "?": "question",
    ".": "stop",
    ":": "colon",
    "`": "tick",
}


def _kind(character: str) -> str:
    if character.isalpha():
        return "upper" if character.isupper() else "lower"
    return KINDS.get(character, "none" if not character else "sign")
