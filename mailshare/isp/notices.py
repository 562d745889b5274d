"""Tells an account's ADMIN, or those concerned, by a short local mail what needs a person; once a day for a matter."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import formatdate

from twisted.logger import Logger

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError
from mailshare.core.trace import trace_id
from mailshare.core.values import SECOND, Account, Event, Origin, Source
from mailshare.interfaces import IIntake, IStore
from mailshare.isp.sign_on import Doors
from mailshare.shell.new_body import new_body

_AGAIN = 24 * 3600 * SECOND
_MOST = 1000


class Notices:
    """Writes notices."""

    _log = Logger()

    def __init__(self, store: IStore, intake: IIntake, doors: Doors) -> None:
        self._store = store
        self._intake = intake
        self._doors = doors
        self._told: dict[tuple[int, str], int] = {}

    async def pass_on(self, account: Account, alerts: Sequence[str]) -> None:
        """Have ADMIN read what the provider wants a person to read."""
        for text in alerts:
            subject = f"The provider of {account.address} says: {text}"
            await self.tell(account, f"alert {text}", subject, f"{text}\r\n\r\nThis is all that it says.")

    async def tell(
        self, account: Account, matter: str, subject: str, text: str, *, user_ids: Sequence[int] = ()
    ) -> bool:
        """Put a notice into the mailboxes of these users, or into ADMIN's, and a line into the journal.

        :param matter: what it is about; the same one is not told again for a day.
        :param subject: one line; ``text`` has CRLF line ends.
        :returns: whether it was told now.
        """
        now = int(self._doors.reactor.seconds() * SECOND)
        if now - self._told.get((account.id, matter), -_AGAIN) < _AGAIN:
            return False
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[account.id, matter] = now
        trace = trace_id(now, self._doors.random(3))
        try:
            await self._store.events.append(
                [Event(now, "notice", trace, account.id, data={"matter": matter, "text": _line(subject)})]
            )
            users = self._store.directory.current().user_by_id
            names = [users[one].name for one in user_ids if one in users] or [account.admin]
            body = await new_body(self._store, self._message(account, names, subject, text, trace, now))
            envelope = Envelope(None, tuple(Recipient(Address(name, "")) for name in names))
            origin = Origin(Source.REPORT, trace, account_id=account.id)
            await self._intake.accept(envelope, body, origin)
        except MailshareError as fault:
            self._log.warn("A notice to {admin} failed: {fault}", admin=account.admin, fault=fault.public)
            del self._told[account.id, matter]
            return False
        return True

    def _message(
        self, account: Account, names: Sequence[str], subject: str, text: str, trace: str, now: int
    ) -> bytes:
        host = self._doors.hostname
        header = (
            f"Date: {formatdate(now / SECOND, localtime=False)}\r\n"
            f"From: mailshare <{account.admin}@{host}>\r\n"
            f"To: {', '.join(f'{name}@{host}' for name in names)}\r\n"
            f"Subject: {_line(subject)}\r\n"
            f"Message-ID: <{trace}@{host}>\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n"
        )
        return f"{header}{text}\r\n".encode()


def _line(text: str) -> str:
    """One printable ASCII line, fit for a header field."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)[:200]
