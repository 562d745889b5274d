"""What clients hand in: who may, what is refused when, and what becomes of the octets."""

from __future__ import annotations

import email
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError, MessageTooLarge, PolicyRefusal, StorageFull
from mailshare.core.values import SentMark, User
from mailshare.delivery.submission import Desk, SubmissionRules
from mailshare.interfaces import IAvatarAuthor, ISubmission, ISubmitter
from tests.delivery.conftest import FakeSession, Office, finish

SIMPLE = b"From: greg@laptop.lan\r\nTo: carolyn\r\nBcc: andrew\r\nSubject: Hi\r\n\r\nBody\r\n..dots\r\n"


def refusal(office: Office, recipient: str, user: str = "", **session: Any) -> str:
    """The reply to a recipient, or empty."""
    submitter = office.desk.submitter(office.users.get(user))
    try:
        finish(submitter.recipient(Envelope(None), Recipient(Address.parse(recipient)), FakeSession(**session)))
    except MailshareError as fault:
        return f"{fault.code} {fault.status}"
    return ""


@pytest.mark.parametrize(
    ("recipient", "user", "reply"),
    [
        ("carolyn", "greg", ""),
        ("carolyn@mail.office.example", "", ""),
        ("ann@example.net", "greg", ""),
        ("ann@example.net", "", "550 5.7.1"),
        ("nobody", "greg", "550 5.1.1"),
        ("nobody@mail.office.example", "", "550 5.1.1"),
        ("mail@company.example", "", ""),
    ],
)
def test_recipients(office: Office, recipient: str, user: str, reply: str) -> None:
    """Local people for everybody, the outside for those who logged in."""
    assert refusal(office, recipient, user) == reply


def test_trusted_network_is_no_open_relay(office: Office) -> None:
    """A device in a configured network that did not log in writes to local people only."""
    assert refusal(office, "ann@example.net", trusted=True) == "550 5.7.1"


def test_local_only_user(office: Office) -> None:
    """Somebody flagged local-only cannot write outside."""
    finish(office.store.directory.change_user(evolve(office.users["greg"], local_only=True)))
    assert refusal(office, "ann@example.net", "greg") == "550 5.7.1"
    assert refusal(office, "carolyn", "greg") == ""


def test_too_many_recipients(office: Office) -> None:
    """The 201st is put off."""
    submitter = office.desk.submitter(office.users["greg"])
    many = tuple(Recipient(Address("a", f"h{n}.example")) for n in range(200))
    with pytest.raises(MailshareError) as fault:
        finish(submitter.recipient(Envelope(None, many), Recipient(Address("carolyn")), FakeSession()))
    assert (fault.value.code, fault.value.status) == (452, "4.5.3")


def test_switched_off_while_logged_in(office: Office) -> None:
    """A session of a user who is switched off meanwhile hands in nothing more."""
    submitter = office.desk.submitter(office.users["greg"])
    finish(office.store.directory.change_user(evolve(office.users["greg"], enabled=False)))
    with pytest.raises(MailshareError) as fault:
        finish(submitter.submit(Envelope(None), FakeSession()))
    assert fault.value.code == 550


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [("mail@company.example", True), ("greg", True), ("boss@company.example", False), ("andrew", False)],
)
def test_enforced_sender(office: Office, sender: str, allowed: bool) -> None:
    """Under the policy enforce a client may only use what is his; under fix anything is accepted and put right."""
    strict = evolve(office.desk, rules=SubmissionRules(policy="enforce")).submitter(office.users["greg"])
    envelope = Envelope(Address.parse(sender))
    finish(office.desk.submitter(office.users["greg"]).sender(envelope, FakeSession()))
    if allowed:
        finish(strict.sender(envelope, FakeSession()))
    else:
        with pytest.raises(MailshareError):
            finish(strict.sender(envelope, FakeSession()))


def test_header_is_made_right(office: Office) -> None:
    """From is fixed, Bcc gone, Date, Message-ID and Received are there; the body is untouched, the LAN unseen."""
    trace = office.send(SIMPLE, "carolyn", "andrew")
    for name in ("carolyn", "andrew"):
        (mail,) = office.mailbox(name)
        message = email.message_from_bytes(mail)
        assert message["From"] == "greg <mail@company.example>"
        assert message["Bcc"] is None
        assert message["Message-ID"] == f"<{trace}@company.example>"
        assert message["Date"] == "Sat, 21 Nov 2026 12:00:00 +0000"
        assert "with ESMTPSA" in message["Received"]
        assert trace in message["Received"]
        assert b"192.168" not in mail
        assert b"laptop.lan" not in mail
        assert mail.endswith(b"\r\n\r\nBody\r\n..dots\r\n")


