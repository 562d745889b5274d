"""Clients that go on until the server dies under them, and remember what they were promised."""

from __future__ import annotations

import contextlib
import poplib
import smtplib
import threading
from collections.abc import Callable

from attrs import define, field
from real_peers.clients import Server
from real_peers.letters import letter, serial

BROKEN = (OSError, EOFError, poplib.error_proto, smtplib.SMTPException)


@define
class Books:
    """What was promised to whom.

    :ivar acknowledged: serials whose final dot was answered 250.
    :ivar doubtful: serials whose dot was sent and never answered: stored or not, both are right.
    :ivar deleted: serials whose deletion QUIT confirmed.
    :ivar unconfirmed: for each QUIT without answer, the serials that it was to delete.
    :ivar halves: QUITs that deleted some of theirs and not all.
    :ivar doubled: serials seen twice in one listing.
    """

    acknowledged: set[str] = field(factory=set)
    doubtful: set[str] = field(factory=set)
    deleted: set[str] = field(factory=set)
    unconfirmed: list[set[str]] = field(factory=list)
    halves: list[set[str]] = field(factory=list)
    doubled: set[str] = field(factory=set)
    returned: set[str] = field(factory=set)
    present: set[str] = field(factory=set)

    def listed(self, serials: list[str]) -> None:
        """Take the whole listing of the mailbox and settle what was in doubt."""
        self.present = set(serials)
        self.doubled |= {one for one in self.present if serials.count(one) > 1}
        self.returned |= self.present & self.deleted
        for wanted in self.unconfirmed:
            left = wanted & self.present
            if left and left != wanted:
                self.halves.append(wanted)
            if not left:
                self.deleted |= wanted
        self.unconfirmed.clear()

    @property
    def lost(self) -> set[str]:
        """Acknowledged, never deleted, and not there."""
        return self.acknowledged - self.deleted - self.present


class Loop(threading.Thread):
    """Does something again and again until the server goes away or it is told to stop."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.act = act
        self.over = False
        self.fault: BaseException | None = None

    def run(self) -> None:
        """Go on."""
        with contextlib.suppress(*BROKEN):
            while not self.over:
                try:
                    self.act()
                except BROKEN:
                    raise
                except BaseException as fault:
                    self.fault = fault
                    return

    def finish(self) -> None:
        """Wait for its end and give what went wrong with the test itself."""
        self.over = True
        self.join(120)
        assert not self.is_alive()
        if self.fault is not None:
            raise self.fault


def sending(server: Server, books: Books, numbers: Callable[[], int]) -> Callable[[], None]:
    """Send five messages to carolyn on one connection."""

    def act() -> None:
        with smtplib.SMTP(server.host, server.port, timeout=90) as session:
            session.login(server.user, server.password)
            for _ in range(5):
                name = f"sent-{numbers()}"
                session.mail("mail@company.example")
                session.rcpt("carolyn@mail.office.example")
                session.docmd("DATA")
                books.doubtful.add(name)
                session.send(letter(name, to="carolyn", text="short\r\n") + b".\r\n")
                if session.getreply()[0] == 250:
                    books.acknowledged.add(name)
                books.doubtful.discard(name)

    return act


def serials_of(session: poplib.POP3) -> list[str]:
    """The serial of every message, in the order of the mailbox."""
    count = session.stat()[0]
    return [serial(b"\n".join(session.top(number, 0)[1])) for number in range(1, count + 1)]


def open_box(server: Server) -> poplib.POP3:
    """Log in."""
    session = poplib.POP3(server.host, server.port, timeout=90)
    try:
        session.user(server.user)
        session.pass_(server.password)
    except BaseException:
        session.close()
        raise
    return session


def reading(server: Server, books: Books) -> Callable[[], None]:
    """Look at the whole mailbox, delete the older half, QUIT."""

    def act() -> None:
        session = open_box(server)
        try:
            found = serials_of(session)
            books.listed(found)
            wanted = set(found[: len(found) // 2])
            for number in range(1, len(wanted) + 1):
                session.dele(number)
            books.unconfirmed.append(wanted)
            session.quit()
            books.deleted |= wanted
            books.unconfirmed.remove(wanted)
        finally:
            session.close()

    return act
