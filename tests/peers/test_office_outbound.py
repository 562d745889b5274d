"""Sending through a real Postfix that refuses our login, until the password is mended."""

from __future__ import annotations

import smtplib

import pytest
from real_peers.letters import letter
from real_peers.office import PASSWORD, Office, person, shared_account
from real_peers.provider import Provider
from real_peers.running import LOOPBACK, wait_until

pytestmark = pytest.mark.peers


def test_a_refused_login_is_mended_by_a_new_password(office: Office, provider: Provider) -> None:
    """Paused with Postfix's words in status and outbox, one mail to ADMIN; a reload with the right password sends."""
    secret = office.folder / "provider-password"
    secret.write_text("wrong-one\n")
    secret.chmod(0o600)
    account = shared_account(provider, password={"file": "provider-password"}, timetable=[])
    account.pop("collect")
    office.accounts = [account]
    office.users = [person("greg", account["address"])]
    office.start()
    with smtplib.SMTP(LOOPBACK, office.ports["smtp"]) as session:
        session.login("greg", PASSWORD)
        session.sendmail("greg@laptop.lan", ["friend@outside.example"], letter("mended", to="friend@outside.example"))
    wait_until(lambda: office.asked("status")["accounts"][0]["relay"]["paused"], "the pause")
    wait_until(lambda: "535 5.7.8" in office.asked("outbox", "list")[0]["why"], "the quoted answer")
    assert {row["user"]: row["messages"] for row in office.asked("mailboxes")}["admin1"] == 1
    secret.write_text("secret\n")
    office.command("reload")
    wait_until(lambda: provider.dovecot.messages_count("outside") == 1, "the letter outside")
    wait_until(lambda: office.asked("outbox", "list") == [], "an empty outbox")
    assert not office.asked("status")["accounts"][0]["relay"]["paused"]
    assert "wrong-one" not in office.log()
