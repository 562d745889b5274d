"""Foreign bounces, receipts and answers, with ids of ours planted where they name a message: who gets them?"""

from __future__ import annotations

import base64
import quopri
import re
import sys
from collections import Counter
from email import message_from_bytes
from email.message import Message

import pytest

from tests.examination.conftest import REGULAR, Examiner
from tests.examination.corpora import ROOT, messages, needs_mail

pytestmark = needs_mail
OURS = b"andrew-1@office.example"
_ID_LINE = re.compile(rb"^[>|\s]{0,8}message-id[ \t]*:\s*<([^<>\s]+@[^<>\s]+)>", re.IGNORECASE | re.MULTILINE)
_ROBOT = re.compile(r"mailer-?daemon|postmaster|mail delivery|mail administrator|<>\s*\Z", re.IGNORECASE)
_SUBJECT = re.compile(
    r"undeliver|(?:mail )?delivery (?:status|fail|report|error|prob|warn)|returned mail|failure notice|mail could not",
    re.IGNORECASE,
)


_ANSWERS = re.compile(
    rb"^in-reply-to[ \t]*:[^<\n]*(?:\n[ \t][^<\n]*)?<([^<>\s]+@[^<>\s]+)>", re.IGNORECASE | re.MULTILINE
)


@pytest.fixture(scope="module")
def bounces() -> list[tuple[str, bytes]]:
    """What another reader takes for a bounce or a receipt: a report by its type, or a robot's words."""
    return [(where, octets) for where, octets in (messages(ROOT) if ROOT else ()) if _is_bounce(octets)]


def _is_bounce(octets: bytes) -> bool:
    try:
        message = message_from_bytes(octets[:65_536])
    except (ValueError, LookupError, RecursionError):
        return False
    if message.get_content_type() == "multipart/report" or str(message["return-path"] or "").strip() == "<>":
        return True
    return bool(_ROBOT.search(str(message["from"] or "")) or _SUBJECT.match(str(message["subject"] or "")))


def _parts(message: Message) -> list[Message]:
    return list(message.walk())[1:] if message.is_multipart() else []


def returned_id(octets: bytes) -> bytes:
    """The Message-ID of what is returned, found without our reader; empty when there is none."""
    own = str(message_from_bytes(octets)["message-id"] or "")
    for part in _parts(message_from_bytes(octets)):
        kind = part.get_content_type()
        text = b""
        if kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            text = part.get_payload(decode=True) or str(part.get_payload()).encode("latin-1", "replace")
        elif part["message-id"] and kind != "multipart/report":
            text = f"Message-ID: {part['message-id']}".encode("latin-1", "replace")
        elif part["original-message-id"]:
            text = f"Message-ID: {part['original-message-id']}".encode("latin-1", "replace")
        if (found := _ID_LINE.search(text)) and found[1].decode("latin-1") not in own:
            return found[1]
    body = re.split(rb"\r?\n\r?\n", octets, maxsplit=1)[-1]
    found = _ID_LINE.search(body)
    return found[1] if found and found[1].decode("latin-1") not in own else b""


def planted(octets: bytes, old: bytes) -> bytes | None:
    """The same with our id for the returned one, below the header; in encoded parts too. ``None``: not found again."""
    head, gap, body = octets.partition(b"\r\n\r\n")
    if old in body:
        return head + gap + body.replace(old, OURS)
    for encoded in re.findall(rb"(?:[A-Za-z0-9+/=]{20,80}\r\n){2,}", body):
        plain = base64.b64decode(encoded + b"==")
        if old in plain:
            again = base64.encodebytes(plain.replace(old, OURS)).replace(b"\n", b"\r\n")
            return head + gap + body.replace(encoded, again, 1)
    if old in quopri.decodestring(body):
        return head + gap + quopri.decodestring(body).replace(old, OURS)
    return None


def test_bounces_of_others_reach_who_sent_it_3_1_6(bounces: list[tuple[str, bytes]]):
    """As they came they are ADMIN's, for nobody here sent that; with our id in what they return they are Andrew's."""
    office = Examiner(REGULAR)
    count: Counter[str] = Counter()
    for where, octets in bounces:
        assert office.ask(octets, take=True).startswith("ADMIN "), where
        old = returned_id(octets)
        ours = planted(octets, old) if old else None
        if ours is None:
            count["without an id"] += 1
            continue
        answer = office.ask(ours, take=True)
        if answer in {"andrew bounce", "andrew ledger"}:
            count["matched"] += 1
        else:
            kind = "missed" if answer.startswith("ADMIN ") else "wrong"
            count[kind] += 1
            sys.stdout.write(f"\n{kind}: {where}: {answer}, returned {old!r}\n")
    sys.stdout.write(f"\n{len(bounces)} bounces: {dict(count)}\n")
    assert not count["wrong"]
    assert count["missed"] <= count["matched"] // 20


def test_answers_of_others_reach_who_asked_3_1_5():
    """The message that they answer becomes one of Andrew's; however they quote and fold its id, he gets the answer."""
    office = Examiner(REGULAR)
    count: Counter[str] = Counter()
    for where, octets in messages(ROOT) if ROOT else ():
        head, gap, body = octets.replace(b"\r\n", b"\n").partition(b"\n\n")
        found = _ANSWERS.search(head)
        if found is None:
            continue
        planted_head = head.replace(b"<" + found[1] + b">", b"<" + OURS + b">")
        answer = office.ask((planted_head + gap + body).replace(b"\n", b"\r\n"), take=True)
        count["found" if answer == "andrew ledger" else "missed"] += 1
        if answer != "andrew ledger":
            sys.stdout.write(f"\nmissed: {where}: {answer}, answers {found[1]!r}\n")
    sys.stdout.write(f"\nanswers: {dict(count)}\n")
    assert not count["missed"]
