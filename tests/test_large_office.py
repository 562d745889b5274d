"""Twenty accounts of sixty-four users each, configured at once: all of them get mail and can read it."""

from __future__ import annotations

import os
import poplib
import smtplib
from pathlib import Path

import pytest
import pytest_twisted
from argon2 import PasswordHasher
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config

ACCOUNTS, EACH = 20, 64
USERS = ACCOUNTS * EACH
AT_ONCE = 160  # recipients of a message


def written() -> str:
    """The file: each user with a password of its own, hashed as cheaply as can be, and a copy list."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    parts = ['[listen]\npop3 = ["tcp:0:interface=127.0.0.1"]\nsmtp = ["tcp:0:interface=127.0.0.1"]\n']
    parts += ["[limits]\nrecipients = 200\n[server]\ngrace = 1\n"]
    for number in range(ACCOUNTS):
        parts.append(
            f'[[account]]\naddress = "mail@c{number}.example"\nmode = "domain"\ndomains = ["c{number}.example"]\n'
        )
    for number in range(USERS):
        hashed = hasher.hash(f"p{number}", salt=os.urandom(8))
        parts.append(
            f'[[user]]\nname = "u{number}"\npassword = {{ hash = "{hashed}" }}\n'
            f'accounts = ["mail@c{number // EACH}.example"]\ncc = ["u{number ^ 1}"]\n'
        )
    return "\n".join(parts)


async def started(path: Path) -> Office:
    """The office, when it is up."""
    config = load_config(str(path))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    assert not office.trouble
    return office


def port(office: Office, service: str) -> int:
    """Where it listens."""
    (place,) = (one["address"] for one in office.places() if one["service"] == service)
    return int(str(place).rpartition(":")[2])


def send_to_all(smtp: int) -> None:
    """A message to every user of every account."""
    with smtplib.SMTP("127.0.0.1", smtp, timeout=60) as client:
        client.ehlo("client.example")
        for start in range(0, USERS, AT_ONCE):
            people = [f"u{number}@c{number // EACH}.example" for number in range(start, start + AT_ONCE)]
            assert client.sendmail("boss@far.example", people, f"Message-ID: <{start}@x.example>\r\n\r\nhello") == {}


def logged_in(pop3: int, number: int) -> int:
    """How many messages a user finds."""
    client = poplib.POP3("127.0.0.1", pop3, timeout=60)
    client.user(f"u{number}")
    client.pass_(f"p{number}")
    count = client.stat()[0]
    client.quit()
    return count


@pytest.mark.slow
@pytest_twisted.ensureDeferred
async def test_all_of_twelve_hundred_and_eighty_declared_users_are_served(tmp_path: Path) -> None:
    """The first start writes them together; the second has next to nothing to do; each gets mail; a sample logs in."""
    path = tmp_path / "m.toml"
    path.write_text(written())
    office = await started(path)
    assert office.acts.version() < 200, "the directory was read again and again"
    await office.stopService()
    office = await started(path)
    try:
        assert office.acts.version() < 5
        assert (await office.reload())["changed"] == 0
        assert len(await office.acts.users()) == USERS + 2 * ACCOUNTS
        await deferToThread(send_to_all, port(office, "smtp"))
        counts = {str(row["user"]): row["messages"] for row in await office.acts.mailboxes()}
        assert {name for name, count in counts.items() if count == 1} >= {f"u{number}" for number in range(USERS)}
        assert [counts[f"admin{number}"] for number in range(1, ACCOUNTS + 1)] == [0] * ACCOUNTS
        for number in range(0, USERS, EACH // 2 + 1):
            assert await deferToThread(logged_in, port(office, "pop3"), number) == 1
        path.write_text(path.read_text().partition("[[user]]")[0])
        assert (await office.reload())["disabled"] == USERS
        assert office.acts.version() < 200
    finally:
        await office.stopService()
