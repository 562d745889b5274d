"""Which version of a thing an edit was made for: each user, account and entry of the book has a tag of its own.

Source: RFC 9110 sections 8.8.3 (ETag) and 13.1.1 (If-Match).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import DeferredLock

from mailshare.core.errors import PeerFault
from mailshare.web.operations import BY_NAME, Operation

Ask = Callable[[str, Mapping[str, object]], Awaitable[Any]]
"""Does an operation by name with these arguments."""


@frozen
class Kind:
    """A kind of things.

    :ivar read: the operation that shows one.
    :ivar key: its argument that names the thing.
    :ivar edit: the operation whose arguments are the thing's settings; what else is shown moves by itself.
    :ivar further: settings that have operations of their own.
    """

    read: str
    key: str
    edit: str
    further: tuple[str, ...] = ()

    def tag(self, found: Mapping[str, object]) -> str:
        """Of a thing as it is shown."""
        settings = {"managed_by", *BY_NAME[self.edit].params, *self.further}
        return f'"{mark({name: value for name, value in found.items() if name in settings})}"'


_USER = Kind("show_user", "name", "change_user", ("vacation", "app_passwords"))
_ACCOUNT = Kind("account_show", "address", "change_account")
_ENTRY = Kind("book_entry", "name", "change_contact")
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(
        ("show_user", "change_user", "delete_user", "vacation", "add_app_password", "revoke_app_password"), _USER
    ),
    **dict.fromkeys(("account_show", "change_account", "delete_account"), _ACCOUNT),
    **dict.fromkeys(("book_entry", "change_contact", "delete_contact"), _ENTRY),
}
"""By operation; all others have the version of the directory for a tag."""


_BEFORE = object()  # in place of the answer of an operation that was not done yet


def mark(thing: object) -> str:
    """A short text that is another when the thing is."""
    return hashlib.sha256(json.dumps(thing, sort_keys=True, default=str).encode()).hexdigest()[:16]


@frozen
class Editing:
    """Lets edits through that were made for what is there now.

    :ivar version: of the directory of users and accounts.
    """

    version: Callable[[], int]
    _one_by_one: DeferredLock = field(factory=DeferredLock)

    async def tag(self, operation: Operation, given: Mapping[str, object], ask: Ask, result: object) -> str:
        """The tag of what an operation is about; of what was deleted there is none any more.

        :param result: what it answered.
        """
        kind = KINDS.get(operation.name)
        if kind is None or (operation.method == "DELETE" and result is not _BEFORE):
            return f'"{self.version()}"'
        if operation.name == kind.read and isinstance(result, Mapping):
            return kind.tag(result)
        return kind.tag(await ask(kind.read, {kind.key: given.get(kind.key)}))

    async def guarded(
        self, wanted: bytes | None, operation: Operation, given: Mapping[str, object], ask: Ask, work: Callable[[], Any]
    ) -> Any:
        """Do the work, if ``If-Match`` fits what is there; two such edits are done one behind the other.

        The version of the directory fits as well, which answers about several things have for a tag.

        :raises PeerFault: 412, somebody else changed it meanwhile.
        """
        if not wanted or operation.method == "GET" or wanted.strip() == b"*":
            return await work()
        await self._one_by_one.acquire()
        try:
            tags = {one.strip() for one in wanted.decode("ascii", "replace").split(",")}
            if not tags & {f'"{self.version()}"', await self.tag(operation, given, ask, _BEFORE)}:
                raise PeerFault("Somebody else changed this meanwhile; look again and repeat", code=412)
            return await work()
        finally:
            self._one_by_one.release()
