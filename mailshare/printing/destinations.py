"""Where jobs go: printers elsewhere, and groups of them, each of them a queue that programs print to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

from attrs import field, frozen

from mailshare.core.print_abilities import Abilities

_OURS = UUID("3b1f2c52-6f0e-5c61-9f31-7f1d0f7a9c11")


@frozen
class Destination:
    """A printer elsewhere, or a group of them.

    :ivar name: of the queue.
    :ivar address: where its jobs go, with a scheme: ``dir:/path``, or a mail address; empty for a group.
    :ivar members: names of the destinations of a group.
    :ivar defaults: options that hold when a job does not say otherwise.
    :ivar account: address of the account that its mails leave by; empty = the first one.
    :ivar key: reference of what signs jobs, a shared secret or with ``pair`` the private key of a pair;
        ``key_id`` the name both sides have for it.
    :ivar printer_key: with ``pair``: the printer's public key, by which it signs its reports; empty = it signs none.
    :ivar part_size: octets of a document in one mail; 0 = as the provider takes them.
    :ivar compress: pack what that makes smaller; ``encrypt``: with a key of each job's own, by ``key``.
    :ivar lifetime: hours after which the far end prints a job no more.
    """

    name: str
    address: str = ""
    title: str = ""
    location: str = ""
    members: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(factory=dict, hash=False)
    abilities: Abilities = field(factory=Abilities)
    account: str = ""
    key: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    key_id: str = ""
    pair: bool = False
    printer_key: bytes = b""
    part_size: int = 0
    compress: bool = True
    encrypt: bool = False
    lifetime: int = 24

    @property
    def scheme(self) -> str:
        """The kind of way; ``mailto`` for a bare address."""
        before, colon, _ = self.address.partition(":")
        return before.lower() if colon and "@" not in before else "mailto"

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the destinations that a job goes to."""
        return self.members or (self.name,)


@frozen
class PrintRules:
    """What holds for all destinations.

    :ivar defaults: options of the site.
    :ivar most_octets: of one document, uncompressed.
    :ivar most_open: jobs of a queue that are not over.
    :ivar fetch_from: hosts that documents may be fetched from; none = Print-URI is not offered.
    :ivar documents_kept, jobs_kept: microseconds after the end of a job.
    :ivar multiple_time_out: seconds that an open job may wait for its next document.
    :ivar login: IPP clients must name a user of the office and his password.
    """

    defaults: Mapping[str, object] = field(factory=dict, hash=False)
    most_octets: int = 1 << 30
    most_open: int = 1_000
    fetch_from: tuple[str, ...] = ()
    documents_kept: int = 86_400 * 1_000_000
    jobs_kept: int = 30 * 86_400 * 1_000_000
    multiple_time_out: int = 300
    login: bool = False


def uuid_of(hostname: str, name: str) -> str:
    """A name for a queue that stays the same over restarts."""
    return str(uuid5(_OURS, f"{hostname}/{name}"))


def by_name(destinations: Sequence[Destination]) -> dict[str, Destination]:
    """Destinations by their names, in order."""
    return {one.name: one for one in destinations}
