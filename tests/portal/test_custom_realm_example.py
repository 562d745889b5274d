"""The example of a stranger's realm, read and written by Python's own mail clients."""

from __future__ import annotations

import importlib.util
import poplib
import smtplib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyClass

from mailshare.interfaces import IBody, IMailboxOpener, IMaildrop, ISubmission, ISubmitter
from mailshare.pop3.factory import POP3Factory
from mailshare.smtp.factory import SMTPFactory

PATH = Path(__file__).parents[2] / "examples" / "custom_realm.py"


@pytest.fixture
def example() -> ModuleType:
    """The file as a module."""
    spec = importlib.util.spec_from_file_location("custom_realm_example", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_keeps_to_the_interfaces(example: ModuleType) -> None:
    """What the example teaches is right."""
    verifyClass(IBody, example.MemoryBody)
    verifyClass(IMaildrop, example.Maildrop)
    verifyClass(IMailboxOpener, example.Opener)
    verifyClass(ISubmission, example.Submission)
    verifyClass(ISubmitter, example.Submitter)


def test_users_from_a_file(example: ModuleType, tmp_path: Path) -> None:
    """One user a line."""
    (tmp_path / "users.csv").write_text("ann,apple\n\nben,banana\n")
    assert example.read_users(str(tmp_path / "users.csv")) == {"ann": "apple", "ben": "banana"}


def exchange(pop3: int, smtp: int) -> list[Any]:
    """Ann writes to ben, and ben reads it; runs in a thread."""
    seen: list[Any] = []
    with smtplib.SMTP("127.0.0.1", smtp, timeout=90) as client:
        client.login("ann", "apple")
        client.sendmail("ann@custom.example", ["ben"], "Subject: Hi\r\n\r\nHello ben\r\n.dot\r\n")
        for wrong in ("nobody", "x@outside.example"):
            try:
                client.sendmail("ann@custom.example", [wrong], "x")
            except smtplib.SMTPRecipientsRefused as refusal:
                seen.append(refusal.recipients[wrong][0])
    reader = poplib.POP3("127.0.0.1", pop3, timeout=90)
    reader.user("ben")
    reader.pass_("banana")
    seen.append(reader.stat()[0])
    seen.append(b"\r\n".join(reader.retr(1)[1]).endswith(b"Subject: Hi\r\n\r\nHello ben\r\n.dot"))
    second = poplib.POP3("127.0.0.1", pop3, timeout=90)
    second.user("ben")
    try:
        second.pass_("banana")
    except poplib.error_proto as refusal:
        seen.append(b"[IN-USE]" in refusal.args[0])
    second.close()
    reader.dele(1)
    reader.quit()
    return seen


@pytest_twisted.ensureDeferred
async def test_ann_writes_to_ben(example: ModuleType) -> None:
    """Both servers over one portal, on real sockets."""
    portal = example.build_portal({"ann": "apple", "ben": "banana"})
    common: dict[str, Any] = {"reactor": reactor, "hostname": "custom.example", "trusted_networks": example.LOOPBACK}
    factories = [POP3Factory(portal, **common), SMTPFactory(portal, anonymous=False, **common)]
    ports = [await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(each) for each in factories]
    try:
        seen = await deferToThread(exchange, *(port.getHost().port for port in ports))
    finally:
        for port in ports:
            await port.stopListening()
    assert seen == [550, 550, 1, True, True]
    assert portal.realm.boxes["ben"].mail == {}
