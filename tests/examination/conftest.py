r"""The room of the examination: two offices in memory, and one question: who gets this message, and why?

A message is written as text with plain line ends; ``\udce9`` and its like stand for raw octets. It goes through the
door as the collector hands it over, so reading, sorting, storing and reading back are all examined at once.
"""

from __future__ import annotations

import itertools

from attrs import evolve, frozen
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import Account, AccountMode, Origin, SenderRule, Server, Source, User
from mailshare.delivery.intake import Intake
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.interfaces import IBody
from mailshare.store.memory import MemoryStore
from tests.delivery.conftest import finish

HOP = "Received: from far.example (far.example [198.51.100.7])\n\tby mx.isp.example (Postfix) with ESMTP id 4; x\n"
BOX = "mail@company.example"
REGULAR = Account(
    0,
    0,
    Address("mail", "company.example"),
    aliases=(Address("office", "company.example"),),
    options={"ignore_names": ["Company Ltd"]},
)
DOMAIN = Account(
    0,
    0,
    Address("catchall", "company.example"),
    AccountMode.DOMAIN,
    domains=("company.example", "firm.example"),
    collect=Server("pop3", "pop.isp.example", 995, login="box17@company.example"),
)
PEOPLE = (
    ("andrew", ("Andrew Smith", "sales")),
    ("greg", ("Gregory Peck",)),
    ("lisa", ("Lisa Müller",)),
    ("andre", ("André Dubois", "André")),
    ("soren", ("Søren Kjær",)),
    ("lukasz", ("Łukasz Żak",)),
    ("weiss", ("Jürgen Weiß",)),
    ("aberg", ("Anna Berg",)),
    ("aholm", ("Anna Holm",)),
    ("mary.jane", ("Mary Jane Watson",)),
    ("obrien", ("Sean O'Brien",)),
    ("ivan", ("Иван Петров",)),
    ("tanaka", ("田中太郎",)),
)


@frozen
class Staff:
    """Who works in an office, besides ``gone`` (Gone Girl, disabled) and ``inside`` (Inna Side, no outside mail).

    :ivar people: login and further names.
    :ivar sent: whose messages ``<login-1@office.example>`` and ``<login-2@...>`` have left.
    :ivar taught: who gets the lists and the mail of the shop.
    """

    people: tuple[tuple[str, tuple[str, ...]], ...]
    sent: tuple[str, ...]
    taught: str


COMPANY = Staff(PEOPLE, ("andrew", "greg", "lisa"), "lisa")


class Examiner:
    """One office; every question is asked of it as it is, answers leave only mail behind.

    :ivar trace: counts the messages, so that each has its own.
    """

    def __init__(self, account: Account, staff: Staff = COMPANY, **options: object) -> None:
        clock = Clock()
        clock.advance(1_795_262_400)
        self.store = MemoryStore(clock=clock, hostname="mail.office.example")
        finish(self.store.open())
        made = evolve(account, options={**account.options, **options})
        finish(self.store.directory.add_account(made))
        for name, names in staff.people:
            finish(self.store.directory.add_user(User(0, name, names=names, accounts=(1,))))
        finish(self.store.directory.add_user(User(0, "gone", names=("Gone Girl",), accounts=(1,), enabled=False)))
        finish(self.store.directory.add_user(User(0, "inside", names=("Inna Side",), accounts=(1,), local_only=True)))
        taught = self.store.directory.current().user_by_name[staff.taught].id
        for kind, match in (("list", "news.example"), ("list", "club@lists.example"), ("from", "@shop.example")):
            finish(self.store.directory.teach(SenderRule(1, kind, match, (taught,))))
        numbers = itertools.count(1)
        self._tokens = lambda length: next(numbers).to_bytes(length, "big")
        self.intake = Intake(self.store, Router(), clock, Reports(self.store, clock, self._tokens))
        self.trace = itertools.count(1)
        self._held: dict[str, int] = {}
        for name in staff.sent:
            for number in (1, 2):
                self._send(name, f"<{name}-{number}@office.example>")

    def _send(self, name: str, message_id: str) -> None:
        user = self.store.directory.current().user_by_name[name]
        octets = f"Message-ID: {message_id}\r\nSubject: Question\r\n\r\nWell?\r\n".encode()
        envelope = Envelope(REGULAR.address, (Recipient(Address("x", "far.example")),))
        origin = Origin(Source.SMTP, f"{next(self.trace):016x}", user_id=user.id)
        finish(self.intake.accept(envelope, self._body(octets), origin))

    def _body(self, octets: bytes) -> IBody:
        sink = self.store.new_body(len(octets))
        sink.write(octets)
        return finish(sink.finish())

    def ask(self, text: str | bytes, *, take: bool = False) -> str:
        """Who gets it and why: ``"andrew name-L1, lisa name-L2"``, sorted; ADMIN1 reads ``ADMIN``.

        What was stored is read back and compared octet by octet.

        :param take: take it out of the mailbox again, so that thousands can be asked about.
        """
        octets = text if isinstance(text, bytes) else as_octets(text)
        origin = Origin(Source.COLLECT, f"{next(self.trace):016x}", account_id=1)
        receipt = finish(self.intake.accept(Envelope(None), self._body(octets), origin))
        users = self.store.directory.current().user_by_id
        for target in receipt.routing.targets:
            name = users[target.user_id].name
            count = self.count(name)
            if count > self._held.get(name, 0):  # else it was there before
                self._held[name] = count - take
                assert self._newest(target.user_id, take=take) == target.prefix + octets
        names = [(users[t.user_id].name, t.reason) for t in receipt.routing.targets]
        return ", ".join(sorted(f"{'ADMIN' if name == 'admin1' else name} {why}" for name, why in names))

    def count(self, name: str) -> int:
        """Messages in a mailbox."""
        drop = finish(self.store.mailboxes.lock_maildrop(self.store.directory.current().user_by_name[name].id, "count"))
        uids, _ = finish(drop.snapshot())
        drop.release()
        return len(uids)

    def _newest(self, user_id: int, *, take: bool) -> bytes:
        drop = finish(self.store.mailboxes.lock_maildrop(user_id, "examiner"))
        uids, _ = finish(drop.snapshot())
        body = finish(drop.body(uids[-1]))
        octets = bytearray()
        while len(octets) < body.size:
            octets += finish(body.read(len(octets), body.size))
        if take:
            finish(drop.commit([uids[-1]]))
        drop.release()
        return bytes(octets)


def as_octets(text: str) -> bytes:
    """Text with LF as octets with CRLF; a message without an empty line gets a short body."""
    whole = text if "\n\n" in text else text.rstrip("\n") + "\n\nHello\n"
    return whole.encode("utf-8", "surrogateescape").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
