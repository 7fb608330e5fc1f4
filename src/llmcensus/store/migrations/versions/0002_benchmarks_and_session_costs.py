"""Boards of benchmarks; what sessions cost; room for more modalities."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger


def upgrade() -> None:
    op.create_table(
        "benchmarks",
        sa.Column("source", sa.String(32), primary_key=True),
        sa.Column("board", sa.String(128), primary_key=True),
        sa.Column("as_of", BIG, primary_key=True, autoincrement=False),
        sa.Column("items", sa.String, nullable=False),
    )
    op.create_table(
        "session_costs",
        sa.Column("app_id", BIG, primary_key=True, autoincrement=False),
        sa.Column("permaslug", sa.String(257), primary_key=True),
        sa.Column("turn_range", sa.String(16), primary_key=True),
        sa.Column("sessions", BIG, nullable=False),
        sa.Column("low", BIG, nullable=False),
        sa.Column("high", BIG, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "session_costs_made",
        sa.Column("first_day", sa.String(10), primary_key=True),
        sa.Column("last_day", sa.String(10), primary_key=True),
        sa.Column("sessions_version", BIG, nullable=False),
        sa.Column("made_at", BIG, nullable=False),
    )
    if op.get_bind().dialect.name != "sqlite":  # which has no lengths
        op.alter_column("cells_model", "modality", type_=sa.String(32))
