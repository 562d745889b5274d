"""The pages of a row of the queue as they go to its number: with the cover page and the line on top."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, tzinfo

from attrs import astuple

from mailshare.core.fax_ledger import PageLedger
from mailshare.core.fax_routing import reply_number
from mailshare.core.values import QueueItem
from mailshare.fax.pages import FaxFile, Pages
from mailshare.fax.queue_rows import cover_fields
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IStore


class RecipientPages:
    """Makes them.

    :param rules: gives the rules of now; ``zone`` of the times on the pages.
    """

    def __init__(self, store: IStore, rules: Callable[[], FaxRules], pages: Pages, zone: tzinfo) -> None:
        self._store = store
        self._rules = rules
        self._pages = pages
        self._zone = zone

    async def made(self, item: QueueItem, ledger: PageLedger, now: int) -> tuple[FaxFile, PageLedger, str]:
        """The pages as they go to the number of a row, its ledger prepared for them, and the subject of its mail.

        :raises NotConvertible: its message cannot be faxed.
        """
        rules = self._rules()
        body = await self._store.queue.body(item.message_id)
        made = await self._pages.of_body(body, item.params.get("cover"))
        answer = self._answer_to(item)
        sheet = astuple(made.sheet) if made.sheet is not None else ()
        shape = [rules.layout, rules.text, sheet, rules.head, rules.owner, answer, body.digest.hex()]
        began = ledger.began or now
        cover = {**cover_fields(item, made.headers, self.moment(item.queued)), "Answer to": answer}
        head = self._head(item, began) if rules.head else ()
        pages = await self._pages.for_recipient(made, cover, head)
        name = hashlib.sha256(json.dumps(shape).encode()).hexdigest()
        return pages, ledger.prepared(began, pages.count, name), made.headers.text("subject")

    def _head(self, item: QueueItem, began: int) -> tuple[str, str, str]:
        rules = self._rules()
        sender = " ".join(each for each in (rules.owner, self._answer_to(item)) if each)
        return self.moment(began), f"{sender} -> {item.params.get('number', '')}", "{page}/{pages}"

    def _answer_to(self, item: QueueItem) -> str:
        """Where an answer by fax reaches whoever sends this (RFC 4160 section 3.2): his own line, else the office's."""
        rules = self._rules()
        user = self._store.directory.current().user_by_id.get(item.submitter_id or 0)
        own = reply_number(rules.routes, user.name) if user is not None else None
        if own is None:
            return rules.station
        number, subaddress = own
        return f"{number} sub {subaddress}" if subaddress else number

    def moment(self, at: int) -> str:
        """A time for people, on the office's clock."""
        return datetime.fromtimestamp(at / 1_000_000, self._zone).strftime("%d %b %Y %H:%M %Z")
