"""The first schema: people, mail, the ledger, the queue, print and fax, the journal.

Frozen: a later change is a later migration.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_TEXT = sa.Text().with_variant(postgresql.JSONB(), "postgresql")
NOUGHT = sa.text("0")
EMPTY = sa.text("''")
OBJECT = sa.text("'{}'")


def upgrade() -> None:
    """Make every table, those that others refer to first."""
    _account()
    _address_book()
    _alias()
    _assembly()
    _event()
    _garbage()
    _ledger()
    _mailbox()
    _message()
    _node()
    _sent()
    _setting()
    _user()
    _body()
    _cc()
    _duplicate()
    _entry()
    _part()
    _rule()
    _submission()
    _delivery()
    _attempt()


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", BIG, nullable=False),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("config", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("secret_ref", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("enabled", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("managed_by", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("next_at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("last_ok", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("last_error", sa.Text(), server_default=EMPTY, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("number"),
        sqlite_autoincrement=True,
    )


def _address_book() -> None:
    op.create_table(
        "address_book",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("owner_id", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("name", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("target", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("owner_id", "kind", "name"),
    )


def _alias() -> None:
    op.create_table(
        "alias",
        sa.Column("account_id", BIG, autoincrement=False, nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, server_default=NOUGHT, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "match", "how"),
        sqlite_with_rowid=False,
    )


def _assembly() -> None:
    op.create_table(
        "assembly",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("ref", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column("state", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("parts", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("parts_have", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("created", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("expires", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("manifest", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "ref"),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("day", BIG, autoincrement=False, nullable=False),
        sa.Column("id", BIG, autoincrement=False, nullable=False),
        sa.Column("at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("trace", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("data", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.PrimaryKeyConstraint("day", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "event_trace",
        "event",
        ["trace"],
        unique=False,
        sqlite_where=sa.text("trace <> ''"),
        postgresql_where=sa.text("trace <> ''"),
    )


def _garbage() -> None:
    op.create_table(
        "garbage",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("storage", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("key", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("after", BIG, server_default=NOUGHT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("account_id", BIG, autoincrement=False, nullable=False),
        sa.Column("uidl", sa.Text(), nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("message_id", BIG, nullable=True),
        sa.Column("size", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("seen", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("changed", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("attempts", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("error", sa.Text(), server_default=EMPTY, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "uidl"),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_state", "ledger", ["account_id", "state", "seen"], unique=False)


def _mailbox() -> None:
    op.create_table(
        "mailbox",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("user_id", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("'INBOX'"), nullable=False),
        sa.Column("uidvalidity", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("uidnext", BIG, server_default=sa.text("1"), nullable=False),
        sa.Column("modseq", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("msgs", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("bytes", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("unread", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("gone_at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("lock_owner", sa.Text(), nullable=True),
        sa.Column("lock_until", BIG, server_default=NOUGHT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "name"),
        postgresql_with={"fillfactor": 50},
        sqlite_autoincrement=True,
    )


def _message() -> None:
    op.create_table(
        "message",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.Column("message_id_field", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("size", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("hdr_len", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("storage", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("key", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("origin", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("received", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("hdr", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("trace"),
        sqlite_autoincrement=True,
    )
    op.create_index("message_field", "message", ["message_id_field"], unique=False)
    op.create_index(
        "message_key",
        "message",
        ["key"],
        unique=False,
        sqlite_where=sa.text("storage <> 0"),
        postgresql_where=sa.text("storage <> 0"),
    )


def _node() -> None:
    op.create_table(
        "node",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("beat", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("info", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )


def _sent() -> None:
    op.create_table(
        "sent",
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("at", BIG, server_default=NOUGHT, nullable=False),
        sa.PrimaryKeyConstraint("message_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("sent_at", "sent", ["at"], unique=False)


def _setting() -> None:
    op.create_table(
        "setting",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("version", BIG, server_default=NOUGHT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "name"),
        sqlite_with_rowid=False,
    )


def _user() -> None:
    op.create_table(
        "user_",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("scram", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("kind", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("enabled", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("config", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("managed_by", sa.Text(), server_default=EMPTY, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )


def _body() -> None:
    op.create_table(
        "body",
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("seq", BIG, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "seq"),
    )


def _cc() -> None:
    op.create_table(
        "cc",
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("target_id", BIG, nullable=False),
        sa.Column("position", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.ForeignKeyConstraint(["target_id"], ["user_.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "target_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("cc_target", "cc", ["target_id"], unique=False)


def _duplicate() -> None:
    op.create_table(
        "duplicate",
        sa.Column("mailbox_id", BIG, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("trace", sa.Text(), server_default=EMPTY, nullable=False),
        sa.ForeignKeyConstraint(["mailbox_id"], ["mailbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("mailbox_id", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("duplicate_at", "duplicate", ["at"], unique=False)


def _entry() -> None:
    op.create_table(
        "entry",
        sa.Column("mailbox_id", BIG, nullable=False),
        sa.Column("uid", BIG, autoincrement=False, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("size", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("flags", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("modseq", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("added", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("prefix", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mailbox_id"],
            ["mailbox.id"],
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("mailbox_id", "uid"),
        sqlite_with_rowid=False,
    )
    op.create_index("entry_message", "entry", ["message_id"], unique=False)


def _part() -> None:
    op.create_table(
        "part",
        sa.Column("assembly_id", BIG, nullable=False),
        sa.Column("num", BIG, autoincrement=False, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("offset", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("length", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("received", BIG, server_default=NOUGHT, nullable=False),
        sa.ForeignKeyConstraint(["assembly_id"], ["assembly.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("assembly_id", "num"),
        sqlite_with_rowid=False,
    )
    op.create_index("part_message", "part", ["message_id"], unique=False)


def _rule() -> None:
    op.create_table(
        "rule",
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("match", sa.Text(), nullable=False),
        sa.Column("user_ids", JSON_TEXT, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "kind", "match"),
        sqlite_with_rowid=False,
    )


def _submission() -> None:
    op.create_table(
        "submission",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("message_id", BIG, nullable=False),
        sa.Column("agent", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("submitter_id", BIG, nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("params", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("origin", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("hold", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("queued", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("expires", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("pending", BIG, server_default=NOUGHT, nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["message.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("submission_message", "submission", ["message_id"], unique=False)
    op.create_index("submission_queued", "submission", ["account_id", "queued"], unique=False)
    op.create_index(
        "submission_waiting",
        "submission",
        ["agent", "account_id"],
        unique=False,
        sqlite_where=sa.text("pending > 0"),
        postgresql_where=sa.text("pending > 0"),
    )


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", BIG, autoincrement=True, nullable=False),
        sa.Column("submission_id", BIG, nullable=False),
        sa.Column("agent", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("address", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("device", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("reason", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("params", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("state", sa.SmallInteger(), server_default=NOUGHT, nullable=False),
        sa.Column("attempts", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("next_at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("code", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("status", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("reply", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("progress", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.Column("done", BIG, server_default=NOUGHT, nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_with={"fillfactor": 70},
        sqlite_autoincrement=True,
    )
    op.create_index(
        "delivery_account_due",
        "delivery",
        ["agent", "account_id", "next_at"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_index(
        "delivery_done",
        "delivery",
        ["done"],
        unique=False,
        sqlite_where=sa.text("done > 0"),
        postgresql_where=sa.text("done > 0"),
    )
    op.create_index(
        "delivery_due",
        "delivery",
        ["agent", "next_at"],
        unique=False,
        sqlite_where=sa.text("state = 0"),
        postgresql_where=sa.text("state = 0"),
    )
    op.create_index(
        "delivery_leased",
        "delivery",
        ["lease_until"],
        unique=False,
        sqlite_where=sa.text("state = 1"),
        postgresql_where=sa.text("state = 1"),
    )
    op.create_index("delivery_submission", "delivery", ["submission_id"], unique=False)


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("delivery_id", BIG, nullable=False),
        sa.Column("num", BIG, autoincrement=False, nullable=False),
        sa.Column("at", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("seconds", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("node", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("code", BIG, server_default=NOUGHT, nullable=False),
        sa.Column("status", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("reply", sa.Text(), server_default=EMPTY, nullable=False),
        sa.Column("detail", JSON_TEXT, server_default=OBJECT, nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", "num"),
        sqlite_with_rowid=False,
    )
