"""Tells a sender that his fax was taken, when he wants to know: what will be called, how long it takes, what it costs.

It is no delivery report: nothing was called yet. Whoever got it can stop the fax by an answer before it goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from mailshare.core.documents import NotConvertible
from mailshare.core.errors import MailshareError
from mailshare.core.fax_costs import forecast
from mailshare.core.fax_dialling import Toll
from mailshare.core.fax_report import RECEIPT
from mailshare.core.headers import Headers
from mailshare.core.values import QueueItem, User
from mailshare.fax.desk import FaxDesk
from mailshare.fax.gateway import AGENT
from mailshare.fax.pages import Pages
from mailshare.fax.rules import FaxRules
from mailshare.interfaces import IStore

_MOST = 50  # faxes of one mail that are told one by one


def wants_receipt(rules: FaxRules, headers: Headers) -> bool:
    """Whether the sender of a message hears that its faxes were taken."""
    asked = headers.text(RECEIPT).strip().casefold() not in ("", "no", "false")
    return rules.receipts == "always" or (rules.receipts == "asked" and asked)


class FaxReceipts:
    """Writes receipts.

    :param rules: gives the rules of now.
    :param desk: writes to people, and makes the addresses that take their answers.
    """

    _log = Logger()

    def __init__(self, store: IStore, rules: Callable[[], FaxRules], pages: Pages, desk: FaxDesk) -> None:
        self._store = store
        self._rules = rules
        self._pages = pages
        self._desk = desk

    def seen(self, message_id: int, headers: Headers) -> None:
        """The door has stored a message: perhaps there are faxes in it."""
        if wants_receipt(self._rules(), headers):
            done = Deferred.fromCoroutine(self.write(message_id, headers))
            done.addErrback(self._failed)

    async def write(self, message_id: int, headers: Headers) -> None:
        """Write the receipt of a message, if there are faxes in it that their sender wants to hear of."""
        rows = await self._store.queue.items(agent=AGENT, message_id=message_id, open_only=False)
        items = [one for one in reversed(rows) if "NEVER" not in _words(one.params.get("notify"))]
        user = self._store.directory.current().user_by_id.get(items[0].submitter_id or 0) if items else None
        if user is None or self._desk.tell is None:
            return
        words = [await self._line(item) for item in items[:_MOST]]
        if len(items) > _MOST:
            words.append(f"  and {len(items) - _MOST} more")
        address, _ = self._desk.answers_to(items, user)
        subject = headers.text("subject") or "your message"
        await self._desk.tell(
            user.id,
            f"Fax taken, not sent yet. {subject}",
            ["Your fax was taken. What becomes of it is told when it is over.", *words, self._how(items, user)],
            about=headers.own_id,
            reply_to=address,
        )

    async def _line(self, item: QueueItem) -> str:
        number, told = str(item.params.get("number", "")), ""
        try:
            body = await self._store.queue.body(item.message_id)
            sizes = await self._pages.sizes(await self._pages.of_body(body, item.params.get("cover")))
            rules = self._rules()
            expected = forecast(sizes, Toll(str(item.params.get("toll", "unknown"))), rules.prices)
            told = f", {expected.pages} page{'s' if expected.pages != 1 else ''}, about {expected.seconds:.0f} seconds"
            told += f", about {expected.cost:g}" if expected.cost else ""
        except (NotConvertible, MailshareError) as fault:
            self._log.info("a receipt for {trace} tells no pages: {why}", trace=item.trace, why=fault.public)
        return f"  Fax {item.id} to {number}{told}"

    @staticmethod
    def _how(items: Sequence[QueueItem], user: User) -> str:
        many = f" all {len(items)}" if len(items) > 1 else " it"
        return f"Answer this mail as {user.name} with STOP, as the only word of the first line, to give{many} up."

    def _failed(self, failure: Any) -> None:
        if failure.check(MailshareError):
            self._log.warn("a receipt is not written: {why}", why=failure.value.public)
        else:
            self._log.failure("a receipt could not be written", failure=failure)


def _words(value: object) -> Sequence[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else ()