def test_sender_becomes_the_identity(office: Office) -> None:
    """What leaves has the account's address as return path."""
    office.send(SIMPLE, "ann@example.net")
    assert str(office.rows()[0].sender) == "mail@company.example"


@pytest.mark.parametrize(("more", "asked"), [(b"", []), (b"In-Reply-To: <old@far.example>\r\n", ["old"])])
def test_a_message_that_answers_none_asks_for_none(
    office: Office, monkeypatch: pytest.MonkeyPatch, more: bytes, asked: list[str]
) -> None:
    """Its own id, which we put into its References, is no question to the store: that took a trip to a thread."""
    questions: list[str] = []
    who_sent = office.store.memory.who_sent

    async def noted(ids: Sequence[str]) -> Mapping[str, SentMark]:
        questions.extend(one[1:].partition("@")[0] for one in ids)
        return await who_sent(ids)

    monkeypatch.setattr(office.store.memory, "who_sent", noted)
    office.send(more + SIMPLE, "carolyn")
    assert questions == asked
    assert b"\r\nReferences: <" in office.mailbox("carolyn")[0]


def test_every_split_gives_the_same_message(office: Office) -> None:
    """However the octets arrive, what is stored is the same."""
    seen: set[bytes] = set()
    for cut in range(len(SIMPLE) + 1):
        submitter = office.desk.submitter(office.users["greg"])
        envelope = Envelope(None, (Recipient(Address("carolyn")),))
        submission = finish(submitter.submit(envelope, FakeSession()))
        submission.write(SIMPLE[:cut])
        submission.write(SIMPLE[cut:])
        trace = finish(submission.finish())
        newest = office.mailbox("carolyn")[-1] if cut == 0 else b""
        body, found, _ = finish(office.store.message(finish(office.store.find(trace))[0][0])) or (None, "", 0)
        assert body is not None
        assert found == trace
        seen.add(finish(body.read(0, body.size)).replace(trace.encode(), b"TRACE"))
        assert not newest or newest.endswith(b"..dots\r\n")
    assert len(seen) == 1


@pytest.mark.parametrize("octets", [b"", b"\r\n", b"\r\nbody only\r\n", b"Subject: no end", b"Subject: x\r\n"])
def test_headers_without_end_or_fields(office: Office, octets: bytes) -> None:
    """A message without header or without empty line is stored with what it needs."""
    office.send(octets, "carolyn")
    (mail,) = office.mailbox("carolyn")
    head, empty, body = mail.partition(b"\r\n\r\n")
    assert empty
    assert b"Message-ID: " in head
    assert body == octets.partition(b"\r\n")[2] if octets.startswith(b"\r\n") else body == b""


@pytest.mark.parametrize("sender", ["greg", ""])
@pytest.mark.parametrize(
    "octets",
    [
        b"text only\r\n",
        b"text and no line end",
        b"text\r\n\r\nmore: text\r\n",
        b" begins with a blank\r\nSubject: is text\r\n\r\nx\r\n",
        b"From the beginning\r\nit is text\r\n\r\nx\r\n",
        b"\xef\xbb\xbfmark and text\r\n",
        b"\xff\x01: no name\r\n\r\n",
        b"x" * 20_000 + b"\r\n\r\n",
    ],
)
def test_a_message_that_begins_with_its_text(office: Office, octets: bytes, sender: str) -> None:
    """RFC 5322 section 2.1: it has no header. It gets one, and all its octets stand behind the empty line."""
    office.send(octets, "carolyn", sender=sender)
    (mail,) = office.mailbox("carolyn")
    head, _, text = mail.partition(b"\r\n\r\n")
    assert text == octets + (b"" if octets.endswith(b"\r\n") else b"\r\n")
    assert all(re.match(rb"[!-9;-~]+: |[ \t]", line) for line in head.split(b"\r\n"))
    assert b"Message-ID: " in head


