"""Tries to log in at a provider, before an account is kept: each step is told as it is done, with the server's words.

Nothing is fetched, marked or sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from attrs import evolve, frozen
from zope.interface import implementer

from mailshare.core.errors import MailshareError, Unavailable
from mailshare.core.values import Account, Server
from mailshare.interfaces import ISecrets
from mailshare.isp.opening import open_session
from mailshare.isp.sign_on import Doors, ask_smtp, open_smtp
from mailshare.wire.pop3_client_replies import POP3Limits

Tell = Callable[[Mapping[str, object]], None]


@implementer(ISecrets)
@frozen
class _Given:
    """The password that is to be tried."""

    text: str

    async def password(self, account: Account, purpose: str) -> str:
        del account, purpose
        return self.text


class LoginTest:
    """Tries both directions.

    :param doors: as for collecting; the password is the one to be tried.
    """

    def __init__(self, doors: Doors, limits: POP3Limits) -> None:
        self._doors = doors
        self._limits = limits

    async def run(self, account: Account, password: str, tell: Tell) -> bool:
        """Try; ``tell`` hears ``what``, ``ok`` and ``words`` of each step. Never raises for what a server does.

        :returns: the provider lets us in, in both directions that are set.
        """
        doors = evolve(self._doors, secrets=_Given(password))
        good, collect, relay = True, account.collect, account.relay
        if collect is not None:
            good = await self._step(f"fetching from {collect.host}", self._fetch(doors, account, collect), tell)
        if relay is not None:
            sends = await self._step(f"sending through {relay.host}", self._send(doors, account, relay), tell)
            good = good and sends
        return good

    async def _step(self, what: str, work: Awaitable[str], tell: Tell) -> bool:
        tell({"what": what, "ok": True, "words": "connecting"})
        try:
            words = await work
        except MailshareError as error:
            tell({"what": what, "ok": False, "words": error.public})
            return False
        tell({"what": what, "ok": True, "words": words})
        return True

    async def _fetch(self, doors: Doors, account: Account, server: Server) -> str:
        session = await open_session(doors, account, server, self._limits)
        try:
            listing = await session.list_messages()
            await session.leave()
        finally:
            session.give_up(Unavailable("The session is over"))
        tls = "without TLS" if server.tls == "none" else "by TLS with a valid certificate"
        return f"logged in as {server.login or account.address} {tls}; {listing.count} messages lie there"

    @staticmethod
    async def _send(doors: Doors, account: Account, server: Server) -> str:
        talk = await open_smtp(doors, account, server)
        try:
            await ask_smtp(talk, talk.engine.quit())
        finally:
            talk.give_up(Unavailable("The session is over"))
        how = "takes our mail without a login" if server.options.get("auth") == "none" else "logged in"
        return f"{how}; it may send"
