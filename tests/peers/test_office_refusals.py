"""A real Postfix that greylists, refuses one of several recipients, breaks off, or takes small messages only."""

from __future__ import annotations

import smtplib
from pathlib import Path

import pytest
from real_peers.clients import READERS
from real_peers.letters import big_letter, letter, serial
from real_peers.office import PASSWORD, Office, person, shared_account
from real_peers.provider import Provider
from real_peers.running import LOOPBACK, wait_until

pytestmark = pytest.mark.peers


def sends(office: Office, recipients: list[str], message: bytes) -> None:
    """Greg hands something in."""
    with smtplib.SMTP(LOOPBACK, office.ports["smtp"]) as session:
        session.login("greg", PASSWORD)
        session.sendmail("greg", recipients, message)


def opened(office: Office, provider: Provider, port: int) -> None:
    """Start the office with its way out at that port of Postfix; nothing leaves by itself a second time."""
    account = shared_account(provider, timetable=[{"every": 1440}])
    account["relay"] = f"submissions://mail@localhost:{port}?ca={provider.authority}"
    account.pop("collect")
    office.accounts = [account]
    office.users = [person("greg", account["address"])]
    office.start()


def rows(office: Office) -> dict[str, tuple[str, str]]:
    """State and reason of what waits, by recipient."""
    return {row["to"]: (row["state"], row["why"]) for row in office.asked("outbox", "list")}


def read(office: Office, folder: Path) -> list[bytes]:
    """Greg's mailbox."""
    return READERS["poplib"](lambda name: name, office.pop3("implicit", "greg"), folder)


def test_each_recipient_has_an_answer_of_its_own(office: Office, provider: Provider, tmp_path: Path) -> None:
    """One is taken, one is greylisted, one is refused for good: a report about that one alone, a retry of the other."""
    opened(office, provider, provider.postfix.submissions)
    policy = provider.postfix.policy
    policy.actions = {
        "grey@outside.example": "451 4.7.1 Greylisted, see you in five minutes",
        "none@outside.example": "550 5.1.1 No such mailbox",
    }
    people = ["friend@outside.example", "grey@outside.example", "none@outside.example"]
    sends(office, people, letter("several", to=", ".join(people)))
    wait_until(lambda: provider.dovecot.messages_count("outside") == 1, "the letter to the first")
    wait_until(lambda: set(rows(office)) == {"grey@outside.example"}, "one row that waits")
    state, why = rows(office)["grey@outside.example"]
    assert state == "deferred"
    assert "451 4.7.1" in why
    assert "Greylisted" in why
    (report,) = read(office, tmp_path)
    assert b"Final-Recipient: rfc822; none@outside.example" in report
    assert b"550 5.1.1" in report
    assert b"grey@outside.example" not in report.partition(b"message/rfc822")[0].partition(b"text/rfc822-headers")[0]
    del policy.actions["grey@outside.example"]
    office.command("outbox", "retry", "--all")
    wait_until(lambda: provider.dovecot.messages_count("outside") == 2, "the letter to the second")
    wait_until(lambda: rows(office) == {}, "an empty outbox")
    assert [serial(message) for message in provider.dovecot.messages("outside")] == ["several"] * 2
    assert policy.asked.count("friend@outside.example") == 1
    assert policy.asked.count("none@outside.example") == 1
    assert policy.asked.count("grey@outside.example") == 2
    assert len(read(office, tmp_path)) == 1


def test_all_are_greylisted_and_all_come_later(office: Office, provider: Provider, tmp_path: Path) -> None:
    """Nothing is sent, nothing is reported; what waits keeps the order and the words of the provider."""
    opened(office, provider, provider.postfix.submissions)
    policy = provider.postfix.policy
    people = ["one@outside.example", "two@outside.example"]
    policy.actions = dict.fromkeys(people, "DEFER_IF_PERMIT Service is busy")
    sends(office, people, letter("both", to=", ".join(people)))
    wait_until(lambda: {state for state, _ in rows(office).values()} == {"deferred"}, "both put off")
    assert all("450 4.7.1" in why for _, why in rows(office).values())
    assert not office.asked("status")["accounts"][0]["relay"]["paused"]
    policy.actions = {}
    office.command("outbox", "retry", "--all")
    wait_until(lambda: provider.dovecot.messages_count("outside") == 2, "both letters")
    assert read(office, tmp_path) == []


def test_a_server_that_breaks_off_loses_and_doubles_nothing(office: Office, provider: Provider, tmp_path: Path) -> None:
    """421 in the middle of the recipients: all of them wait, also the one that was taken before; then each gets one."""
    opened(office, provider, provider.postfix.submissions)
    policy = provider.postfix.policy
    policy.actions = {"late@outside.example": "421 4.3.2 Shutting down"}
    people = ["early@outside.example", "late@outside.example"]
    sends(office, people, letter("broken", to=", ".join(people)))
    wait_until(lambda: {state for state, _ in rows(office).values()} == {"deferred"}, "both put off")
    assert provider.dovecot.messages_count("outside") == 0
    policy.actions = {}
    office.command("outbox", "retry", "--all")
    wait_until(lambda: provider.dovecot.messages_count("outside") == 2, "both letters")
    wait_until(lambda: rows(office) == {}, "an empty outbox")
    assert read(office, tmp_path) == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_size_limit_is_met_once_and_known_from_then_on(
    office: Office, provider: Provider, tmp_path: Path, announced: bool
) -> None:
    """The first large letter comes back with 5.3.4, by SIZE or 552 after the data; the next is refused at the desk."""
    postfix = provider.postfix
    opened(office, provider, postfix.narrow if announced else postfix.silent)
    sends(office, ["friend@outside.example"], big_letter("large", 3 * postfix.small, to="friend@outside.example"))
    wait_until(lambda: {row["user"]: row["messages"] for row in office.asked("mailboxes")}["greg"] == 1, "a report")
    (report,) = read(office, tmp_path)
    assert b"Final-Recipient: rfc822; friend@outside.example" in report
    assert b"5.3.4" in report
    assert b"Action: failed" in report
    wait_until(lambda: rows(office) == {}, "an empty outbox")
    sends(office, ["friend@outside.example"], letter("small", to="friend@outside.example"))
    wait_until(lambda: provider.dovecot.messages_count("outside") == 1, "the small letter")
    assert not office.asked("status")["accounts"][0]["relay"]["paused"]
    with smtplib.SMTP(LOOPBACK, office.ports["smtp"]) as session:
        session.login("greg", PASSWORD)
        session.mail("greg", [f"SIZE={4 * postfix.small}"])
        code, text = session.rcpt("friend@outside.example")
    assert (code, text[:5]) == (552, b"5.3.4")
