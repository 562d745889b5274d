"""Sends a fax once more: the same message, to the same number, in the name of whoever sent it."""

from __future__ import annotations

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import NotPossible, PolicyRefusal
from mailshare.core.values import Origin, QueueItem, QueueState, Source, User
from mailshare.interfaces import IIntake, IStore
from mailshare.shell.new_body import copied

_KEPT = ("cover", "title", "company", "urgent", "priority")
"""What was said of the fax beside its number; times that are over say nothing of another try."""


async def send_again(store: IStore, door: IIntake, row: QueueItem, trace: str) -> list[int]:
    """Hand it in again, from its first page.

    :param trace: of the new message.
    :returns: the new rows.
    :raises NotPossible: it is not over, or its sender is gone.
    :raises PolicyRefusal: its sender may not send there any more.
    """
    if row.state in (QueueState.QUEUED, QueueState.ACTIVE, QueueState.HELD):
        raise NotPossible(f"Fax {row.id} is not over yet; mailshare outbox retry {row.id} tries it now")
    if row.params.get("poll"):
        raise NotPossible(f"Fax {row.id} was fetched, and not sent; mailshare fax poll fetches again")
    sender = store.directory.current().user_by_id.get(row.submitter_id or 0)
    if sender is None:
        raise NotPossible(f"Whoever sent fax {row.id} is not here any more")
    body = await copied(store, await store.queue.body(row.message_id))
    wished = {name: row.params[name] for name in _KEPT if row.params.get(name)}
    recipient = Recipient(Address.parse(row.address), params=wished)
    envelope = Envelope(sender_address(store, sender), (recipient,), size=body.size)
    receipt = await door.accept(envelope, body, Origin(Source.WEB, trace, user_id=sender.id))
    rows = await store.queue.items(agent="fax", message_id=receipt.message_id, open_only=False)
    if not rows:
        raise PolicyRefusal(f"Fax {row.id} may not be sent to {row.address} any more")
    return sorted(one.id for one in rows)


def sender_address(store: IStore, sender: User) -> Address:
    """The address that reports go to: the null sender would get none."""
    return Address(sender.name, store.directory.current().hostname)
