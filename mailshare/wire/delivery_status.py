"""What another mail server says of a mail of ours: the machine part of a delivery status notification (RFC 3464).

A bounce that has no such part says it in words only; of those nothing is made here but that the mail was too large.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import define, field, frozen

from mailshare.core.headers import Headers
from mailshare.core.report_parts import printable
from mailshare.wire.mime import EntityBegun, EntityData, MIMEEvent

_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MOST = 64 * 1024  # octets of that part that are looked at
_MOST_RECIPIENTS = 100
_EMPTY_LINE = re.compile(rb"\r?\n[ \t]*\r?\n")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_CODE = re.compile(r"[245]\d\d(?=[ \-]|$)")


@frozen
class RecipientStatus:
    """What became of one recipient.

    :ivar action: ``failed``, ``delayed``, ``delivered``, ``relayed`` or ``expanded``.
    :ivar status: enhanced code, or empty.
    :ivar code: of the server's reply, 0 = none is told; ``reply`` its text, printable, or empty.
    """

    action: str
    status: str = ""
    code: int = 0
    reply: str = ""


@define
class DeliveryStatusCollector:
    """Picks the machine part out of a mail that streams by; feed it the events of a MIME reader."""

    _path: tuple[int, ...] | None = None
    _octets: bytearray = field(factory=bytearray)

    def take(self, event: MIMEEvent) -> None:
        """One event; the first part of the right type counts."""
        if isinstance(event, EntityBegun) and event.media.name in _KINDS and self._path is None:
            self._path = event.path
        elif isinstance(event, EntityData) and event.path == self._path and len(self._octets) < _MOST:
            self._octets += event.data

    def result(self) -> Sequence[RecipientStatus]:
        """The recipients it speaks of, in order; none when there is no such part or it says nothing of use."""
        blocks = _EMPTY_LINE.split(bytes(self._octets[:_MOST]).strip(), _MOST_RECIPIENTS)
        return [found for block in blocks if (found := _read(Headers.parse(block + b"\r\n"))) is not None]


def _read(headers: Headers) -> RecipientStatus | None:
    """One block of fields; ``None`` for the one that speaks of the whole mail."""
    action = (headers.first("action") or "").partition("(")[0].strip().casefold()
    if not action:
        return None
    status = _STATUS.search(headers.first("status") or "")
    kind, _, said = (headers.first("diagnostic-code") or "").partition(";")
    reply = printable(said, 300).strip()
    code = _CODE.match(reply) if kind.strip().casefold() == "smtp" else None
    return RecipientStatus(action, status[0] if status else "", int(code[0]) if code else 0, reply)
