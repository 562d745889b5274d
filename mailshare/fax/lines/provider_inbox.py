"""Fetches faxes that came in at a provider, each once.

Which ones are here is on the disk, whatever the provider marks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.fax_provider import Inbox, at, decoded, holds, id_at, text_at
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.files import Aside, write_durably
from mailshare.fax.lines.provider_requests import MOST_DOCUMENT, Answer, Asking, NoAnswerError, NotAskedError
from mailshare.interfaces import IFaxReceiver

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_REMEMBERED = 5000
_AT_ONCE = 100  # faxes of one list; the rest comes with the next look
_TRIES = 5  # looks at a fax of which the provider has nothing, before people are told of that
_GONE = (404, 410)

ToPages = Callable[[bytes], Awaitable[Sequence[FaxPage]]]
"""The pages of a document, a TIFF or a PDF file."""


class ProviderInbox:
    """Looks for new faxes.

    :param path: of the file that remembers which ones are here.
    :param every: seconds between two looks.
    """

    _log = Logger()

    def __init__(
        self,
        line: str,
        inbox: Inbox,
        asking: Asking,
        to_pages: ToPages,
        path: str,
        aside: Aside,
        clock: IReactorTime,
        every: float,
    ) -> None:
        self._line = line
        self._inbox = inbox
        self._asking = asking
        self._to_pages = to_pages
        self._path = path
        self._aside = aside
        self._every = every
        self._receiver: IFaxReceiver | None = None
        self._known: dict[str, None] | None = None
        self._failures: dict[str, int] = {}
        self._waiting: dict[str, str] = {}  # faxes that cannot be had now, and why: each is told of once
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock
        self._work: Deferred[None] | None = None

    def set_receiver(self, receiver: IFaxReceiver) -> None:
        """Who takes them."""
        self._receiver = receiver

    def start(self) -> None:
        """Look from now on."""
        if self._receiver is not None:
            self._looking.start(self._every)

    async def stop(self) -> None:
        """Look no more; a fax that is half fetched is fetched again."""
        if self._looking.running:
            self._looking.stop()
        if self._work is not None:
            self._work.cancel()

    def look_now(self) -> None:
        """Something is said to have come."""
        if self._looking.running and self._work is None:
            self._looking.reset()
            self._look()

    def _look(self) -> Deferred[None] | None:
        if self._work is not None:
            return None
        self._work = Deferred.fromCoroutine(self._looked())
        self._work.addErrback(
            lambda failure: self._log.warn(
                "line {line}: faxes cannot be fetched: {why}", line=self._line, why=failure.getErrorMessage()
            )
        )
        self._work.addBoth(self._rest)
        return self._work

    def _rest(self, _: object) -> None:
        self._work = None

    async def _looked(self) -> None:
        if self._known is None:
            self._known = await self._aside(self._read)
        inbox = self._inbox
        answer = await self._asking.ask(inbox.list, {})
        items = at(answer.value, inbox.items)
        if not answer.accepted(inbox.list) or not isinstance(items, list):
            self._log.warn("line {line}: no list of faxes, status {code}", line=self._line, code=answer.code)
            return
        found = [(id_at(item, inbox.id, inbox.after), item) for item in items if holds(item, inbox.match, {})]
        new = [(fax, item) for fax, item in found if fax and fax not in self._known]
        for fax, item in new[:_AT_ONCE]:
            try:
                await self._take(fax, item)
            except (MailshareError, NotAskedError, NoAnswerError, OSError) as fault:
                # It stays with the provider, and is asked for again; it keeps no other waiting.
                why = str(getattr(fault, "public", "") or fault)
                if self._waiting.get(fax) != why:
                    self._log.warn("{line}: the fax {fax} has to wait: {why}", line=self._line, fax=fax, why=why)
                self._waiting[fax] = why

    async def _take(self, fax: str, item: Any) -> None:
        """Give one fax to the receiver.

        :raises MailshareError, NotAskedError, NoAnswerError: not now.
        """
        inbox, receiver = self._inbox, self._receiver
        assert receiver is not None
        call = Ringing(
            f"{_UNSAFE.sub('_', self._line)}-{_UNSAFE.sub('_', fax)}",
            self._line,
            *(text_at(item, path, 60) for path in (inbox.caller, inbox.called)),
        )
        if await receiver.screen(call) is FaxCause.OK:
            facts = CallFacts(FaxCause.OK, text_at(item, inbox.station, 20))
            document = await self._document(fax, item)
            if document is None:
                return
            try:
                pages = await self._to_pages(document) if document else ()
            except (NotConvertible, PeerFault) as fault:
                await receiver.unreadable(call, facts, document, fault.public)
            else:
                for number, page in enumerate(pages):
                    await receiver.page_received(call, number, page)
                if pages:
                    await receiver.finished(call, facts)
                else:
                    await receiver.unreadable(call, facts, document, _nothing(fax, document))
        await self._is_here(fax)

    async def _is_here(self, fax: str) -> None:
        """Remember that, and tell the provider where it has marks for it."""
        inbox = self._inbox
        assert self._known is not None
        self._known[fax] = None
        self._failures.pop(fax, None)
        self._waiting.pop(fax, None)
        known = list(self._known)[-_MOST_REMEMBERED:]
        await self._aside(lambda: self._write(known))
        if inbox.done is not None:
            await self._asking.ask(inbox.done, {"id": fax})

    async def _document(self, fax: str, item: Any) -> bytes | None:
        """What it is made of; empty when the provider has said often enough that there is nothing, ``None``: not yet.

        :raises NotAskedError, NoAnswerError: nobody says.
        """
        inbox = self._inbox
        words = {"id": fax}
        if inbox.coding == "link":
            words["link"] = text_at(item, inbox.data, 4096)
        answer = await self._asking.ask(inbox.document, words, most=MOST_DOCUMENT)
        gone = answer.code in _GONE or (200 <= answer.code < 300)  # else it may be there later
        octets = self._octets_in(answer) if answer.accepted(inbox.document) else b""
        if octets:
            return octets
        if not gone:
            raise NoAnswerError(f"The provider answers with status {answer.code}")
        self._failures[fax] = self._failures.get(fax, 0) + 1
        return b"" if self._failures[fax] >= _TRIES else None

    def _octets_in(self, answer: Answer) -> bytes:
        if self._inbox.coding != "base64":
            return answer.body
        found = at(answer.value, self._inbox.data)
        try:
            return decoded(found if isinstance(found, str) else "")
        except ValueError:
            return b""

    def _read(self) -> dict[str, None]:
        try:
            with open(self._path, "rb") as stream:
                return dict.fromkeys(str(one) for one in json.load(stream))
        except FileNotFoundError:
            return {}

    def _write(self, known: Sequence[str]) -> None:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        write_durably(self._path, json.dumps(known).encode())


def _nothing(fax: str, document: bytes) -> str:
    """Why there are no pages, where no program has said so."""
    if document:
        return "It has no page"
    return f"The provider lists it as {fax} and gives nothing of it; look into the account there"
