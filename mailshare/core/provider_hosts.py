"""Which hosts are the provider's: those that write the top ``Received`` of nearly all mail, and those behind them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from mailshare.core.evidence import Received, came_from_outside, written_by

MOST = 0.8
"""Share of the mail that a provider's hosts have to stand on together."""
_LEAST_SHARE = 0.05
_LEAST = 2
_DEPTH = 4
_MOST_HOSTS = 10
_REGISTRY = re.compile(r"[a-z]{2,3}\.[a-z]{2}\Z")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_])?")


def learn_hosts(mails: Sequence[Sequence[Received]]) -> frozenset[str]:
    """The provider's own hosts.

    First those that wrote the topmost line of at least 80 % of the mail, then, as often, those that hand the mail to
    them inside the house: a sender may forge a line, but not the same one in most of the mail, and not what a trusted
    host says of where it took the message from.

    :param mails: of each message its ``Received`` lines, top down.
    :returns: host names; where a provider has too many hosts to name, ``.domain`` for all below a domain.
    """
    trusted: frozenset[str] = frozenset()
    for _ in range(_DEPTH):
        next_hosts = [host for hops in mails if (host := _next_host(hops, trusted))]
        found = _frequent(next_hosts, len(mails))
        if not found:
            break
        trusted |= found
    return trusted


def _next_host(hops: Sequence[Received], trusted: frozenset[str]) -> str:
    """Who wrote the first line below those that are trusted already; empty when that line may be a stranger's."""
    previous: Received | None = None
    for hop in hops:
        if not written_by(hop, trusted):
            return hop.by if previous is None or _handed_on(previous, hop.by, trusted) else ""
        previous = hop
    return ""


def _handed_on(hop: Received, by: str, trusted: frozenset[str]) -> bool:
    """A trusted line says that the message came from that host, or from inside the house."""
    if not by:
        return False
    named = {hop.helo, *_HOST.findall(hop.seen.casefold())}
    return by in named if came_from_outside(hop, trusted) else bool(hop.helo or hop.seen)


def _frequent(hosts: Sequence[str], mails: int) -> frozenset[str]:
    """The hosts that stand on most of the mail together, each on more than a stray one; else their common domain."""
    least = max(_LEAST, _LEAST_SHARE * mails)
    counts = {host: count for host, count in Counter(hosts).items() if count >= least}
    if len(counts) <= _MOST_HOSTS and counts and sum(counts.values()) >= MOST * mails:
        return frozenset(counts)
    parents = Counter(parent for host in hosts if (parent := _parent(host)))
    for parent, count in parents.most_common(1):
        if count >= MOST * mails:
            return frozenset({"." + parent})
    return frozenset()


def _parent(host: str) -> str:
    parent = host.partition(".")[2]
    return parent if "." in parent and not _REGISTRY.match(parent) else ""
