"""Message-IDs of status mails: they name the job, and prove of whoever answers that he was sent it.

``<UUID.MARK.PROOF@HOST>``: the proof is a keyed digest over job and reader. It travels in a field that mail programs
put into an answer by themselves and show to nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from attrs import frozen

_FORM = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[0-9a-f]{12}\.([0-9a-f]{24})@[^@<>\s]{1,255}>\Z")


@frozen
class Answered:
    """The status mail that an answer names.

    :ivar uuid: of the job; ``proof`` as it came.
    """

    uuid: str
    proof: str


def status_id(uuid: str, mark: str, reader: str, host: str, secret: bytes) -> str:
    """The Message-ID of one status mail to one reader; the same one each time that it is asked for.

    :param mark: what is told, of any length.
    :param reader: address that it goes to.
    """
    digest = hashlib.sha256(f"{mark}\n{reader.casefold()}".encode()).hexdigest()[:12]
    return f"<{uuid}.{digest}.{_proof(uuid, reader, secret)}@{host}>"


def answered(message_id: str) -> Answered | None:
    """What a Message-ID of that form says; ``None`` for others."""
    found = _FORM.match(message_id)
    return None if found is None else Answered(found[1], found[2])


def proves(one: Answered, reader: str, secret: bytes) -> bool:
    """The status mail was sent to that address."""
    return hmac.compare_digest(one.proof, _proof(one.uuid, reader, secret))


def _proof(uuid: str, reader: str, secret: bytes) -> str:
    return hmac.new(secret, f"{uuid}\n{reader.casefold()}".encode(), hashlib.sha256).hexdigest()[:24]