def test_a_separator_of_mailbox_files_is_no_text(office: Office) -> None:
    """Some programs begin with it; the header below it is one."""
    office.send(b"From greg Sat Nov 21 12:00:00 2026\r\nSubject: kept\r\n\r\nx\r\n", "carolyn")
    (mail,) = office.mailbox("carolyn")
    assert b"\r\nSubject: kept\r\n" in mail.partition(b"\r\n\r\n")[0]


def late_refusal(office: Office, octets: bytes, desk: Desk | None = None) -> str:
    """The reply to the final dot; nothing may be stored."""
    submission = finish((desk or office.desk).submitter(office.users["greg"]).submit(Envelope(None), FakeSession()))
    verifyObject(ISubmission, submission)
    for start in range(0, len(octets), 50_000):
        wait = submission.write(octets[start : start + 50_000])
        assert wait is None or finish(wait) is None
    with pytest.raises(MailshareError) as fault:
        finish(submission.finish())
    assert office.events("route") == []
    return f"{fault.value.code} {fault.value.status}"


def test_what_is_refused_at_the_end(office: Office) -> None:
    """A header that is too long, a message that is too large, one that goes in circles: one reply, after the dot."""
    assert late_refusal(office, b"X: y\r\n" * 100_000) == "552 5.3.4"
    assert late_refusal(office, b"X: " + b"y" * 300_000 + b"\r\n\r\n") == "552 5.3.4"
    small = evolve(office.desk, rules=SubmissionRules(max_size=1000))
    assert late_refusal(office, b"X: y\r\n\r\n" + b"z" * 1000, small) == "552 5.3.4"
    assert late_refusal(office, b"Received: by a\r\n" * 31 + b"\r\n") == "554 5.4.6"
    assert late_refusal(office, b"Received: by a\r\n" * 1200 + b"\r\n") == "554 5.4.6"


def test_declared_size_and_full_disk(office: Office) -> None:
    """SIZE beyond the limit is refused at MAIL and at DATA; a full disk at DATA."""
    submitter = office.desk.submitter(office.users["greg"])
    large = Envelope(None, size=60 * 1024 * 1024)
    with pytest.raises(MessageTooLarge):
        finish(submitter.sender(large, FakeSession()))
    with pytest.raises(MessageTooLarge):
        finish(submitter.submit(large, FakeSession()))
    office.store._capacity = 10
    with pytest.raises(StorageFull):
        finish(submitter.submit(Envelope(None, size=11), FakeSession()))
    assert late_refusal(office, SIMPLE) == "452 4.3.1"


def test_abort_leaves_nothing(office: Office) -> None:
    """A client that goes away leaves no trace, and aborting twice is allowed."""
    submission = finish(office.desk.submitter(office.users["greg"]).submit(Envelope(None), FakeSession()))
    submission.write(SIMPLE)
    submission.abort()
    submission.abort()
    assert submission.write(b"more") is None
    with pytest.raises(MailshareError):
        finish(submission.finish())


def test_long_header_is_rewritten_aside(office: Office) -> None:
    """Twenty kilobytes of header do not hold up the reactor: the writer waits."""
    gates: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def aside(work: Callable[[], Any]) -> Deferred[Any]:
        gate: Deferred[Any] = Deferred()
        gates.append((gate, work))
        return gate

    desk = evolve(office.desk, aside=aside)
    envelope = Envelope(None, (Recipient(Address("carolyn")),))
    submission = finish(desk.submitter(office.users["greg"]).submit(envelope, FakeSession()))
    wait = submission.write(b"X: " + b"y" * 20_000 + b"\r\n" + SIMPLE)
    assert wait is not None
    ((gate, work),) = gates
    gate.callback(work())
    finish(wait)
    finish(submission.finish())
    assert office.mailbox("carolyn")[0].endswith(b"..dots\r\n")


