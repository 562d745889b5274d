"""A collection's session over IMAP: folder after folder, nothing marked as seen, deleted only what is ours to delete.

A message's name in the ledger is ``UIDVALIDITY/UID/FOLDER``: these three together are never given to another message
(RFC 3501 section 2.3.1.1). A server that has no lasting unique-ids gets names by header, as one without UIDL does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, DeferredLock

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.folders import INBOX, Folder
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.values import Account, Server
from mailshare.isp.folders import found_folders, named
from mailshare.isp.listing import Upstream
from mailshare.isp.provider_policy import ProviderPolicy
from mailshare.isp.provider_session import Fetching, Left, Listing
from mailshare.isp.sign_on import Doors
from mailshare.isp.sign_on_imap import IMAPConversation, ask_imap, open_imap, words_of
from mailshare.shell.replies import Taker
from mailshare.wire.client_engine import Command
from mailshare.wire.imap_replies import IMAPLimits, IMAPReply, ListedMailbox, uid_sets
from mailshare.wire.pop3_client_replies import POP3Limits

T = TypeVar("T")
_LONGEST_NAME = 200


@define
class _Opened:
    """A folder as it was listed.

    :ivar wanted: unique-ids of messages that shall be deleted, with their numbers.
    """

    folder: Folder
    uidvalidity: int
    wanted: dict[int, int] = field(factory=dict)


class IMAPSession:
    """One session; see :class:`~mailshare.isp.provider_session.ProviderSession`.

    :param folders: none = to be found.
    """

    policy = ProviderPolicy()
    gives_headers = True
    asks_ahead = True
    ids_last = True

    def __init__(self, talk: IMAPConversation, folders: Sequence[Folder]) -> None:
        self.notes: list[str] = []
        self._talk = talk
        self._folders = folders
        self._opened: list[_Opened] = []
        self._where: dict[int, tuple[int, int]] = {}  # number: (place of the folder, unique-id)
        self._place = -1
        self._writable = False
        self._door = DeferredLock()
        self._users = 0
        self._quiet: Deferred[None] | None = None

    @classmethod
    async def open(cls, doors: Doors, account: Account, server: Server, limits: POP3Limits) -> IMAPSession:
        """Connect and log in.

        :raises LoginRefused, Unavailable, PeerFault: the provider does not let us.
        """
        usual = IMAPLimits()
        caps = IMAPLimits(
            message=limits.message, window=min(limits.window, usual.window), window_octets=limits.window_octets,
            rows=limits.rows,
        )  # fmt: skip
        return cls(await open_imap(doors, account, server, caps), ProviderOptions.of(account).folders)

    @property
    def lost(self) -> bool:
        """The connection is over."""
        return self._talk.lost

    @property
    def alerts(self) -> Sequence[str]:
        """What the server wants a person to read."""
        return self._talk.engine.alerts

    # ------------------------------------------------------------------ listing

    async def list_messages(self) -> Listing:
        """The messages of each folder, put one behind the other."""
        whole = Listing()
        for folder in self._folders or await self._find():
            words = await self._list_folder(folder, whole.messages)
            if isinstance(words, str):
                self.notes.append(words)
                whole = evolve(whole, whole=False)
                continue
            whole = Listing(
                whole.messages, whole.count + words.count, whole.ignored + words.ignored, whole.whole and words.whole,
                whole.more or words.more,
            )  # fmt: skip
        if not self._opened:
            raise Unavailable(" ".join(self.notes)[:300])
        return whole

    async def _list_folder(self, folder: Folder, messages: list[Upstream]) -> Listing | str:
        """Add a folder's messages; a sentence instead when it cannot be opened."""
        engine = self._talk.engine
        reply = await self._ask(engine.select(folder.name, read_only=True))
        state = engine.selected
        if not reply.ok or state is None:
            self._place = -1
            return await self._missing(folder, reply)
        place = self._place = len(self._opened)
        self._writable = False
        lasting = state.uidvalidity if state.lasting else 0
        self._opened.append(_Opened(folder, state.uidvalidity))
        count, rows = state.exists, engine.limits.rows
        if not count:
            return Listing()
        outside = "" if folder.name == INBOX and not folder.junk else folder.name
        if count > rows:
            # New mail comes at the end, and must not be hidden by what is left there.
            self.notes.append(f"{folder.name} has {count} messages; the newest {rows} of them are looked at")
        listed = await self._ask(engine.sizes() if count <= rows else engine.sizes(count - rows + 1, count))
        if not listed.ok:
            self._opened.pop()
            self._place = -1
            return f"The folder {folder.name} cannot be listed: {words_of(listed)}"
        for uid, size in sorted(listed.rows.items()):
            name = _ledger_name(lasting, uid, folder.name) if lasting else ""
            number = len(self._where) + 1
            self._where[number] = place, uid
            messages.append(Upstream(number, name, size, name, place=place, folder=outside, junk=folder.junk))
        complete = not listed.ignored and len(listed.rows) >= min(count, state.exists)
        return Listing([], count, listed.ignored, complete, count > rows)

    async def _find(self) -> Sequence[Folder]:
        return found_folders(await self._mailboxes())

    async def _mailboxes(self) -> Sequence[ListedMailbox]:
        return (await self._ask(self._talk.engine.list())).mailboxes

    async def _missing(self, folder: Folder, reply: IMAPReply) -> str:
        """Why a folder is not collected from, for a person."""
        mailboxes = await self._mailboxes()
        if any(one.name == folder.name for one in mailboxes):
            return f"The folder {folder.name} cannot be opened: {words_of(reply)}"
        return f"The server has no folder {folder.name}; it has: {named(mailboxes)}"

    # ------------------------------------------------------------------ messages

    async def header(self, message: Upstream, take: Taker) -> bool:
        """The header alone."""
        place, uid = self._where[message.number]
        reply = await self._inside(place, lambda: self._ask(self._talk.engine.header(uid), take))
        return reply.ok and reply.octets > 0 and not reply.fault

    def fetch(self, message: Upstream, to: Fetching) -> None:
        """The message, which stays as unread as it was."""
        coming = Deferred.fromCoroutine(self._fetch(message, to.take))
        coming.addCallbacks(to.came, lambda failure: to.failed(failure.value))

    async def _fetch(self, message: Upstream, take: Taker) -> str:
        place, uid = self._where[message.number]
        reply = await self._inside(place, lambda: self._ask(self._talk.engine.fetch(uid, message.size), take))
        if not reply.ok:
            return f"The server refuses it: {words_of(reply)}"
        return reply.fault or ("It came empty" if message.size and not reply.octets else "")

    async def delete(self, messages: Sequence[Upstream]) -> Sequence[Upstream]:
        """Note them; all of them are deleted at the end, set by set."""
        for message in messages:
            place, uid = self._where[message.number]
            self._opened[place].wanted[uid] = message.number
        return messages

    async def leave(self) -> Left:
        """Mark and expunge, folder by folder; log out."""
        deleted: set[int] = set()
        errors: list[str] = []
        for place, opened in enumerate(self._opened):
            if opened.wanted:
                gone, words = await self._inside(place, partial(self._expunge, opened), writable=True)
                deleted.update(opened.wanted[uid] for uid in gone)
                errors += [words] if words else []
        with suppress(MailshareError):  # what was expunged is expunged
            await self._ask(self._talk.engine.logout())
        return Left(frozenset(deleted), " ".join(errors)[:300])

    async def _expunge(self, opened: _Opened) -> tuple[list[int], str]:
        """Take away what is wanted in the folder that is open.

        :returns: the unique-ids that are gone, and why others are not.
        """
        engine, name = self._talk.engine, opened.folder.name
        if engine.selected is not None and engine.selected.read_only:
            return [], f"Nothing can be deleted in {name}: the server has opened it for reading only"
        uids = sorted(opened.wanted)
        for some in uid_sets(uids):
            reply = await self._ask(engine.mark_deleted(some))
            if not reply.ok:
                return [], f"The server does not delete in {name}: {words_of(reply)}"
        if engine.offers("UIDPLUS", "IMAP4REV2"):
            commands = [engine.expunge(some) for some in uid_sets(uids)]
        else:
            # EXPUNGE takes whatever is marked; that must be nothing but ours (RFC 3501 section 6.4.3).
            marked = await self._ask(engine.search_deleted())
            if not marked.ok or set(marked.found) - set(uids):
                self.notes.append(
                    f"In {name} mail is marked for deletion that is not ours, and the server can only delete all or "
                    "nothing (no UIDPLUS); collected mail stays there until somebody has tidied up"
                )
                return [], ""
            commands = [engine.expunge()]
        for command in commands:
            reply = await self._ask(command)
            if not reply.ok:
                return [], f"The server does not expunge in {name}: {words_of(reply)}"
        return uids, ""

    def give_up(self, error: MailshareError) -> None:
        """Cut the connection."""
        self._talk.give_up(error)

    # ------------------------------------------------------------------ one folder at a time

    async def _inside(self, place: int, act: Callable[[], Awaitable[T]], *, writable: bool = False) -> T:
        """Do something while a folder is open; beside others in the same one, after those in another one."""
        await self._door.acquire()
        try:
            if self._place != place or (writable and not self._writable):
                if self._users:
                    self._quiet = Deferred()
                    await self._quiet
                await self._reopen(place, writable=writable)
            self._users += 1
        finally:
            self._door.release()
        try:
            return await act()
        finally:
            self._users -= 1
            if self._quiet is not None and not self._users:
                quiet, self._quiet = self._quiet, None
                quiet.callback(None)

    async def _reopen(self, place: int, *, writable: bool) -> None:
        opened, engine = self._opened[place], self._talk.engine
        self._place = -1
        reply = await self._ask(engine.select(opened.folder.name, read_only=not writable))
        fault = None
        if not reply.ok or engine.selected is None:
            fault = Unavailable(f"The folder {opened.folder.name} cannot be opened again: {words_of(reply)}")
        elif engine.selected.uidvalidity != opened.uidvalidity:
            fault = Unavailable(f"The server has renumbered the folder {opened.folder.name}; the next run goes on")
        if fault is not None:
            # Every other message of the folder would meet the same.
            self.give_up(fault)
            raise fault
        self._place, self._writable = place, writable

    def _ask(self, command: Command, take: Taker | None = None) -> Awaitable[IMAPReply]:
        return ask_imap(self._talk, command, take)


def _ledger_name(uidvalidity: int, uid: int, folder: str) -> str:
    """What the ledger calls a message."""
    if len(folder) > _LONGEST_NAME:
        folder = hashlib.sha256(folder.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{uidvalidity}/{uid}/{folder}"
