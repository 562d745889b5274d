"""The acts of the office for those who come over the network: each checked against who asks, each written down.

What a role may do is told here and nowhere else; pages and API only ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from twisted.logger import Logger
from zope.interface import implementer

from mailshare.assembly.acts import Acts
from mailshare.assembly.manager_acts import refuse_references
from mailshare.assembly.narrowing import KEEPERS, Narrowing
from mailshare.core.errors import MailshareError, NotAllowed, PeerFault
from mailshare.core.values import Caller, Event
from mailshare.interfaces import IAdministration, IStore
from mailshare.web.operations import BY_NAME


@implementer(IAdministration)
class Administering:
    """One office.

    :param clock: microseconds UTC.
    """

    _log = Logger()

    def __init__(self, acts: Acts, store: IStore, clock: Callable[[], int]) -> None:
        self._acts = acts
        self._store = store
        self._clock = clock

    def may(self, caller: Caller, name: str) -> bool:
        """Whether the caller may do that operation at all."""
        operation = BY_NAME.get(name)
        if operation is None or not operation.remote:
            return False
        if caller.accounts is not None:
            return name in KEEPERS and (caller.level >= operation.level or caller.keeper)
        return caller.level >= operation.level

    async def perform(
        self, caller: Caller, name: str, given: Mapping[str, object], document: BinaryIO | None = None
    ) -> Any:
        """Do one operation in the caller's name."""
        if not self.may(caller, name):
            raise NotAllowed
        operation = BY_NAME[name]
        refuse_references(given)
        arguments = operation.arguments({key: value for key, value in given.items() if value is not None})
        if "by" in operation.params:
            arguments["by"] = caller.name
        narrowed = Narrowing(caller.accounts, self._store) if caller.accounts is not None else None
        if narrowed is not None:
            arguments = await narrowed.arguments(name, arguments)
        work = getattr(self._acts, name)
        if operation.raw:
            if document is None:
                raise PeerFault("This needs a document", code=400)
            result = await work(document=document, **arguments)
        else:
            result = await work(**arguments)
        if operation.audited or operation.raw:
            await self._acts.audit(name, {**arguments, "by": caller.name})
        return narrowed.result(name, result) if narrowed is not None else result

    def version(self) -> int:
        """Of the directory of users and accounts."""
        return self._acts.version()

    def watch(self, changed: Callable[[str, Mapping[str, object]], None]) -> Callable[[], None]:
        """Be called with ``(kind, JSON)`` whenever something changed; the result ends that."""
        return self._acts.watch(changed)

    async def note(self, kind: str, data: Mapping[str, object]) -> None:
        """A line of the audit about who came and went."""
        try:
            await self._store.events.append([Event(self._clock(), kind, data=data)])
        except MailshareError as fault:
            self._log.warn("a line of the audit was not written: {fault}", fault=fault.public)
