"""What a provider says in CAPA: how often we may come, how long mail may stay (RFC 2449 sections 6.4 and 6.7)."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

_DIGITS = 7


@frozen
class ProviderPolicy:
    """The two figures.

    :ivar login_delay: seconds between two logins, at least; 0 = as often as we like.
    :ivar expire: days that mail stays there; 0 = it may not be left at all; -1 = for ever, or nothing was said.
    """

    login_delay: int = 0
    expire: int = -1

    @classmethod
    def read(cls, capabilities: Mapping[str, tuple[str, ...]]) -> ProviderPolicy:
        """Read them from the capabilities after login; what makes no sense counts as not said.

        Before login the figures may bear the word ``USER``: they are then those of the least favoured user. As a floor
        for our interval that is safe; as days it might delete mail too early, so it does not count.
        """
        delay = capabilities.get("LOGIN-DELAY", ())
        expire = capabilities.get("EXPIRE", ())
        somebody = "USER" in (word.upper() for word in expire[1:])
        return cls(max(_number(delay), 0), -1 if somebody else _number(expire))

    def days(self, leave_days: int) -> int:
        """The account's days (-1 = for ever), capped by the provider's."""
        return min(leave_days, self.expire) if leave_days > self.expire >= 0 else leave_days


def _number(words: tuple[str, ...]) -> int:
    """The first word as a number, -1 when it is none that makes sense."""
    text = words[0] if words else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else -1
