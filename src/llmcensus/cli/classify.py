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
from llmcensus.wire.lines import Line, read_lines, split_lines
from llmcensus.wire.problems import explain

BATCH = 1024
NEVER = datetime.fromtimestamp(0, UTC)


class Request(msgspec.Struct):
    """A line: `{"messages": […]}`, a native generation, or an OpenAI pair, whose `request` has the messages."""

    messages: list[Message] | None = None
    tools: list[Tool | str] | None = None
    id: Any = None
    source: Any = None
    request: Request | None = None


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
        generations = [_generation(line, request or Request()) for line, request in zip(batch, requests, strict=True)]
        for line, request, verdict in zip(batch, requests, verdicts(chosen, generations), strict=True):
            click.echo(_written(request.id if request and request.id is not None else line.number, verdict, as_json))
            unjudged.update([verdict.reason] if isinstance(verdict, Unjudged) else [])
    for reason, count in unjudged.most_common():
        err.print(f"{count:,} not judged: {explained(reason)}")
    if failed or set(unjudged) - INTENDED:
        raise click.exceptions.Exit(1)


def _request(line: Line) -> Request | None:
    try:
        if line.problem is not None:
            raise line.problem
        found = _decoder.decode(line.data)
        return found.request if found.request is not None and found.messages is None else found
    except DecodeError as error:
        err.print(f"line {line.number}: {error}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        err.print(f"line {line.number}: {explain(error, line.data)}")
    return None


def _generation(line: Line, request: Request) -> Generation:
    """A record that names itself is in a judge's sample here if it is when it is counted."""
    return Generation(
        source="classify" if request.source is None else str(request.source),
        id=str(line.number if request.id is None else request.id),
        created_at=NEVER,
        model="none",
        messages=request.messages,
        tools=request.tools,
    )


def _written(name: object, verdict: Verdict, as_json: bool) -> str:
    tag, confidence = (verdict.tag, round(verdict.confidence, 4)) if isinstance(verdict, Label) else (None, None)
    if as_json:
        return msgspec.json.encode({"id": name, "tag": tag, "confidence": confidence}).decode()
    shown = printable(str(name), "\ufffd")
    return f"{shown}\t{tag or '-'}\t{confidence if confidence is not None else '-'}"
