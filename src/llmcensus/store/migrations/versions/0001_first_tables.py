"""The first tables. Written out, not taken from `schema`: what was released once does not change with the code."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

MEASURES = (
    "requests",
    "requests_with_usage",
    "tokens_prompt",
    "tokens_completion",
    "cost_nanousd",
    "requests_with_cost",
)
BIG = sa.BigInteger


def cube(name: str, *keys: sa.Column[Any]) -> None:
    sums = (sa.Column(measure, BIG, nullable=False) for measure in MEASURES)
    names = [key.name for key in keys]
    # A sum above 64 bits would become a float in SQLite, silently and for good.
    whole = sa.CheckConstraint(
        " AND ".join(f"typeof({measure}) = 'integer'" for measure in MEASURES), name=f"whole_{name}"
    )
    constraints = [sa.PrimaryKeyConstraint(*names), whole]
    op.create_table(f"cells_{name}", *keys, *sums, *constraints, sqlite_with_rowid=False)


def key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    date, slug = sa.String(10), sa.String(257)
    cube(
        "model",
        key("date", date),
        key("permaslug", slug),
        key("context_bucket", sa.String(8)),
        key("tools", sa.Integer()),
        key("modality", sa.String(16)),
    )
    cube("task", key("date", date), key("tag", sa.String(64)), key("permaslug", slug), key("classifier", sa.String(64)))
    cube("app", key("date", date), key("app_id", BIG()))
    cube("session", key("date", date), key("session", sa.LargeBinary(16)), key("app_id", BIG()), key("permaslug", slug))
    op.create_table(
        "seen",
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(8), primary_key=True),
        sa.Column("seen_on", sa.String(10), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seen_seen_on", "seen", ["seen_on"])
    op.create_table(
        "counters",
        sa.Column("source", sa.String(256), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("n", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "apps",
        sa.Column("app_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("identity", sa.String(400), nullable=False),
        sa.Column("title", sa.String(100)),
        sa.Column("title_at", BIG, nullable=False),
        sa.Column("renamed", sa.String(100)),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("merged_into", BIG),
    )
    op.create_table(
        "app_categories",
        sa.Column("app_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("category", sa.String(32), primary_key=True),
        sa.Column("since", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "model_aliases",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("permaslug", sa.String(256), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "keys",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("hint", sa.String(24), nullable=False),
        sa.Column("account", sa.String(256), nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("revoked_at", BIG),
    )
    op.create_table(
        "imports",
        sa.Column("digest", sa.LargeBinary(16), primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("lines", BIG, nullable=False),
        sa.Column("finished_at", BIG),
        sa.Column("tally", sa.String, nullable=False),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", BIG, nullable=False),
    )
