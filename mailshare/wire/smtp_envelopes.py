"""Envelopes whose commands come together, as RFC 2920 section 3.1 has clients send them: read and answered in one go.

A program that sends much says the same few envelopes again and again; then the octets are all that is compared.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mailshare.core.derived import changed
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError
from mailshare.wire.replies import reply
from mailshare.wire.smtp_params import read_mail, read_recipient
from mailshare.wire.smtp_server_core import GO_ON

LONGEST = 8192
"""Octets of an envelope that is read so."""
DATA = b"DATA\r\n"
"""Its end."""

_UNUSUAL = re.compile(rb"[\x00-\x1f\x7f]")


@lru_cache(maxsize=256)  # of LONGEST octets at most
def read_envelope(octets: bytes, max_size: int, auth: bool, old: bool, max_line: int) -> Envelope | None:
    """The envelope of ``MAIL``, ``RCPT`` ... and ``DATA`` that came together after EHLO.

    :param octets: whole lines, the last of them ``DATA``.
    :param max_size, auth: as for :func:`mailshare.wire.smtp_params.read_mail`.
    :param old: an address of the old form (two ``@``) is taken.
    :param max_line: octets of a command, line end included.
    :returns: ``None`` when anything is out of the ordinary; read one by one, the commands show what it is.
    """
    mail, _, rest = octets.partition(b"\r\n")
    if not mail.startswith(b"MAIL FROM:") or len(mail) + 2 > max_line or _UNUSUAL.search(mail) or mail[-1:] == b" ":
        return None
    try:
        envelope = read_mail(mail[5:], extended=True, max_size=max_size, auth=auth)
        people = _read_recipients(rest, envelope.smtputf8, old, max_line)
    except MailshareError:
        return None
    return changed(envelope, recipients=people) if people else None


@lru_cache(maxsize=256)  # each of a few KiB at most
def _read_recipients(octets: bytes, utf8: bool, old: bool, max_line: int) -> tuple[Recipient, ...]:
    """Those of some ``RCPT`` with ``DATA`` behind them; none when anything is unusual."""
    *lines, data, end = octets.split(b"\r\n")
    if data != b"DATA" or end or _UNUSUAL.search(b"".join(lines)) or b" \r\n" in octets:
        return ()
    if not all(line.startswith(b"RCPT TO:") and len(line) + 2 <= max_line for line in lines):
        return ()
    people = tuple(read_recipient(line[5:], extended=True, utf8=utf8, old=old) for line in lines)
    return people if len({one.address for one in people}) == len(people) else ()


@lru_cache(maxsize=256)
def yes_to_all(recipients: int) -> bytes:
    """What MAIL, so many RCPT, and DATA are answered when each is accepted."""
    people = recipients * reply(250, (2, 1, 5), "Recipient OK")
    return reply(250, (2, 1, 0), "Sender OK") + people + reply(354, None, GO_ON)
