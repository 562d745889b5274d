"""The one tree of errors. Each knows its reply code, its enhanced status code, and what may be said in public.

Wire layers turn these into ``452 4.3.1 text`` or ``-ERR [SYS/TEMP] text``; ``public`` is all that a peer sees,
``detail`` is for the log. Anything outside the tree becomes ``451 4.3.0`` with a log id.

Source: RFC 5321 section 4.2 (codes), RFC 3463 (enhanced codes), RFC 2449 section 8 and RFC 3206 (POP3 codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

Enhanced = tuple[int, int, int]


class MailshareError(Exception):
    """The root of every error that mailshare raises on purpose.

    :param public: what a peer or a person may read; printable, one line.
    :param code: SMTP reply code, 400-599; the class's own when absent.
    :param enhanced: enhanced status code, e.g. ``(5, 1, 1)``.
    :param detail: fields for the log, never shown to a peer.
    """

    default_code: ClassVar[int] = 451
    default_enhanced: ClassVar[Enhanced] = (4, 3, 0)
    default_public: ClassVar[str] = "Something went wrong here; please try again later"

    def __init__(
        self,
        public: str = "",
        *,
        code: int | None = None,
        enhanced: Enhanced | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        self.public = public or self.default_public
        self.code = code or self.default_code
        self.enhanced = enhanced or self.default_enhanced
        self.detail: Mapping[str, object] = dict(detail or {})
        super().__init__(self.public)

    @property
    def temporary(self) -> bool:
        """True when trying again later may help (RFC 5321 section 4.2.1: 4yz)."""
        return self.code // 100 == 4

    @property
    def status(self) -> str:
        """The enhanced code in its written form, e.g. ``"5.1.1"``."""
        return ".".join(str(part) for part in self.enhanced)


class LocalFault(MailshareError):
    """A mistake of ours: a program error, or a caller that broke an engine's rules."""


class PeerFault(MailshareError):
    """The other side sent something that the protocol does not allow."""

    default_code = 500
    default_enhanced = (5, 5, 0)
    default_public = "That is not correct in this protocol"


class PolicyRefusal(MailshareError):
    """Understood, and refused by a rule."""

    default_code = 550
    default_enhanced = (5, 7, 1)
    default_public = "Refused by the rules of this server"


class Unavailable(MailshareError):
    """Not now: a full disk, a busy mailbox, a server that is away. Trying again later may help."""

    default_code = 451
    default_enhanced = (4, 3, 0)
    default_public = "Not available now; please try again later"


class ProviderBusy(Unavailable):
    """The provider wants to be left alone for a while; ``detail["code"]`` is its word for it.

    Source: RFC 2449 section 8.1: ``IN-USE``, ``LOGIN-DELAY``.
    """

    default_public = "The provider wants to be left alone for a while"


class UntrustedServer(Unavailable):
    """The other side's certificate is not one to trust; nothing, no password either, was sent to it."""

    default_enhanced = (4, 7, 5)
    default_public = "The certificate of the server is not trusted"


class StorageFull(Unavailable):
    """There is no room for more mail on this machine."""

    default_code = 452
    default_enhanced = (4, 3, 1)
    default_public = "No room left here for more mail; please try again later"


class StoreReadOnly(Unavailable):
    """The store met a fault it cannot trust the disk after, and takes nothing more until it is opened again."""

    default_code = 452
    default_enhanced = (4, 3, 1)
    default_public = "This server takes no mail just now; please try again later"


class Damaged(MailshareError):
    """The octets of a stored message are no longer those that were stored; no waiting mends that."""

    default_code = 554
    default_enhanced = (5, 3, 0)
    default_public = "The copy of this message on this server is damaged; please send it again"


class MailboxInUse(Unavailable):
    """Another session holds this maildrop (RFC 1939 section 4, RFC 2449 section 8.1.1 ``IN-USE``)."""

    default_code = 450
    default_enhanced = (4, 2, 0)
    default_public = "This mailbox is open in another session"


class MailboxFull(Unavailable):
    """A mailbox was found to be full when the message was to be put into it; nothing was stored.

    :ivar user_id: whose mailbox it is.
    """

    default_code = 452
    default_enhanced = (4, 2, 2)
    default_public = "This mailbox is full; try again later"

    def __init__(self, user_id: int) -> None:
        super().__init__(detail={"user_id": user_id})
        self.user_id = user_id


class MessageTooLarge(PolicyRefusal):
    """The message is larger than this server takes (RFC 1870 section 6)."""

    default_code = 552
    default_enhanced = (5, 3, 4)
    default_public = "The message is larger than this server takes"


class NoSuchUser(PolicyRefusal):
    """No mailbox here by that name."""

    default_code = 550
    default_enhanced = (5, 1, 1)
    default_public = "No mailbox here by that name"


class NoSuchEntry(PolicyRefusal):
    """That message is not in that mailbox, or not any more."""

    default_public = "That message is not in this mailbox any more"


class NoSuchJob(PolicyRefusal):
    """There is no print job by that number, or not any more."""

    default_public = "There is no such print job"


class NotPossible(PolicyRefusal):
    """The state of a thing does not allow what is asked for."""

    default_public = "That is not possible in its present state"


class NotTaken(Unavailable):
    """A device takes nothing now: it is away, busy, or out of something. Nothing of the document has reached it.

    :ivar reasons: keywords of ``printer-state-reasons``.
    """

    default_public = "The printer takes nothing now"

    def __init__(self, public: str = "", *, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(public, detail={"reasons": reasons})
        self.reasons = reasons


class Doubtful(Unavailable):
    """Whether a device has printed something, or will, cannot be found out."""

    default_public = "Nobody knows whether the printer has it"


class LoginRefused(PolicyRefusal):
    """Wrong name or password; the text never says which."""

    default_code = 535
    default_enhanced = (5, 7, 8)
    default_public = "Wrong user name or password"


class NotAllowed(PolicyRefusal):
    """Who asks is known, and this is beyond what that role or token may do."""

    default_public = "Your role does not reach so far"


class TooManyTries(Unavailable):
    """Throttled: the answer is withheld for a while whatever the password is."""

    default_code = 454
    default_enhanced = (4, 7, 0)
    default_public = "Too many tries; please wait a while"


class ConfigFault(MailshareError):
    """The configuration file, an option or an object in it is wrong; the text says where and why."""

    default_public = "The configuration is wrong"


class Declared(PolicyRefusal):
    """This object is declared in the configuration file and can only be changed there."""

    default_code = 550
    default_enhanced = (5, 7, 1)
    default_public = "This is declared in the configuration file; change it there"
