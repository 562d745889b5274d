"""Mails that a scanner cut into ``message/partial`` (RFC 2046 section 5.2.2): kept, and joined from their raw octets.

They are received and never sent. No digest and no request for what is missing exists for them, so they are taken only
of senders who may print, and all bounds of other jobs hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from hashlib import sha256

from attrs import frozen
from twisted.internet.defer import DeferredLock

from mailshare.core.envelope import Envelope
from mailshare.core.errors import PolicyRefusal, StorageFull
from mailshare.core.headers import Field, Headers, header_end, split_block
from mailshare.core.media_type import MediaType
from mailshare.core.print_manifest import MAX_PARTS
from mailshare.core.trace import trace_of
from mailshare.core.values import Event, Origin, PrintMail, PrintSet, SetPart, SetState, Source
from mailshare.interfaces import IBody
from mailshare.printing.brought import Brought, Judged, uuid_of
from mailshare.printing.mail_contents import leaf_octets
from mailshare.printing.service import PrintService
from mailshare.printing.taking import JobRefused

KIND = "message/partial"
PREFIX = "fragments:"  # of the keys of their sets
_LIFETIME = 24 * 3_600 * 1_000_000
_MOST_ID = 200
_INNER = frozenset({"subject", "message-id", "encrypted", "mime-version"})  # these, and Content-*, are the inner mail's
_HEADER = 64 * 1024  # octets of the inner header

Joined = Callable[[IBody, str, int], Awaitable[str]]
"""What is done with the whole mail: its body, trace and id in the store."""


@frozen
class Fragment:
    """What a fragment says of itself.

    :ivar total: 0 = it does not say.
    """

    id: str
    number: int
    total: int = 0

    @classmethod
    def read(cls, media: MediaType) -> Fragment:
        """Of a ``Content-Type``.

        :raises JobRefused: it says nothing that can be used.
        """
        name = media.parameters.get("id", "")
        number, total = (_count(media.parameters, key) for key in ("number", "total"))
        if not name or len(name) > _MOST_ID or not 0 < number <= MAX_PARTS or (total and number > total):
            raise JobRefused("bad-fragment", "The mail is a fragment that does not say of what")
        return cls(name, number, total)


def _count(parameters: Mapping[str, str], key: str) -> int:
    text = parameters.get(key, "0")
    return int(text) if text.isdecimal() and len(text) <= len(str(MAX_PARTS)) else 0


class Fragments:
    """Keeps them until all are there."""

    def __init__(self, service: PrintService) -> None:
        self._service = service
        self._sets = service.store.print_sets
        self._lock = DeferredLock()

    async def came(self, brought: Brought, who: Judged, joined: Joined) -> str:
        """A fragment of somebody who may print; in words what was done with it.

        :raises JobRefused: it cannot be used, or there is too much.
        """
        leaf = brought.contents.leaves[0] if brought.contents.leaves else None
        fragment = Fragment.read(MediaType.parse(brought.headers.first("content-type")))
        if leaf is None:
            raise JobRefused("bad-fragment", "The mail is a fragment without any octets")
        await self._lock.acquire()
        try:
            found = await self._set(brought, fragment, who)
            if found.state is not SetState.COLLECTING:
                return "It was taken before"
            if sum(part.length for part in found.have.values()) + leaf.length > brought.printer.limits.octets * 2:
                await self._sets.end(found, self._service.now(), "It became too large")
                raise JobRefused("too-large", "The fragments together are larger than is printed")
            part = SetPart(brought.item.message_id, leaf.offset, leaf.length, leaf.digest)
            event = Event(
                self._service.now(),
                "print.part",
                brought.item.trace,
                data={"printer": found.printer, "job": found.mail.id, "part": fragment.number, "of": fragment.total},
            )
            found = await self._added(brought, found, fragment.number, part, event)
            total = fragment.total or await self._total(found)
            if not total or any(number not in found.have for number in range(1, total + 1)):
                return f"Fragment {fragment.number} is here"
            return await self._join(brought, found, total, joined)
        finally:
            self._lock.release()

    async def _added(
        self, brought: Brought, found: PrintSet, number: int, part: SetPart, event: Event
    ) -> PrintSet:
        try:
            return await self._sets.add(found.id, number, part, event.at, [event], brought.printer.limits.bounds)
        except StorageFull:
            raise
        except PolicyRefusal as fault:
            raise JobRefused("too-much", fault.public) from None

    async def _set(self, brought: Brought, fragment: Fragment, who: Judged) -> PrintSet:
        name = sha256(fragment.id.encode()).hexdigest()
        # Fragments that were proved otherwise are another mail's: nobody adds his own to what somebody else began.
        key = f"{PREFIX}{who.proof.level}:{str(who.sender).casefold()}/{name}/{brought.printer.name}"
        now = self._service.now()
        mail = PrintMail(
            id=uuid_of(key),
            sender=str(who.sender),
            reply=str(who.sender),
            message_id=brought.about,
            trace=brought.item.trace,
            level=who.proof.level,
            proof=who.proof.words,
        )
        new = PrintSet(
            key=key,
            printer=brought.printer.name,
            created=now,
            expires=now + _LIFETIME,
            total=fragment.total,
            octets=0,
            digest=name,
            mail=mail,
            last=now,
        )
        try:
            return await self._sets.open(new, brought.printer.limits.bounds)
        except StorageFull:
            raise
        except PolicyRefusal as fault:
            raise JobRefused("too-much", fault.public) from None

    async def _total(self, found: PrintSet) -> int:
        """How many there are, as one of those that are here says; only the last need say it."""
        for part in found.have.values():
            stored = await self._service.store.message(part.message_id)
            if stored is not None:
                headers = Headers.parse(await stored[0].header())
                total = Fragment.read(MediaType.parse(headers.first("content-type"))).total
                if total:
                    return total
        return 0

    async def _join(self, brought: Brought, found: PrintSet, total: int, joined: Joined) -> str:
        store = self._service.store
        trace = trace_of(found.mail.id)
        known = await store.find(trace)
        if known:
            number = known[0][0]
        else:
            sink = store.new_body(sum(part.length for part in found.have.values()))
            try:
                async for piece in self._octets(found, total):
                    wait = sink.write(piece)
                    if wait is not None:
                        await wait
                body = await sink.finish()
            except BaseException:
                sink.abort()
                raise
            origin = Origin(Source.PRINT, trace, user_id=brought.item.submitter_id)
            envelope = Envelope(brought.item.sender, ())
            number = (await store.delivery.deliver(envelope, body, origin, [], at=self._service.now())).message_id
        stored = await store.message(number)
        if stored is None:
            raise JobRefused("lost-part", "The joined mail is not kept any more")
        try:
            words = await joined(stored[0], trace, number)
        except PolicyRefusal as fault:
            await self._sets.end(found, self._service.now(), fault.public)
            raise
        await self._sets.end(found, self._service.now(), "it was joined")
        return words

    async def _octets(self, found: PrintSet, total: int) -> AsyncIterator[bytes]:
        """The whole mail: the outer header of the first, with what the inner one says of the mail itself."""
        for number in range(1, total + 1):
            part = found.have[number]
            stored = await self._service.store.message(part.message_id)
            if stored is None:
                raise JobRefused("lost-part", f"Fragment {number} is not kept any more")
            octets = leaf_octets(stored[0], part.offset)
            if number == 1:
                octets = _begun(Headers.parse(await stored[0].header()), octets)
            last = b""
            async for piece in octets:
                last = piece
                yield piece
            if not last.endswith(b"\n"):
                yield b"\r\n"  # fragments are cut behind lines


async def _begun(outer: Headers, octets: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The first fragment with the header of the joined mail in place of the inner one."""
    held: bytes | None = b""
    async for piece in octets:
        if held is None:
            yield piece
            continue
        held += piece
        end = header_end(held)
        if end < len(held) or len(held) > _HEADER:
            yield whole_header(outer, held[:end]) + held[end:]
            held = None
    if held:
        yield whole_header(outer, held)


def whole_header(outer: Headers, inner: bytes) -> bytes:
    """The header of the joined mail, with its empty line (RFC 2046 section 5.2.2.1)."""
    own = [each for each in split_block(inner)[0] if _of_the_mail(each)]
    kept = [each for each in outer.fields if not _of_the_mail(each)]
    return b"".join(each.raw for each in (*kept, *own)) + b"\r\n"


def _of_the_mail(one: Field) -> bool:
    return one.key in _INNER or one.key.startswith("content-")
