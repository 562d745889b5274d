"""The whole schema, once for both engines: SQLAlchemy Core metadata, and nothing that runs.

Only :mod:`mailshare.store.migrate` and the tests import this module: SQLAlchemy costs a third of a second, which a
steady start does not pay. The statements that run all day stand as plain SQL beside the code that needs them.

Conventions: ids are 64 bit; times are microseconds UTC; JSON is text on SQLite; ``WITHOUT ROWID`` where the primary
key is how the rows are read, but for wide rows that only come at the end; ``AUTOINCREMENT`` where an id may outlive its
row in a log and must not come back, unless each delivery made one: these the counters give out.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateIndex, CreateTable

from mailshare.store.naming import WORK_KINDS

BIG = BigInteger().with_variant(Integer, "sqlite")
JSON_TEXT = Text().with_variant(JSONB(), "postgresql")
NOUGHT = text("0")
EMPTY = text("''")
IS_WORK = f"kind IN {WORK_KINDS}"
metadata = MetaData()


def _identity() -> Column[int]:
    return Column("id", BIG, primary_key=True, autoincrement=True)


def _big(name: str, *, key: bool = False, null: bool = False) -> Column[int]:
    if key:
        return Column(name, BIG, primary_key=True, autoincrement=False)
    return Column(name, BIG, nullable=True) if null else Column(name, BIG, nullable=False, server_default=NOUGHT)


def _text(name: str, *, key: bool = False, null: bool = False) -> Column[str]:
    if key:
        return Column(name, Text, primary_key=True)
    return Column(name, Text, nullable=True) if null else Column(name, Text, nullable=False, server_default=EMPTY)


def _small(name: str) -> Column[int]:
    return Column(name, SmallInteger, nullable=False, server_default=NOUGHT)


def _json(name: str) -> Column[str]:
    return Column(name, JSON_TEXT, nullable=False, server_default=text("'{}'"))


# --------------------------------------------------------------------------- who and what

Table(
    "setting",
    metadata,
    _text("scope", key=True),
    _text("name", key=True),
    _json("value"),
    _big("version"),
    sqlite_with_rowid=False,
)
Table(
    "account",
    metadata,
    _identity(),
    Column("name", Text, nullable=False, unique=True),
    Column("number", BIG, nullable=False, unique=True),
    _text("kind"),
    _json("config"),
    _text("secret_ref"),
    _small("enabled"),
    _text("managed_by"),
    _text("lease_owner", null=True),
    _big("lease_until"),
    _big("next_at"),
    _big("last_ok"),
    _text("last_error"),
    sqlite_autoincrement=True,
)
Table(
    "user_",
    metadata,
    _identity(),
    Column("name", Text, nullable=False, unique=True),
    _text("password"),
    _text("scram"),
    _text("kind"),
    _small("enabled"),
    _json("config"),
    _text("managed_by"),
    sqlite_autoincrement=True,
)
Table(
    "alias",
    metadata,
    _big("account_id", key=True),
    _text("match", key=True),
    _text("how", key=True),
    _big("user_id"),
    sqlite_with_rowid=False,
)
Table(
    "cc",
    metadata,
    Column("user_id", BIG, ForeignKey("user_.id", ondelete="CASCADE"), primary_key=True),
    Column("target_id", BIG, ForeignKey("user_.id", ondelete="CASCADE"), primary_key=True),
    _small("position"),
    Index("cc_target", "target_id"),
    sqlite_with_rowid=False,
)
Table(
    "rule",
    metadata,
    Column("account_id", BIG, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    _text("kind", key=True),
    _text("match", key=True),
    Column("user_ids", JSON_TEXT, nullable=False),
    sqlite_with_rowid=False,
)
Table(
    "address_book",
    metadata,
    _identity(),
    _big("owner_id"),
    _text("kind"),
    _text("name"),
    _json("target"),
    UniqueConstraint("owner_id", "kind", "name"),
)

# --------------------------------------------------------------------------- mail

Table(
    "mailbox",
    metadata,
    _identity(),
    _big("user_id"),
    Column("name", Text, nullable=False, server_default=text("'INBOX'")),
    _big("uidvalidity"),
    Column("uidnext", BIG, nullable=False, server_default=text("1")),
    _big("modseq"),
    _big("msgs"),
    _big("bytes"),
    _big("unread"),
    _big("gone_at"),
    _text("lock_owner", null=True),
    _big("lock_until"),
    UniqueConstraint("user_id", "name"),
    sqlite_autoincrement=True,
    postgresql_with={"fillfactor": 50},
)
Table(
    "message",
    metadata,
    _identity(),
    Column("trace", Text, nullable=False),  # looked up by people, a few times a day: a scan finds it
    _text("message_id_field"),
    _big("size"),
    _big("hdr_len"),
    _small("storage"),
    _text("key"),
    Column("digest", LargeBinary, nullable=False),
    Column("content_digest", LargeBinary, nullable=False),
    _text("sender", null=True),
    _json("origin"),
    _big("account_id", null=True),
    _big("received"),
    _json("hdr"),
    Index("message_key", "key", sqlite_where=text("storage <> 0"), postgresql_where=text("storage <> 0")),
)
Table(
    "body",
    metadata,
    Column("message_id", BIG, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
Table(
    "entry",
    metadata,
    Column("mailbox_id", BIG, ForeignKey("mailbox.id"), primary_key=True),
    _big("uid", key=True),
    Column("message_id", BIG, ForeignKey("message.id"), nullable=False),
    _big("size"),
    _small("flags"),
    _big("modseq"),
    _big("added", null=True),  # NULL: when the message came
    Column("prefix", LargeBinary, nullable=True),  # NULL: the usual lines of the mailbox, where it has such
    Index("entry_message", "message_id"),
    sqlite_with_rowid=False,
)
# Entries of the last messages, in the order of arrival: see mailshare.store.arrivals.
Table(
    "arrived",
    metadata,
    _identity(),
    Column("mailbox_id", BIG, ForeignKey("mailbox.id"), nullable=False),
    Column("uid", BIG, nullable=False),
    Column("message_id", BIG, ForeignKey("message.id"), nullable=False),
    _big("size"),
    _small("flags"),
    _big("modseq"),
    Column("prefix", LargeBinary, nullable=True),
)
# The line that begins most copies in a mailbox; written with the first of them, and never changed.
Table(
    "usual_lines",
    metadata,
    Column("mailbox_id", BIG, ForeignKey("mailbox.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
# One row for a message, however many mailboxes met it: the ids are a JSON list. See mailshare.store.duplicates.
Table(
    "duplicate",
    metadata,
    _identity(),
    Column("key", LargeBinary, nullable=False),  # its index is not written
    Column("trace", Text, nullable=False),
    _big("at"),
    Column("mailboxes", JSON_TEXT, nullable=False),
)
Table(
    "sent",
    metadata,
    _text("message_id", key=True),
    _big("user_id"),
    _big("account_id", null=True),
    _big("at"),
    Index("sent_at", "at"),
    sqlite_with_rowid=False,
)
Table(
    "ledger",
    metadata,
    _big("account_id", key=True),
    _text("uidl", key=True),
    _small("state"),
    _big("message_id", null=True),
    _big("size"),
    Column("digest", LargeBinary, nullable=False),
    _big("seen"),
    _big("changed"),
    _big("attempts"),
    _text("error"),
    Index("ledger_state", "account_id", "state", "seen"),
    sqlite_with_rowid=False,
)

# --------------------------------------------------------------------------- the queue

Table(
    "submission",
    metadata,
    _identity(),
    Column("message_id", BIG, ForeignKey("message.id"), nullable=False),
    _text("agent"),
    _big("account_id", null=True),
    _big("submitter_id", null=True),
    _text("sender", null=True),
    _json("params"),
    _text("origin"),
    _small("hold"),
    _big("queued"),
    _big("expires"),
    _big("pending"),
    Index("submission_queued", "account_id", "queued"),
    Index("submission_message", "message_id"),
    Index(
        "submission_waiting",
        "agent",
        "account_id",
        sqlite_where=text("pending > 0"),
        postgresql_where=text("pending > 0"),
    ),
    sqlite_autoincrement=True,
)
Table(
    "delivery",
    metadata,
    _identity(),
    Column("submission_id", BIG, ForeignKey("submission.id", ondelete="CASCADE"), nullable=False),
    _text("agent"),
    _big("account_id", null=True),
    _text("address"),
    _text("device"),
    _text("reason"),
    _json("params"),
    _small("state"),
    _big("attempts"),
    _big("next_at"),
    _text("lease_owner", null=True),
    _big("lease_until"),
    _big("code"),
    _text("status"),
    _text("reply"),
    _json("progress"),
    _big("done"),
    Index("delivery_submission", "submission_id"),
    Index("delivery_due", "agent", "next_at", sqlite_where=text("state = 0"), postgresql_where=text("state = 0")),
    Index(
        "delivery_account_due",
        "agent",
        "account_id",
        "next_at",
        sqlite_where=text("state = 0"),
        postgresql_where=text("state = 0"),
    ),
    Index("delivery_leased", "lease_until", sqlite_where=text("state = 1"), postgresql_where=text("state = 1")),
    Index("delivery_done", "done", sqlite_where=text("done > 0"), postgresql_where=text("done > 0")),
    sqlite_autoincrement=True,
    postgresql_with={"fillfactor": 70},
)
Table(
    "attempt",
    metadata,
    Column("delivery_id", BIG, ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True),
    _big("num", key=True),
    _big("at"),
    _big("seconds"),
    _text("node"),
    _big("code"),
    _text("status"),
    _text("reply"),
    _json("detail"),
    sqlite_with_rowid=False,
)
Table(
    "assembly",
    metadata,
    _identity(),
    _text("kind"),
    _text("ref"),
    _big("owner_id", null=True),
    _small("state"),
    _big("parts"),
    _big("parts_have"),
    _big("created"),
    _big("expires"),
    _json("manifest"),
    UniqueConstraint("kind", "ref"),
)
Table(
    "part",
    metadata,
    Column("assembly_id", BIG, ForeignKey("assembly.id", ondelete="CASCADE"), primary_key=True),
    _big("num", key=True),
    Column("message_id", BIG, ForeignKey("message.id"), nullable=False),
    _big("offset"),
    _big("length"),
    Column("digest", LargeBinary, nullable=False),
    _big("received"),
    Index("part_message", "message_id"),
    sqlite_with_rowid=False,
)

# --------------------------------------------------------------------------- the journal and the house

Table(
    "event",
    metadata,
    _big("place", key=True),  # the day, and in the lower 36 bits the event's number: see mailshare.store.counters
    _big("at"),
    _text("kind"),
    _text("trace"),
    _big("account_id", null=True),
    _big("user_id", null=True),
    _big("message_id", null=True),
    _json("data"),
    Index("event_trace", "trace", sqlite_where=text("trace <> ''"), postgresql_where=text("trace <> ''")),
    Index("event_work", "kind", "at", sqlite_where=text(IS_WORK), postgresql_where=text(IS_WORK)),
)
Table("garbage", metadata, _identity(), _small("storage"), _text("key"), _big("after"))
Table("node", metadata, _text("name", key=True), _big("beat"), _json("info"), sqlite_with_rowid=False)


@lru_cache(maxsize=1)
def sqlite_statements() -> tuple[str, ...]:
    """The schema as SQLite statements in the order in which they can run."""
    dialect = sqlite.dialect()
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    indexes = [
        index for table in metadata.sorted_tables for index in sorted(table.indexes, key=lambda one: str(one.name))
    ]
    return (*made, *(str(CreateIndex(index).compile(dialect=dialect)) for index in indexes))
