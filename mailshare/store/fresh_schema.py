"""The newest schema as SQLite statements, so that making a store imports neither SQLAlchemy nor Alembic.

Written by tests/store/write_fresh_schema.py from :mod:`mailshare.store.schema`; change it there.
"""

from __future__ import annotations

FRESH = (
    """CREATE TABLE account (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    config TEXT DEFAULT '{}' NOT NULL,
    secret_ref TEXT DEFAULT '' NOT NULL,
    enabled SMALLINT DEFAULT 0 NOT NULL,
    managed_by TEXT DEFAULT '' NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER DEFAULT 0 NOT NULL,
    next_at INTEGER DEFAULT 0 NOT NULL,
    last_ok INTEGER DEFAULT 0 NOT NULL,
    last_error TEXT DEFAULT '' NOT NULL,
    UNIQUE (name),
    UNIQUE (number)
)""",
    """CREATE TABLE address_book (
    id INTEGER NOT NULL,
    owner_id INTEGER DEFAULT 0 NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    name TEXT DEFAULT '' NOT NULL,
    target TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (owner_id, kind, name)
)""",
    """CREATE TABLE alias (
    account_id INTEGER NOT NULL,
    "match" TEXT NOT NULL,
    how TEXT NOT NULL,
    user_id INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (account_id, "match", how)
)
 WITHOUT ROWID""",
    """CREATE TABLE assembly (
    id INTEGER NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    ref TEXT DEFAULT '' NOT NULL,
    owner_id INTEGER,
    state SMALLINT DEFAULT 0 NOT NULL,
    parts INTEGER DEFAULT 0 NOT NULL,
    parts_have INTEGER DEFAULT 0 NOT NULL,
    created INTEGER DEFAULT 0 NOT NULL,
    expires INTEGER DEFAULT 0 NOT NULL,
    manifest TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (kind, ref)
)""",
    """CREATE TABLE duplicate (
    id INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    trace TEXT NOT NULL,
    at INTEGER DEFAULT 0 NOT NULL,
    mailboxes TEXT NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE event (
    place INTEGER NOT NULL,
    at INTEGER DEFAULT 0 NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    trace TEXT DEFAULT '' NOT NULL,
    account_id INTEGER,
    user_id INTEGER,
    message_id INTEGER,
    data TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (place)
)""",
    """CREATE TABLE garbage (
    id INTEGER NOT NULL,
    storage SMALLINT DEFAULT 0 NOT NULL,
    "key" TEXT DEFAULT '' NOT NULL,
    "after" INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE ledger (
    account_id INTEGER NOT NULL,
    uidl TEXT NOT NULL,
    state SMALLINT DEFAULT 0 NOT NULL,
    message_id INTEGER,
    size INTEGER DEFAULT 0 NOT NULL,
    digest BLOB NOT NULL,
    seen INTEGER DEFAULT 0 NOT NULL,
    changed INTEGER DEFAULT 0 NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    error TEXT DEFAULT '' NOT NULL,
    PRIMARY KEY (account_id, uidl)
)
 WITHOUT ROWID""",
    """CREATE TABLE mailbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER DEFAULT 0 NOT NULL,
    name TEXT DEFAULT 'INBOX' NOT NULL,
    uidvalidity INTEGER DEFAULT 0 NOT NULL,
    uidnext INTEGER DEFAULT 1 NOT NULL,
    modseq INTEGER DEFAULT 0 NOT NULL,
    msgs INTEGER DEFAULT 0 NOT NULL,
    bytes INTEGER DEFAULT 0 NOT NULL,
    unread INTEGER DEFAULT 0 NOT NULL,
    gone_at INTEGER DEFAULT 0 NOT NULL,
    lock_owner TEXT,
    lock_until INTEGER DEFAULT 0 NOT NULL,
    UNIQUE (user_id, name)
)""",
    """CREATE TABLE message (
    id INTEGER NOT NULL,
    trace TEXT NOT NULL,
    message_id_field TEXT DEFAULT '' NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    hdr_len INTEGER DEFAULT 0 NOT NULL,
    storage SMALLINT DEFAULT 0 NOT NULL,
    "key" TEXT DEFAULT '' NOT NULL,
    digest BLOB NOT NULL,
    content_digest BLOB NOT NULL,
    sender TEXT,
    origin TEXT DEFAULT '{}' NOT NULL,
    account_id INTEGER,
    received INTEGER DEFAULT 0 NOT NULL,
    hdr TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (id)
)""",
    """CREATE TABLE node (
    name TEXT NOT NULL,
    beat INTEGER DEFAULT 0 NOT NULL,
    info TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (name)
)
 WITHOUT ROWID""",
    """CREATE TABLE sent (
    message_id TEXT NOT NULL,
    user_id INTEGER DEFAULT 0 NOT NULL,
    account_id INTEGER,
    at INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (message_id)
)
 WITHOUT ROWID""",
    """CREATE TABLE setting (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT DEFAULT '{}' NOT NULL,
    version INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (scope, name)
)
 WITHOUT ROWID""",
    """CREATE TABLE user_ (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    password TEXT DEFAULT '' NOT NULL,
    scram TEXT DEFAULT '' NOT NULL,
    kind TEXT DEFAULT '' NOT NULL,
    enabled SMALLINT DEFAULT 0 NOT NULL,
    config TEXT DEFAULT '{}' NOT NULL,
    managed_by TEXT DEFAULT '' NOT NULL,
    UNIQUE (name)
)""",
    """CREATE TABLE arrived (
    id INTEGER NOT NULL,
    mailbox_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    flags SMALLINT DEFAULT 0 NOT NULL,
    modseq INTEGER DEFAULT 0 NOT NULL,
    prefix BLOB,
    PRIMARY KEY (id),
    FOREIGN KEY(mailbox_id) REFERENCES mailbox (id),
    FOREIGN KEY(message_id) REFERENCES message (id)
)""",
    """CREATE TABLE body (
    message_id INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (message_id),
    FOREIGN KEY(message_id) REFERENCES message (id) ON DELETE CASCADE
)""",
    """CREATE TABLE cc (
    user_id INTEGER NOT NULL,
    target_id INTEGER NOT NULL,
    position SMALLINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (user_id, target_id),
    FOREIGN KEY(user_id) REFERENCES user_ (id) ON DELETE CASCADE,
    FOREIGN KEY(target_id) REFERENCES user_ (id) ON DELETE CASCADE
)
 WITHOUT ROWID""",
    """CREATE TABLE entry (
    mailbox_id INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    size INTEGER DEFAULT 0 NOT NULL,
    flags SMALLINT DEFAULT 0 NOT NULL,
    modseq INTEGER DEFAULT 0 NOT NULL,
    added INTEGER,
    prefix BLOB,
    PRIMARY KEY (mailbox_id, uid),
    FOREIGN KEY(mailbox_id) REFERENCES mailbox (id),
    FOREIGN KEY(message_id) REFERENCES message (id)
)
 WITHOUT ROWID""",
    """CREATE TABLE part (
    assembly_id INTEGER NOT NULL,
    num INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    "offset" INTEGER DEFAULT 0 NOT NULL,
    length INTEGER DEFAULT 0 NOT NULL,
    digest BLOB NOT NULL,
    received INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (assembly_id, num),
    FOREIGN KEY(assembly_id) REFERENCES assembly (id) ON DELETE CASCADE,
    FOREIGN KEY(message_id) REFERENCES message (id)
)
 WITHOUT ROWID""",
    """CREATE TABLE rule (
    account_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    "match" TEXT NOT NULL,
    user_ids TEXT NOT NULL,
    PRIMARY KEY (account_id, kind, "match"),
    FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE
)
 WITHOUT ROWID""",
    """CREATE TABLE submission (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message_id INTEGER NOT NULL,
    agent TEXT DEFAULT '' NOT NULL,
    account_id INTEGER,
    submitter_id INTEGER,
    sender TEXT,
    params TEXT DEFAULT '{}' NOT NULL,
    origin TEXT DEFAULT '' NOT NULL,
    hold SMALLINT DEFAULT 0 NOT NULL,
    queued INTEGER DEFAULT 0 NOT NULL,
    expires INTEGER DEFAULT 0 NOT NULL,
    pending INTEGER DEFAULT 0 NOT NULL,
    FOREIGN KEY(message_id) REFERENCES message (id)
)""",
    """CREATE TABLE usual_lines (
    mailbox_id INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (mailbox_id),
    FOREIGN KEY(mailbox_id) REFERENCES mailbox (id) ON DELETE CASCADE
)""",
    """CREATE TABLE delivery (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    submission_id INTEGER NOT NULL,
    agent TEXT DEFAULT '' NOT NULL,
    account_id INTEGER,
    address TEXT DEFAULT '' NOT NULL,
    device TEXT DEFAULT '' NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    params TEXT DEFAULT '{}' NOT NULL,
    state SMALLINT DEFAULT 0 NOT NULL,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_at INTEGER DEFAULT 0 NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER DEFAULT 0 NOT NULL,
    code INTEGER DEFAULT 0 NOT NULL,
    status TEXT DEFAULT '' NOT NULL,
    reply TEXT DEFAULT '' NOT NULL,
    progress TEXT DEFAULT '{}' NOT NULL,
    done INTEGER DEFAULT 0 NOT NULL,
    FOREIGN KEY(submission_id) REFERENCES submission (id) ON DELETE CASCADE
)""",
    """CREATE TABLE attempt (
    delivery_id INTEGER NOT NULL,
    num INTEGER NOT NULL,
    at INTEGER DEFAULT 0 NOT NULL,
    seconds INTEGER DEFAULT 0 NOT NULL,
    node TEXT DEFAULT '' NOT NULL,
    code INTEGER DEFAULT 0 NOT NULL,
    status TEXT DEFAULT '' NOT NULL,
    reply TEXT DEFAULT '' NOT NULL,
    detail TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (delivery_id, num),
    FOREIGN KEY(delivery_id) REFERENCES delivery (id) ON DELETE CASCADE
)
 WITHOUT ROWID""",
    """CREATE INDEX event_trace ON event (trace) WHERE trace <> ''""",
    """CREATE INDEX event_work ON event (kind, at) WHERE kind IN ('device.sent', 'public.sent', 'report.due', 'report.sent')""",
    """CREATE INDEX ledger_state ON ledger (account_id, state, seen)""",
    """CREATE INDEX message_key ON message ("key") WHERE storage <> 0""",
    """CREATE INDEX sent_at ON sent (at)""",
    """CREATE INDEX cc_target ON cc (target_id)""",
    """CREATE INDEX entry_message ON entry (message_id)""",
    """CREATE INDEX part_message ON part (message_id)""",
    """CREATE INDEX submission_message ON submission (message_id)""",
    """CREATE INDEX submission_queued ON submission (account_id, queued)""",
    """CREATE INDEX submission_waiting ON submission (agent, account_id) WHERE pending > 0""",
    """CREATE INDEX delivery_account_due ON delivery (agent, account_id, next_at) WHERE state = 0""",
    """CREATE INDEX delivery_done ON delivery (done) WHERE done > 0""",
    """CREATE INDEX delivery_due ON delivery (agent, next_at) WHERE state = 0""",
    """CREATE INDEX delivery_leased ON delivery (lease_until) WHERE state = 1""",
    """CREATE INDEX delivery_submission ON delivery (submission_id)""",
)
