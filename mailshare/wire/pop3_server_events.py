"""What the POP3 server engine asks of the session around it. Each event is answered by a call of the engine.

Besides these there are the two that every server's shell knows: :class:`~mailshare.wire.replies.Answered`, which wants
no answer, and :class:`~mailshare.wire.replies.StartTLS`. Messages are counted from 0 here, and from 1 only on the wire.
"""

from __future__ import annotations

from attrs import field, frozen

from mailshare.wire.replies import Answered, StartTLS


@frozen
class PasswordGiven:
    """Somebody logs in. Answer: ``admit``, ``refuse_login`` or ``turn_away``."""

    name: bytes
    password: bytes = field(repr=False)
    mechanism: str = "USER"


@frozen
class VerifierWanted:
    """SCRAM needs the stored verifier of a login. Answer: ``give_verifier`` or ``turn_away``."""

    name: str


@frozen
class NameProven:
    """A mechanism has proven who it is. Answer: ``admit``, ``refuse_login`` or ``turn_away``.

    :ivar verifier: the stored verifier that it was proven by.
    """

    name: str
    mechanism: str
    verifier: str = field(default="", repr=False, eq=False)


@frozen
class ProofRejected:
    """A mechanism has found out by itself that the client is not who it says; the client has not been told yet.

    Have the failure counted by whatever slows down guessing, then answer: ``refuse_login`` or ``turn_away``.

    :ivar name: as the client gave it; empty when it gave none that can be read.
    """

    name: str
    mechanism: str


@frozen
class ListingWanted:
    """Sizes and unique-ids are needed for the first time. Answer: ``give_listing`` or ``fail``."""


@frozen
class MessageWanted:
    """``RETR`` or ``TOP``. Answer: ``begin_message``, ``write_message`` ..., ``end_message``; or ``fail``.

    ``give_message`` is the shorter answer to ``RETR`` for a message that is at hand whole.

    :ivar lines: ``None`` for all of it, else how many lines behind the header.
    """

    index: int
    lines: int | None = None


@frozen
class QuitWanted:
    """``QUIT`` after login: delete, mark, let go of the maildrop. Answer: ``finished`` or ``fail``."""

    deleted: tuple[int, ...]
    retrieved: tuple[int, ...]


@frozen
class PauseWanted:
    """Much output has been made at once: wait until the client has read it. Answer: ``resume``."""


Event = (
    PasswordGiven
    | VerifierWanted
    | NameProven
    | ProofRejected
    | ListingWanted
    | MessageWanted
    | QuitWanted
    | PauseWanted
    | Answered
    | StartTLS
)
