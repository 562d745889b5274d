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

from mailshare.core.errors import MailshareError
from mailshare.core.fax_provider import Inbox, at, decoded, holds, id_at, text_at
from mailshare.core.values.fax import CallFacts, FaxCause, FaxPage, Ringing
from mailshare.fax.files import Aside, write_durably
from mailshare.fax.lines.provider_requests import MOST_DOCUMENT, Asking, NoAnswerError, NotAskedError
from mailshare.interfaces import IFaxReceiver

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_REMEMBERED = 5000
_AT_ONCE = 100  # faxes of one list; the rest comes with the next look
_TRIES = 5  # for a document that cannot be read

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
        for item in items[:_AT_ONCE]:
            fax = id_at(item, inbox.id, inbox.after)
            if fax and fax not in self._known and holds(item, inbox.match, {}) and self._failures.get(fax, 0) < _TRIES:
                await self._take(fax, item)

    async def _take(self, fax: str, item: Any) -> None:
        inbox, receiver = self._inbox, self._receiver
        assert receiver is not None
        assert self._known is not None
        call = Ringing(
            f"{_UNSAFE.sub('_', self._line)}-{_UNSAFE.sub('_', fax)}",
            self._line,
            *(text_at(item, path, 60) for path in (inbox.caller, inbox.called)),
        )
        if await receiver.screen(call) is FaxCause.OK:
            try:
                pages = await self._to_pages(await self._document(fax, item))
            except (MailshareError, ValueError, NotAskedError, NoAnswerError) as fault:
                self._failures[fax] = self._failures.get(fax, 0) + 1
                self._log.warn("{line}: the fax {fax} cannot be had: {why}", line=self._line, fax=fax, why=str(fault))
                return
            for number, page in enumerate(pages):
                await receiver.page_received(call, number, page)
            await receiver.finished(call, CallFacts(FaxCause.OK, text_at(item, inbox.station, 20)))
        self._known[fax] = None
        known = list(self._known)[-_MOST_REMEMBERED:]
        await self._aside(lambda: self._write(known))
        if inbox.done is not None:
            await self._asking.ask(inbox.done, {"id": fax})

    async def _document(self, fax: str, item: Any) -> bytes:
        inbox = self._inbox
        words = {"id": fax}
        if inbox.coding == "link":
            words["link"] = text_at(item, inbox.data, 4096)
        answer = await self._asking.ask(inbox.document, words, most=MOST_DOCUMENT)
        if not answer.accepted(inbox.document):
            raise ValueError(f"status {answer.code}")
        if inbox.coding != "base64":
            return answer.body
        found = at(answer.value, inbox.data)
        return decoded(found if isinstance(found, str) else "")

    def _read(self) -> dict[str, None]:
        try:
            with open(self._path, "rb") as stream:
                return dict.fromkeys(str(one) for one in json.load(stream))
        except FileNotFoundError:
            return {}

    def _write(self, known: Sequence[str]) -> None:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        write_durably(self._path, json.dumps(known).encode())
