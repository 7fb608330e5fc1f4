"""
Who looks at pages: a key is shown once, then a cookie that it signed.

The cookie names the key and the time it ends, and is signed with the key's SHA-256, which is in the store and in no
answer: every worker can check it, it outlives a restart, and ends with the key.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from llmcensus.api.watch import Watch
from llmcensus.store import Store, keys
from llmcensus.store.keys import Key, Stored

COOKIE = "llmcensus"
GOOD_FOR_S = 7 * 24 * 3600


class Visitors:
    """The keys that may be used, as they are now: a change is noticed within half a second."""

    def __init__(self, store: Store, watch: Watch, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._watch = watch
        self._clock = clock
        self._version = -1
        self._known: dict[str, Stored] = {}

    def enter(self, key: str) -> str | None:
        """Returns the value of the cookie for a key that may be used, or None."""
        digest = keys.digest(key)
        # Looked up: a key may be newer than what is known of them.
        with self._store.reading() as connection:
            stored = keys.find(connection, digest)
        if stored is None or not hmac.compare_digest(stored.digest, digest):
            return None
        self._usable()[_name(digest)] = stored
        return _signed(stored.digest, f"{_name(stored.digest)}.{int(self._clock()) + GOOD_FOR_S}")

    def identify(self, cookies: bytes) -> Key | None:
        """Returns the key whose cookie is in a `Cookie` header, or None where there is none that is good."""
        text = _cookie(cookies)
        name, _, rest = text.partition(".")
        until, _, _ = rest.partition(".")
        stored = self._usable().get(name)
        if stored is None or not hmac.compare_digest(_signed(stored.digest, f"{name}.{until}"), text):
            return None
        return stored.key if int(until) > self._clock() else None

    def _usable(self) -> dict[str, Stored]:
        version = self._watch.versions().keys
        if version != self._version:
            with self._store.reading() as connection:
                self._known = {_name(stored.digest): stored for stored in keys.usable(connection)}
            self._version = version
        return self._known


def cookie(value: str, secure: bool) -> bytes:
    """Returns a `Set-Cookie` header; without a value it takes the cookie away."""
    age = GOOD_FOR_S if value else 0
    flags = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{flags}".encode()


def _cookie(header: bytes) -> str:
    try:
        found = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return ""
    value = found.value if found else ""
    return value if value.isascii() else ""


def _name(digest: bytes) -> str:
    """A key's name in cookies: says nothing of the key."""
    return hashlib.sha256(b"llmcensus cookie name" + digest).hexdigest()[:24]


def _signed(digest: bytes, text: str) -> str:
    return f"{text}.{hmac.new(digest, b'llmcensus cookie ' + text.encode(), hashlib.sha256).hexdigest()}"
