"""The whole journey with programs that people have: the provider's mail is read at desks, and desks send."""

from __future__ import annotations

import poplib
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.churn import open_box
from real_peers.clients import READERS, SENDERS, Server
from real_peers.letters import body, letter, serial
from real_peers.office import PASSWORD, Office, shared_account
from real_peers.provider import Provider
from real_peers.running import ProgramFault, wait_until

pytestmark = pytest.mark.peers


def collected(office: Office, provider: Provider) -> None:
    """Collect until the provider's box is empty."""

    def empty() -> bool:
        office.sendreceive()
        return not provider.dovecot.messages("mail")

    wait_until(empty, "the provider's box to be empty", 240, office.folder / "server.log")


def free(server: Server) -> bool:
    """Whether the mailbox can be opened: one that hangs up before the answer to QUIT still has it."""
    try:
        open_box(server).quit()
    except poplib.error_proto as refused:
        if b"[IN-USE]" not in refused.args[0]:
            raise
        return False
    return True


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_readers(tls: str, office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path) -> None:
    """Collected mail is sorted by name, and every mail program reads it whole."""
    office.accounts = [shared_account(provider, tls=tls)]
    office.start()
    for reader in READERS:
        if (reader, tls) == ("getmail", "starttls"):
            continue
        wanted = {}
        for number, name in enumerate(["Andrew", "Greg", "Andrew"]):
            message = letter(f"{reader}-{number}", to=f"{name} <mail@company.example>")
            provider.dovecot.put("mail", message, f"{number}.{tls}.{reader}.read")
            if name == "Andrew":
                wanted[serial(message)] = body(message)
        collected(office, provider)
        folder = tmp_path / reader
        folder.mkdir()
        got = READERS[reader](program, office.pop3(tls, "andrew"), folder)
        assert {serial(m): body(m) for m in got} == wanted, reader
        wait_until(lambda: free(office.pop3("none", "andrew")), f"{reader}, which may hang up first, to be gone")
        READERS["poplib"](program, office.pop3(tls, "andrew"), folder, delete=True)  # type: ignore[call-arg]
    got = READERS["poplib"](program, office.pop3("none", "greg"), tmp_path)
    assert len(got) == len(READERS) - (tls == "starttls")
    assert office.stop() == -signal.SIGTERM  # twistd ends by the signal that it was ended by


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_senders(tls: str, office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path) -> None:
    """From greg to carolyn stays in the house, from greg to outside goes through the provider, with every program."""
    office.accounts = [shared_account(provider, tls=tls)]
    office.start()
    for sender, send in SENDERS.items():
        folder = tmp_path / sender
        folder.mkdir()
        text = f"written with {sender}\r\n.\r\n.dot\r\n"
        server = office.smtp(tls, "greg")
        here = letter(f"here-{sender}", to="carolyn", sender="greg@company.example", text=text)
        send(program, server, "mail@company.example", ["carolyn@mail.office.example"], here, folder)
        out = letter(f"out-{sender}", to="friend@outside.example", sender="greg <mail@company.example>", text=text)
        send(program, server, "mail@company.example", ["friend@outside.example"], out, folder)
    got = READERS["poplib"](program, office.pop3(tls, "carolyn"), tmp_path)
    assert sorted(body(m) for m in got) == sorted(f"written with {sender}\n.\n.dot\n".encode() for sender in SENDERS)
    office.sendreceive()
    log = provider.postfix.base / "postfix.log"
    wait_until(lambda: len(provider.dovecot.messages("outside")) == len(SENDERS), "mail outside", 240, log)
    outside = provider.dovecot.messages("outside")
    assert sorted(body(m) for m in outside) == sorted(f"written with {s}\n.\n.dot\n".encode() for s in SENDERS)
    assert all(b"\nFrom: greg <mail@company.example>\n" in m for m in outside)
    assert not provider.postfix.seen("here-")
    assert not provider.postfix.seen("carolyn")


def test_wrong_password(office: Office, program: Callable[[str], str], tmp_path: Path) -> None:
    """A wrong password opens neither door, and the right one does so afterwards."""
    office.start()
    wrong = office.pop3("implicit", "andrew")
    wrong.password = PASSWORD[:-1]
    for reader in ("curl", "mpop"):
        with pytest.raises(ProgramFault):
            READERS[reader](program, wrong, tmp_path)
    wrong_smtp = office.smtp("implicit", "greg")
    wrong_smtp.password = "guess"
    with pytest.raises(ProgramFault):
        SENDERS["msmtp"](program, wrong_smtp, "mail@company.example", ["carolyn"], letter("no"), tmp_path)
    assert READERS["curl"](program, office.pop3("implicit", "andrew"), tmp_path) == []


def test_strange_certificate(office: Office, provider: Provider, certificates: object, tmp_path: Path) -> None:
    """Without the provider's authority nothing is collected, no password is sent, and the status says why."""
    office.accounts = [{**shared_account(provider), "collect": f"pop3s://mail@localhost:{provider.dovecot.pop3s}"}]
    provider.dovecot.put("mail", letter("kept"), "kept.strange")
    office.start()
    assert "certificate" in office.command("sendreceive") + office.command("status")
    assert len(provider.dovecot.messages("mail")) == 1
