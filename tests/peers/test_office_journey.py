"""Mail from the world to a desk and from a desk to the world, with the provider's own traces as evidence."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS, SENDERS
from real_peers.letters import body, letter, serial
from real_peers.office import PEOPLE, Office, person, shared_account
from real_peers.provider import Provider
from real_peers.running import LOOPBACK, wait_until

pytestmark = pytest.mark.peers


def world_sends(provider: Provider, recipients: list[str], message: bytes) -> None:
    """Hand a message to the provider as a stranger does."""
    with smtplib.SMTP(LOOPBACK, provider.postfix.smtp) as session:
        session.sendmail("friend@outside.example", recipients, message)


def box(office: Office, user: str, tmp_path: Path) -> dict[str, bytes]:
    """A mailbox by serial."""
    messages = READERS["poplib"](lambda name: name, office.pop3("implicit", user), tmp_path)
    return {serial(message): message for message in messages}


def test_catch_all(office: Office, provider: Provider, tmp_path: Path) -> None:
    """In a catch-all the envelope that Postfix noted decides, not what the header claims."""
    account = shared_account(provider, address="domain@domain.example", mode="domain", domains=["domain.example"])
    account["collect"] = account["collect"].replace("//mail@", "//domain@")
    office.accounts = [account]
    office.users = [person(name, "domain@domain.example") for name in PEOPLE]
    world_sends(provider, ["carolyn@domain.example"], letter("bcc", to="Andrew <andrew@domain.example>"))
    world_sends(provider, ["Greg@Domain.Example"], letter("case", to="greg@domain.example"))
    world_sends(provider, ["sales@domain.example"], letter("unknown", to="sales@domain.example"))
    wait_until(lambda: provider.dovecot.messages_count("domain") == 3, "three messages at the provider")
    office.start()
    office.sendreceive()
    assert provider.dovecot.messages_count("domain") == 0
    assert list(box(office, "carolyn", tmp_path)) == ["bcc"]
    assert list(box(office, "greg", tmp_path)) == ["case"]
    assert box(office, "andrew", tmp_path) == {}
    counts = {row["user"]: row["messages"] for row in office.asked("mailboxes")}
    assert counts["admin1"] == 1


def test_the_probe_reads_a_real_dovecot(office: Office, provider: Provider) -> None:
    """``account probe`` tells from Postfix's and Dovecot's own traces whom mail is for, and leaves everything there."""
    account = shared_account(provider, address="domain@domain.example", mode="domain", domains=["domain.example"])
    account["collect"] = account["collect"].replace("//mail@", "//domain@")
    office.accounts = [account]
    office.users = [person(name, "domain@domain.example") for name in PEOPLE]
    office.start()
    office.stop()  # from now on nothing is collected; the command signs on by itself
    for number in range(12):
        world_sends(provider, [f"{PEOPLE[number % 3]}@domain.example"], letter(f"probe{number}", to="all@far.example"))
    wait_until(lambda: provider.dovecot.messages_count("domain") == 12, "twelve messages at the provider")
    found = office.asked("account", "probe", "domain@domain.example")
    assert (found["waiting"], found["mails"], found["enough"], found["bcc_safe"]) == (12, 12, True, True)
    assert found["evidence"] != "to/cc"
    assert provider.dovecot.messages_count("domain") == 12


def test_answer_finds_its_desk(
    office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path
) -> None:
    """An answer that names nobody goes to whom it answers."""
    office.start()
    out = letter("question", to="friend@outside.example", sender="greg <mail@company.example>")
    SENDERS["msmtp"](
        program, office.smtp("implicit", "greg"), "mail@company.example", ["friend@outside.example"], out, tmp_path
    )
    office.sendreceive()
    wait_until(lambda: provider.dovecot.messages_count("outside") == 1, "the question outside")
    answer = letter("answer", more="In-Reply-To: <question@letters.example>\r\n")
    world_sends(provider, ["mail@company.example"], answer)
    wait_until(lambda: provider.dovecot.messages_count("mail") == 1, "the answer at the provider")
    office.sendreceive()
    got = box(office, "greg", tmp_path)
    assert body(got["answer"]) == body(answer)


def test_refusal_comes_back(office: Office, program: Callable[[str], str], tmp_path: Path) -> None:
    """Mail that the provider refuses comes back to its sender as a report, at once and only to him."""
    office.start()
    message = letter("lost", to="somebody@nowhere.example", sender="greg <mail@company.example>")
    SENDERS["swaks"](
        program,
        office.smtp("implicit", "greg"),
        "mail@company.example",
        ["somebody@nowhere.example"],
        message,
        tmp_path,
    )
    office.sendreceive()
    wait_until(lambda: box(office, "greg", tmp_path), "the report", 240, office.folder / "server.log")
    (report,) = READERS["poplib"](program, office.pop3("implicit", "greg"), tmp_path)
    assert b"message/delivery-status" in report
    assert b"somebody@nowhere.example" in report
    assert b"Status: 5." in report
    counts = {row["user"]: row["messages"] for row in office.asked("mailboxes")}
    assert sum(counts.values()) == 1
    assert office.asked("outbox", "list") == []


def test_one_bad_account_disturbs_no_other(office: Office, provider: Provider, tmp_path: Path) -> None:
    """One account's wrong password is shown in the status; the other account's mail is collected."""
    bad = shared_account(provider, address="other@company.example", password="wrong-one")
    good = shared_account(provider)
    office.accounts = [bad, good]
    office.users = [person("andrew", good["address"]), person("greg", bad["address"])]
    provider.dovecot.put("mail", letter("fine", to="Andrew <mail@company.example>"), "fine.bad")
    office.start()
    office.sendreceive()
    assert list(box(office, "andrew", tmp_path)) == ["fine"]
    text = office.command("status")
    assert "other@company.example" in text
    assert "wrong-one" not in text + office.log()


def test_why_tells(office: Office, provider: Provider) -> None:
    """``mailshare why`` tells, for a Message-ID, who got the message and on what evidence."""
    provider.dovecot.put("mail", letter("asked", to="Carolyn <mail@company.example>"), "asked.why")
    office.start()
    office.sendreceive()
    text = office.command("why", "<asked@letters.example>")
    assert "carolyn" in text
    assert '"Carolyn" <mail@company.example>' in text
