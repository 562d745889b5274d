"""Status mails of printing: for people in words, for machines signed."""

from __future__ import annotations

import email
import email.policy
import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.errors import PeerFault
from mailshare.core.print_status import Happening, PrintStatus, read_status, status_octets, texts, title
from mailshare.core.values import Certainty, PrintState
from mailshare.wire.jws import Algorithm, SigningKey, verified
from mailshare.wire.mime import MIMEReader
from mailshare.wire.print_status_mail import StatusCollector, StatusLetter, status_mail

NOW = 1_795_000_000_000_000
JOB = "019a4f6e-7b00-7cc3-98c4-dc0c0c07398f"
DONE = PrintStatus(JOB, Happening.DONE, "Office", NOW, Certainty.COMPLETED, ("job-completed-successfully",), 3, 2, 3)
KEY = SigningKey("office", Algorithm.HS256, secret=bytes(range(32)))
LETTER = StatusLetter(
    sender=Address("office", "far.example"),
    to=Address("anna", "office.example"),
    message_id="<s1@far.example>",
    at=NOW,
    about=f"<{JOB}.1@office.example>",
)


def collected(mail: bytes) -> StatusCollector:
    """What a receiver finds."""
    reader, collector = MIMEReader(), StatusCollector()
    for event in reader.feed(mail) + reader.end():
        collector.take(event)
    return collector


@pytest.mark.parametrize("happening", Happening)
def test_a_status_is_read_as_it_was_written(happening: Happening) -> None:
    """Every kind, with all its fields, signed."""
    told = evolve(DONE, missing=(4, 7), ignored=("staple",), error="media-jam", words="Papier klemmt: größer", of=JOB)
    status = evolve(told, happening=happening)
    mail = status_mail(status, "Übersicht", evolve(LETTER, original=b"Subject: \xc3\x9c\r\n"), KEY)
    assert mail.isascii()
    got, signed = collected(mail).result()
    assert got == status
    assert verified(signed, KEY)


def test_people_read_it_in_any_mail_program() -> None:
    """The standard library reads it without a complaint; subject and text say what, how sure and what to do."""
    message = email.message_from_bytes(status_mail(DONE, "Agenda für Mai", LETTER, None), policy=email.policy.default)
    assert message["subject"] == "[print] done: Agenda für Mai (3 pages on Office)"
    assert message["in-reply-to"] == LETTER.about
    assert message["auto-submitted"] == "auto-replied"
    assert message.get_content_type() == "multipart/report"
    words = next(message.iter_parts()).get_content()
    assert words.index("It is printed") < words.index("reported 2 sheets") < words.index("#reprint") < words.index(JOB)
    assert not any(part.defects for part in message.walk())


@pytest.mark.parametrize(
    ("certainty", "word"),
    [
        (Certainty.COMPLETED, "reported 2 sheets"),
        (Certainty.ACCEPTED, "cannot report paper"),
        (Certainty.HANDED_OVER, "reports neither paper nor errors"),
        (Certainty.UNKNOWN, "nothing is tried again"),
    ],
)
def test_the_words_say_how_sure_it_is(certainty: Certainty, word: str) -> None:
    """No more is said than is known."""
    assert word in " ".join(texts(evolve(DONE, certainty=certainty), "x"))


def test_the_state_is_ipps() -> None:
    """What is unknown is no end: somebody has to look."""
    assert evolve(DONE, happening=Happening.UNKNOWN).state is PrintState.STOPPED
    assert evolve(DONE, happening=Happening.RESEND).state is PrintState.PENDING
    assert title(evolve(DONE, happening=Happening.FAILED), "") == "[print] failed: document (on Office)"


def test_a_mail_without_the_part_is_no_status() -> None:
    """An ordinary answer."""
    collector = collected(b"Subject: [print] done: x\r\n\r\nyes\r\n")
    assert not collector.found
    with pytest.raises(PeerFault):
        collector.result()


FIELDS = sorted(json.loads(status_octets(DONE)))
PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
VALUES = PLAIN | st.lists(st.integers(), max_size=3) | st.just({})


@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_is_read_or_refused(name: str, value: object) -> None:
    """Whatever stands in a field."""
    octets = json.dumps({**json.loads(status_octets(DONE)), name: value}).encode()
    try:
        status = read_status(octets)
    except PeerFault:
        return
    assert read_status(status_octets(status)) == status


@given(st.binary(max_size=50))
def test_any_octets_are_refused(octets: bytes) -> None:
    """No JSON, or JSON of something else."""
    with pytest.raises(PeerFault):
        read_status(octets)
