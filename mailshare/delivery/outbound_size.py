"""Tells a local sender at once what no way out takes: the provider's size limit, known from before (RFC 1870)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailshare.core.address import Address
from mailshare.core.errors import MessageTooLarge

Largest = Callable[[int, str], int]
"""``(account id, domain)`` to the octets of the largest message that some way out takes; 0 = not known."""


def any_size(_account_id: int, _domain: str) -> int:
    """Nothing is known of any limit."""
    return 0


def refuse_too_large(largest: Largest, accounts: Iterable[int], recipient: Address, size: int) -> None:
    """Refuse a message that none of these accounts can send to a recipient outside.

    :param size: octets; 0 = the client has not said.
    :raises MessageTooLarge: with both figures.
    """
    limits = [largest(account_id, recipient.domain) for account_id in accounts]
    if limits and 0 not in limits and size > max(limits):
        raise MessageTooLarge(
            f"The message has {size} octets, and the provider takes at most {max(limits)}; send less at once"
        )
