"""The harness against itself: every client speaks to Dovecot and Postfix before it is let loose on our server."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS, SENDERS, bare
from real_peers.dovecot import Dovecot
from real_peers.letters import body, letter, serial
from real_peers.provider import Provider
from real_peers.running import LOOPBACK, wait_until

pytestmark = pytest.mark.peers
WITHOUT_STLS = {"getmail"}


@pytest.mark.parametrize("reader", sorted(READERS))
def test_readers(reader: str, program: Callable[[str], str], provider: Provider, tmp_path: Path) -> None:
    """Each reader gets every message whole, over implicit TLS and after STLS."""
    for tls in ("starttls", "implicit"):
        wanted = [letter(f"{tls}-{number}") for number in range(2)]
        for number, message in enumerate(wanted):
            provider.dovecot.put("mail", message, f"{number}.{tls}.{reader}")
        if tls == "starttls" and reader in WITHOUT_STLS:
            continue
        folder = tmp_path / tls
        folder.mkdir()
        got = READERS[reader](program, provider.pop3(tls), folder)
        assert {serial(m): body(m) for m in got}.items() >= {serial(m): body(m) for m in wanted}.items()


@pytest.mark.parametrize("sender", sorted(SENDERS))
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_senders(sender: str, tls: str, program: Callable[[str], str], provider: Provider, tmp_path: Path) -> None:
    """Each sender logs in and its message arrives outside."""
    message = letter("out", to="friend@outside.example", sender="mail@company.example", text="hello\r\n")
    SENDERS[sender](program, provider.smtp(tls), "mail@company.example", ["friend@outside.example"], message, tmp_path)
    wait_until(lambda: provider.dovecot.messages("outside"), "the message", log=provider.postfix.base / "postfix.log")
    (got,) = provider.dovecot.messages("outside")
    assert b"Subject: letter out\n" in got
    assert body(got) == b"hello\n"
    assert provider.postfix.seen("sasl_username=mail")


def test_world_reaches_the_box(provider: Provider, program: Callable[[str], str], tmp_path: Path) -> None:
    """Mail from outside lands in the shared box, for the catch-all with its envelope recipient on top."""
    with smtplib.SMTP(LOOPBACK, provider.postfix.smtp) as session:
        session.sendmail("friend@outside.example", ["mail@company.example"], letter("one"))
        session.sendmail("friend@outside.example", ["Carolyn@domain.example"], letter("two"))
    wait_until(lambda: provider.dovecot.messages("mail") and provider.dovecot.messages("domain"), "both messages")
    (got,) = READERS["poplib"](program, provider.pop3("implicit"), tmp_path)
    assert body(got) == body(letter("one"))
    (caught,) = provider.dovecot.messages("domain")
    assert b"X-Original-To: Carolyn@domain.example\n" in caught


def test_dovecot_alone(dovecot: Dovecot) -> None:
    """A message laid into the box is the message that is read, octet by octet."""
    message = letter("alone")
    dovecot.put("mail", message, "alone")
    assert [bare(m) for m in dovecot.messages("mail")] == [bare(message)]
