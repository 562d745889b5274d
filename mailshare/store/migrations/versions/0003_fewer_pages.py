"""Fewer pages for each delivery: the duplicate keys of a message lie together, and a body has one row and one tree.

Ordered by mailbox, a message to twenty wrote twenty pages of duplicate keys. They are known by their key now; what
a deleted mailbox leaves goes with age. A body that was cut into pieces had a second tree for the pieces' order.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Build both tables anew."""
    _duplicate()
    _body()


def _duplicate() -> None:
    op.rename_table("duplicate", "duplicate_before")
    op.create_table(
        "duplicate",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("mailbox_id", BIG, nullable=False),
        sa.Column("at", BIG, server_default=sa.text("0"), nullable=False),
        sa.Column("trace", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("key", "mailbox_id"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO duplicate (key, mailbox_id, at, trace) "
        "SELECT key, mailbox_id, at, trace FROM duplicate_before ORDER BY key, mailbox_id"
    )
    op.drop_table("duplicate_before")


def _body() -> None:
    op.rename_table("body", "body_before")
    body = op.create_table(
        "body",
        sa.Column("message_id", BIG, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id"),
    )
    whole = "NOT IN (SELECT message_id FROM body_before WHERE seq > 0)"
    op.execute(
        f"INSERT INTO body (message_id, data) SELECT message_id, data FROM body_before WHERE message_id {whole} "
        "ORDER BY message_id"
    )
    # Bodies in pieces are rare, since the usual limit for bodies in the database is below one piece.
    connection = op.get_bind()
    cut = connection.execute(sa.text("SELECT DISTINCT message_id FROM body_before WHERE seq > 0")).scalars().all()
    for number in cut:
        pieces = connection.execute(
            sa.text("SELECT data FROM body_before WHERE message_id = :number ORDER BY seq"), {"number": number}
        ).scalars()
        connection.execute(sa.insert(body), {"message_id": number, "data": b"".join(pieces)})
    op.drop_table("body_before")
