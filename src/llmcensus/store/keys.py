"""
API keys: `sk-llmc-v1-` and 64 hexadecimal digits. Shown once; only the SHA-256 is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from sqlalchemy import Connection, insert, select, update

from llmcensus.errors import InputError, NotFound
from llmcensus.store import sql
from llmcensus.store.schema import keys, meta
from llmcensus.store.sql import AnyRow

VERSION = "keys"
PREFIX = "sk-llmc-v1-"
# What each may do includes what those before it may.
Scope = Literal["read", "ingest", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Key(NamedTuple):
    """What is known of a key that may be used."""

    account: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def create(connection: Connection, account: str, scope: Scope, now_ms: int) -> str:
    """Returns a new key; it cannot be shown again."""
    if not account or len(account) > 256:
        raise InputError(f"Account {account!r}: expected 1 to 256 characters")
    key = PREFIX + secrets.token_hex(32)
    hint = f"{key[: len(PREFIX) + 4]}…{key[-4:]}"
    connection.execute(
        insert(keys).values(digest=digest(key), hint=hint, account=account, scope=scope, created_at=now_ms)
    )
    _touch(connection)
    return key


class Stored(NamedTuple):
    digest: bytes
    key: Key


def find(connection: Connection, digest: bytes) -> Stored | None:
    """Returns the key of that digest, unless it was revoked."""
    wanted = select(keys.c.digest, keys.c.account, keys.c.scope).where(
        keys.c.digest == digest, keys.c.revoked_at.is_(None)
    )
    row = connection.execute(wanted).first()
    return Stored(row.digest, Key(row.account, row.scope)) if row else None


def usable(connection: Connection) -> list[Stored]:
    """Returns all keys that were not revoked."""
    rows = connection.execute(select(keys.c.digest, keys.c.account, keys.c.scope).where(keys.c.revoked_at.is_(None)))
    return [Stored(row.digest, Key(row.account, row.scope)) for row in rows]


def listed(connection: Connection) -> Sequence[AnyRow]:
    """Returns hint, account, scope, created_at, revoked_at; oldest first."""
    columns = (keys.c.hint, keys.c.account, keys.c.scope, keys.c.created_at, keys.c.revoked_at)
    return connection.execute(select(*columns).order_by(keys.c.created_at, keys.c.hint)).all()


def revoke(connection: Connection, key: str, now_ms: int) -> None:
    """Ends the use of a key, given whole or as the hint that `list` shows."""
    _change(connection, key, revoked_at=now_ms)


def change_scope(connection: Connection, key: str, scope: Scope) -> None:
    """Changes what a key may do; it is given as for `revoke`."""
    _change(connection, key, scope=scope)


def _change(connection: Connection, key: str, **values: object) -> None:
    found = keys.c.hint == key if "…" in key else keys.c.digest == digest(key)
    changed = update(keys).where(found, keys.c.revoked_at.is_(None)).values(**values)
    if connection.execute(changed).rowcount == 0:
        raise NotFound("No usable key like that: expected a key, or its hint as `llmcensus keys list` shows it")
    _touch(connection)


def _touch(connection: Connection) -> None:
    sql.add(connection, meta, [(VERSION, 1)])
