"""Getting in at an IMAP server: as :mod:`mailshare.isp.sign_on`, whose rules hold here too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from mailshare.core.errors import LoginRefused, PeerFault, Unavailable
from mailshare.core.values import Account, Server
from mailshare.isp.sign_on import Doors
from mailshare.shell.client import Conversation, connect
from mailshare.shell.replies import Taker
from mailshare.wire.client_engine import Command
from mailshare.wire.imap_client import IMAPClient
from mailshare.wire.imap_replies import IMAPLimits, IMAPReply

IMAPConversation = Conversation[IMAPClient]
_NOT_NOW = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "OVERQUOTA")
_WHO: Mapping[str, str] = {"name": "mailshare"}


async def ask_imap(conversation: IMAPConversation, command: Command, take: Taker | None = None) -> IMAPReply:
    """Ask for a reply."""
    return cast("IMAPReply", await conversation.ask(command, take))


def words_of(reply: IMAPReply) -> str:
    """The server's words, for a sentence."""
    return f"{reply.code} {reply.text}".strip()[:300]


async def open_imap(doors: Doors, account: Account, server: Server, limits: IMAPLimits) -> IMAPConversation:
    """Connect and log in at an IMAP server, learn what it can do, say who we are.

    :raises LoginRefused: it does not want us.
    :raises Unavailable, PeerFault: it is away, busy, or does not keep to the protocol.
    """
    engine = IMAPClient(secure=False, allow_plain=server.tls == "none", limits=limits)
    doors.steps.connecting(account, server)
    conversation, hello = await connect(
        server, engine, engine.greeting, doors.reactor, deadlines=doors.deadlines, endpoint=doors.endpoint(server)
    )
    try:
        greeting = cast("IMAPReply", hello)
        if greeting.status == "PREAUTH":
            # STARTTLS is not allowed any more, and whose mailbox this is nobody knows.
            raise PeerFault("The server lets us in without a login, so this is not the mailbox asked for")
        if not greeting.ok:
            raise Unavailable(f"The server greets with: {greeting.status} {words_of(greeting)}")
        doors.steps.connected(account, server, greeting.text)
        if server.tls == "starttls":
            await _start_tls(conversation, server)
        if not engine.capabilities:
            await _capability(conversation)
        doors.steps.signing_on(account, server, conversation.protection)
        await _log_in(doors, conversation, account, server)
        doors.steps.signed_on(account, server)
        if not engine.capabilities:
            await _capability(conversation)
        if engine.offers("ID"):
            await ask_imap(conversation, engine.identify(_WHO))
    except BaseException:
        # Whatever happened, also cancelling: a connection that nobody holds must not stay.
        conversation.give_up(Unavailable("Signing on failed"))
        raise
    return conversation


async def _start_tls(conversation: IMAPConversation, server: Server) -> None:
    reply = await ask_imap(conversation, conversation.engine.starttls())
    if not reply.ok:
        raise Unavailable(f"The server does not start TLS: {words_of(reply)}")
    await conversation.start_tls(server)


async def _capability(conversation: IMAPConversation) -> None:
    reply = await ask_imap(conversation, conversation.engine.capability())
    if not reply.ok:
        raise Unavailable(f"The server does not say what it can do: {words_of(reply)}")


async def _log_in(doors: Doors, conversation: IMAPConversation, account: Account, server: Server) -> None:
    engine = conversation.engine
    mechanism = await doors.mechanism(account, server, "collect", engine.mechanisms)
    if mechanism is not None:
        reply = await ask_imap(conversation, engine.authenticate(mechanism))
    elif server.options.get("auth"):
        raise LoginRefused("The server has none of the login mechanisms that this account asks for")
    elif engine.offers("LOGINDISABLED"):
        raise LoginRefused("The server has no way to log in with a password")
    else:
        login = server.login or str(account.address)
        reply = await ask_imap(conversation, engine.login(login, await doors.secrets.password(account, "collect")))
    if not reply.ok:
        kind = Unavailable if reply.code in _NOT_NOW else LoginRefused
        raise kind(f"The server refuses the login: {words_of(reply)}")
