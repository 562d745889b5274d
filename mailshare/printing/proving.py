"""Finds out how well the sender of a mail to a printer proved who he is."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.authentication import is_authenticated
from mailshare.core.evidence import TrustedBlock
from mailshare.core.headers import Headers
from mailshare.core.print_policy import Proof, fits
from mailshare.interfaces import IBody
from mailshare.printing.local_printer import LocalPrinter, PrinterKey
from mailshare.shell.body_pieces import pieces
from mailshare.wire.jws import Algorithm, Signed, SigningKey, verified

if TYPE_CHECKING:
    from mailshare.printing.dkim_check import Signature

MOST_CHECKED = 40 << 20  # octets of a mail whose DKIM signatures are looked at; it is held in memory for that
_MOST_SIGNATURES = 5
_RESULTS = "authentication-results"

Reveal = Callable[[object], Awaitable[str]]
"""The text behind a secret reference."""
TextRecord = Callable[[str], Awaitable[bytes | None]]
"""The TXT record of a name, its strings joined; ``None`` when there is none. Raises Unavailable: ask again later."""


@frozen
class Sent:
    """What is known of a mail before anybody proved anything.

    :ivar sender: the one address in ``From``; ``None`` when there is not exactly one.
    :ivar login: who handed it in had logged in here.
    :ivar tags: of the printer's address. :ivar pin: that the mail names, or empty.
    """

    headers: Headers
    body: IBody
    sender: Address | None
    login: bool
    tags: Sequence[str]
    pin: str = ""


def _server(value: str) -> str:
    """The authserv-id of an ``Authentication-Results`` value, casefolded."""
    return (value.partition(";")[0].split() or [""])[0].casefold()


def one_sender(headers: Headers) -> Address | None:
    """The one address of the one ``From`` field; ``None`` when there is none or more than one."""
    boxes = headers.mailboxes("from")
    if len(headers.named("from")) != 1 or len(boxes) != 1 or not boxes[0].address.domain:
        return None
    return boxes[0].address


class Prover:
    """Decides levels.

    :param reveal: reads keys, tags and PINs.
    :param text_record: asks the DNS.
    :param aside: runs what takes long in a thread.
    """

    def __init__(self, reveal: Reveal, text_record: TextRecord, aside: Any) -> None:
        self._reveal = reveal
        self._text_record = text_record
        self._aside = aside

    async def key_of(self, key: PrinterKey) -> SigningKey:
        """A key of a printer, for verifying.

        :raises ConfigFault: its reference leads nowhere.
        """
        if key.public:
            return SigningKey(key.kid, Algorithm.EDDSA, public=key.public)
        return SigningKey(key.kid, Algorithm.HS256, secret=(await self._reveal(key.secret)).encode())

    async def signed_by(self, printer: LocalPrinter, signed: Signed, sender: Address) -> Proof | None:
        """The proof of a signature; ``None`` when it is none of a key that signs for this sender here."""
        key = printer.keys.get(signed.kid)
        if key is None or (key.senders and not fits(key.senders, sender)):
            return None
        if not verified(signed, await self.key_of(key)):
            return None
        return Proof(3, f"the key {key.kid} signed it", key.kid)

    async def prove(self, printer: LocalPrinter, sent: Sent) -> Proof:
        """The best that a mail without a signature of ours proves."""
        if sent.login:
            return Proof(3, "its sender logged in here")
        if await self._secret(printer, sent):
            return Proof(2, "it names a secret of the printer")
        sender = sent.sender
        if sender is None or not fits(printer.policy.allow, sender):
            return Proof(0, "its sender is not on the list" if sender is not None else "it names no one sender")
        domain = sender.key[1]
        if self._vouched(printer, sent.headers, domain):
            words = f"a trusted server says that it comes from {domain}"
            return Proof(1, words, mark=_mark(sent.headers, next(iter(_signatures(sent.headers, domain)), None)))
        signature = await self._signed_by_domain(sent, domain)
        if signature is not None:
            return Proof(1, f"the signature of {domain} fits", mark=_mark(sent.headers, signature))
        return Proof(0, f"nothing shows that it comes from {domain}")

    async def _secret(self, printer: LocalPrinter, sent: Sent) -> bool:
        """An unguessable tag of the address, or the PIN; compared in constant time, whatever their case."""
        found = False
        for reference in printer.tags if sent.tags else ():
            secret = (await self._reveal(reference)).strip().casefold().encode()
            for tag in sent.tags:
                found |= hmac.compare_digest(tag.casefold().encode(), secret)
        if printer.pin and sent.pin:
            pin = (await self._reveal(printer.pin)).strip().encode()
            found |= hmac.compare_digest(sent.pin.encode(), pin)
        return found

    @staticmethod
    def _vouched(printer: LocalPrinter, headers: Headers, domain: str) -> bool:
        """What a configured server wrote (RFC 8601 section 5); fields below the first strange hop do not count."""
        names = {name.casefold() for name in printer.policy.authserv}
        if not names:
            return False
        block = TrustedBlock.of(headers, names)
        own = tuple(each for each in block.fields if each.key == _RESULTS and _server(each.value) in names)
        return is_authenticated(TrustedBlock(own), domain)

    async def _signed_by_domain(self, sent: Sent, domain: str) -> Signature | None:
        """The first signature of the domain that fits."""
        signatures = _signatures(sent.headers, domain)
        if not signatures or sent.body.size > MOST_CHECKED:
            return None
        from mailshare.printing.dkim_check import verifies  # noqa: PLC0415 - only for mails that are signed

        for signature, index in signatures.items():
            record = await self._text_record(signature.place)
            if record is None:
                continue
            octets = b"".join([piece async for piece in pieces(sent.body)])
            if await self._aside(partial(verifies, octets, index, record)):
                return signature
        return None


def _signatures(headers: Headers, domain: str) -> dict[Signature, int]:
    """The signatures that speak for a domain, each with its place among the fields."""
    values = headers.all("dkim-signature")[:_MOST_SIGNATURES]
    if not values:
        return {}
    from mailshare.printing.dkim_check import Signature  # noqa: PLC0415 - as above

    read = [(Signature.read(value), index) for index, value in enumerate(values)]
    return {one: index for one, index in read if one is not None and one.speaks_for(domain)}


def _mark(headers: Headers, signature: Signature | None) -> str:
    """What a signed mail is known by; empty where its Message-ID does, because it is signed and the only one.

    A copy with another Message-ID, or with a second one on top, which no signature covers (RFC 6376 section 5.4.2),
    would else be printed as a mail of its own.
    """
    if signature is None or ("message-id" in signature.covers and len(headers.named("message-id")) == 1):
        return ""
    return f"dkim:{signature.mark}"
