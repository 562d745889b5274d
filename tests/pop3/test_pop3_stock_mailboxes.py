"""Twisted's own POP3 avatars served unchanged, with sizes that are those of the octets sent."""

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.mail.interfaces import IMailboxPOP3
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailshare.core.errors import Unavailable
from mailshare.interfaces import IBody, IMailboxOpener, IMaildrop
from mailshare.pop3.adapters import LineEnds, StockMailboxOpener

result_of = SynchronousTestCase().successResultOf
failure_of = SynchronousTestCase().failureResultOf

MESSAGES = [
    b"Subject: lf\n\nfirst\n.dot\n",
    b"Subject: crlf\r\n\r\nsecond\r\n",
    b"Subject: mixed\n\nthi\rrd\r\nno end",
]
SENT = [
    b"Subject: lf\r\n\r\nfirst\r\n.dot\r\n",
    b"Subject: crlf\r\n\r\nsecond\r\n",
    b"Subject: mixed\r\n\r\nthi\r\nrd\r\nno end\r\n",
]


@implementer(IMailboxPOP3)
class Stock:
    """A mailbox as people wrote them for Twisted; ``wrap`` makes its results Deferreds."""

    def __init__(self, wrap=lambda value: value, messages=MESSAGES) -> None:
        self.wrap = wrap
        self.messages = list(messages)
        self.gone = set()
        self.log = []
        self.uidls = [b"uid-%d" % index for index in range(len(messages))]

    def listMessages(self, index=None):
        sizes = [0 if i in self.gone else len(message) for i, message in enumerate(self.messages)]
        return self.wrap(sizes if index is None else sizes[index])

    def getMessage(self, index):
        return self.wrap(io.BytesIO(self.messages[index]))

    def getUidl(self, index):
        return self.wrap(self.uidls[index])

    def deleteMessage(self, index):
        self.log.append(("delete", index))
        self.gone.add(index)
        return self.wrap(None)

    def undeleteMessages(self):
        self.log.append(("undelete",))
        self.gone.clear()
        return self.wrap(None)

    def sync(self):
        self.log.append(("sync",))
        return self.wrap(None)


def run(coroutine):
    """The result of what does not wait for anything."""
    return result_of(Deferred.fromCoroutine(coroutine))


@pytest.mark.parametrize("wrap", [lambda value: value, succeed])
def test_a_stock_avatar_is_served(build_office, wrap):
    """Plain results and Deferreds alike; LIST, STAT and RETR agree to the octet."""
    mailbox = Stock(wrap)
    office = build_office(IMailboxPOP3, mailbox)
    client = office.connect()
    total = sum(map(len, SENT))
    assert client.log_in().endswith(b"+OK 3 messages (%d octets)\r\n" % total)
    said = client.say(b"STAT", b"LIST", b"UIDL", b"RETR 1", b"RETR 3", b"DELE 2", b"QUIT")
    sizes = b"".join(b"%d %d\r\n" % (n, len(message)) for n, message in enumerate(SENT, 1))
    assert said == (
        b"+OK 3 %d\r\n+OK 3 messages (%d octets)\r\n" % (total, total)
        + sizes
        + b".\r\n+OK\r\n1 uid-0\r\n2 uid-1\r\n3 uid-2\r\n.\r\n"
        + b"+OK %d octets\r\n" % len(SENT[0])
        + SENT[0].replace(b".dot", b"..dot")
        + b".\r\n+OK %d octets\r\n" % len(SENT[2])
        + SENT[2]
        + b".\r\n+OK Deleted at QUIT\r\n+OK 1 messages deleted\r\n"
    )
    assert mailbox.log == [("delete", 1), ("sync",)]


def test_nothing_is_deleted_before_quit(build_office):
    """DELE does not reach the mailbox; a session that breaks off leaves it alone."""
    mailbox = Stock()
    client = build_office(IMailboxPOP3, mailbox).connect()
    client.log_in()
    client.say(b"DELE 1", b"RETR 2")
    client.drop()
    assert mailbox.log == []


def test_quit_waits_for_sync(build_office):
    """A slow sync is waited for, and its failure is said."""
    mailbox, gate = Stock(), Deferred()
    mailbox.sync = lambda: gate
    client = build_office(IMailboxPOP3, mailbox).connect()
    client.log_in()
    assert client.say(b"DELE 1", b"QUIT") == b"+OK Deleted at QUIT\r\n"
    gate.errback(Unavailable("The disk is full"))
    assert client.read() == b"-ERR [SYS/TEMP] The disk is full; nothing was deleted\r\n"


