"""What a realm gives to those who log in, what they know of their session, and who may object."""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Attribute, Interface

from mailshare.core.envelope import Envelope, Recipient
from mailshare.interfaces.mailboxes import IMaildrop


class IMailboxOpener(Interface):
    """POP3 avatar: what a realm gives to somebody who logged in to read."""

    def open(owner: str) -> Awaitable[IMaildrop]:
        """Lock the maildrop.

        :raises MailboxInUse: -ERR [IN-USE].
        """


class ISession(Interface):
    """What an SMTP avatar may know of the session it serves."""

    peer: str = Attribute("address of the client, e.g. 192.0.2.7")
    helo: str = Attribute("what it called itself")
    secure: bool = Attribute("inside TLS")
    trusted: bool = Attribute("from a configured network")
    protocol: str = Attribute("SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP... (RFC 3848, RFC 6531)")


class ISubmission(Interface):
    """One message on its way in."""

    def write(data: bytes) -> Awaitable[None] | None:
        """Octets of the message: CRLF line ends, dots unstuffed; as :meth:`IBodySink.write`."""

    def finish() -> Awaitable[str]:
        """All is there: make it durable.

        :returns: what to call it in the 250 reply (its trace).
        :raises PolicyRefusal, Unavailable: becomes the reply to the final dot.
        """

    def abort() -> None:
        """The client left or sent something wrong. Idempotent."""


class ISubmitter(Interface):
    """SMTP avatar: what a realm gives to somebody who logged in, or to nobody (anonymous), to hand in mail."""

    def sender(envelope: Envelope, session: ISession) -> Awaitable[None]:
        """May this envelope's sender send? Raises the refusal."""

    def recipient(envelope: Envelope, recipient: Recipient, session: ISession) -> Awaitable[None]:
        """May this recipient be written to? Raises the refusal (550 5.1.1, 550 5.7.1 no relaying ...)."""

    def submit(envelope: Envelope, session: ISession) -> Awaitable[ISubmission]:
        """DATA or the first BDAT: give a place for the octets."""


class IWholeEnvelopes(Interface):
    """Mix-in of SMTP avatars: agrees at once to an envelope whose commands came together."""

    def whole(envelope: Envelope, session: ISession) -> ISubmission | None:
        """What ``sender``, ``recipient`` for each and ``submit`` come to, if none of them would refuse or wait.

        :returns: ``None`` where they are to be asked one after the other.
        """


class IAvatarAuthor(Interface):
    """Mix-in of avatars: who it is."""

    user_id: int | None = Attribute("directory id, None for nobody")
    name: str = Attribute("login name, empty for nobody")


class IGate(Interface):
    """Policy hooks of the SMTP server, asked before the avatar. All may raise a refusal; none gives permission."""

    def connect(session: ISession) -> Awaitable[None]:
        """Before the greeting."""

    def sender(envelope: Envelope, session: ISession, user: str) -> Awaitable[None]:
        """At MAIL FROM."""

    def recipient(envelope: Envelope, recipient: Recipient, session: ISession, user: str) -> Awaitable[None]:
        """At RCPT TO."""

    def data(envelope: Envelope, session: ISession, user: str) -> Awaitable[None]:
        """At DATA."""


class IVerifierSource(Interface):
    """What SCRAM needs to check somebody without knowing the password (RFC 5802 section 5)."""

    def verifier(name: str) -> Awaitable[str]:
        """``SCRAM-SHA-256$iterations:salt$stored:server``, base64 parts, for that login.

        Somebody with several passwords has several, one a line, with salt and count in common.
        Unknown names get a made-up one, the same each time, so that nobody can tell them from known ones.
        """
