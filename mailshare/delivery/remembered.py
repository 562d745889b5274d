"""What the router said before of envelopes: the same people get the next message just so.

Only routings stand here that follow from the envelope, from who hands it in and from the directory, and from nothing
else: not from the rest of the header, a count or the clock. The envelope of a collected message is what its provider
wrote of it into the header.
"""

from __future__ import annotations

from attrs import define, field

from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import Directory, Origin, Routing
from mailshare.core.values.routing import COLLECT

_MOST = 10_000  # recipients of all envelopes that are remembered
_MOST_WRITTEN = 2_000  # envelopes that providers wrote
_LONG = 1_000  # octets of such a one
_Key = tuple[object, ...]


@define
class Remembered:
    """Routings of one directory. Another directory, which every change of people makes, forgets them all.

    Recipients are known by their identity: the same line of a client gives the same object again, and the objects
    are kept here, so that no other can take their place.
    """

    _directory: Directory | None = None
    _known: dict[_Key, tuple[tuple[Recipient, ...], Routing]] = field(factory=dict)
    _recipients: int = 0

    def find(self, envelope: Envelope, origin: Origin, directory: Directory) -> Routing | None:
        """What was said of such an envelope."""
        if origin.source is COLLECT or directory is not self._directory:
            return None
        found = self._known.get(_key(envelope, origin))
        return None if found is None else found[1]

    def keep(self, envelope: Envelope, origin: Origin, directory: Directory, routing: Routing) -> None:
        """Remember it."""
        if directory is not self._directory or self._recipients > _MOST:
            self._directory = directory
            self._known.clear()
            self._recipients = 0
        if origin.source is not COLLECT:
            self._known[_key(envelope, origin)] = envelope.recipients, routing
            self._recipients += len(envelope.recipients)


@define
class RememberedCollected:
    """The same for collected mail."""

    _directory: Directory | None = None
    _known: dict[_Key, Routing] = field(factory=dict)

    def find(self, written: tuple[bytes, ...], origin: Origin, directory: Directory) -> Routing | None:
        """What was said of such an envelope.

        :param written: as :func:`~mailshare.core.sorting.written_envelope` gives it; of an empty one nothing is known.
        """
        if directory is not self._directory:
            return None
        return self._known.get((origin.account_id, origin.folder, origin.junk, written))

    def keep(self, written: tuple[bytes, ...], origin: Origin, directory: Directory, routing: Routing) -> None:
        """Remember it, unless it is long."""
        if directory is not self._directory or len(self._known) >= _MOST_WRITTEN:
            self._directory = directory
            self._known.clear()
        if written and sum(map(len, written)) <= _LONG:
            self._known[origin.account_id, origin.folder, origin.junk, written] = routing


def _key(envelope: Envelope, origin: Origin) -> _Key:
    came = origin.source._value_, origin.user_id, origin.trusted, origin.folder, origin.junk
    return (*came, *map(id, envelope.recipients))
