"""A printer of this office that prints what comes by mail: where it is, who may print, and how much."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo

from attrs import field, frozen

from mailshare.core.print_fault_words import Wording
from mailshare.core.print_policy import PrintPolicy
from mailshare.core.schedule import inside, next_opening
from mailshare.core.values import SetBounds
from mailshare.printing.destinations import Destination

MINUTE = 60 * 1_000_000
_LATER = 60 * MINUTE  # when hours are looked at again that never come


@frozen
class PrinterKey:
    """A key by which senders sign jobs, and by which news of them are signed.

    :ivar kid: the name that both sides have for it.
    :ivar secret: reference of the shared secret (HS256); empty for a key pair.
    :ivar public: public key of an Ed25519 pair, 32 octets; empty for a shared secret.
    :ivar senders: addresses or ``@domain`` that it signs for; empty = any.
    """

    kid: str
    secret: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    public: bytes = b""
    senders: tuple[str, ...] = ()


@frozen
class MailLimits:
    """What one mail, or one job, may bring.

    :ivar octets: of a document; ``pages`` of a job with all copies, ``pixels`` of a picture, ``attachments`` of a mail.
    :ivar open_jobs: of one sender that are being collected; ``collecting`` octets of these.
    :ivar printer_collecting: octets of all senders together.
    """

    octets: int = 200 << 20
    pages: int = 500
    pixels: int = 200_000_000
    attachments: int = 10
    open_jobs: int = 64
    collecting: int = 500_000_000
    printer_collecting: int = 2 << 30

    @property
    def bounds(self) -> SetBounds:
        """What may be collected at the same time."""
        return SetBounds(self.open_jobs, self.collecting, self.printer_collecting)


@frozen
class LocalPrinter:
    """A ``[[printer]]``.

    :ivar device: where its jobs go, what they may ask for and the options that hold when they do not.
    :ivar policy: who may print.
    :ivar keys: by their names.
    :ivar signing_key: reference of the private key of its own, for news to senders with a key pair; empty = unsigned.
    :ivar tags, pin: references of secrets that prove level 2.
    :ivar account: address of the account that its news leave by; empty = the first one.
    :ivar contacts: role (``admin``, ``service``, ``key``) to addresses; ``faults`` conditions to roles;
        ``wording`` role to what mails about troubles say; ``usage`` addresses that get a report of its use each month.
    :ivar plain: ordinary mails are printed, too; ``postscript`` of them also programs for printers.
    :ivar gap: microseconds after the last part before missing ones are asked for.
    :ivar zone: of its hours.
    """

    name: str
    device: Destination
    policy: PrintPolicy = field(factory=PrintPolicy)
    keys: Mapping[str, PrinterKey] = field(factory=dict, hash=False)
    signing_key: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    tags: tuple[Mapping[str, object], ...] = field(default=(), hash=False, repr=False)
    pin: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    account: str = ""
    contacts: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)
    faults: Mapping[str, tuple[str, ...]] = field(factory=dict, hash=False)
    wording: Mapping[str, Wording] = field(factory=dict, hash=False)
    usage: tuple[str, ...] = ()
    limits: MailLimits = field(factory=MailLimits)
    plain: bool = True
    postscript: bool = False
    gap: int = 15 * MINUTE
    zone: tzinfo = UTC

    def closed_until(self, now: int) -> int:
        """When its hours begin, microseconds UTC; 0 = they are now, or it has none."""
        hours = self.policy.hours
        if not hours or inside(hours, self.zone, now):
            return 0
        return next_opening(hours, self.zone, now) or now + _LATER
