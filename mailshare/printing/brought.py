"""A mail that came to a printer, and who a job of it belongs to."""

from __future__ import annotations

from uuid import UUID, uuid5

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.print_policy import Proof, Verdict
from mailshare.core.values import PrintMail, QueueItem
from mailshare.interfaces import IBody
from mailshare.printing.local_printer import LocalPrinter
from mailshare.printing.mail_contents import MailContents

_JOBS = UUID("c6a6d1f0-54cb-5b0f-9f3e-2a4f7f0d6b58")


@frozen
class Brought:
    """A stored mail on its way into a printer.

    :ivar item: its row of the queue.
    :ivar sender: the one address in ``From``; ``None`` when there is not exactly one.
    :ivar tags: of the printer's address, secrets among them.
    """

    printer: LocalPrinter
    item: QueueItem
    body: IBody
    contents: MailContents
    sender: Address | None
    tags: tuple[str, ...] = ()

    @property
    def headers(self) -> Headers:
        """Of the mail."""
        return self.contents.headers

    @property
    def about(self) -> str:
        """Message-ID, with angle brackets; empty when it has none."""
        own = self.headers.own_id
        return own if own.startswith("<") or not own else f"<{own}>"


@frozen
class Judged:
    """Who sent a mail, as far as that is known, and what he may do."""

    sender: Address
    proof: Proof
    verdict: Verdict


def key_of(mail: PrintMail, printer: str) -> str:
    """The identity of a job at a printer: who vouches for it, and what he calls it.

    Nobody can take the name of another one's job: an unsigned job is named after its sender.
    """
    return f"{f'key:{mail.kid}' if mail.kid else f'from:{mail.sender.casefold()}'}/{mail.id}/{printer}"


def uuid_of(key: str) -> str:
    """The uuid of the print job that a set becomes; the same however often that is tried."""
    return str(uuid5(_JOBS, key))
