"""Faults of the disk below the assembled office: no false acknowledgement, a refusal for now, the next try works."""

from __future__ import annotations

import errno
import itertools
import poplib
import smtplib
import sqlite3
import time

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from mailshare.core.errors import Unavailable
from mailshare.store import log_sync, segments
from tests.toughness.faulty_disk import CODES, FaultyConnection

USER = '[[user]]\nname = "andrew"\npassword = "x"\naccounts = ["mail@company.example"]\n'
HEAD = "From: a@far.example\r\nTo: andrew@mail.office.example\r\nMessage-ID: <{}@far.example>\r\n\r\n"
STATEMENTS = 14  # more than any of the ways below needs, so that the last ones succeed
NUMBERS = itertools.count(1)


async def hand_in(house, size: int = 10) -> tuple[int, str]:
    """One message by SMTP; the reply that settles it."""
    octets = (HEAD.format(f"m{next(NUMBERS)}") + "x" * 60 + "\r\n" + ("y" * 60 + "\r\n") * (size // 62)).encode()

    def talk(client: smtplib.SMTP) -> tuple[int, bytes]:
        for step in (lambda: client.mail("a@far.example"), lambda: client.rcpt("andrew@mail.office.example")):
            code, text = step()
            if code >= 400:
                return code, text
        return client.data(octets)

    code, text = await house.smtp(talk)
    return code, text.decode()


async def stored(house) -> int:
    """Messages in andrew's mailbox."""
    return {row["user"]: row["messages"] for row in await house.office.acts.mailboxes()}["andrew"]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", CODES)
async def test_smtp(house, files, name: str) -> None:
    """Whichever statement fails: 250 means that it is there, anything else is 452 4.3.1 and it is not."""
    await house.start(USER)
    taken = refused = 0
    for statement in range(STATEMENTS):
        FaultyConnection.fail(getattr(sqlite3, name), statement)
        code, text = await hand_in(house)
        FaultyConnection.code = 0
        if code == 250:
            taken += 1
        else:
            assert (code, text.partition(" ")[0]) == (452, "4.3.1"), (code, text)
            refused += 1
        assert await stored(house) == taken
    assert refused >= 3
    assert taken >= 1
    assert (await hand_in(house))[0] == 250
    assert await house.office.store.verify(deep=True) == []
    assert "store_error" in await house.office.acts.status()


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
async def test_smtp_of_a_large_message(house, files, number: int) -> None:
    """The same for what lies in a file, at each call on it; a system that writes a third at a time is no fault."""
    await house.start(USER)
    for kind in ("make_directory", "create", "write", "sync"):
        files.fail(kind, number)
        code, text = await hand_in(house, 200_000)
        assert (code, text[:5]) == (452, "4.3.1"), (kind, text)
    assert await stored(house) == 0
    files.kind = "short"
    assert (await hand_in(house, 200_000))[0] == 250
    files.kind = ""
    assert (await hand_in(house, 200_000))[0] == 250
    assert await stored(house) == 2
    assert await house.office.store.verify(deep=True) == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
async def test_smtp_of_messages_that_share_a_file(house, files, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault there refuses none: their octets are at hand still, and go into the database."""
    monkeypatch.setattr(segments, "SAVED", 1.0)  # they lie there, however slow this disk is
    monkeypatch.setattr(segments, "REST", 0.0)
    await house.start(USER)
    sent = 0
    until = time.monotonic() + 60
    # Each time a new file: only the last fault leaves one that is written on.
    for kind in ("make_directory", "create", "sync_directory", "sync_segment", "fill"):
        files.fail(kind, number)
        while files.kind:  # two that come in one turn share the file, and that is for the clients
            assert time.monotonic() < until, f"{kind} was never met"
            replies = await gatherResults([Deferred.fromCoroutine(hand_in(house, 40_000)) for _ in range(6)])
            assert {code for code, _ in replies} == {250}, (kind, replies)
            sent += len(replies)
    assert await stored(house) == sent
    assert len(set(await house.mail_of("andrew", "x"))) == sent
    assert await house.office.store.verify(deep=True) == []


@pytest_twisted.ensureDeferred
async def test_read_only_is_said_and_mail_can_still_be_read(house, files) -> None:
    """After a failed sync: 452 for new mail, reading goes on, the status says why, and the next start mends it."""
    await house.start(USER)
    assert (await hand_in(house))[0] == 250
    assert (await house.office.acts.status())["store_error"] == ""
    for statement in range(STATEMENTS):
        FaultyConnection.fail(sqlite3.SQLITE_IOERR_FSYNC, statement)
        code, text = await hand_in(house)
        if code != 250:
            break
    FaultyConnection.code = 0
    assert (code, text[:5]) == (452, "4.3.1")
    assert (await hand_in(house))[0] == 452
    assert (await house.office.acts.status())["store_error"].startswith("read-only: ")
    assert len(await house.mail_of("andrew", "x")) >= 1
    await house.office.stopService()
    await house.start()
    assert (await house.office.acts.status())["store_error"] == ""
    before = await stored(house)
    assert (await hand_in(house))[0] == 250
    assert await stored(house) == before + 1


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("here", [True, False], ids=["reactor", "thread"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
async def test_a_failed_sync_of_the_log(house, files, monkeypatch: pytest.MonkeyPatch, here: bool, number: int) -> None:
    """On either thread: no 250, nothing is written any more, mail can be read, and the next start mends it."""
    monkeypatch.setattr(log_sync, "_UNKNOWN", 0.0)
    monkeypatch.setattr(log_sync, "QUICK", 60.0 if here else 0.0)
    await house.start(USER)
    assert (await hand_in(house))[0] == 250
    files.fail("sync_log", number)
    code, text = await hand_in(house)
    assert (code, text[:5], files.here) == (452, "4.3.1", here)
    assert (await hand_in(house))[0] == 452
    assert (await house.office.acts.status())["store_error"].startswith("read-only: ")
    assert len(await house.mail_of("andrew", "x")) >= 1
    await house.office.stopService()
    await house.start()
    before = await stored(house)
    assert before >= 1
    assert (await hand_in(house))[0] == 250
    assert await stored(house) == before + 1
    assert await house.office.store.verify(deep=True) == []


def _delete(port: int) -> str:
    """Delete the first message; the refusal, or nothing when QUIT was answered +OK."""
    client = poplib.POP3("127.0.0.1", port, timeout=60)
    try:
        client.user("andrew")
        client.pass_("x")
        client.dele(1)
        client.quit()
    except poplib.error_proto as refusal:
        return refusal.args[0].decode()
    finally:
        client.close()
    return ""


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", CODES)
async def test_pop3_deletes(house, files, name: str) -> None:
    """+OK to QUIT means that the message is gone; -ERR [SYS/TEMP], that it is there again."""
    await house.start(USER)
    for _ in range(STATEMENTS):
        assert (await hand_in(house))[0] == 250
    there = STATEMENTS
    refused = 0
    for statement in range(STATEMENTS):
        FaultyConnection.fail(getattr(sqlite3, name), statement)
        refusal = await deferToThread(_delete, house.port("pop3"))
        FaultyConnection.code = 0
        if refusal:
            assert refusal.startswith("-ERR [SYS/TEMP]"), refusal
            refused += 1
        else:
            there -= 1
        assert await stored(house) == there
    assert refused >= 1
    assert there < STATEMENTS
    assert await deferToThread(_delete, house.port("pop3")) == ""
    assert await house.office.store.verify(deep=True) == []


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", ["SQLITE_CORRUPT", "SQLITE_IOERR_READ", "SQLITE_BUSY"])
async def test_pop3_reads(house, files, name: str) -> None:
    """A page that cannot be read is -ERR [SYS/TEMP] for whoever asks, never a short message; the next one can."""
    await house.start(USER)
    assert (await hand_in(house))[0] == 250
    (whole,) = await house.mail_of("andrew", "x")
    refused = 0
    for statement in range(10):
        FaultyConnection.fail(getattr(sqlite3, name), statement, reading=True)
        try:
            assert await house.mail_of("andrew", "x") == [whole]
        except poplib.error_proto as refusal:
            assert refusal.args[0].startswith(b"-ERR [SYS/TEMP]"), refusal.args  # noqa: PT017
            refused += 1
        FaultyConnection.code = 0
    assert refused >= 1
    assert await house.mail_of("andrew", "x") == [whole]


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("name", CODES)
async def test_collecting(house, files, name: str, logged_failures) -> None:
    """Whichever statement of a run fails: nothing is deleted at the provider before it is here, nothing comes twice."""
    await house.start(USER)
    sent = 0
    for statement in range(2 * STATEMENTS):
        sent += 1
        house.arrives("Andrew <mail@company.example>", number=sent)
        FaultyConnection.fail(getattr(sqlite3, name), statement)
        await house.office.acts.send_receive()
        FaultyConnection.code = 0
        assert await stored(house) + len(house.isp.box.letters) >= sent
    await house.office.acts.send_receive()
    assert house.isp.box.letters == {}
    found = [mail for mail in await house.mail_of("andrew", "x") if b"Subject: Letter " in mail]
    texts = [mail.rpartition(b"Text ")[2].strip() for mail in found]
    assert sorted(texts, key=int) == [str(number).encode() for number in range(1, sent + 1)]
    assert await house.office.store.verify(deep=True) == []
    assert all(failure.check(Unavailable) for failure in logged_failures.flush())
