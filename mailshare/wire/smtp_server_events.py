"""What the SMTP server engine tells its session, and what it is set up with.

Events marked *wants an answer* stop the engine until one of its answering methods is called.
"""

from __future__ import annotations

from attrs import define, field, frozen

from mailshare.core.envelope import Envelope, Recipient
from mailshare.wire.dots import MAX_BODY_LINE
from mailshare.wire.sasl.exchange import MAX_LINE


@frozen
class SMTPSettings:
    """How an engine behaves. Sizes in octets, line ends included.

    :ivar hostname: what the server calls itself.
    :ivar max_size: largest message, announced by SIZE.
    :ivar max_recipients: per message, announced by LIMITS (RFC 9422); at least 100 (RFC 5321 section 4.5.3.1.8).
    :ivar max_line: of a command; AUTH has a limit of its own.
    :ivar max_auth_line: of AUTH and of the answers to its challenges.
    :ivar max_body_line: inside a message; one that is longer has the message refused after its end.
    :ivar max_header: octets at the beginning of a message in which ``Received`` fields are counted.
    :ivar max_hops: ``Received`` fields beyond which a message is taken for a loop.
    :ivar tls: STARTTLS can be offered.
    :ivar mechanisms: of SASL, as offered; empty for a server without AUTH.
    :ivar clear_auth: AUTH is offered without TLS too; for clients in a trusted network only.
    :ivar old_form: ``greg@mail@company.example`` is taken as a recipient; for clients in a trusted network only.
    :ivar login_failures: then the connection is closed.
    :ivar idle_commands: commands that bring no message nearer (NOOP, RSET, VRFY ...) between two messages; each further
        one counts as a fault.
    :ivar whole_envelopes: envelopes whose commands came together are offered whole, by :class:`EnvelopeOffered`.
    :ivar unknown_recipients: refused recipients, then each further one gets 450 and counts as a fault.
    """

    hostname: str
    max_size: int = 50_000_000
    max_recipients: int = 200
    max_line: int = 2048
    max_auth_line: int = MAX_LINE
    max_body_line: int = MAX_BODY_LINE
    max_header: int = 262_144
    max_hops: int = 30
    tls: bool = False
    mechanisms: tuple[str, ...] = ()
    clear_auth: bool = False
    old_form: bool = False
    login_failures: int = 5
    idle_commands: int = 50
    whole_envelopes: bool = False
    unknown_recipients: int = 20


@define
class MailOffered:
    """``MAIL FROM``: wants an answer, ``accept()`` or ``refuse()``."""

    envelope: Envelope


@define
class EnvelopeOffered:
    """``MAIL``, ``RCPT`` and ``DATA`` that came together: wants an answer, ``accept()`` for all of them, or
    ``one_by_one()``, after which each is offered as if it had come alone.

    :ivar envelope: with all its recipients.
    """

    envelope: Envelope


@define
class RecipientOffered:
    """``RCPT TO``: wants an answer, ``accept()`` or ``refuse()``.

    :ivar envelope: with the recipients accepted so far.
    """

    envelope: Envelope
    recipient: Recipient


@define
class BodyBegun:
    """``DATA`` or the first ``BDAT``: wants an answer, ``accept()`` or ``refuse()``."""

    envelope: Envelope


@define
class BodyRead:
    """Octets of the message, dots unstuffed. When they cannot be kept, call ``fail_body()``."""

    data: bytes


@define
class MessageRead:
    """A message that came in one piece behind ``DATA``, in place of :class:`BodyRead` and :class:`BodyEnded`: wants an
    answer, ``accept()`` when it is durable, or ``refuse()``.
    """

    data: bytes


@define
class BodyEnded:
    """The message is whole: wants an answer, ``accept()`` when it is durable, or ``refuse()``."""


@define
class BodyDropped:
    """The message will not be: forget its octets. The engine says so to the peer itself."""


@define
class PasswordOffered:
    """A login: wants an answer, ``accept()`` or ``refuse()``."""

    name: str
    password: str = field(repr=False)


@define
class VerifierWanted:
    """SCRAM needs what is stored for this login: wants an answer, ``verifier()`` or ``refuse()``."""

    name: str


@define
class LoginProven:
    """SCRAM proved this login; may it be used? Wants an answer, ``accept()`` or ``refuse()``.

    :ivar verifier: the stored verifier that it was proven by.
    """

    name: str
    verifier: str = field(default="", repr=False, eq=False)


@define
class ProofRejected:
    """SCRAM found out by itself that the client is not who it says; the client has not been told yet.

    Have the failure counted by whatever slows down guessing. Wants an answer, ``refuse()``.

    :ivar name: as the client gave it; empty when it gave none that can be read.
    """

    name: str
