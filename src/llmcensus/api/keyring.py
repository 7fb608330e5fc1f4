"""
Bearer keys → who is asking. What the store says of a key is believed until any key is changed, which is noticed within
half a second: a new, revoked or changed key takes effect within one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from typing import NamedTuple

from llmcensus.api.watch import Watch
from llmcensus.errors import Forbidden, Unauthorized
from llmcensus.store import Store, keys
from llmcensus.store.keys import Key, Scope

REMEMBERED = 10_000


class Known(NamedTuple):
    """What the store said of a key when its keys had a version; `key` is None where it may not be used."""

    version: int
    digest: bytes
    key: Key | None


class Keyring:
    def __init__(self, store: Store, watch: Watch) -> None:
        self._store = store
        self._watch = watch
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def identify(self, authorization: bytes, version: int) -> tuple[bytes, Key]:
        """Returns the digest of the key in an `Authorization` header, and what is known of it by a version of keys."""
        # Remembered by the digest of the whole header: no key is kept, and none is compared with another.
        header = hashlib.sha256(authorization).digest()
        known = self._known.get(header)
        if known is None or known.version != version:
            known = self._look_up(authorization, version)
            self._known[header] = known
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        if known.key is None:
            raise Unauthorized("Invalid API key: no such key, or it was revoked")
        return known.digest, known.key

    def require(self, authorization: bytes, scope: Scope) -> Key:
        """Returns the key if it has the scope, or one that includes it. Any key may read."""
        _, key = self.identify(authorization, self._watch.versions().keys)
        if not key.may(scope):
            raise Forbidden(f"This key has the scope {key.scope!r}: expected {scope!r}")
        return key

    def _look_up(self, authorization: bytes, version: int) -> Known:
        if not authorization:
            raise Unauthorized("Missing Authentication header: expected `Authorization: Bearer <key>`")
        scheme, _, token = authorization.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Invalid Authentication header: expected `Authorization: Bearer <key>`")
        digest = keys.digest(token.strip())
        with self._store.reading() as connection:
            stored = keys.find(connection, digest)
        same = stored is not None and hmac.compare_digest(stored.digest, digest)
        return Known(version, digest, stored.key if stored and same else None)
