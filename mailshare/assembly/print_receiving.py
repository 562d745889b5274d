"""The printing server of an office: who takes jobs out of mail, with all that it asks."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from mailshare.assembly.print_news import PrintNewsRoom
from mailshare.interfaces import IDocuments
from mailshare.printing.by_mail import Reveal
from mailshare.printing.printer_agent import PrinterAgent
from mailshare.printing.proving import Prover
from mailshare.printing.service import PrintService
from mailshare.printing.taking import Taking
from mailshare.shell.text_records import TextRecords


class PrintReceiving:
    """Its agent of the queue, and the parts behind it.

    :param aside: what takes long runs there.
    :ivar agent: for the queue.
    :ivar records: asks the DNS for keys of domains.
    """

    def __init__(
        self, service: PrintService, reactor: Any, zone: tzinfo, aside: Any, documents: IDocuments
    ) -> None:
        self._reveal: Reveal | None = None
        self.records = TextRecords(reactor)
        prover = Prover(self._secret, self.records, aside)
        self._taking = Taking(service, zone)
        self._taking.documents = documents
        self.agent = PrinterAgent(service, self._taking, prover, self._secret)

    def use(self, reveal: Reveal, news: PrintNewsRoom) -> None:
        """Who reads secrets, who tells senders, and who takes their answers."""
        self._reveal = reveal
        self.agent.teller, self.agent.replies = news.desk, news.replies
        news.replies.taking = self._taking

    async def _secret(self, reference: object) -> str:
        """The text behind a reference to a secret of a printer."""
        assert self._reveal is not None
        return await self._reveal(reference)
