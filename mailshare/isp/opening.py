"""Begins a session with an account's mailbox at the provider, over the protocol that the account names."""

from __future__ import annotations

from mailshare.core.values import Account, Server
from mailshare.isp.pop3_session import POP3Session
from mailshare.isp.provider_session import ProviderSession
from mailshare.isp.sign_on import Doors
from mailshare.wire.pop3_client_replies import POP3Limits


async def open_session(doors: Doors, account: Account, server: Server, limits: POP3Limits) -> ProviderSession:
    """Connect and log in.

    :raises LoginRefused: the provider does not want us.
    :raises Unavailable, PeerFault, ConfigFault: it is away, busy, does not keep to the protocol, or has no password.
    """
    if server.protocol == "imap":
        from mailshare.isp.imap_session import IMAPSession  # noqa: PLC0415 - most offices fetch over POP3

        return await IMAPSession.open(doors, account, server, limits)
    return await POP3Session.open(doors, account, server, limits)
