"""Big messages and many users: memory stays, octets stay the same, everybody is served."""

from __future__ import annotations

import hashlib
import poplib
import smtplib

import argon2
import pytest
from real_peers.clients import Server
from real_peers.letters import big_letter, letter, serial
from real_peers.office import PASSWORD, Office, person, shared_account
from real_peers.provider import Provider
from real_peers.running import wait_until

pytestmark = [pytest.mark.peers, pytest.mark.slow]
BIG = 100_000_000
ROOM = 20_000_000


class Peak:
    """Looks at the memory of a server while something else goes on."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.idle = office.memory()
        self.highest = self.idle

    def look(self) -> bool:
        """Look once more; always false, so that it can be waited on."""
        self.highest = max(self.highest, self.office.memory())
        return False

    @property
    def growth(self) -> int:
        """Octets above idle at the highest."""
        return self.highest - self.idle


def text_digest(message: bytes) -> str:
    """What must be the same at both ends: the text, its line ends as sent."""
    return hashlib.sha256(message.partition(b"\r\n\r\n")[2].rstrip(b"\r\n")).hexdigest()


def fetch(server: Server, peak: Peak) -> str:
    """Read the first message piece by piece, looking at the memory; the digest of its text."""
    session = poplib.POP3_SSL(server.host, server.port, context=server.context(), timeout=120)
    session.user(server.user)
    session.pass_(server.password)
    assert session.stat()[0] == 1
    session._putcmd("RETR 1")  # type: ignore[attr-defined]
    session._getresp()  # type: ignore[attr-defined]
    digest, head, held, count = hashlib.sha256(), True, b"", 0
    while (line := session.file.readline()) != b".\r\n":
        count += 1
        if count % 100_000 == 0:
            peak.look()
        line = line[1:] if line.startswith(b".") else line
        if head:
            head = line != b"\r\n"
            continue
        digest.update(held)
        held = line
    digest.update(held.rstrip(b"\r\n"))
    session.dele(1)
    session.quit()
    return digest.hexdigest()


def warm(office: Office) -> None:
    """Let everything be loaded that the first session loads."""
    send(office, letter("warm", to="carolyn"), "carolyn@mail.office.example")
    server = office.pop3("implicit", "carolyn")
    session = poplib.POP3_SSL(server.host, server.port, context=server.context())
    session.user(server.user)
    session.pass_(server.password)
    session.retr(1)
    session.dele(1)
    session.quit()
    office.sendreceive()


def send(office: Office, message: bytes, recipient: str, watch: Peak | None = None) -> None:
    """Hand in a message as greg, in pieces, looking at the memory between them."""
    server = office.smtp("implicit", "greg")
    with smtplib.SMTP_SSL(server.host, server.port, context=server.context(), timeout=120) as session:
        session.login(server.user, server.password)
        session.mail("mail@company.example")
        assert session.rcpt(recipient)[0] == 250
        assert session.docmd("DATA")[0] == 354
        stuffed = message.replace(b"\r\n.", b"\r\n..")
        for start in range(0, len(stuffed), 1 << 22):
            session.send(stuffed[start : start + (1 << 22)])
            if watch:
                watch.look()
        session.send(b".\r\n")
        assert session.getreply()[0] == 250


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_big_in(protocol: str, office: Office, provider: Provider, imaps: int) -> None:
    """100 MB are collected and read with the same octets, in less than 20 MB of memory over idle."""
    if protocol == "imap":
        url = f"imaps://mail@localhost:{imaps}?ca={provider.authority}"
        office.accounts = [shared_account(provider, collect=url)]
    office.more = {"limits": {"collected_size": 2 * BIG}}
    office.spawn = None  # memory that is shared with another process would count by half
    office.start()
    warm(office)
    peak = Peak(office)
    message = big_letter("big-in", BIG, to="Andrew <mail@company.example>")
    provider.dovecot.put("mail", message, "big.in")

    def arrived() -> bool:
        peak.look()
        return not provider.dovecot.messages_count("mail")

    asking = office.command_started("sendreceive")
    wait_until(arrived, "the big message to be collected", 240, office.folder / "server.log")
    asking.wait(240)
    assert fetch(office.pop3("implicit", "andrew"), peak) == text_digest(message)
    assert peak.growth < ROOM, f"{peak.growth:,} octets over {peak.idle:,}"


def test_big_out(office: Office, provider: Provider) -> None:
    """100 MB are handed in, relayed and arrive with the same octets, in less than 20 MB of memory over idle."""
    office.more = {"limits": {"message_size": 2 * BIG}}
    office.spawn = None  # memory that is shared with another process would count by half
    office.start()
    warm(office)
    peak = Peak(office)
    message = big_letter("big-out", BIG, to="friend@outside.example")
    send(office, message, "friend@outside.example", peak)

    def arrived() -> bool:
        peak.look()
        return provider.dovecot.messages_count("outside") == 1

    asking = office.command_started("sendreceive")
    wait_until(arrived, "the big message to arrive", 240, provider.postfix.base / "postfix.log")
    asking.wait(240)
    (got,) = provider.dovecot.messages("outside")
    assert text_digest(got.replace(b"\n", b"\r\n")) == text_digest(message)
    assert peak.growth < ROOM, f"{peak.growth:,} octets over {peak.idle:,}"


def test_twenty_accounts_of_sixty_four(office: Office, provider: Provider) -> None:
    """1,280 users in twenty accounts are configured at once; mail of each account is sorted and each user is let in."""
    port = provider.dovecot.pop3s
    hash_ = argon2.PasswordHasher().hash(PASSWORD)
    users, accounts = [], []
    for number in range(20):
        address = f"box{number}@company{number}.example"
        login = f"box{number}"
        provider.dovecot.add_user(login)
        accounts.append(
            {
                "address": address,
                "collect": f"pop3s://{login}@localhost:{port}?ca={provider.authority}",
                "password": {"env": "PROVIDER_PASSWORD"},
                "timetable": [{"every": 60}],
            }
        )
        users += [person(f"u{number}x{one}", address, password={"hash": hash_}) for one in range(64)]
    office.accounts, office.users = accounts, users
    for number in range(20):
        for one in (0, 31, 63):
            message = letter(f"{number}-{one}", to=f"u{number}x{one} <box{number}@company{number}.example>")
            provider.dovecot.put(f"box{number}", message, f"{one}.many")
    office.start()
    office.sendreceive()
    counts = {row["user"]: row["messages"] for row in office.asked("mailboxes")}
    for number in range(20):
        for one in range(64):
            assert counts.get(f"u{number}x{one}", 0) == (1 if one in {0, 31, 63} else 0)
    for number in range(20):
        server = office.pop3("implicit", f"u{number}x63")
        session = poplib.POP3_SSL(server.host, server.port, context=server.context(), timeout=60)
        session.user(server.user)
        session.pass_(PASSWORD)
        assert serial(b"\n".join(session.retr(1)[1])) == f"{number}-63"
        session.quit()
