"""Sorting of collected mail: limits and loops first, then the ladder of the account's kind, then ADMIN.

Pure functions of what a message says and of the directory. What the sorting rules of local mail are stands in
:mod:`mailshare.core.recipients`.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.address import Address
from mailshare.core.authentication import is_authenticated
from mailshare.core.evidence import TrustedBlock, envelope_candidates
from mailshare.core.headers import Headers
from mailshare.core.ladder import Decision, Hit, Ladder, addressed, list_marks, step
from mailshare.core.mailboxes import split_address
from mailshare.core.people import Sharers, people_of
from mailshare.core.printer_places import Printed, printer_at
from mailshare.core.recipients import Local, Named, Outside, Resolution, Unknown, old_form, resolve_recipient
from mailshare.core.returned_parts import is_report, references, returned_ids
from mailshare.core.sorting_options import SortingOptions
from mailshare.core.values import Account, AccountMode, Directory, SentMark, User

__all__ = [
    "Decision",
    "Hit",
    "Local",
    "Named",
    "Outside",
    "Printed",
    "Resolution",
    "Unknown",
    "addressed",
    "delivered_to",
    "impersonates",
    "is_known_sender",
    "is_report",
    "ladder_for",
    "list_marks",
    "may_write_to_public",
    "old_form",
    "printer_at",
    "printers_of",
    "references",
    "resolve_recipient",
    "returned_ids",
    "sort_collected",
    "written_envelope",
]

MAX_HOPS = 50
_STRANGERS, _SHORT = 1_000, 200  # From fields that are remembered, and octets of the longest of them


def delivered_to(user: User, directory: Directory) -> Address:
    """What the ``Delivered-To`` line of a copy holds: the user's login at this server's own name.

    It is the address after our delivery (RFC 9228). No provider writes this server's name, so finding the line among
    the trusted fields of a fetched message means that the message went round.
    """
    return Address(user.name, directory.hostname)


def ladder_for(
    headers: Headers, account: Account, directory: Directory, known: Mapping[str, SentMark], *, local: bool = False
) -> Ladder:
    """The ladder of an account, ready to climb; ``local`` when the message comes from somebody here."""
    people = people_of(directory)
    sharers = people.sharers[account.id]
    block = TrustedBlock.of(headers, sharers.options.trusted_by)
    return Ladder(headers, sharers, people, directory.user_by_id, known, block, local)


def sort_collected(
    headers: Headers, account: Account, directory: Directory, known: Mapping[str, SentMark]
) -> Decision:
    """Who of an account gets a collected message.

    Never raises for what the message says. An empty result means ADMINn, for the reason in ``fallback``.

    :param known: Message-IDs of ours among :func:`references` and, for a report, among :func:`returned_ids`.
    """
    if headers.oversize:
        why = step("oversize", "the header passes the limits, nobody is guessed from it")
        return Decision(steps=[why], fallback="oversize")
    ladder = ladder_for(headers, account, directory, known)
    went_round = _loop(headers, ladder.block, account, directory)
    if went_round:
        return Decision(steps=[step("loop", went_round)], fallback="loop")
    return ladder.sort()


def written_envelope(headers: Headers, account: Account, directory: Directory) -> tuple[bytes, ...]:
    """The octets of what the provider wrote of a message's envelope, where they may decide alone who gets it.

    A domain account asks them first. Where :attr:`Decision.by_envelope` says that they decided, the same octets decide
    the same again. Empty when something else may.
    """
    if account.mode is not AccountMode.DOMAIN or directory.printers or headers.oversize:
        return ()
    options = people_of(directory).sharers[account.id].options
    block = TrustedBlock.of(headers, options.trusted_by)
    if _loop(headers, block, account, directory):
        return ()
    telling = options.envelope_headers
    return tuple([each.raw for each, name in zip(block.fields, headers.names(), strict=False) if name in telling])


def printers_of(headers: Headers, account: Account, directory: Directory) -> list[tuple[Printed, Address]]:
    """The printers that a collected message is for, each once, with the address that says so.

    What the provider wrote about the envelope counts first, then whom the message is addressed to. A mailbox of which
    the own address is a printer's is that printer's: what names none is for it.
    """
    if not directory.printers or headers.oversize:
        return []
    options = people_of(directory).sharers[account.id].options
    block = TrustedBlock.of(headers, options.trusted_by)
    found: dict[str, tuple[Printed, Address]] = {}
    envelope = [each for _, some in envelope_candidates(block, options.envelope_headers) for each in some]
    for addresses in (envelope, [box.address for _, box in addressed(headers)]):
        for address in addresses:
            printed = printer_at(address, directory)
            if printed is not None:
                known = found.get(printed.place.name)
                if known is None or len(known[0].tags) < len(printed.tags):
                    found[printed.place.name] = (printed, address)
        if found:
            return list(found.values())
    own = printer_at(account.address, directory)
    return [] if own is None else [(own, account.address)]


def _loop(headers: Headers, block: TrustedBlock, account: Account, directory: Directory) -> str:
    """Why this message goes in circles; empty when it does not.

    A server that is called like the mail's own domain, or ``localhost``, writes what providers write too; there only
    the count of hops tells.
    """
    hops = len(headers.named("received"))
    if hops > MAX_HOPS:
        return f"{hops} Received lines"
    host = directory.hostname.casefold().rstrip(".")
    if host == "localhost" or host == account.address.key[1] or host in account.domains:
        return ""
    for value in block.values("delivered-to"):
        address = split_address(value.strip().strip("<>"))
        if address is not None and address.key[1] == host and address.key[0] in directory.user_by_name:
            return f"was delivered here before: {value}"
    return ""


def impersonates(headers: Headers, sharers: Sharers, directory: Directory) -> str:
    """Why a message from outside may pretend to come from here; empty when it does not.

    The name in From is a local user's, or ADMINn's, while the address is not of this office; or the address is of this
    office and the provider did not write that it is authentic.
    """
    written = headers.by_name.get("from", ())
    strangers = sharers.strangers
    if len(written) == 1 and written[0].raw in strangers:
        return ""
    outside = True
    for box in headers.mailboxes("from"):
        if any(_is_own(box.address, account) for account in directory.accounts):
            block = TrustedBlock.of(headers, sharers.options.trusted_by)
            if not is_authenticated(block, box.address.key[1]):
                return f"From has an address of this office, and nobody vouches for it: {box.address}"
            outside = False
            continue
        match = sharers.names.match(box.name)
        if match.level in {"L1", "L2", "L3"} and (match.user_ids or match.contenders):
            return f"From has the name of somebody here and a strange address: {box.name}"
    if outside and len(written) == 1 and len(written[0].raw) <= _SHORT:
        if len(strangers) >= _STRANGERS:
            strangers.clear()
        strangers.add(written[0].raw)
    return ""


def _is_own(address: Address, account: Account) -> bool:
    if account.mode is AccountMode.DOMAIN:
        return address.key[1] in account.domains
    return address.key in {own.key for own in (account.address, *account.aliases)}


def may_write_to_public(
    options: SortingOptions, *, local: bool, known_sender: bool, sent_last_hour: int
) -> str:
    """May this sender write to everybody? Empty when he may, else the reason code.

    :param local: the sender logged in here.
    :param known_sender: he answers a message of ours, or is listed or taught.
    :param sent_last_hour: his messages to everybody of this account in the last hour, without this one.
    """
    if not local and (options.public_from == "local" or (options.public_from == "known" and not known_sender)):
        return "public-refused"
    return "public-capped" if sent_last_hour >= options.public_rate else ""


def is_known_sender(headers: Headers, account: Account, directory: Directory, known: Mapping[str, SentMark]) -> bool:
    """The sender answers a message of ours, or is listed in ``known_senders``, or a rule was taught for him."""
    people = people_of(directory)
    sharers = people.sharers[account.id]
    if any(message_id in known for message_id in references(headers)):
        return True
    for box in headers.mailboxes("from"):
        address, domain = str(box.address).casefold(), "@" + box.address.key[1]
        if sharers.options.known_senders & {address, domain}:
            return True
        if (account.id, "from", address) in people.rules or (account.id, "from", domain) in people.rules:
            return True
    return False
