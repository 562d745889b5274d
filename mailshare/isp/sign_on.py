"""Getting in at the provider: TLS as the account says, what the server offers, one login try.

There is no opportunistic mode: with ``starttls`` a server that has no TLS gets nothing but a QUIT. A refused login is
not tried again with another mechanism, for most providers count tries.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import cast

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint

from mailshare.core.errors import LoginRefused, PeerFault, ProviderBusy, Unavailable
from mailshare.core.values import Account, Server
from mailshare.interfaces import ISecrets, ITokenSource
from mailshare.isp.run_steps import Narrator
from mailshare.shell.client import Conversation, Deadlines, connect
from mailshare.wire.client_engine import Command
from mailshare.wire.pop3_client import POP3Client
from mailshare.wire.pop3_client_replies import POP3Limits, POP3Reply
from mailshare.wire.sasl.bearer import OAuthBearerClient, XOAuth2Client
from mailshare.wire.sasl.login import LoginClient
from mailshare.wire.sasl.mechanism import ClientMechanism
from mailshare.wire.sasl.plain import PlainClient
from mailshare.wire.sasl.scram import ScramClient
from mailshare.wire.smtp_client import SMTPClient
from mailshare.wire.smtp_client_lines import SMTPLimits, SMTPReply

POP3Conversation = Conversation[POP3Client]
SMTPConversation = Conversation[SMTPClient]
_TOKENS = ("OAUTHBEARER", "XOAUTH2")
_PASSWORDS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
_BUSY = ("IN-USE", "LOGIN-DELAY")
_BLOCKED = (530, 534, 535, 538)


@frozen
class Doors:
    """What signing on needs of its surroundings.

    :ivar reactor: ``IReactorTCP``, ``IReactorTime`` and a resolver.
    :ivar random: gives that many random octets, for nonces.
    :ivar replies: what an SMTP server may send.
    :ivar endpoint: makes another way to a server than TCP, for tests and tunnels.
    :ivar steps: is told how far signing on has come, and by whoever works on from there.
    """

    reactor: IReactorTime
    secrets: ISecrets
    random: Callable[[int], bytes]
    hostname: str = "localhost"
    tokens: ITokenSource | None = None
    deadlines: Deadlines = field(factory=Deadlines)
    replies: SMTPLimits = field(factory=SMTPLimits)
    endpoint: Callable[[Server], IStreamClientEndpoint | None] = lambda _: None
    steps: Narrator = field(factory=Narrator)

    async def mechanism(
        self, account: Account, server: Server, purpose: str, offered: Sequence[str]
    ) -> ClientMechanism | None:
        """The best mechanism that both sides have, with its secret; ``None`` when there is none.

        The server's option ``auth`` limits the choice; tokens are used only when it names a token mechanism.
        """
        asked = [name.upper() for name in server.options.get("auth", "").split(",") if name]
        names = [name for name in (asked or _PASSWORDS) if name in {word.upper() for word in offered}]
        if not names:
            return None
        name = names[0]
        login = server.login or str(account.address)
        if name in _TOKENS:
            if self.tokens is None:
                raise LoginRefused("This account logs in with tokens, and there is no source of tokens")
            token = await self.tokens.token(account)
            if name == "XOAUTH2":
                return XOAuth2Client(login, token)
            return OAuthBearerClient(login, token, server.host, server.port)
        password = await self.secrets.password(account, purpose)
        if name == "PLAIN":
            return PlainClient(login, password)
        if name == "LOGIN":
            return LoginClient(login, password)
        if name == "SCRAM-SHA-256":
            return ScramClient(login, password, base64.b64encode(self.random(18)).decode())
        raise LoginRefused(f"The login mechanism {name} is not known here")


async def ask_pop3(conversation: POP3Conversation, command: Command) -> POP3Reply:
    """Ask for a reply that is no message."""
    return cast("POP3Reply", await conversation.ask(command))


async def ask_smtp(conversation: SMTPConversation, command: Command) -> SMTPReply:
    """Ask for a reply."""
    return cast("SMTPReply", await conversation.ask(command))


async def open_pop3(doors: Doors, account: Account, server: Server, limits: POP3Limits) -> POP3Conversation:
    """Connect and log in at a POP3 server, and learn what it can do.

    :raises LoginRefused: it does not want us.
    :raises Unavailable, PeerFault: it is away, busy, or does not keep to the protocol.
    """
    engine = POP3Client(secure=False, allow_plain=server.tls == "none", limits=limits)
    doors.steps.connecting(account, server)
    conversation, hello = await connect(
        server, engine, engine.greeting, doors.reactor, deadlines=doors.deadlines, endpoint=doors.endpoint(server)
    )
    try:
        greeting = cast("POP3Reply", hello)
        _pop3_ok(greeting, "greets with")
        doors.steps.connected(account, server, greeting.text)
        if server.tls == "starttls":
            _pop3_ok(await _stls(conversation, server), "does not start TLS")
        doors.steps.signing_on(account, server, conversation.protection)
        capa = await ask_pop3(conversation, engine.capa())
        mechanism = await doors.mechanism(account, server, "collect", engine.capabilities.get("SASL", ()))
        if mechanism is not None:
            _pop3_ok(await ask_pop3(conversation, engine.auth(mechanism)), "refuses the login", LoginRefused)
        elif server.options.get("auth"):
            raise LoginRefused("The server has none of the login mechanisms that this account asks for")
        else:
            password = await doors.secrets.password(account, "collect")
            login = server.login or str(account.address)
            _pop3_ok(await ask_pop3(conversation, engine.user(login)), "refuses the name", LoginRefused)
            _pop3_ok(await ask_pop3(conversation, engine.password(password)), "refuses the login", LoginRefused)
        doors.steps.signed_on(account, server)
        if capa.ok:
            await ask_pop3(conversation, engine.capa())
    except BaseException:
        # Whatever happened, also cancelling: a connection that nobody holds must not stay.
        conversation.give_up(Unavailable("Signing on failed"))
        raise
    return conversation


async def _stls(conversation: POP3Conversation, server: Server) -> POP3Reply:
    reply = await ask_pop3(conversation, conversation.engine.stls())
    if reply.ok:
        await conversation.start_tls(server)
    return reply


def _pop3_ok(reply: POP3Reply, what: str, kind: type[LoginRefused | Unavailable] = Unavailable) -> None:
    if reply.ok:
        return
    words = f"The server {what}: {reply.code} {reply.text}"[:300]
    if reply.code in _BUSY:
        raise ProviderBusy(words, detail={"code": reply.code})
    raise (Unavailable if reply.code == "SYS/TEMP" else kind)(words)


async def open_smtp(doors: Doors, account: Account, server: Server) -> SMTPConversation:
    """Connect and log in at a smarthost.

    :raises LoginRefused: it does not want us.
    :raises Unavailable, PeerFault: it is away, busy, or does not keep to the protocol.
    """
    engine = SMTPClient(secure=False, allow_plain=server.tls == "none", limits=doors.replies)
    doors.steps.connecting(account, server)
    conversation, hello = await connect(
        server, engine, engine.greeting, doors.reactor, deadlines=doors.deadlines, endpoint=doors.endpoint(server)
    )
    try:
        greeting = cast("SMTPReply", hello)
        _smtp_ok(greeting, "greets with")
        doors.steps.connected(account, server, greeting.text)
        await _hello(conversation, doors.hostname)
        if server.tls == "starttls":
            if "STARTTLS" not in engine.extensions:
                raise PeerFault("The server offers no TLS, and this account asks for it")
            _smtp_ok(await _starttls(conversation, server), "does not start TLS")
            await _hello(conversation, doors.hostname)
        doors.steps.signing_on(account, server, conversation.protection)
        await _smtp_login(doors, conversation, account, server)
        doors.steps.signed_on(account, server)
    except BaseException:
        # Whatever happened, also cancelling: a connection that nobody holds must not stay.
        conversation.give_up(Unavailable("Signing on failed"))
        raise
    return conversation


async def _smtp_login(doors: Doors, conversation: SMTPConversation, account: Account, server: Server) -> None:
    """Log in, unless the server's option ``auth`` says ``none``: it takes our mail as we are."""
    if server.options.get("auth") == "none":
        return
    engine = conversation.engine
    mechanism = await doors.mechanism(account, server, "relay", engine.extensions.get("AUTH", "").split())
    if mechanism is None:
        raise LoginRefused("The server has none of the login mechanisms that this account may use")
    reply = await ask_smtp(conversation, engine.auth(mechanism))
    if not reply.ok:
        words = f"The server refuses the login: {reply.code} {reply.status} {reply.text}"[:300]
        raise (LoginRefused if reply.code // 100 == 5 else Unavailable)(words)


async def _starttls(conversation: SMTPConversation, server: Server) -> SMTPReply:
    reply = await ask_smtp(conversation, conversation.engine.starttls())
    if reply.ok:
        await conversation.start_tls(server)
    return reply


async def _hello(conversation: SMTPConversation, hostname: str) -> None:
    asked = conversation.clock.seconds()
    reply = await ask_smtp(conversation, conversation.engine.ehlo(hostname))
    conversation.round_trip = conversation.clock.seconds() - asked
    if reply.ok:
        return
    if reply.code // 100 == 5 and reply.code not in _BLOCKED and not conversation.engine.closing:
        reply = await ask_smtp(conversation, conversation.engine.helo(hostname))
    _smtp_ok(reply, "does not answer our hello")


def _smtp_ok(reply: SMTPReply, what: str) -> None:
    if not reply.ok:
        raise Unavailable(f"The server {what}: {reply.code} {reply.status} {reply.text}"[:300])
