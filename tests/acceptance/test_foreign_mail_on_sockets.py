"""Foreign mail (tests/examination/corpora.py) through an office: collected, handed in, read, listed, explained."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest_twisted
from twisted.internet.threads import deferToThread

from mailshare.core.headers import Headers, split_block
from tests.acceptance.conftest import House
from tests.examination.corpora import ROOT, messages, needs_mail

pytestmark = needs_mail
HERE = 'accounts = ["mail@company.example"]'
PEOPLE = "".join(f'[[user]]\nname = "{name}"\npassword = "{name}"\n{HERE}\n' for name in ("andrew", "greg"))
OURS = (
    b"Delivered-To: admin1@mail.office.example\r\n",
    b"Delivered-To: greg@mail.office.example\r\n",
    b"X-Mailshare-",
)
REWRITTEN = {"from", "received", "date", "message-id", "references", "sender", "reply-to", "dkim-signature"}
REWRITTEN |= {"bcc", "resent-bcc", "return-path", ""}


def spoiled(number: int, octets: bytes) -> bytes:
    """Every message once as it is; of each tenth another one that no honest program makes."""
    places = [found.end() for found in re.finditer(rb"\r\n", octets)] or [len(octets)]
    at = places[len(places) // 2]
    noise = (b".\r\n..\r\n", b"a\rb\nc\r\n", b"\0\xff\xfe\r\n", b"x" * 70_000 + b"\r\n", b"\r\r\n", b"\n.\n", b"\r.\r")
    return octets[:at] + noise[number % len(noise)] + octets[at:]


def read_all(port: int, name: str, password: str) -> list[bytes]:
    """A mailbox over a plain socket, octet for octet: the library's client refuses long lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as line, line.makefile("rwb") as wire:

        def said(command: str) -> bytes:
            wire.write(command.encode() + b"\r\n")
            wire.flush()
            return wire.readline()

        wire.readline()
        assert said(f"USER {name}").startswith(b"+OK")
        assert said(f"PASS {password}").startswith(b"+OK")
        out = []
        for number in range(1, int(said("STAT").split()[1]) + 1):
            assert said(f"RETR {number}").startswith(b"+OK")
            text = bytearray(b"\r\n")
            while not text.endswith(b"\r\n.\r\n"):
                text += wire.readline()
            out.append(bytes(text[:-3]).replace(b"\r\n..", b"\r\n.")[2:])
        said("QUIT")
    return out


def without_ours(octets: bytes) -> bytes:
    """Without the lines that a copy carries on top."""
    while octets.startswith(OURS):
        octets = octets.partition(b"\r\n")[2]
    return octets


def digest(octets: bytes) -> bytes:
    """Of the octets; POP3 ends each message with CRLF (RFC 1939 section 3)."""
    return hashlib.sha256(octets if octets.endswith(b"\r\n") else octets + b"\r\n").digest()


@pytest_twisted.ensureDeferred
async def test_foreign_mail_is_collected_read_listed_and_explained(house: House) -> None:
    """All octets come back over POP3; ADMIN's list, every line of it, ``why`` and the dry run speak of all of it."""
    assert ROOT is not None
    found = [octets for _, octets in messages(ROOT)]
    found += [spoiled(number, octets) for number, octets in enumerate(found[::10])]
    office = await house.start(PEOPLE)
    for number, octets in enumerate(found):
        house.isp.box.put(octets, f"uid{number}")
    while house.isp.box.letters:
        before = len(house.isp.box.letters)
        await office.acts.send_receive()
        assert len(house.isp.box.letters) < before
    await office.acts.admin_reset(password="admin-1")
    kept = [without_ours(one) for one in await deferToThread(read_all, house.port("pop3"), "admin1", "admin-1")]
    log: Any = await office.acts.log(kinds=["collect.run"], limit=1_000)
    doubles = sum(int(event["data"].get("duplicates", 0)) for event in log["events"])
    assert len(kept) + doubles == len(found)
    assert {digest(one) for one in kept} <= {digest(one) for one in found}
    rows: Any = await office.acts.admin_list(limit=500)
    reasons = Counter(str(row["reason"]) for row in rows)
    for row in rows:
        assert (await office.acts.admin_show(id=str(row["id"])))["id"] == row["id"]
        assert await office.acts.why(id=str(row["trace"]))
    for octets in found[::7]:
        for message_id in Headers.parse(octets[:65_536]).message_ids("message-id")[:1]:
            assert await office.acts.why(id=message_id), message_id
    tried: Any = await office.acts.dry_run(last=5_000, aliases=["andrew=Everyone"], all=True)
    assert tried["replayed"] == min(5_000, len(kept))
    sys.stdout.write(f"\n{len(found)} collected, {len(kept)} read back, {doubles} doubles; newest: {dict(reasons)}\n")


@pytest_twisted.ensureDeferred
async def test_foreign_mail_is_handed_in_and_read(house: House) -> None:
    """What SMTP takes comes back with the same text and the same fields, but for those that make its author honest."""
    assert ROOT is not None
    each_text = {split_block(one)[1].strip(): one for _, one in messages(ROOT) if len(one) < 1_000_000}
    found = list(each_text.values())  # a second message of one text might be the double of the first
    bare = [octets for octets in found if b"\0" in octets or re.search(rb"\r(?!\n)|(?<!\r)\n", octets)]
    lawful = [octets for octets in found if octets not in bare]
    await house.start(PEOPLE)

    def sending(several: list[bytes]) -> Callable[[smtplib.SMTP], list[int]]:
        def send(client: smtplib.SMTP) -> list[int]:
            client.login("andrew", "andrew")
            codes = []
            for octets in several:
                client.mail("andrew", ["BODY=8BITMIME"])
                client.rcpt("greg")
                codes.append(client.data(octets)[0])
                client.rset()
            return codes

        return send

    codes = await house.smtp(sending(lawful))
    for start in range(0, len(bare), 10):  # a client who breaks the rules all the time is hung up on
        assert set(await house.smtp(sending(bare[start : start + 10]))) == {550}
    assert set(codes) == {250}
    kept = [without_ours(one) for one in await deferToThread(read_all, house.port("pop3"), "greg", "greg")]
    split = [split_block(one) for one in kept]
    back = {digest(body.removeprefix(b"\r\n")): {each.raw.strip() for each in head} for head, body in split}
    for octets in lawful:
        head, body = split_block(octets)
        fields = {each.raw.strip() for each in head if each.key not in REWRITTEN}
        assert fields <= back[digest(body.removeprefix(b"\r\n"))]
    sys.stdout.write(f"\n{len(found)} handed in, {len(bare)} of them refused, {len(kept)} read back\n")
