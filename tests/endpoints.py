"""An endpoint that speaks chat completions over HTTP, and answers as a test wants; and records to ask it about."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, post
from litestar.response import Stream

from llmcensus.classify.endpoint import Endpoint
from llmcensus.classify.judge import Judge
from llmcensus.generation import Generation, Message
from llmcensus.taxonomy import SHIPPED
from tests.conftest import NOW
from tests.serving import listening

Reply = Response[Any] | Stream
Answer = Callable[["Asked"], Awaitable[Reply]]
PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    payload: dict[str, Any]
    headers: dict[str, str]

    @property
    def request(self) -> dict[str, Any]:
        """What was shown of the request that is judged."""
        found, _ = json.JSONDecoder().raw_decode(self.payload["messages"][1]["content"])
        assert isinstance(found, dict)
        return found


@dataclass
class Speaking:
    """What an endpoint was asked, and how many at once."""

    answer: Answer
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    over: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def judge(self, **changes: Any) -> Judge:
        return judge(self.url, **changes)

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Returns settings by which a census is judged here, all of it."""
        return {"classifier": "judge", "judge_url": self.url, "judge_model": "m", "judge_sample": 1} | changes

    def environ(self, **changes: Any) -> dict[str, str]:
        return {f"LLMCENSUS_{name.upper()}": str(value) for name, value in self.settings(**changes).items()}


def judge(
    url: str,
    model: str = "m",
    key: str = "",
    sample: float = 1.0,
    timeout_s: float = 10.0,
    batch_s: float = 60.0,
    concurrency: int = 4,
    definitions: Mapping[str, str] = SHIPPED.definitions,
) -> Judge:
    """Returns a judge of everything, unless told otherwise."""
    return Judge(Endpoint(url, key, timeout_s, concurrency), model, sample, batch_s, definitions)


@contextmanager
def speaking(answer: Answer) -> Iterator[Speaking]:
    speaks = Speaking(answer)

    @post(PATH, status_code=200)
    async def complete(request: Request[Any, Any, Any]) -> Reply:
        asked = Asked(await request.json(), dict(request.headers))
        speaks.asked.append(asked)
        speaks.at_once += 1
        speaks.most_at_once = max(speaks.most_at_once, speaks.at_once)
        try:
            return await speaks.answer(asked)
        finally:
            speaks.at_once -= 1

    app = Litestar([complete], openapi_config=None, logging_config=None)
    with listening(app) as speaks.port:
        try:
            yield speaks
        finally:
            speaks.over = True


def completion(content: str | None, **more: Any) -> Response[Any]:
    message = {"role": "assistant", "content": content, "refusal": more.pop("refusal", None)}
    return Response({"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message, **more}]})


def said(tag: object, confidence: object = 0.75) -> Response[Any]:
    return completion(json.dumps({"tag": tag, "confidence": confidence}))


async def spells(asked: Asked) -> Reply:
    """Answers with the tag that was asked last, as a model held to the schema would: with one of its tags."""
    form = asked.payload["response_format"]
    allowed = form["json_schema"]["schema"]["properties"]["tag"]["enum"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["strict"] is True
    assert asked.request["asked_last"] in allowed
    return said(asked.request["asked_last"])


def always(make: Callable[[], Reply]) -> Answer:
    async def answer(_: Asked) -> Reply:
        return make()

    return answer


def hangs(speaks: Speaking) -> Answer:
    """Answers nothing until the test is over."""

    async def answer(_: Asked) -> Reply:
        while not speaks.over:
            await asyncio.sleep(0.02)
        return said("math")

    return answer


def drips(speaks: Speaking) -> Answer:
    """Sends a byte now and then, for ever."""

    async def dripping() -> AsyncIterator[bytes]:
        while not speaks.over:
            yield b" "
            await asyncio.sleep(0.02)

    async def answer(_: Asked) -> Reply:
        return Stream(dripping)

    return answer


@contextmanager
def cutting_off() -> Iterator[str]:
    """Gives the URL of something that takes a request and hangs up in the middle of its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(1 << 16)
                    caller.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def generation(text: str = "math", **changes: Any) -> Generation:
    said = Generation(source="s", id="1", created_at=NOW, model="m", messages=[Message("user", text)])
    return msgspec.structs.replace(said, **changes)


def spelled(count: int) -> list[Generation]:
    """Returns requests whose texts are tags, each in its turn."""
    return [generation(SHIPPED.outcomes[number % len(SHIPPED.outcomes)], id=f"r{number}") for number in range(count)]
