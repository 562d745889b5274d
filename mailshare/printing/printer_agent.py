"""The printing server's agent: takes mails that the router sent to a printer, and makes parts and jobs of them.

A row of the queue is done when its mail was understood, whatever came of that: what is refused is told in the journal,
and to a sender who proved who he is. Nothing ever goes back to a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError, PeerFault
from mailshare.core.media_type import MediaType
from mailshare.core.print_manifest import ManifestRefused, PrintManifest
from mailshare.core.print_policy import Proof, judged
from mailshare.core.print_words import Wishes, wishes
from mailshare.core.values import Event, Outcome, PrintJob, PrintNews, PrintState, QueueItem, QueueState
from mailshare.interfaces import IAgent, IBody, ILaned, IPrintReplies, IPrintTeller
from mailshare.printing.brought import Brought, Judged, uuid_of
from mailshare.printing.collecting import Collecting, manifest_of
from mailshare.printing.fragments import KIND as FRAGMENT
from mailshare.printing.fragments import Fragments
from mailshare.printing.mail_contents import read_contents
from mailshare.printing.plain_mail import PlainMails, why_no_job, without
from mailshare.printing.proving import Prover, Reveal, Sent, one_sender
from mailshare.printing.service import PrintService
from mailshare.printing.taking import JobRefused, Taking
from mailshare.wire.jws import Signed, unwrap
from mailshare.wire.print_mail import MANIFEST_KIND

AGENT = "printer"
_AT_ONCE = 2  # mails to one printer
_LOOK = 30  # seconds between two looks at what is being collected
_FINAL = {
    PrintState.COMPLETED: "it was printed",
    PrintState.CANCELED: "it was cancelled",
    PrintState.ABORTED: "it was not printed, or not all of it,",
}


class _Refused(Exception):
    """Nothing is printed of a mail.

    :ivar reason: for machines; ``words`` for people.
    :ivar level: what its sender has proved, ``kid`` by which key. :ivar manifest: of the job that was refused.
    """

    def __init__(
        self, reason: str, words: str, level: int = 0, manifest: PrintManifest | None = None, kid: str = ""
    ) -> None:
        super().__init__(words)
        self.reason = reason
        self.words = words
        self.level = level
        self.manifest = manifest
        self.kid = kid


@implementer(ILaned, IAgent)
class PrinterAgent:
    """Tries rows of the queue whose agent is ``printer``.

    :param prover: decides levels. :param reveal: reads secret tags.
    :ivar teller: brings news to senders; ``replies`` takes their answers; both are set by whoever has them.
    """

    name = AGENT
    _log = Logger()

    def __init__(self, service: PrintService, taking: Taking, prover: Prover, reveal: Reveal) -> None:
        self._service = service
        self._prover = prover
        self._reveal = reveal
        self.taking = taking
        self.teller: IPrintTeller | None = None
        self.replies: IPrintReplies | None = None
        self.collecting = Collecting(service, taking, self._tell, prover.key_of)
        self._plain = PlainMails(service, taking, self._tell)
        self._fragments = Fragments(service)
        self._clock: IReactorTime = service.reactor
        self._look = LoopingCall(self._looked)
        self._look.clock = self._clock
        service.board.watching.append(self._changed)

    def start(self) -> None:
        """Look after what is being collected, now and every half minute."""
        if not self._look.running:
            self._look.start(_LOOK)

    def stop(self) -> None:
        """Look after nothing any more."""
        if self._look.running:
            self._look.stop()

    async def _looked(self) -> None:
        if not self._service.printers:
            return
        try:
            await self.collecting.look()
        except MailshareError as fault:
            self._log.warn("jobs that are being collected could not be looked after: {fault}", fault=fault.public)

    def lane(self, item: QueueItem) -> str:
        """Printers do not wait for one another."""
        return item.device

    def room(self, item: QueueItem) -> int:
        """Some mails at once to each."""
        del item
        return _AT_ONCE

    async def deliver(
        self, batch: Sequence[QueueItem], progress: Callable[[int, Mapping[str, object]], None]
    ) -> Sequence[Outcome]:
        """Take in the mails of some rows."""
        del progress
        return [await self._try(item) for item in batch]

    async def _try(self, item: QueueItem) -> Outcome:
        try:
            words = await self._take(item)
        except MailshareError as fault:
            return Outcome(item.id, QueueState.QUEUED, self._service.now(), 451, "4.0.0", fault.public)
        return Outcome(item.id, QueueState.DELIVERED, self._service.now(), 250, "2.0.0", words)

    async def _take(self, item: QueueItem) -> str:
        printer = self._service.printers.get(item.device)
        stored = await self._service.store.message(item.message_id)
        if printer is None or stored is None:
            return "There is no such printer any more" if printer is None else "The mail is not kept any more"
        contents = await read_contents(stored[0])
        tags = item.params.get("tags", ())
        brought = Brought(
            printer,
            item,
            stored[0],
            contents,
            one_sender(contents.headers),
            tuple(str(each) for each in tags) if isinstance(tags, (list, tuple)) else (),
        )
        try:
            if contents.manifest is not None:
                return await self._job(brought)
            partial = MediaType.parse(contents.headers.first("content-type")).name == FRAGMENT
            return await (self._fragment(brought) if partial else self._ordinary(brought))
        except _Refused as refused:
            await self._refused(brought, refused)
            return f"Not printed: {refused.words}"

    # ------------------------------------------------------------------ jobs of a mailshare

    async def _job(self, brought: Brought) -> str:
        printer, octets = brought.printer, brought.contents.manifest
        assert octets is not None
        try:
            signed = unwrap(octets, kind=MANIFEST_KIND)
            manifest = manifest_of(signed.payload, printer, self._addresses(printer.name), self._service.now())
        except ManifestRefused as fault:
            raise _Refused(fault.reason, fault.public) from None
        except JobRefused as fault:
            raise _Refused(fault.reason, fault.public) from None
        except PeerFault as fault:
            raise _Refused("bad-manifest", fault.public) from None
        if brought.sender is None or brought.sender.key != manifest.sender.key:
            words = f"the job is by {manifest.sender}, and the mail that brought it is not"
            raise _Refused("another-sender", words, manifest=manifest)
        proof = await self._proof(brought, signed)
        who = self._judged(brought, proof, manifest)
        try:
            return await self.collecting.came(brought, manifest, signed.payload, who)
        except JobRefused as fault:
            raise _Refused(fault.reason, fault.public, proof.level, manifest, proof.kid) from None

    async def _proof(self, brought: Brought, signed: Signed) -> Proof:
        if not signed.kid:
            return await self._prover.prove(brought.printer, self._sent(brought, ""))
        assert brought.sender is not None
        proof = await self._prover.signed_by(brought.printer, signed, brought.sender)
        if proof is None:
            words = f"the signature by {signed.kid} is by no key that signs for its sender here"
            raise _Refused("bad-signature", words)
        return proof

    def _judged(self, brought: Brought, proof: Proof, manifest: PrintManifest | None = None) -> Judged:
        verdict = judged(brought.printer.policy, brought.sender, proof)
        if not verdict.allowed or brought.sender is None:
            raise _Refused("not-allowed", verdict.words, proof.level, manifest, proof.kid)
        return Judged(brought.sender, proof, verdict)

    # ------------------------------------------------------------------ ordinary mails

    async def _ordinary(self, brought: Brought) -> str:
        headers, printer = brought.headers, brought.printer
        secrets = [await self._reveal(each) for each in printer.tags] if brought.tags else []
        tags = without(brought.tags, secrets)
        asked, name = wishes(tags, headers.text("subject"), brought.contents.lines)
        proof = await self._prover.prove(printer, self._sent(brought, asked.pin))
        if self.replies is not None and await self.replies.take(
            printer.name, brought.item.message_id, headers, proof.level
        ):
            return "It is an answer to what the printer told"
        why = why_no_job(brought)
        if why or not printer.plain:
            raise _Refused("no-job", why or "only jobs of a mailshare are printed here")
        who = self._judged(brought, proof)
        if await self._is_pin(brought, asked.pin):
            asked = evolve(asked, pin="", hold=False)  # it opened the printer, and closes no job
        try:
            return await self._plain.came(brought, who, _bounded(asked), name)
        except JobRefused as fault:
            raise _Refused(fault.reason, fault.public, proof.level) from None

    async def _fragment(self, brought: Brought) -> str:
        """A piece of a mail that a scanner cut; printed as that mail once all are here."""
        printer = brought.printer
        who = self._judged(brought, await self._prover.prove(printer, self._sent(brought, "")))

        async def joined(body: IBody, trace: str, message_id: int) -> str:
            item = evolve(brought.item, trace=trace, message_id=message_id)
            whole = evolve(brought, item=item, body=body, contents=await read_contents(body))
            asked, name = wishes((), whole.headers.text("subject"), whole.contents.lines)
            return await self._plain.came(whole, who, _bounded(asked), name)

        try:
            if not printer.plain:
                raise JobRefused("no-job", "only jobs of a mailshare are printed here")
            return await self._fragments.came(brought, who, joined)
        except JobRefused as fault:
            raise _Refused(fault.reason, fault.public, who.proof.level) from None

    async def _is_pin(self, brought: Brought, pin: str) -> bool:
        reference = brought.printer.pin
        return bool(pin and reference) and (await self._reveal(reference)).strip() == pin

    @staticmethod
    def _sent(brought: Brought, pin: str) -> Sent:
        return Sent(
            headers=brought.headers,
            body=brought.body,
            sender=brought.sender,
            login=brought.item.submitter_id is not None,
            tags=brought.tags,
            pin=pin,
        )

    # ------------------------------------------------------------------ news

    async def _refused(self, brought: Brought, refused: _Refused) -> None:
        """Write it down; tell a sender who proved who he is, and nobody else."""
        now, item, manifest = self._service.now(), brought.item, refused.manifest
        data = {"printer": brought.printer.name, "reason": refused.reason, "why": refused.words}
        await self._service.store.events.append([Event(now, "print.mail-refused", item.trace, data=data)])
        if refused.level == 0 or refused.reason == "told" or brought.sender is None:
            return
        news = PrintNews(
            happening="refused",
            printer=brought.printer.name,
            id=manifest.id if manifest is not None else uuid_of(item.trace),
            at=now,
            to=str(brought.sender),
            name=manifest.name if manifest is not None else brought.headers.text("subject")[:100],
            message_id=brought.about,
            trace=item.trace,
            kid=refused.kid,
            level=refused.level,
            error=refused.reason,
            words=refused.words,
        )
        await self._tell(news)

    async def _tell(self, news: PrintNews) -> None:
        if self.teller is not None and news.to:
            await self.teller.tell(news)

    def _addresses(self, name: str) -> tuple[Address, ...]:
        places = self._service.store.directory.current().printers
        return next((place.addresses for place in places if place.name == name), ())

    def _changed(self, before: PrintJob | None, after: PrintJob | None) -> None:
        """A print job has come to its end."""
        if after is None or not after.state.final or (before is not None and before.state.final):
            return
        mail = after.ticket.mail
        if mail is not None and after.ticket.queue in self._service.printers:
            self._service.soon(self.collecting.job_over(mail, after.ticket.queue, _FINAL[after.state]))


def _bounded(asked: Wishes) -> Wishes:
    """Words that nobody knows come from strangers: a few of them are told."""
    return evolve(asked, unknown=asked.unknown[:10])
