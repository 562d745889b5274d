"""Somebody else's users and mailboxes behind the POP3 and SMTP servers of mailshare.

Nothing of the office is used here: no store, no router, no provider. The realm below knows its users from a CSV file
(``name,password`` a line) and keeps their mail in memory. What they write to each other is delivered; the outside is
refused.

    python examples/custom_realm.py users.csv

Without a file there are ann (password: apple) and ben (password: banana). POP3 is on port 8110, SMTP on 8025, both on
loopback only, because passwords travel in the clear there.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import task
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import serverFromString
from zope.interface import Interface, implementer

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailboxInUse, NoSuchUser, PolicyRefusal
from mailshare.interfaces import (
    IBody,
    IMailboxOpener,
    IMaildrop,
    ISession,
    ISubmission,
    ISubmitter,
)
from mailshare.pop3.factory import POP3Factory
from mailshare.smtp.factory import SMTPFactory

DOMAIN = "custom.example"
LOOPBACK = ["127.0.0.0/8", "::1/128"]


@implementer(IBody)
class MemoryBody:
    """A message whose octets are at hand."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.size = len(octets)
        end = octets.find(b"\r\n\r\n")
        self.header_length = end + 4 if end >= 0 else len(octets)
        self.digest = hashlib.sha256(octets).digest()
        self.content_digest = hashlib.sha256(octets[self.header_length :].rstrip()).digest()

    async def header(self, limit: int = 262144) -> bytes:
        """The header block."""
        return self._octets[: min(limit, self.header_length)]

    async def read(self, start: int, length: int) -> bytes:
        """Some octets."""
        return self._octets[start : start + min(length, 262144)]


class Box:
    """One user's mail: unique numbers that are never used again, and octets."""

    def __init__(self) -> None:
        self.mail: dict[int, bytes] = {}
        self.last = 0
        self.locked = False

    def add(self, octets: bytes) -> None:
        """Deliver a message."""
        self.last += 1
        self.mail[self.last] = octets


@implementer(IMaildrop)
class Maildrop:
    """The box as one POP3 session sees it: what was there when it was locked."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._uids = list(box.mail)
        self.count = len(self._uids)
        self.octets = sum(len(box.mail[uid]) for uid in self._uids)

    async def snapshot(self) -> tuple[array[int], array[int]]:
        """Numbers and sizes."""
        return array("q", self._uids), array("q", [len(self._box.mail[uid]) for uid in self._uids])

    def uidl(self, uid: int) -> str:
        """The unique-id."""
        return f"m{uid}"

    async def body(self, uid: int) -> MemoryBody:
        """A message."""
        return MemoryBody(self._box.mail[uid])

    async def commit(self, deleted: Sequence[int], retrieved: Sequence[int] = ()) -> int:
        """Delete."""
        del retrieved
        return sum(self._box.mail.pop(uid, None) is not None for uid in deleted)

    def release(self) -> None:
        """Unlock."""
        self._box.locked = False


@implementer(IMailboxOpener)
class Opener:
    """What somebody gets who logs in to read."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def open(self, owner: str) -> Maildrop:
        """Lock the box for one session."""
        del owner
        if self._box.locked:
            raise MailboxInUse
        self._box.locked = True
        return Maildrop(self._box)


@implementer(ISubmitter)
class Submitter:
    """What somebody gets who logs in to send."""

    def __init__(self, boxes: dict[str, Box]) -> None:
        self._boxes = boxes

    async def sender(self, envelope: Envelope, session: ISession) -> None:
        """Anybody who logged in may send."""

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession) -> None:
        """Only to one another."""
        if recipient.address.domain not in {"", DOMAIN}:
            raise PolicyRefusal("This server does not send mail to the outside")
        if recipient.address.local not in self._boxes:
            raise NoSuchUser

    async def submit(self, envelope: Envelope, session: ISession) -> ISubmission:
        """Take the message."""
        return Submission([self._boxes[each.address.local] for each in envelope.recipients])


@implementer(ISubmission)
class Submission:
    """A message coming in."""

    def __init__(self, boxes: list[Box]) -> None:
        self._boxes = boxes
        self._octets = bytearray()

    def write(self, data: bytes) -> None:
        """Keep the octets."""
        self._octets += data

    async def finish(self) -> str:
        """Deliver to all; the result is what the 250 reply calls it."""
        for box in self._boxes:
            box.add(bytes(self._octets))
        return hashlib.sha256(self._octets).hexdigest()[:12]

    def abort(self) -> None:
        """Forget it."""
        self._octets.clear()


@implementer(IRealm)
class CustomRealm:
    """Gives each user what the session asks for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.boxes = {name: Box() for name in names}

    def requestAvatar(
        self, avatarId: bytes, mind: object, *interfaces: type[Interface]
    ) -> Deferred[tuple[type[Interface], object, Callable[[], None]]]:
        """An opener for POP3, a submitter for SMTP."""
        if IMailboxOpener in interfaces:
            return succeed((IMailboxOpener, Opener(self.boxes[avatarId.decode()]), _leave))
        if ISubmitter in interfaces:
            return succeed((ISubmitter, Submitter(self.boxes), _leave))
        return fail(PolicyRefusal("There is mail here and nothing else"))


def _leave() -> None:
    """Nothing to put away when somebody leaves."""


def read_users(path: str) -> dict[str, str]:
    """Names and passwords of a CSV file."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        return {row[0]: row[1] for row in csv.reader(file) if len(row) >= 2}


def build_portal(users: dict[str, str]) -> Portal:
    """The realm behind a stock checker of Twisted; any other checker does as well."""
    checker = InMemoryUsernamePasswordDatabaseDontUse(**{name: word.encode() for name, word in users.items()})
    return Portal(CustomRealm(list(users)), [checker])


async def main(reactor: object, pop3: str, smtp: str, users: dict[str, str]) -> None:
    """Serve until somebody presses Ctrl-C."""
    portal = build_portal(users)
    servers = (
        (pop3, POP3Factory(portal, reactor=reactor, hostname=DOMAIN, trusted_networks=LOOPBACK)),
        (smtp, SMTPFactory(portal, reactor=reactor, hostname=DOMAIN, trusted_networks=LOOPBACK, anonymous=False)),
    )
    for place, factory in servers:
        port = await serverFromString(reactor, place).listen(factory)
        print(f"listening on port {port.getHost().port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    known = read_users(sys.argv[1]) if len(sys.argv) > 1 else {"ann": "apple", "ben": "banana"}
    task.react(
        lambda reactor: Deferred.fromCoroutine(
            main(reactor, "tcp:8110:interface=127.0.0.1", "tcp:8025:interface=127.0.0.1", known)
        )
    )
