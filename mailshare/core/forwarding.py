"""Mail that a user has sent on to addresses outside: which, from whom on the envelope, and with what on top.

The message goes on as it came; only the envelope is ours. Its sender is the account's address, so that the provider
may send it (SPF, RFC 7208, is about the envelope), and the null sender stays the null sender. What came from here, what
goes in a circle and what already reaches the target is not sent on, and then the mailbox keeps it in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.derived import derived
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.identity import envelope_sender
from mailshare.core.ladder import step
from mailshare.core.recipients import Outside, resolve_recipient
from mailshare.core.values import Account, Directory, Hop, Origin, Routing, Step, Target, User

FORWARD = "forward"
"""Reason of a hop that was made by forwarding.

Its ``params`` name the user as ``forward_for``, and why he got the message as ``forward_reason``.
"""

MAX_HOPS = 30
_NEVER = frozenset({"loop", "oversize", "trouble", "report"})


@frozen
class Onward:
    """What forwarding adds and takes away.

    :ivar emptied: ids of users whose mailbox does not keep the message.
    """

    hops: tuple[Hop, ...] = ()
    emptied: frozenset[int] = frozenset()
    steps: tuple[Step, ...] = ()


_NOTHING = Onward()


def forward(
    targets: Sequence[Target],
    headers: Headers,
    envelope: Envelope,
    origin: Origin,
    directory: Directory,
    *,
    came_back: bool,
    held: str = "",
) -> Onward:
    """Where a message goes besides the mailboxes it was sorted into.

    :param came_back: it bears this office's trace: it left here before.
    :param held: of mail that ADMIN gives by hand, the reason for which ADMIN had it.
    """
    away = forwarding(directory)
    if not away:
        return _NOTHING
    hops: list[Hop] = []
    steps: list[Step] = []
    emptied: set[int] = set()
    for target in targets:
        user = away.get(target.user_id)
        if user is None:
            continue
        why = _why_not(user, (target.reason, held), headers, came_back=came_back)
        why = why or ("the provider takes it for junk" if origin.junk else "")
        if why:
            steps.append(step("not-forwarded", f"for {user.name}: {why}"))
            continue
        made = list(_hops(user, target, envelope, origin, directory))
        fresh = [hop for hop in made if all(hop.address.casefold() != old.address.casefold() for old in hops)]
        hops += fresh
        steps += [step(FORWARD, f"{hop.address} for {user.name}") for hop in fresh]
        # Only a row of its own answers for the message: when the row fails, the mailbox gets the message after all.
        if fresh and not user.forward_keep:
            emptied.add(user.id)
    return Onward(tuple(hops), frozenset(emptied), tuple(steps))


@derived
def forwarding(directory: Directory) -> Mapping[int, User]:
    """The users who have mail sent on, by id; in most offices few or nobody."""
    return {user.id: user for user in directory.users if user.forward}


def forwarders(routing: Routing) -> dict[int, str]:
    """The users who have a message sent on, and why they got it."""
    return {
        int(str(hop.params["forward_for"])): str(hop.params.get("forward_reason", ""))
        for hop in routing.hops
        if hop.params.get("forward_for")
    }


def _why_not(user: User, reasons: Sequence[str], headers: Headers, *, came_back: bool) -> str:
    if came_back:
        return "it left this office before"
    if barred := next((reason for reason in reasons if reason in _NEVER), ""):
        return f"reason {barred}"
    if user.local_only:
        return "he has no mail with the outside"
    return "too many Received lines" if len(headers.named("received")) >= MAX_HOPS else ""


def _hops(
    user: User, target: Target, envelope: Envelope, origin: Origin, directory: Directory
) -> Iterator[Hop]:
    account = _account(user, origin, directory)
    if account is None:
        return
    sender = "<>" if envelope.sender is None else str(envelope_sender(user, account))
    for address in user.forward:
        local = not isinstance(
            resolve_recipient(address, sender_user=None, directory=directory, trusted=True), Outside
        )
        back = envelope.sender is not None and envelope.sender.key == address.key
        if not local and not back and all(each.address.key != address.key for each in envelope.recipients):
            params = {
                "forward_for": user.id,
                "forward_keep": user.forward_keep,
                "forward_reason": target.reason,
                "top": _delivered_to(target.prefix),
            }
            yield Hop("relay", str(address), FORWARD, account.id, params=params, sender=sender)


def _account(user: User, origin: Origin, directory: Directory) -> Account | None:
    """The account it came by when the user shares it, else his first."""
    wanted = [origin.account_id] if origin.account_id in user.accounts else list(user.accounts)
    accounts = [directory.account_by_id[one] for one in wanted if one in directory.account_by_id]
    if not accounts:
        accounts = [each for each in directory.accounts if each.admin == user.name]
    return accounts[0] if accounts else None


def _delivered_to(prefix: bytes) -> str:
    """The ``Delivered-To`` line of the copy, which goes on with it, so that it is known when it comes round.

    And the empty line below it, if the message begins with its text.
    """
    first = prefix.partition(b"\r\n")[0]
    line = first.decode("utf-8", "replace") + "\r\n" if first.lower().startswith(b"delivered-to:") else ""
    return line + "\r\n" if prefix.endswith(b"\r\n\r\n") else line


def refused_targets(addresses: Sequence[Address], directory: Directory) -> str:
    """Why these addresses cannot be forwarded to; empty when they can. Local people are what ``cc`` is for."""
    for address in addresses:
        if not address.domain:
            return f"{address} has no domain; for a copy to somebody here use cc"
        if not isinstance(resolve_recipient(address, sender_user=None, directory=directory, trusted=True), Outside):
            return f"{address} is an address of this office; for a copy to somebody here use cc"
    return ""
