"""Tells of faxes that a provider's mailbox brought and that this office does not send.

The mail itself is sorted as any other. Who hears of it is the user in whose name that mailbox faxes: mail that was
fetched never makes this office write to the outside, since a sender's address there is anybody's to write.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.headers import Headers
from mailshare.core.report_parts import printable
from mailshare.core.values import User
from mailshare.fax.desk import FaxDesk
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.rules import HOUR
from mailshare.interfaces import IStore

MOST_TOLD = 10
"""Notices in an hour for one mailbox: whoever writes to it may write much."""


class FaxRefusals:
    """Writes those notices.

    :param desk: writes to people.
    """

    _log = Logger()

    def __init__(self, store: IStore, gateway: FaxGateway, desk: FaxDesk, clock: IReactorTime) -> None:
        self._store = store
        self._gateway = gateway
        self._desk = desk
        self._clock = clock
        self._told: dict[str, deque[float]] = {}

    def seen(self, account_id: int, headers: Headers) -> None:
        """The door has stored a message that was fetched from this account."""
        directory = self._store.directory.current()
        account = directory.account_by_id.get(account_id)
        if account is None or _by_machine(headers):
            return
        address = str(account.address).casefold()
        box = next((one for one in self._gateway.rules.mailboxes if one.account == address), None)
        if box is None:
            return
        try:
            self._gateway.collected(headers, account, directory)
        except PolicyRefusal as fault:
            user = directory.user_by_name.get(box.user)
            if user is not None and self._may_tell(box.account):
                done = Deferred.fromCoroutine(self._write(user, headers, fault.public))
                done.addErrback(self._failed)

    def _may_tell(self, mailbox: str) -> bool:
        now, told = self._clock.seconds(), self._told.setdefault(mailbox, deque())
        while told and told[0] <= now - HOUR / 1_000_000:
            told.popleft()
        if len(told) >= MOST_TOLD:
            self._log.info("more faxes of {mailbox} are refused than are told of", mailbox=mailbox)
            return False
        told.append(now)
        return True

    async def _write(self, user: User, headers: Headers, why: str) -> None:
        if self._desk.tell is None:
            return
        authors = headers.mailboxes("from")
        author = printable(str(authors[0].address), 320) if authors else "Nobody in particular"
        subject = printable(headers.text("subject"), 200)
        words = [
            f"{author} wanted to send a fax through a mailbox that faxes in your name. It was not sent:",
            f"  {why}",
            *([f"Its subject is: {subject}"] if subject else []),
            "The mail was sorted as any other. Whoever wrote it was told nothing.",
        ]
        await self._desk.tell(user.id, "Fax from a mailbox not sent", words, about=headers.own_id)

    def _failed(self, failure: Any) -> None:
        if failure.check(MailshareError):
            self._log.warn("nobody is told of a fax that was refused: {why}", why=failure.value.public)
        else:
            self._log.failure("a notice of a fax that was refused could not be written", failure=failure)


def _by_machine(headers: Headers) -> bool:
    """Whether a program wrote it by itself (RFC 3834 section 2): it wants no answer, also not from here."""
    return headers.text("auto-submitted").strip().casefold() not in ("", "no")
