"""The demonstration: mail from outside reaches desks, mail of desks reaches the outside, all told in plain words."""

from __future__ import annotations

import poplib
import re
import shutil
import smtplib
from collections.abc import Callable
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailshare.assembly.demonstration import OFFICE_TOML, Demonstration
from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config

MESSAGE = "From: Greg <greg@{host}>\r\nTo: {to}\r\nSubject: x\r\nMessage-ID: <{to}>\r\n\r\nhello\r\n"


def _send(port: int, to: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.login("greg", "greg")
        client.sendmail("greg@company.example", [to], MESSAGE.format(host="localhost", to=to))


def _texts(port: int, name: str) -> list[bytes]:
    client = poplib.POP3("127.0.0.1", port, timeout=30)
    client.user(name)
    client.pass_(name)
    count, _ = client.stat()
    found = [b"\r\n".join(client.retr(number + 1)[1]) for number in range(count)]
    client.quit()
    return found


@pytest_twisted.ensureDeferred
async def test_the_demonstration_office_takes_mail_all_the_way(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Between desks mail stays in the house; to the outside and from there it goes through the provider."""
    text = OFFICE_TOML
    for port in ("8110", "8025", "9110", "9025"):
        text = text.replace(port, str(free_port()))
    path = tmp_path / "office.toml"
    path.write_text(text.replace("every = 5 ", "every = 3600 "))
    config = load_config(str(path))
    said: list[str] = []
    waiting: list[tuple[str, Deferred[None]]] = []

    def say(words: str) -> None:
        said.append(words)
        for wanted, done in tuple(waiting):
            if wanted in words:
                waiting.remove((wanted, done))
                done.callback(None)

    async def told(words: str) -> None:
        if not any(words in line for line in said):
            done: Deferred[None] = Deferred()
            waiting.append((words, done))
            await done.addTimeout(240, reactor)

    office = Office(config, reactor, reload_config=read_again(config, None), said=say)
    demonstration = Demonstration(config, reactor, office, say)
    demonstration.startService()
    try:
        await told("The demonstration office is open")
        welcome = next(line for line in said if "is open" in line)
        assert all(f"user name {name}, password {name}" in welcome for name in ("andrew", "greg", "carolyn"))
        named = re.search(r"and: (\S+) -c ", welcome)
        assert named
        assert shutil.which(named[1]), "the command that it names can be typed here"
        places = {place["service"]: int(str(place["address"]).rpartition(":")[2]) for place in office.places()}
        await deferToThread(_send, places["smtp"], "carolyn")
        await deferToThread(_send, places["smtp"], "someone@far.example")
        await told("provider: took mail from mail@company.example for someone@far.example")
        assert [str(one.address) for one in demonstration.isp.relayed[0].envelope.recipients] == ["someone@far.example"]
        assert b"From: Greg <mail@company.example>" in demonstration.isp.relayed[0].octets.replace(b'"', b"")
        demonstration.isp.arrive('"Andrew" <mail@company.example>', "from outside", "text")
        for _ in range(3):  # the first may only have waited for the run that the sent mail had started
            if demonstration.isp.box.letters:
                await office.acts.send_receive()
        assert any(b"from outside" in one for one in await deferToThread(_texts, places["pop3"], "andrew"))
        assert any(b"hello" in one for one in await deferToThread(_texts, places["pop3"], "carolyn"))
        assert len(demonstration.isp.relayed) == 1
        assert any("collected" in line and "andrew" in line for line in said)
    finally:
        await demonstration.stopService()
