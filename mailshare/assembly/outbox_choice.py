"""Which rows of the outbox somebody means: by number, by message, by account, by way out, or all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailshare.core.errors import NoSuchUser, PeerFault
from mailshare.core.values import Account, Directory, QueueItem, QueueState
from mailshare.core.ways_out import ways_out
from mailshare.interfaces import IStore

# What each act is for when a whole group is meant. A single row may be retried in more states: by its number.
_STATES: Mapping[str, tuple[QueueState, ...]] = {
    "retry": (QueueState.QUEUED,),
    "hold": (QueueState.QUEUED,),
    "release": (QueueState.HELD,),
    "delete": (QueueState.QUEUED, QueueState.HELD),
}


async def chosen_rows(
    store: IStore,
    act: str,
    *,
    ids: Sequence[int] = (),
    message: str = "",
    account: Account | None = None,
    route: str = "",
    everything: bool = False,
) -> list[int]:
    """Numbers of rows.

    :param message: trace or Message-ID. ``route``: host of the server that the rows would leave by first.
    :raises PeerFault: 400, not one of these was given, or several.
    :raises NoSuchUser: no such message waits.
    """
    if sum(map(bool, (ids, message, account, route, everything))) != 1:
        raise PeerFault("Say which rows: their ids, or one of message, account, route or all", code=400)
    if act not in _STATES and not ids:
        raise PeerFault("Only rows named by their numbers can be brought back", code=400)
    if ids:
        if not all(type(one) is int for one in ids):
            raise PeerFault("ids are whole numbers", code=400)
        return list(ids)
    traces = {trace for _, trace, _ in await store.find(message)} or {message}
    if message and "@" in message and not message.startswith("<"):
        traces |= {trace for _, trace, _ in await store.find(f"<{message}>")}
    directory, rows, before = store.directory.current(), list[int](), None
    while page := await store.queue.items(account_id=account.id if account else None, before_id=before):
        before = page[-1].id
        for row in page:
            meant = row.trace in traces if message else not route or first_host(row, directory) == route.casefold()
            if meant and row.state in _STATES[act]:
                rows.append(row.id)
    if message and not rows:
        raise NoSuchUser(f"Nothing of the message {message} waits that this could be done to")
    return rows


def first_host(row: QueueItem, directory: Directory) -> str:
    """The host of the server that a row would leave by first, casefolded; empty when there is none."""
    account = directory.account_by_id.get(row.account_id or 0)
    ways = ways_out(account, row.address.rpartition("@")[2], directory) if account is not None else ()
    return ways[0].server.host.casefold() if ways else ""


def waits_for(row: QueueItem) -> str:
    """Why a row still lies in the outbox, with the last answer in the other side's words; empty when it is done."""
    if row.state is QueueState.HELD:
        return "held until somebody releases it"
    if row.state is QueueState.ACTIVE:
        return "is being sent"
    if row.state is not QueueState.QUEUED:
        return ""
    if not row.reply:
        return "waits for the next send"
    said = " ".join(part for part in (str(row.code or ""), row.status, row.reply) if part)
    return f"tried {row.attempts} times, last: {said}" if row.attempts else said
