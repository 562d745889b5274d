"""One login at a HylaFAX server: listings, files, jobs.

A session does one errand and ends. The server keeps what it has read of a job for as long as a session lasts, and may
tell the state of a job as it was before it was submitted; a new session always tells that of now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen

from mailshare.core.errors import LoginRefused, MailshareError, PeerFault, PolicyRefusal, Unavailable
from mailshare.core.values import Server
from mailshare.shell.client import Conversation, Deadlines, connect
from mailshare.shell.side_connection import SideConnection, open_side
from mailshare.wire.client_engine import Command
from mailshare.wire.hylafax import HylaFAXClient, HylaFAXReply, new_job, passive_port, stored_name
from mailshare.wire.hylafax_log import PLACES, TAIL, CallLine, call_of, size_told
from mailshare.wire.hylafax_queues import (
    JOB_FORM,
    RECEIVED_FORM,
    QueuedJob,
    ReceivedFax,
    read_jobs,
    read_received,
)

_MOST_LISTING = 4 << 20
_MOST_FAX = 64 << 20
_DEADLINES = Deadlines(connect=15.0, greeting=60.0, command=60.0, message=60.0, rate=16_384)


@frozen
class HylaFAXAccount:
    """Where a server is, and who we are there.

    :ivar secret: the ``password`` of the user, and that of ``admin``, read anew for each session.
    """

    server: Server
    secret: Callable[[str], Awaitable[str]]


class HylaFAXSession:
    """A session that has logged in. Made by :meth:`open`."""

    def __init__(self, conversation: Conversation[HylaFAXClient], reactor: Any) -> None:
        self._conversation = conversation
        self._engine = conversation.engine
        self._reactor = reactor
        self._extended = True  # EPSV, until the server says that it does not know it

    @classmethod
    async def open(cls, account: HylaFAXAccount, reactor: Any) -> HylaFAXSession:
        """Connect and log in.

        :raises LoginRefused: the server wants another password, or none of us.
        :raises Unavailable, PeerFault: it is not there, or no such server.
        """
        engine = HylaFAXClient()
        conversation, hello = await connect(account.server, engine, engine.greeting, reactor, deadlines=_DEADLINES)
        session = cls(conversation, reactor)
        try:
            assert isinstance(hello, HylaFAXReply)
            if not hello.ok:
                raise Unavailable(f"The fax server takes nobody now: {hello.text}")
            await session._log_in(account)
            for name, form in (("JOBFMT", JOB_FORM), ("RCVFMT", RECEIVED_FORM)):
                await session.done(engine.set_format(name, form))
            await session.done(engine.ask("TYPE", "I"))
        except BaseException:
            await conversation.close()
            raise
        return session

    async def _log_in(self, account: HylaFAXAccount) -> None:
        reply = await self._ask(self._engine.user(account.server.login))
        if reply.code == 331:
            password = await account.secret("password")
            if not password:
                raise LoginRefused("The fax server wants a password, and this line has none")
            reply = await self._ask(self._engine.password(password))
        if reply.code != 230:
            raise LoginRefused(f"The fax server refused the login: {reply.text}")
        admin = await account.secret("admin")
        if admin and (reply := await self._ask(self._engine.admin(admin))).code != 230:
            raise LoginRefused(f"The fax server refused the rights of an administrator: {reply.text}")

    async def close(self) -> None:
        """Say goodbye, as far as anybody listens."""
        try:
            if not self._conversation.lost:
                await self._ask(self._engine.quit())
        except MailshareError:
            pass  # it is gone already
        finally:
            await self._conversation.close()

    # ------------------------------------------------------------------ commands

    async def _ask(self, command: Command) -> HylaFAXReply:
        reply = await self._conversation.ask(command)
        assert isinstance(reply, HylaFAXReply)
        return reply

    async def done(self, command: Command) -> HylaFAXReply:
        """Have a command done.

        :raises Unavailable: not now.
        :raises PolicyRefusal: not at all.
        """
        return _good(await self._ask(command))

    async def jobs(self, queue: str) -> Sequence[QueuedJob]:
        """The jobs of ``sendq`` or ``doneq``."""
        return read_jobs(await self._received("LIST", queue, _MOST_LISTING))

    async def received(self) -> Sequence[ReceivedFax]:
        """The faxes that have come in."""
        return read_received(await self._received("LIST", "recvq", _MOST_LISTING))

    async def fetch(self, fax: ReceivedFax) -> bytes:
        """The file of a fax.

        :raises PolicyRefusal: we may not read it.
        :raises PeerFault: it is not as long as the listing says.
        """
        if fax.size > _MOST_FAX:
            raise PeerFault(f"{fax.name} has more than {_MOST_FAX} octets")
        octets = await self._received("RETR", f"recvq/{fax.name}", fax.size)
        if len(octets) != fax.size:
            raise PeerFault(f"{fax.name} came with {len(octets)} of {fax.size} octets")
        return octets

    async def call_of(self, tag: str) -> CallLine:
        """What the server's journal tells of the last call for a job; nothing where we may not read it."""
        for place in PLACES:
            reply = await self._ask(self._engine.ask("SIZE", place))
            if reply.ok:
                skipped = max(size_told(" ".join(reply.lines)) - TAIL, 0)
                if skipped:
                    await self.done(self._engine.ask("REST", str(skipped)))
                return call_of(await self._received("RETR", place, 2 * TAIL), tag)
        return CallLine()

    async def drop(self, fax: ReceivedFax) -> None:
        """Take a fax off the server."""
        await self.done(self._engine.ask("DELE", f"recvq/{fax.name}"))

    async def store(self, document: bytes) -> str:
        """Leave a file for a job; its name there. It goes with the session, unless a job has it by then."""
        side = await self._side(0)
        side.send(document)
        return stored_name(await self._moved(side, self._engine.ask("STOT", size=len(document))))

    async def make_job(self, document: str, must: Sequence[tuple[str, str]], may: Sequence[tuple[str, str]]) -> str:
        """Make a job that is not submitted yet; it goes with the session.

        :param must: parameters without which it may not be sent; ``may`` those that not every server knows.
        :returns: its number.
        """
        number = new_job(await self.done(self._engine.ask("JNEW")))
        for key, value in must:
            await self.done(self._engine.job_parameter(key, value))
        for key, value in may:
            await self._ask(self._engine.job_parameter(key, value))
        await self.done(self._engine.job_parameter("DOCUMENT", document))
        return number

    async def submit(self, number: str) -> None:
        """Have the server dial when a modem is free.

        :raises PolicyRefusal, Unavailable: it did not take the job, or may not have; see :meth:`withdraw`.
        """
        await self.done(self._engine.ask("JSUBM", number))

    async def withdraw(self, number: str) -> bool:
        """Delete a job that was never submitted; False when it was."""
        return (await self._ask(self._engine.ask("JDELE", number))).ok

    async def kill(self, number: str, tag: str) -> bool:
        """End a job, in the middle of its call too; False when it is over, or another one has its number now."""
        if not (await self._ask(self._engine.ask("JOB", number))).ok:
            return False
        told = await self._ask(self._engine.ask("JPARM", "JOBINFO"))
        if tag not in told.lines:
            return False
        return (await self._ask(self._engine.ask("JKILL", number))).ok

    # ------------------------------------------------------------------ transfers

    async def _received(self, name: str, what: str, most: int) -> bytes:
        side = await self._side(most)
        await self._moved(side, self._engine.ask(name, what, size=most))
        return await side.received()

    async def _side(self, most: int) -> SideConnection:
        """A connection for a transfer. Only the port is the server's to choose: files go to nobody else."""
        reply = await self._ask(self._engine.ask("EPSV" if self._extended else "PASV"))
        if self._extended and reply.code >= 500:
            self._extended = False
            return await self._side(most)
        host = self._conversation.transport.getPeer().host
        return await open_side(self._reactor, host, passive_port(_good(reply)), most)

    async def _moved(self, side: SideConnection, command: Command) -> HylaFAXReply:
        try:
            return await self.done(command)
        except BaseException:
            side.drop()
            raise


def _good(reply: HylaFAXReply) -> HylaFAXReply:
    if reply.ok:
        return reply
    words = f"The fax server refused {reply.command.name}: {reply.text}"
    raise Unavailable(words) if reply.code < 500 else PolicyRefusal(words)
