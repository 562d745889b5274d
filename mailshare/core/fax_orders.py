"""What people write to the fax desk: orders by mail, and the addresses that say which fax an answer is about.

An address of an answer is ``fax-ROWS-HOURS-PROOF@`` the fax domain. The proof is a keyed digest over the rows, the hour
after which it counts no more, and the user whom the report went to: nobody else can use it, and nobody can make one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence

from attrs import frozen

HOUR = 3_600_000_000
MOST_ROWS = 8
"""So many faxes one report can be answered for."""
_MOST_DIGITS = 34  # of rows in an address: a local part has 64 octets (RFC 5321 section 4.5.3.1.1)
_FORM = re.compile(r"fax-([0-9]{1,18}(?:\.[0-9]{1,18}){0,7})-([0-9]{1,9})-([a-z2-7]{16})\Z")
_BOX = re.compile(r"box-([a-z0-9][a-z0-9._-]{0,62})\Z")
_WORDS = {
    "stop": "stop",
    "cancel": "stop",
    "resend": "resend",
    "again": "resend",
    "get": "get",
    "put": "put",
}
_ORDER = re.compile(r"#?([A-Za-z]{3,6})(?:[ \t:]+(\S{1,64}))?[ \t.!]*\Z")


@frozen
class Order:
    """What is asked for.

    :ivar word: ``stop``, ``resend``, ``get`` or ``put``; ``code`` what stands behind it, or empty.
    """

    word: str
    code: str = ""


@frozen
class AnsweredFax:
    """What the address of an answer says; nothing of it is believed before :func:`proves_answer`.

    :ivar rows: of the queue; ``until`` hours since 1970.
    """

    rows: tuple[int, ...]
    until: int
    proof: str

    def over(self, at: int) -> bool:
        """Its time is over.

        :param at: microseconds UTC.
        """
        return at >= self.until * HOUR


def answer_address(key: bytes, rows: Sequence[int], user: int, until: int) -> str:
    """The local part to which a user answers about these rows.

    :param until: microseconds UTC.
    """
    kept, hours = tuple(rows[:MOST_ROWS]), until // HOUR
    while len(kept) > 1 and len(".".join(map(str, kept))) > _MOST_DIGITS:
        kept = kept[:-1]
    return f"fax-{'.'.join(map(str, kept))}-{hours}-{_proof(key, kept, user, hours)}"


def read_answer_address(local: str) -> AnsweredFax | None:
    """The reverse; ``None`` when it is no such address."""
    found = _FORM.match(local.casefold())
    if found is None:
        return None
    return AnsweredFax(tuple(int(row) for row in found[1].split(".")), int(found[2]), found[3])


def proves_answer(key: bytes, one: AnsweredFax, user: int) -> bool:
    """The report went to this user."""
    return hmac.compare_digest(one.proof, _proof(key, one.rows, user, one.until))


def box_of(local: str) -> str | None:
    """The name of the box that a local part means, e.g. ``box-prices``."""
    found = _BOX.match(local.casefold())
    return None if found is None else found[1]


def read_order(lines: Iterable[str], subject: str = "") -> Order | None:
    """The order in a mail: its first line that is neither empty nor quoted, else its subject.

    Only a line that is nothing else counts: somebody who writes prose orders nothing.
    """
    first = next((line.strip() for line in lines if line.strip() and not line.lstrip().startswith(">")), "")
    for text in (first, subject.strip()):
        found = _ORDER.match(text)
        if found is not None and found[1].casefold() in _WORDS:
            return Order(_WORDS[found[1].casefold()], found[2] or "")
    return None


def again_trace(key: bytes, one: AnsweredFax, row: int) -> str:
    """The trace of the fax that an answer sends again: always the same, so that it is sent once."""
    return hmac.digest(key, f"again {row} {one.until} {one.proof}".encode(), hashlib.sha256).hex()[:16]


def _proof(key: bytes, rows: Sequence[int], user: int, hours: int) -> str:
    text = f"answer {'.'.join(map(str, rows))} {user} {hours}".encode()
    return base64.b32encode(hmac.digest(key, text, hashlib.sha256)[:10]).decode().lower()
