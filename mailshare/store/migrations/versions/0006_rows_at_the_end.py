"""Fewer pages once more: wide rows come at the end of their table, and what many copies share is written once.

A line of the journal is some 500 octets. In a table without row ids only four fitted a page, between the branches of
its tree as well as in its leaves, and each new one moved its neighbours. The counter of messages was a row of its own,
traces had an index besides the journal's, and each copy of a message brought a duplicate key and a header line.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_TEXT = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
NOUGHT, EMPTY, NO_VALUES = sa.text("0"), sa.text("''"), sa.text("'{}'")
WORK = "kind IN ('device.sent', 'public.sent', 'report.due', 'report.sent')"


def upgrade() -> None:
    """Build four tables anew, and one more."""
    _message()
    _event()
    _duplicate()
    _entry()


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, BIG, server_default=NOUGHT, nullable=False)


def _message() -> None:
    """Under another name first: renaming the old table would change what others refer to."""
    op.execute(
        "INSERT INTO setting (scope, name, value, version) "
        "SELECT 'store', 'last_message', 'null', coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'message'"
    )
    op.create_table(
        "message_after",
        sa.Column("id", BIG, nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("message_id_field", sa.Text(), server_default=EMPTY, nullable=False),
        _number("size"),
        _number("hdr_len"),
        sa.Column("storage", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("key", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("origin", JSON_TEXT, server_default=NO_VALUES, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        _number("received"),
        sa.Column("hdr", JSON_TEXT, server_default=NO_VALUES, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    columns = (
        "id, trace, message_id_field, size, hdr_len, storage, key, digest, content_digest, sender, origin, account_id, "
        "received, hdr"
    )
    op.execute(f"INSERT INTO message_after ({columns}) SELECT {columns} FROM message ORDER BY id")
    op.drop_table("message")
    op.rename_table("message_after", "message")
    in_files = sa.text("storage <> 0")
    op.create_index("message_key", "message", ["key"], sqlite_where=in_files, postgresql_where=in_files)


def _event() -> None:
    op.drop_index("event_trace", table_name="event")
    op.drop_index("event_work", table_name="event")
    op.rename_table("event", "event_before")
    op.create_table(
        "event",
        sa.Column("place", BIG, autoincrement=False, nullable=False),
        _number("at"),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("trace", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("data", JSON_TEXT, server_default=NO_VALUES, nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    columns = "at, kind, trace, account_id, user_id, message_id, data"
    op.execute(
        f"INSERT INTO event (place, {columns}) SELECT (day << 36) + id, {columns} FROM event_before ORDER BY day, id"
    )
    op.drop_table("event_before")
    traced, work = sa.text("trace <> ''"), sa.text(WORK)
    op.create_index("event_trace", "event", ["trace"], sqlite_where=traced, postgresql_where=traced)
    op.create_index("event_work", "event", ["kind", "at"], sqlite_where=work, postgresql_where=work)


def _duplicate() -> None:
    op.rename_table("duplicate", "duplicate_before")
    op.create_table(
        "duplicate",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        _number("at"),
        sa.Column("mailboxes", JSON_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", "trace"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO duplicate (key, trace, at, mailboxes) SELECT key, trace, max(at), json_group_array(mailbox_id) "
        "FROM duplicate_before GROUP BY key, trace ORDER BY key, trace"
    )
    op.drop_table("duplicate_before")


def _entry() -> None:
    """The copies that are there keep their lines; the usual ones begin with the next delivery."""
    op.drop_index("entry_message", table_name="entry")
    op.rename_table("entry", "entry_before")
    op.create_table(
        "entry",
        sa.Column("mailbox_id", BIG, nullable=False),
        sa.Column("uid", BIG, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        _number("size"),
        sa.Column("flags", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        _number("modseq"),
        sa.Column("added", BIG, nullable=True),
        sa.Column("prefix", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"]),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("mailbox_id", "uid"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO entry (mailbox_id, uid, message_id, size, flags, modseq, added, prefix) "
        "SELECT mailbox_id, uid, message_id, size, flags, modseq, added, coalesce(prefix, x'') FROM entry_before "
        "ORDER BY mailbox_id, uid"
    )
    op.drop_table("entry_before")
    op.create_index("entry_message", "entry", ["message_id"])
    op.create_table(
        "usual_lines",
        sa.Column("mailbox_id", BIG, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id"),
    )
