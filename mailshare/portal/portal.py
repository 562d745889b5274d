"""Twisted's portal for checkers and realms that mostly know the answer at once."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface

from mailshare.portal.checkers import way_to_ask
from mailshare.shell.steps import begun


class PromptPortal(Portal):
    """Asks the same questions as its base class and gives the same answers.

    The base class makes six Deferreds for a login whose password is remembered; this one makes two, in half the steps,
    or none for those who ask by :meth:`admit`.
    """

    def login(self, credentials: ICredentials, mind: object, *interfaces: type[Interface]) -> Deferred[Any]:
        """As the base class says."""
        return begun(self.admit(credentials, mind, *interfaces))

    async def admit(self, credentials: ICredentials, mind: object, *interfaces: type[Interface]) -> Any:
        """What :meth:`login` gives, for whoever awaits it."""
        for interface, checker in self.checkers.items():
            if interface.providedBy(credentials):
                return await self._avatar(checker, credentials, mind, interfaces)
        return await super().login(credentials, mind, *interfaces)

    async def _avatar(
        self, checker: ICredentialsChecker, credentials: ICredentials, mind: object, interfaces: tuple[Any, ...]
    ) -> object:
        found: Any = way_to_ask(checker)(credentials)
        if isinstance(found, Awaitable):
            found = await found
        avatar: object = self.realm.requestAvatar(found, mind, *interfaces)
        return await avatar if isinstance(avatar, Awaitable) else avatar
