"""The envelope: who sends, who shall get it, and what was asked for each recipient."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from mailshare.core.address import Address
from mailshare.core.derived import changed, once
from mailshare.core.report_parts import printable


@frozen(slots=False)  # made for each recipient: without slots in two thirds of the time
class Recipient:
    """One recipient of an envelope.

    :ivar address: where to.
    :ivar notify: what the sender asked to be told (RFC 3461 section 4.1): any of ``SUCCESS FAILURE DELAY``, or only
        ``NEVER``; empty when nothing was said, which means failure and perhaps delay.
    :ivar orcpt: original recipient, ``rfc822;xtext-decoded``, or empty (RFC 3461 section 4.2).
    :ivar params: what a command of ours says of this one, for the rows of the queue that a gateway makes.
    """

    address: Address
    notify: frozenset[str] = frozenset()
    orcpt: str = ""
    params: Mapping[str, object] = field(factory=dict, hash=False)

    @once
    def text(self) -> str:
        """The address for the journal: printable, at most 320 characters."""
        return printable(str(self.address), 320)


@frozen(slots=False)  # for changed()
class Envelope:
    """What SMTP says outside the message.

    :ivar sender: the return path; ``None`` is the null sender ``<>`` (RFC 5321 section 4.5.5).
    :ivar recipients: in the order given, each once.
    :ivar size: what the client declared, octets; 0 when it did not (RFC 1870).
    :ivar body: ``"7BIT"``, ``"8BITMIME"`` or ``"BINARYMIME"`` (RFC 6152, RFC 3030).
    :ivar smtputf8: the message or an address needs RFC 6531.
    :ivar ret: ``"FULL"``, ``"HDRS"`` or empty (RFC 3461 section 4.3).
    :ivar envid: the sender's envelope id, decoded, or empty (RFC 3461 section 4.4).
    """

    sender: Address | None
    recipients: tuple[Recipient, ...] = field(default=())
    size: int = 0
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""

    def also_to(self, recipient: Recipient) -> Envelope:
        """The same with one recipient more."""
        return changed(self, recipients=(*self.recipients, recipient))