def test_nobody_hands_in_mail_for_local_people(office: Office) -> None:
    """A device's message gets what it lacks and keeps the rest; the return path stays."""
    submitter = office.desk.submitter(None)
    verifyObject(ISubmitter, submitter)
    assert IAvatarAuthor.providedBy(submitter)
    assert submitter.user_id is None
    envelope = Envelope(Address("scanner", "lan"), (Recipient(Address("greg")),))
    submission = finish(submitter.submit(envelope, FakeSession(protocol="evil\r\nX: y")))
    submission.write(b"From: Scanner <scanner@lan>\r\nBcc: x\r\nSubject: Scan\r\n\r\npages\r\n")
    finish(submission.finish())
    message = email.message_from_bytes(office.mailbox("greg")[0])
    assert message["From"] == "Scanner <scanner@lan>"
    assert message["Bcc"] is None
    assert message["X"] is None
    assert message["Message-ID"]
    assert "with ESMTP" in message["Received"]


def test_a_devices_long_header_hides_no_recipient_3_6(office: Office) -> None:
    """Bcc goes also where the reader has cut the header, and all other octets stay."""
    envelope = Envelope(None, (Recipient(Address("greg")),))
    submission = finish(office.desk.submitter(None).submit(envelope, FakeSession()))
    kept = b"X: " + b"y" * 70_000 + b"\r\nMessage-ID: <a@lan>\r\nDate: x\r\n"
    finish(Deferred.fromCoroutine(_all(submission.write(kept + b"bcc :\r\n secret@lan\r\n\r\npages\r\n"))))
    finish(submission.finish())
    assert office.mailbox("greg")[0].endswith(kept + b"\r\npages\r\n")


async def _all(wait: Awaitable[None] | None) -> None:
    if wait is not None:
        await wait


def test_nobody_from_elsewhere_writes_to_anybody(office: Office) -> None:
    """Without a login only the trusted networks may hand in mail, whoever it is for."""
    submitter = office.desk.submitter(None)
    envelope = Envelope(Address("scanner", "lan"), ())
    with pytest.raises(PolicyRefusal) as refused:
        finish(submitter.sender(envelope, FakeSession()))
    assert (refused.value.code, refused.value.enhanced) == (530, (5, 7, 0))
    finish(submitter.sender(envelope, FakeSession(trusted=True)))


def test_changes_stand_in_the_journal(office: Office) -> None:
    """Who asks why his From was changed finds the answer."""
    trace = office.send(SIMPLE, "carolyn")
    (event,) = office.events("route")
    assert event.trace == trace
    assert "from-fixed" in {step[0] for step in event.data["steps"]}  # type: ignore[attr-defined]


def test_user_without_account(office: Office) -> None:
    """Somebody who shares no account writes to colleagues under his login."""
    office.users["temp"] = finish(office.store.directory.add_user(User(0, "temp")))
    office.send(b"Subject: x\r\n\r\n", "greg", sender="temp")
    assert email.message_from_bytes(office.mailbox("greg")[0])["From"] == "temp <temp@mail.office.example>"


def test_a_byte_order_mark_goes_and_hides_no_field(office: Office) -> None:
    """What a program puts before its first field goes no further, and a Bcc behind it stays as blind as any."""
    octets = b"\xef\xbb\xbfBcc: andrew\r\n" + SIMPLE.replace(b"Bcc: andrew\r\n", b"")
    office.send(octets, "ann@example.net", "andrew", "carolyn")
    (row,) = office.rows()
    body = finish(office.store.queue.body(row.message_id))
    for message in (finish(body.read(0, body.size)), *office.mailbox("andrew"), *office.mailbox("carolyn")):
        assert b"\xef\xbb\xbf" not in message
        assert b"bcc" not in message.lower()
        assert message.endswith(b"\r\n\r\nBody\r\n..dots\r\n")


@pytest.mark.parametrize(
    ("more", "sender"),
    [
        (b"", "mail@company.example"),
        (b"Auto-Submitted: no\r\n", "mail@company.example"),
        (b'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\r\n', None),
        (b"Auto-Submitted: auto-replied; x=y\r\n", None),
    ],
)
def test_the_null_sender_is_for_receipts_and_automatic_answers_3_6(
    office: Office, more: bytes, sender: str | None
) -> None:
    """Of anything else its author would never hear what became of it."""
    envelope = Envelope(None, (Recipient(Address("ann", "example.net")),))
    submission = finish(office.desk.submitter(office.users["greg"]).submit(envelope, FakeSession()))
    submission.write(b"From: mail@company.example\r\n" + more + b"\r\nBody\r\n")
    finish(submission.finish())
    (row,) = office.rows()
    assert (None if row.sender is None else str(row.sender)) == sender
