"""Duplicate keys in the order of arrival: a new one lies at the end, and its index is in memory.

By their key each message wrote a page of its own for them, wherever in the tree that was, and one more at the next
checkpoint.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_TEXT = sa.Text().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Build the table anew; the keys stay."""
    op.rename_table("duplicate", "duplicate_before")
    op.create_table(
        "duplicate",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("at", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("mailboxes", JSON_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute(
        "INSERT INTO duplicate (key, trace, at, mailboxes) SELECT key, trace, at, mailboxes FROM duplicate_before "
        "ORDER BY at"
    )
    op.drop_table("duplicate_before")
