"""Requests of which a part is still to come."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "held",
        sa.Column("key", sa.LargeBinary(16), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(8), primary_key=True),
        sa.Column("since", BIG, nullable=False),
        sa.Column("created_ms", BIG, nullable=False),
        sa.Column("event", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_held_since", "held", ["since"])
