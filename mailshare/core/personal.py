"""What one person's mailbox does by itself: its bounds, where its mail is sent on to, what it answers; who has left."""

from __future__ import annotations

from attrs import frozen


@frozen
class Quota:
    """The bounds of a mailbox; 0 is none.

    :ivar octets: of all its messages together, with the lines of each copy.
    """

    octets: int = 0
    messages: int = 0

    def __bool__(self) -> bool:
        return bool(self.octets or self.messages)

    def full(self, messages: int, octets: int, more: int = 0) -> bool:
        """One more message of ``more`` octets does not fit into a mailbox that holds these already."""
        too_many = bool(self.messages) and messages >= self.messages
        return too_many or (bool(self.octets) and octets + max(more, 1) > self.octets)

    def percent(self, messages: int, octets: int) -> int:
        """How full it is by the bound that is nearer; 0 without bounds."""
        parts = [100 * messages // self.messages] if self.messages else []
        parts += [100 * octets // self.octets] if self.octets else []
        return max(parts, default=0)


@frozen
class Vacation:
    """The answer that senders get while somebody is away.

    :ivar subject: empty for ``Auto:`` and the subject of what is answered (RFC 5230 section 5.1).
    :ivar start: first day, ``YYYY-MM-DD`` in the server's zone; empty for always.
    :ivar end: last day, or empty.
    """

    text: str
    subject: str = ""
    start: str = ""
    end: str = ""

    def active(self, today: str) -> bool:
        """Whether it is on, on that day (``YYYY-MM-DD``)."""
        return bool(self.text) and self.start <= today and (not self.end or today <= self.end)


@frozen
class FormerUser:
    """Somebody who was deleted and whose mail is still kept.

    :ivar deleted: when, microseconds UTC.
    :ivar until: when mail and name are dropped for good.
    :ivar rules: account id, kind and match of the taught rules that gave mail to this user.
    """

    id: int
    name: str
    names: tuple[str, ...] = ()
    accounts: tuple[int, ...] = ()
    deleted: int = 0
    until: int = 0
    rules: tuple[tuple[int, str, str], ...] = ()
