"""Frozen values of the six indicators and of what each account did last, for people and for programs.

The indicators are those of a small office's eye: two lamps for the local side, two for the provider's side, and two
counters. Listeners get values; nothing here changes in place.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Indicators:
    """The six indicators.

    :ivar local_sending: SMTP sessions of local clients that are handing in a message now.
    :ivar local_receiving: POP3 sessions of local clients now.
    :ivar outgoing: connections to smarthosts now.
    :ivar incoming: collection sessions now.
    :ivar inbox: messages in local mailboxes that their owner has not retrieved yet.
    :ivar outbox: messages that wait for the provider.
    """

    local_sending: int = 0
    local_receiving: int = 0
    outgoing: int = 0
    incoming: int = 0
    inbox: int = 0
    outbox: int = 0


@frozen(slots=False)  # for changed()
class RunStatus:
    """What one account's collecting or relaying did last.

    Times are microseconds UTC, 0 = never. ``error`` is one line for a person, with the server's words quoted; ``note``
    is one about something that went not as it was asked for and stopped nothing, e.g. a folder that is not there.
    """

    last_try: int = 0
    last_ok: int = 0
    next_try: int = 0
    running: bool = False
    paused: bool = False
    error: str = ""
    messages: int = 0
    note: str = ""


@frozen
class NewsStatus:
    """How listening for an account's new mail goes. Times are microseconds UTC.

    :ivar since: a connection is held since then on which the provider tells of news; 0 = none is.
    :ivar error: why none is held, where one should be: one line for a person.
    :ivar next_try: when it is tried again; 0 = with the next run, or not at all.
    """

    since: int = 0
    error: str = ""
    next_try: int = 0


@frozen
class AccountStatus:
    """Both directions of one account."""

    account_id: int
    address: str
    collect: RunStatus = RunStatus()
    relay: RunStatus = RunStatus()
    news: NewsStatus = NewsStatus()
