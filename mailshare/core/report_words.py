"""What reports and notices say to people: what happened, in whose words, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from mailshare.core.personal import Quota
from mailshare.core.report_parts import printable

_DAY = 86_400_000_000
_HOUR = 3_600_000_000

# By enhanced status code (RFC 3463), the longest prefix first.
_ADVICE = (
    (
        "4.4.7",
        "The other side could not be reached in all that time. Send the message again later, or use another way.",
    ),
    ("4.4.1", "Check the number and try again later, or reach the recipient by another way."),
    ("4.4.2", "Send it again; if that fails too, the line or the far machine is not in order."),
    ("5.3.3", "What answered there cannot take it. Check whether this is the right number."),
    ("5.1.8", "Your own address was refused. Ask whoever looks after this mail server."),
    ("5.1.", "The address seems to be wrong. Check its spelling and send the message again."),
    ("5.2.2", "The recipient's mailbox is full. Send the message again later, or use another way."),
    ("5.2.3", "The message is too large for the recipient. Send less at once, or use another way."),
    ("5.2.", "The recipient's mailbox takes no mail. Ask the recipient by another way."),
    ("5.3.4", "The message is too large. Send less at once, or use another way."),
    ("5.4.6", "The message goes in a circle. Tell whoever looks after the recipient's mail."),
    (
        "5.6.",
        "The other side could not read the message as it is. Send it in a simpler form, for example as plain text.",
    ),
    ("5.7.", "The other side refuses the message by its rules. Its words above may say what to change."),
)
_OTHERWISE = "Nothing more is tried. The words above say why; ask the recipient by another way if it matters."


def advice(status: str) -> str:
    """What the sender can do about a failure with this enhanced status code."""
    return next((text for prefix, text in _ADVICE if status.startswith(prefix)), _OTHERWISE)


def span(micros: int) -> str:
    """A length of time in words: ``"4 hours"``, ``"5 days"``."""
    days, hours = micros // _DAY, micros // _HOUR
    if days >= 2:
        return f"{days} days"
    if hours >= 2:
        return f"{hours} hours"
    minutes = max(1, micros // 60_000_000)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def unknown_name(notes: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Subject and text of the note to a local sender whose message named somebody who is not here.

    :param notes: the router's notes, a sentence each.
    """
    return (
        "About your message: a name was not found",
        (
            "Your message was taken and kept, but something about it should be known to you:",
            *(f"  {printable(note)}" for note in notes),
            "To write to somebody in this office, use the bare login name as the address, for example: greg",
        ),
    )


def too_large(sender: str, size: int, limit: int, account: str) -> tuple[str, tuple[str, ...]]:
    """Subject and text of the note about a message that stays at the provider because of its size."""
    whom = printable(sender, 200) or "an unknown sender"
    return (
        "A message was too large to be collected",
        (
            f"A message of {size // 1024} kB from {whom} waits at the provider in the mailbox {account}.",
            f"It is larger than {limit // 1024} kB, the most that is collected.",
            "It was left there. Read it at the provider, or allow larger messages and collect again.",
        ),
    )


def route_paused(account: str, server: str, reply: str, until: str) -> tuple[str, tuple[str, ...]]:
    """Subject and text of the note to ADMIN about a provider that refuses our login.

    :param server: the way out, ``login@host:port``.
    :param until: when it is tried again, as text.
    """
    return (
        f"Sending through {account} is paused: the login is refused",
        (
            f"The server {server} refused the login. Its words were:",
            f"  {printable(reply)}",
            f"All mail that waits for it stays in the outbox; none of it is sent back. The next try is at {until}.",
            (
                "Check the user name and the password of the account, and whether the provider wants an app password. "
                "A new password in the configuration is tried at the next reload."
            ),
            f"To try at once: mailshare account resume {account}",
        ),
    )


def certificate_refused(account: str, server: str, reply: str, until: str) -> tuple[str, tuple[str, ...]]:
    """Likewise about a server whose certificate cannot be trusted."""
    return (
        f"Sending through {account} is paused: the server's certificate is not trusted",
        (
            f"No TLS connection with {server} came about; neither the password nor any mail was sent to it:",
            f"  {printable(reply)}",
            f"All mail that waits for it stays in the outbox; none of it is sent back. The next try is at {until}.",
            (
                "Is the host name the one that the provider names? Is the clock of this machine right? Has the "
                "certificate run out? A provider with its own authority needs ?ca=FILE behind the server's address."
            ),
            f"To try at once: mailshare account resume {account}",
        ),
    )


def quota_used_up(account: str, server: str, reply: str, until: str) -> tuple[str, tuple[str, ...]]:
    """Likewise about a provider that takes no more mail for now."""
    return (
        f"The provider takes no more mail of {account} for now",
        (
            f"The server {server} says that a limit is used up. Its words were:",
            f"  {printable(reply)}",
            f"The rest waits in the outbox and is not sent back. The next try is at {until}.",
            (
                "If the provider names a number for each day, write it into the account's options as daily_cap "
                "(recipients) or daily_messages; then the outbox spreads over the days by itself."
            ),
        ),
    )


def mailbox_full(notes: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """For a local sender, some of whose recipients have no room; a sentence each."""
    return (
        "About your message: a mailbox is full",
        (
            "Your message was taken for its other recipients, but not for these:",
            *(f"  {printable(note)}" for note in notes),
            "Send it to them again later, or use another way.",
        ),
    )


def mailbox_filling(name: str, percent: int, messages: int, octets: int, quota: Quota) -> tuple[str, tuple[str, ...]]:
    """For the owner of a mailbox that is nearly full, and for ADMIN when it is."""
    bounds = [f"{quota.octets:,} octets"] if quota.octets else []
    bounds += [f"{quota.messages:,} messages"] if quota.messages else []
    full = percent >= 100
    return (
        f"The mailbox {name} is full" if full else f"The mailbox {name} is {percent} % full",
        (
            f"It holds {messages:,} messages of {octets:,} octets; its bound is {' and '.join(bounds)}.",
            "Fetch the mail with a mail program that does not leave it on the server, or delete what is not needed.",
            "Colleagues can send nothing to it until there is room. Mail from outside is still stored."
            if full
            else "When it is full, colleagues can send nothing to it. Mail from outside is stored all the same.",
        ),
    )


def forward_failed(addresses: Sequence[str], answer: str, *, kept: bool) -> tuple[str, tuple[str, ...]]:
    """For somebody whose mail could not be sent on."""
    where = ", ".join(addresses)
    return (
        f"Your mail could not be forwarded to {where}",
        (
            f"A message to you was to be forwarded to {where}. The answer was:",
            f"  {answer or 'none'}",
            "The message is in your mailbox here." if kept else "The message was put into your mailbox here instead.",
            "Tell the administrator if the address is wrong.",
        ),
    )