def test_a_failed_deletion_is_taken_back():
    """When one of several cannot be deleted, none is."""
    mailbox = Stock()
    real = mailbox.deleteMessage
    mailbox.deleteMessage = lambda index: fail(Unavailable()) if index == 2 else real(index)
    maildrop = run(StockMailboxOpener(mailbox, Clock()).open("peer"))
    failure_of(Deferred.fromCoroutine(maildrop.commit([1, 3])), Unavailable)
    assert mailbox.log == [("delete", 0), ("undelete",)]


def test_messages_deleted_before_are_not_there():
    """A size of 0 means deleted, as in the stock server; the others keep their own indexes."""
    mailbox = Stock()
    mailbox.gone.add(0)
    maildrop = run(StockMailboxOpener(mailbox, Clock()).open("peer"))
    uids, sizes = run(maildrop.snapshot())
    assert list(uids) == [2, 3]
    assert list(sizes) == [len(SENT[1]), len(SENT[2])]
    assert maildrop.uidl(2) == "uid-1"


def test_unique_ids_that_cannot_be_sent():
    """Blanks, 71 characters or none at all: a digest of the message stands in."""
    mailbox = Stock()
    mailbox.uidls = [b"a b", b"x" * 71, ""]
    maildrop = run(StockMailboxOpener(mailbox, Clock()).open("peer"))
    uidls = [maildrop.uidl(uid) for uid in (1, 2, 3)]
    assert len(set(uidls)) == 3
    assert all(len(uidl) == 64 and uidl.isalnum() for uidl in uidls)


def test_a_message_that_is_no_file():
    """A mailbox that gives nonsense is a trouble with words."""
    mailbox = Stock()
    mailbox.getMessage = lambda _: None
    failure_of(Deferred.fromCoroutine(StockMailboxOpener(mailbox, Clock()).open("peer")), Unavailable)


def test_others_get_their_turn_while_messages_are_measured():
    """A large message is measured in slices, with the reactor in between."""
    clock = Clock()
    opening = Deferred.fromCoroutine(StockMailboxOpener(Stock(messages=[b"x\n" * 2_000_000]), clock).open("peer"))
    turns = 0
    while clock.getDelayedCalls():
        due = clock.calls.pop(0)
        due.called = 1
        due.func(*due.args, **due.kw)
        turns += 1
    assert result_of(opening).octets == 6_000_000
    assert turns >= 4


def test_they_keep_to_the_interfaces():
    """Opener, maildrop and body provide what they say."""
    opener = StockMailboxOpener(Stock(), Clock())
    verifyObject(IMailboxOpener, opener)
    maildrop = run(opener.open("peer"))
    verifyObject(IMaildrop, maildrop)
    verifyObject(IBody, run(maildrop.body(1)))


def test_bodies_read_from_anywhere():
    """Back and forth, with the header and its length right, and the digests those of the octets."""
    maildrop = run(StockMailboxOpener(Stock(), Clock()).open("peer"))
    for uid, sent in enumerate(SENT, 1):
        body = run(maildrop.body(uid))
        assert body.size == len(sent)
        assert body.header_length == sent.index(b"\r\n\r\n") + 4
        assert body.digest == hashlib.sha256(sent).digest()
        assert body.content_digest == hashlib.sha256(sent[body.header_length :].rstrip()).digest()
        for start, length in ((0, 5), (5, 3), (2, 9), (0, 1000), (len(sent) - 1, 10), (len(sent), 10)):
            assert run(body.read(start, length)) == sent[start : start + length]
        assert run(body.header()) == sent[: body.header_length]
    maildrop.release()


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b""]), max_size=30), st.integers(1, 5))
def test_line_ends(parts, step):
    """Every line end becomes CRLF, wherever the chunks are cut, and the text ends in one."""
    text = b"".join(parts)
    ends = LineEnds()
    out = b"".join(ends.convert(text[start : start + step]) for start in range(0, len(text), step)) + ends.finish()
    expected = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if expected and not expected.endswith(b"\n"):
        expected += b"\n"
    assert out == expected.replace(b"\n", b"\r\n")
