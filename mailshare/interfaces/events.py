"""The journal's rows, and the memory of what was sent."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from zope.interface import Interface

from mailshare.core.values import Event, SentMark, StoredEvent


class IEventLog(Interface):
    """The journal's rows."""

    def append(events: Sequence[Event]) -> Awaitable[None]:
        """Write events that belong to no other transaction."""

    def days(zone: str = "") -> Awaitable[Sequence[str]]:
        """Days that have events, ``YYYY-MM-DD``, oldest first."""

    def page(
        *, since: int, until: int, trace: str = "", kinds: Sequence[str] = (), after_id: int = 0, limit: int = 1000
    ) -> Awaitable[Sequence[tuple[int, Event]]]:
        """Events in ``[since, until)`` microseconds UTC in the order in which they were written, with their ids.

        Empty ``trace`` and ``kinds`` match all.
        """

    def counts(since: int, step: int, steps: int, kinds: Sequence[str]) -> Awaitable[Mapping[tuple[str, int], int]]:
        """How many events of each of these kinds: by kind and by the number, from 0, of the span of ``step``
        microseconds after ``since``."""

    def traces(message_id: str) -> Awaitable[Sequence[str]]:
        """Traces of messages whose ``route`` line has this Message-ID, newest first, at most 100; the messages may be
        gone. Slow: looks at every line."""

    def newest() -> Awaitable[int]:
        """The greatest id that was ever given; ids grow for ever, also when the clock is set back. 0 = no event yet."""

    def after(number: int, limit: int = 1000) -> Awaitable[Sequence[StoredEvent]]:
        """Events with a greater id, by id, whatever their time says."""

    def expire(before: int, *, audit_before: int | None = None) -> Awaitable[int]:
        """Delete older events, in slices. A report that is due and was not sent yet (``report.due`` without its
        ``report.sent``) is work and stays, as long as it may still be sent; so do ``public.sent`` and
        ``device.sent`` and ``fax.wrong-code`` for the hour in which they count.

        :param audit_before: what administrators did (kinds that begin with ``admin.``) stays from this time on;
            ``None`` treats it as all the rest.
        """


class IMemory(Interface):
    """What the router asks of past mail; answered from the store's indexes."""

    def who_sent(message_ids: Sequence[str]) -> Awaitable[Mapping[str, SentMark]]:
        """Which of these Message-IDs are ours, and who sent them."""
