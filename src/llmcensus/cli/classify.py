"""`llmcensus classify`: what each request asks for, without counting anything."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
import msgspec

from llmcensus import config
from llmcensus.classify import Label, Unjudged, Verdict, choose, verdicts
from llmcensus.classify.verdict import INTENDED, explained
from llmcensus.cli.options import err, setting
from llmcensus.errors import DecodeError
from llmcensus.generation import Generation, Message, Tool
from llmcensus.printable import printable
from llmcensus.taxonomy import in_force
from llmcensus.wire import detect
from llmcensus.wire.lines import Line, read_lines, split_lines
from llmcensus.wire.problems import UNREADABLE, explain

BATCH = 1024
NEVER = datetime.fromtimestamp(0, UTC)
# Of what names none.
SOURCE = "classify"


class Request(msgspec.Struct):
    """A line that need not be a whole record: `{"messages": […]}`, or a pair, whose `request` has the messages."""

    messages: list[Message] | None = None
    tools: list[Tool | str] | None = None
    id: Any = None
    source: Any = None
    public: Any = None
    error: Any = None
    tokens_completion: Any = None
    finish_reason: Any = None
    request: Request | None = None

    def asking(self) -> Request:
        """Returns what has the messages."""
        return self.request if self.request is not None and self.messages is None else self


_decoder = msgspec.json.Decoder(Request)


@click.command("classify")
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line: id, tag, confidence.")
@setting("taxonomy")
@setting("classifier")
def command(file: Path, as_json: bool, **given: str | None) -> None:
    """
    Classify requests: JSON lines of {messages, tools, id} in FILE, or standard input.

    Prints a line a request, in order. One that cannot be read has no tag, and is explained on standard error.
    """
    settings = config.load(given)
    chosen = choose(settings, in_force(settings.taxonomy))
    lines = split_lines(sys.stdin.buffer) if str(file) == "-" else read_lines(file)
    failed = False
    unjudged: Counter[str] = Counter()
    while batch := list(islice(lines, BATCH)):
        requests = [_request(line) for line in batch]
        failed |= None in requests
        generations = [_generation(line, request) for line, request in zip(batch, requests, strict=True)]
        for line, request, verdict in zip(batch, requests, verdicts(chosen, generations), strict=True):
            name = None if request is None else request.asking().id
            click.echo(_written(line.number if name is None else name, verdict, as_json))
            unjudged.update([verdict.reason] if isinstance(verdict, Unjudged) else [])
    for reason, count in unjudged.most_common():
        err.print(f"{count:,} not judged: {explained(reason)}")
    if failed or set(unjudged) - INTENDED:
        raise click.exceptions.Exit(1)


def _request(line: Line) -> Request | None:
    try:
        if line.problem is not None:
            raise line.problem
        return _decoder.decode(line.data)
    except DecodeError as error:
        err.print(f"line {line.number}: {error}")
    except UNREADABLE as error:
        err.print(f"line {line.number}: {explain(error, line.data)}")
    return None


def _generation(line: Line, request: Request | None) -> Generation:
    """A record that can be counted is read as it is then: a judge draws it by the same name, or is not shown it."""
    if request is None:
        return Generation(source=SOURCE, id=str(line.number), created_at=NEVER, model="none")
    return _record(line.data) or _incomplete(line, request)


def _record(data: bytes) -> Generation | None:
    wire = detect(data)
    try:
        return wire.decode(data) if wire is not None else None
    except DecodeError:
        return None


def _incomplete(line: Line, request: Request) -> Generation:
    asking = request.asking()
    return Generation(
        source=SOURCE if asking.source is None else str(asking.source),
        id=str(line.number if asking.id is None else asking.id),
        created_at=NEVER,
        model="none",
        public=request.public,
        error=request.error,
        tokens_completion=request.tokens_completion,
        finish_reason=request.finish_reason,
        messages=asking.messages,
        tools=asking.tools,
    )


def _written(name: object, verdict: Verdict, as_json: bool) -> str:
    tag, confidence = (verdict.tag, round(verdict.confidence, 4)) if isinstance(verdict, Label) else (None, None)
    if as_json:
        return msgspec.json.encode({"id": name, "tag": tag, "confidence": confidence}).decode()
    shown = printable(str(name), "\ufffd")
    return f"{shown}\t{tag or '-'}\t{confidence if confidence is not None else '-'}"
