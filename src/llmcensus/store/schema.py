"""
The tables. Cubes have one table each, with the key columns and measures that `cells` names.

Days and times are UTC: days as YYYY-MM-DD, times as milliseconds since 1970. Digests are raw bytes.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, MetaData, String, Table
from sqlalchemy.types import TypeEngine

from llmcensus.cells import CUBES, MEASURES, Cube

metadata = MetaData()

_KEY_TYPES: dict[str, TypeEngine[Any]] = {
    "date": String(10),
    "permaslug": String(257),
    "context_bucket": String(8),
    "tools": Integer(),
    "modality": String(32),
    "tag": String(64),
    "classifier": String(64),
    "app_id": BigInteger(),
    "session": LargeBinary(16),
}


def _cube(name: Cube) -> Table:
    return Table(
        f"cells_{name}",
        metadata,
        *(Column(key, _KEY_TYPES[key], primary_key=True, autoincrement=False) for key in CUBES[name]),
        *(Column(measure, BigInteger, nullable=False) for measure in MEASURES),
        sqlite_with_rowid=False,
    )


cubes: dict[Cube, Table] = {name: _cube(name) for name in CUBES}

# Ids of counted records, kept for the de-duplication window; `seen_on` is the day they were last sent.
seen = Table(
    "seen",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("fingerprint", LargeBinary(8), primary_key=True),
    Column("seen_on", String(10), nullable=False, index=True),
    sqlite_with_rowid=False,
)

# Requests of which a part is told, and since when they wait for the rest: an event as msgpack. `created_ms` is the
# request's own time.
held = Table(
    "held",
    metadata,
    Column("key", LargeBinary(16), primary_key=True),
    Column("fingerprint", LargeBinary(8), primary_key=True),
    Column("since", BigInteger, nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("event", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# How many records of a source were accepted, duplicates, refused and why, and what was known of them.
counters = Table(
    "counters",
    metadata,
    Column("source", String(256), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# `title` is the newest that the app gave itself, `renamed` what the operator calls it. `merged_into` names the app
# whose traffic this one's is.
apps = Table(
    "apps",
    metadata,
    Column("app_id", BigInteger, primary_key=True, autoincrement=False),
    Column("identity", String(400), nullable=False),
    Column("title", String(100)),
    Column("title_at", BigInteger, nullable=False),
    Column("renamed", String(100)),
    Column("hidden", Boolean, nullable=False),
    Column("merged_into", BigInteger),
)

# Every category an app ever claimed, and since when: the first ten are its categories.
app_categories = Table(
    "app_categories",
    metadata,
    Column("app_id", BigInteger, primary_key=True, autoincrement=False),
    Column("category", String(32), primary_key=True),
    Column("since", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("permaslug", String(256), nullable=False),
    sqlite_with_rowid=False,
)

# A key itself is never stored: `digest` is its SHA-256.
keys = Table(
    "keys",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("hint", String(24), nullable=False),
    Column("account", String(256), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

# Files by the digest of their bytes: how many lines are committed, and the tally of them as JSON.
imports = Table(
    "imports",
    metadata,
    Column("digest", LargeBinary(16), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("tally", String, nullable=False),
)

# Boards of benchmarks as they were imported: the items of a source, or of one of its rankings, as JSON.
benchmarks = Table(
    "benchmarks",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("board", String(128), primary_key=True),
    Column("as_of", BigInteger, primary_key=True, autoincrement=False),
    Column("items", String, nullable=False),
)

# What sessions cost, by app, model and number of turns: made of the session cube, and of nothing else. `low` and `high`
# are the two middle costs in nano-dollars, the same one where the number of sessions is odd.
session_costs = Table(
    "session_costs",
    metadata,
    Column("app_id", BigInteger, primary_key=True, autoincrement=False),
    Column("permaslug", String(257), primary_key=True),
    Column("turn_range", String(16), primary_key=True),
    Column("sessions", BigInteger, nullable=False),
    Column("low", BigInteger, nullable=False),
    Column("high", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Of which days, and which `sessions` in `meta`, the table above was made, and when.
session_costs_made = Table(
    "session_costs_made",
    metadata,
    Column("first_day", String(10), primary_key=True),
    Column("last_day", String(10), primary_key=True),
    Column("sessions_version", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

# `version` is raised by every commit: what was computed from an older one is stale. `keys` is raised by every change of
# a key, `sessions` by what changes sessions of past days.
meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
