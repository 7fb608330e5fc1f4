"""
An endpoint that speaks OpenAI's chat completions, asked many things at once, each within its time.

All who ask at a time share a loop in a thread of its own, and connections; when nobody does, there is neither.

See: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, NamedTuple, TypeVar

import httpx
import msgspec

from llmcensus.classify.verdict import Unjudged, answered
from llmcensus.errors import ConfigError

# An answer is a tag and a number; a page of HTML, or worse, is not read to its end.
LONGEST_ANSWER = 1 << 20
# So many failures in a row, and it is left alone for a while; then one request finds out whether it is back.
FAILURES = 10
PAUSE_S = 60.0
# Before it is asked again, where it does not say how long to wait.
RETRY_S = 1.0
OK = range(200, 300)
BAD_REQUEST = 400
TOO_MANY = 429
BROKEN = range(500, 600)

logger = logging.getLogger(__name__)

PROXY = "a proxy (ALL_PROXY, HTTPS_PROXY or HTTP_PROXY)"
# What httpx raises for what the environment holds → what that is, and what was expected.
TOLD: dict[type[Exception], str] = {
    ImportError: f"{PROXY} is a SOCKS one: expected one of http:// or https://, or httpx[socks] installed",
    OSError: "SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE names a file that cannot be used: expected certificates in "
    "PEM form, a folder of them, or a file that can be written to",
    httpx.InvalidURL: f"{PROXY} or a host without one (NO_PROXY) is none: expected a URL such as http://proxy:3128, "
    "and hosts, or addresses without brackets or a mask",
    ValueError: f"{PROXY} has a scheme that is not spoken: expected a URL such as http://proxy:3128",
}

Result = TypeVar("Result")


class Response(NamedTuple):
    status: int
    retry_after: str | None
    body: bytes

    @property
    def wait_s(self) -> float | None:
        """Seconds after which to ask again; None where that is no use."""
        return pause(self.retry_after) if self.status == TOO_MANY or self.status in BROKEN else None

    @property
    def fault(self) -> str | None:
        """The name of what was sent that is not taken, as OpenAI tells it."""
        try:
            return _faulty.decode(self.body).error.param if self.status == BAD_REQUEST else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


class Fault(msgspec.Struct):
    param: str | None = None


class Faulty(msgspec.Struct):
    error: Fault


_faulty = msgspec.json.Decoder(Faulty)


class Breaker:
    """Says whether to ask at all: an endpoint that is gone must not cost each batch the time that it waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed = 0
        self._ask_at = float("-inf")

    def allows(self) -> bool:
        if self._failed < FAILURES:
            return True
        if self._clock() < self._ask_at:
            return False
        # This one tries; the others wait for what it finds.
        self._ask_at = self._clock() + PAUSE_S
        return True

    def note(self, answered: bool) -> None:
        self._failed = 0 if answered else self._failed + 1
        if self._failed >= FAILURES:
            self._ask_at = self._clock() + PAUSE_S


class Line:
    """A loop in a thread, and what it asks with; not for use after `close`."""

    def __init__(self, client: httpx.AsyncClient, concurrency: int) -> None:
        self.client = client
        self.slots = asyncio.Semaphore(concurrency)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="judge", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        finally:
            # Whoever was interrupted while waiting wants no more of it.
            running.cancel()

    def close(self) -> None:
        self.run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.client.aclose()


class Endpoint:
    """
    `url` is what stands before `/chat/completions`; `key` may be empty. An answer may take `timeout_s` seconds, and at
    most `concurrency` are waited for at once, whoever asked.
    """

    def __init__(self, url: str, key: str, timeout_s: float, concurrency: int) -> None:
        self.concurrency = concurrency
        self.breaker = Breaker()
        self._url = _read(f"{url.rstrip('/')}/chat/completions")
        # Not compressed: what is read of an answer is bounded before it is unpacked.
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout_s = timeout_s
        # What not every model takes; one that names it as the fault is not sent it again.
        self._optional: dict[str, Any] = {"temperature": 0}
        with _environment():
            # Takes as long to make as a batch of small requests, and is the same for all.
            self._trusted = httpx.create_ssl_context()
            # Made for what it says of proxies before there is a batch.
            self._client()
        self._turn = threading.Lock()
        self._users = 0
        self._line: Line | None = None

    @contextmanager
    def line(self) -> Iterator[Line]:
        """Gives the line that all share who are in here at a time."""
        with self._turn:
            if self._line is None:
                self._line = Line(self._client(), self.concurrency)
            self._users += 1
            line = self._line
        try:
            yield line
        finally:
            with self._turn:
                self._users -= 1
                if not self._users:
                    self._line = None
                    line.close()

    def _client(self) -> httpx.AsyncClient:
        # Redirects are not followed: text goes to this endpoint and nowhere else.
        return httpx.AsyncClient(
            headers=self._headers,
            verify=self._trusted,
            timeout=self._timeout_s,
            limits=httpx.Limits(max_connections=self.concurrency),
        )

    async def ask(self, line: Line, payload: Mapping[str, Any], until: float) -> bytes | Unjudged:
        """
        Returns the body of an answer, or why there is none.

        It is asked once more where it says to come later, or is broken, if there is time before `until`, in the loop's
        seconds; and where it does not take what is optional.
        """
        optional = dict(self._optional)
        response = await self._post(line.client, payload, optional)
        if isinstance(response, Response) and response.wait_s is not None:
            if asyncio.get_running_loop().time() + response.wait_s < until:
                await asyncio.sleep(response.wait_s)
                response = await self._post(line.client, payload, optional)
        elif isinstance(response, Response) and response.fault in optional:
            self._optional.pop(response.fault, None)
            response = await self._post(line.client, payload, self._optional)
        if isinstance(response, Unjudged):
            return response
        return response.body if response.status in OK else Unjudged(answered(response.status))

    async def _post(
        self, client: httpx.AsyncClient, payload: Mapping[str, Any], optional: Mapping[str, Any]
    ) -> Response | Unjudged:
        body = msgspec.json.encode({**payload, **optional})
        try:
            # The client's own time-outs are of single reads: who sends a byte now and then would never meet one.
            async with asyncio.timeout(self._timeout_s), client.stream("POST", self._url, content=body) as response:
                answer = bytearray()
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > LONGEST_ANSWER:
                        return Unjudged("bad_answer")
                return Response(response.status_code, response.headers.get("retry-after"), bytes(answer))
        except (TimeoutError, httpx.TimeoutException):
            return Unjudged("timeout")
        except httpx.DecodingError:
            return Unjudged("bad_answer")
        except Exception as error:
            # Whatever an endpoint can make a client stumble over is no reason not to count. What it says may be text.
            logger.warning("judge not reached: %s", type(error).__name__)
            return Unjudged("unreachable")


def _read(url: str) -> httpx.URL:
    try:
        read = httpx.URL(url)
        # Decoded when it is first asked for.
        _ = read.host
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError("judge_url is no URL of an endpoint: its host or port is none") from error
    return read


@contextmanager
def _environment() -> Iterator[None]:
    """What a client is told by the environment may hold passwords: an error says what it is, not what it says."""
    try:
        yield
    except tuple(TOLD) as error:
        said = next(said for kind, said in TOLD.items() if isinstance(error, kind))
        raise ConfigError(f"The environment of the judge: {said}") from None


def pause(retry_after: str | None) -> float:
    """Returns the seconds to wait that `Retry-After` says: a number, or a date."""
    if retry_after is None:
        return RETRY_S
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return RETRY_S
    return max(seconds, 0.0) if isfinite(seconds) else RETRY_S
