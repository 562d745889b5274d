"""A table for the entries of the last messages, in the order of arrival; they come to their mailboxes many at once.

By mailbox each copy of a message wrote a page of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NOUGHT = sa.text("0")


def upgrade() -> None:
    """One more table; what is there stays where it lies."""
    op.create_table(
        "arrived",
        sa.Column("id", BIG, nullable=False),
        sa.Column("mailbox_id", BIG, nullable=False),
        sa.Column("uid", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("size", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("flags", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("modseq", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("prefix", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
