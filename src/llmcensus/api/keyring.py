"""
Bearer keys → who is asking. What the store says of a key is believed for half a second, so that a new, revoked or
changed key takes effect within one.
"""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable

from llmcensus.errors import Forbidden, Unauthorized
from llmcensus.store import Store, keys
from llmcensus.store.keys import Key, Scope

BELIEVED_S = 0.5
REMEMBERED = 10_000


class Keyring:
    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Key | None]] = OrderedDict()

    def identify(self, authorization: str | None) -> tuple[bytes, Key]:
        """Returns the digest of the key in an `Authorization` header, and what is known of it."""
        if not authorization:
            raise Unauthorized("Missing Authentication header: expected `Authorization: Bearer <key>`")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Invalid Authentication header: expected `Authorization: Bearer <key>`")
        digest = keys.digest(token.strip())
        key = self._look_up(digest)
        if key is None:
            raise Unauthorized("Invalid API key: no such key, or it was revoked")
        return digest, key

    def require(self, authorization: str | None, scope: Scope) -> Key:
        """Returns the key if it has the scope. Any key may read."""
        _, key = self.identify(authorization)
        if scope != "read" and key.scope != scope:
            raise Forbidden(f"This key has the scope {key.scope!r}: expected {scope!r}")
        return key

    def _look_up(self, digest: bytes) -> Key | None:
        now = self._clock()
        known = self._known.get(digest)
        if known is None or now - known[0] > BELIEVED_S:
            with self._store.reading() as connection:
                stored = keys.find(connection, digest)
            known = (now, stored.key if stored and hmac.compare_digest(stored.digest, digest) else None)
            self._known[digest] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known[1]
