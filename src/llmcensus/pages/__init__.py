"""
The census as pages: datasets as HTML, and their rows as files, in front of the application that serves the API.

What is no page is passed on. Pages are kept until the store has changed or a minute has passed.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from llmcensus.api.errors import Headers, report
from llmcensus.api.gate import ASGIApp, Receive, Scope, Send, canonical
from llmcensus.api.watch import Watch
from llmcensus.config import Settings
from llmcensus.datasets import Census
from llmcensus.errors import CensusError, Forbidden, NotFound
from llmcensus.ingest import Intake
from llmcensus.pages.address import Served, Target
from llmcensus.pages.answers import FOR_EVER, Reply, redirect
from llmcensus.pages.asked import READ, About, Asked, Page, Readings
from llmcensus.pages.login import Visitors, cookie
from llmcensus.pages.render import ASSETS, assets, digests, html
from llmcensus.pages.rows import FORMS, KINDS
from llmcensus.pages.views import PATTERNS, made
from llmcensus.pages.views.status import status
from llmcensus.store import Clock, Store
from llmcensus.store.keys import Key

GOOD_FOR_S = 60.0
KEPT = 2_000
KEPT_BYTES = 64 << 20
LONGEST_QUERY = 2_000
LONGEST_FORM = 4_096
# Answers of these are of whoever is in front: of programs, not of people.
OTHERS = ("/api/", "/v1/", "/integrations/")
DAY_S = 86_400


class Question(NamedTuple):
    path: str
    query: str
    visitor: str


class Kept(NamedTuple):
    reply: Reply
    version: tuple[int, int]
    made: float


class Pages:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, store: Store, settings: Settings, intake: Intake, clock: Clock) -> None:
        self._app = app
        self._watch = Watch(store)
        self._visitors = Visitors(store, self._watch)
        self._census: Callable[[], Census] = lambda: Census.of(store, clock(), settings, intake.taxonomy)
        self._about = About.of(settings, intake.classifier.version)
        self._open = settings.pages == "public"
        self._address = Served(digests())
        self._kept: OrderedDict[Question, Kept] = OrderedDict()
        self._kept_bytes = 0
        self._making: dict[tuple[Question, tuple[int, int]], asyncio.Future[Reply]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        if not _is_page(scope):
            await self._app(scope, receive, self._explaining(scope, asked, send))
            return
        try:
            reply = await self._answer(scope, receive, asked)
        except CensusError as error:
            reply = self._failed(error.status, str(error) if error.status < 500 else "", scope, asked)
        except Exception as error:
            report(error)
            reply = self._failed(500, "", scope, asked)
        code, headers, body = reply.sent(asked)
        await send({"type": "http.response.start", "status": code, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _explaining(self, scope: Scope, asked: dict[bytes, bytes], send: Send) -> Send:
        """Returns a `send` that gives a browser a page where the application has nothing."""
        replaced = False

        async def sending(message: Any) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == 404:
                code, headers, body = self._failed(404, "", scope, asked).sent(asked)
                await send({"type": "http.response.start", "status": code, "headers": headers})
                await send({"type": "http.response.body", "body": body})
                replaced = True
            elif not replaced:
                await send(message)

        looking = scope["method"] == "GET" and b"text/html" in asked.get(b"accept", b"")
        return sending if looking and not scope["path"].startswith(OTHERS) else send

    async def _answer(self, scope: Scope, receive: Receive, asked: dict[bytes, bytes]) -> Reply:
        path, method = scope["path"], scope["method"]
        if name := _asset(path):
            return Reply(assets()[name], ASSETS[name], cache=FOR_EVER)
        if method == "POST":
            return await self._posted(path, scope, receive, asked)
        if path != "/" and path.endswith("/"):
            return redirect(_whole(path.rstrip("/") or "/", scope), status=308)
        key = self._visitors.identify(asked.get(b"cookie", b""))
        if path == "/login":
            return self._login_page(scope, key, _query(scope).get("next", "/"))
        if path == "/status":
            return self._status(scope, key)
        if key is None and not self._open:
            return redirect(f"/login?{urlencode({'next': _whole(path, scope)})}")
        return await self._page(path, scope, key)

    async def _page(self, path: str, scope: Scope, key: Key | None) -> Reply:
        """Returns a page or data, made once for all who ask for it."""
        # Looked up before it is made: a commit in between makes it stale at once.
        version = (self._watch.versions().data, int(time.time() // DAY_S))
        question = Question(path, scope["query_string"].decode("latin-1"), key.scope if key else "")
        kept = self._kept.get(question)
        if kept and kept.version == version and time.monotonic() - kept.made < GOOD_FOR_S:
            return kept.reply
        made = (question, version)
        making = self._making.get(made)
        if making is None:
            making = asyncio.ensure_future(self._made(question, version, scope))
            self._making[made] = making
            making.add_done_callback(lambda _: self._forget(made))
        # One who goes away does not take the page from the others.
        return await asyncio.shield(making)

    async def _made(self, question: Question, version: tuple[int, int], scope: Scope) -> Reply:
        began = time.monotonic()
        make = partial(self._data if question.path.startswith("/data/") else self._html, question, scope)
        reply = await asyncio.to_thread(make)
        self._keep(question, Kept(reply, version, began))
        return reply

    def _forget(self, made: tuple[Question, tuple[int, int]]) -> None:
        del self._making[made]

    def _keep(self, question: Question, kept: Kept) -> None:
        before = self._kept.pop(question, None)
        self._kept[question] = kept
        self._kept_bytes += _room(question, kept) - (_room(question, before) if before else 0)
        while len(self._kept) > KEPT or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= _room(*self._kept.popitem(last=False))

    def _html(self, question: Question, scope: Scope) -> Reply:
        asked = self._asked(question.path, scope, question.visitor)
        return Reply(html(asked, made(asked)))

    def _data(self, question: Question, scope: Scope) -> Reply:
        name, _, form = question.path.removeprefix("/data/").rpartition(".")
        if name not in READ or form not in FORMS:
            raise NotFound("There is no such data")
        reading = self._asked(question.path, scope, question.visitor).read(name, **_query(scope))
        named: Headers = [(b"content-disposition", f'attachment; filename="{name}.{form}"'.encode())]
        return Reply(FORMS[form](reading.answer), KINDS[form], more=named if form != "json" else [])

    def _asked(self, path: str, scope: Scope, visitor: str) -> Asked:
        query = _query(scope)
        return Asked(Readings(self._census()), self._about, self._address, Target.of(path, query), query, visitor)

    def _status(self, scope: Scope, key: Key | None) -> Reply:
        if key is None:
            return redirect("/login?next=%2Fstatus")
        if not key.may("admin"):
            raise Forbidden("This page is for the operator: log in with a key of the scope admin")
        asked = self._asked("/status", scope, key.scope)
        return Reply(html(asked, status(asked)))

    def _login_page(self, scope: Scope, key: Key | None, onward: str, wrong: bool = False) -> Reply:
        asked = self._asked("/login", scope, key.scope if key else "")
        page = Page("login.html", "Log in", {"onward": _within(onward), "wrong": wrong, "open": self._open})
        return Reply(html(asked, page), status=401 if wrong else 200)

    async def _posted(self, path: str, scope: Scope, receive: Receive, asked: dict[bytes, bytes]) -> Reply:
        if not _own_form(asked):
            raise Forbidden("This form was sent by another site")
        secure = scope["scheme"] == "https"
        if path == "/logout":
            return redirect("/" if self._open else "/login", [(b"set-cookie", cookie("", secure))])
        form = dict(parse_qsl((await _body(receive)).decode("latin-1"), keep_blank_values=True))
        value = self._visitors.enter(form.get("key", "").strip())
        if value is None:
            return self._login_page(scope, None, form.get("next", "/"), wrong=True)
        return redirect(_within(form.get("next", "/")), [(b"set-cookie", cookie(value, secure))])

    def _failed(self, code: int, message: str, scope: Scope, asked: dict[bytes, bytes]) -> Reply:
        """Returns a page that says what was wrong; one who may not see pages learns no more from it."""
        key = self._visitors.identify(asked.get(b"cookie", b""))
        about = self._asked("/error", scope | {"query_string": b""}, key.scope if key else "")
        shown = {"code": code, "message": message, "inside": self._open or key is not None}
        return Reply(html(about, Page("error.html", TITLES.get(code, "That did not work"), shown)), status=code)


TITLES = {400: "That cannot be shown", 403: "Not for this key", 404: "Nothing is here", 405: "Not like this"}
POSTS = ("/login", "/logout")
GETS = ("/login", "/status")


def _is_page(scope: Scope) -> bool:
    """Says whether a request is for pages."""
    path, method = scope["path"], scope["method"]
    if path.startswith(OTHERS) or not canonical(path.rstrip("/") or "/"):
        return False
    if method == "POST":
        return path in POSTS
    if method not in ("GET", "HEAD"):
        return False
    bare = path.rstrip("/") or "/"
    known = bare in GETS or bare.startswith("/data/") or _asset(path) is not None
    return known or any(form.fullmatch(bare) for form, _ in PATTERNS)


def _asset(path: str) -> str | None:
    name = path.removeprefix("/assets/") if path.startswith("/assets/") else ""
    return name if name in assets() else None


def _query(scope: Scope) -> dict[str, str]:
    text = scope["query_string"].decode("latin-1")[:LONGEST_QUERY]
    return dict(parse_qsl(text, keep_blank_values=True))


def _whole(path: str, scope: Scope) -> str:
    text = scope["query_string"].decode("latin-1")
    return f"{path}?{text}" if text else path


def _within(onward: str) -> str:
    """Returns where to go on after a login: a path of this site, whatever was asked for."""
    parts = urlsplit(onward) if onward.isprintable() and onward.isascii() else None
    fine = parts and not parts.scheme and not parts.netloc and onward.startswith("/") and onward[1:2] not in "/\\"
    return onward if fine or onward == "/" else "/"


def _own_form(asked: dict[bytes, bytes]) -> bool:
    """Says whether a form was sent from a page of this site; a client that is no browser says nothing of it."""
    origin = asked.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == asked.get(b"host", b"").decode("latin-1")


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > LONGEST_FORM:
            raise Forbidden(f"The form is above {LONGEST_FORM} bytes")
        if not message.get("more_body"):
            return body


def _room(question: Question, kept: Kept) -> int:
    return 2 * len(kept.reply.body) + len(question.path) + len(question.query) + 1024
