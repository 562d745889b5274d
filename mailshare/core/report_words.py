"""What reports and notices say to people: what happened, in whose words, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from mailshare.core.report_parts import printable

_DAY = 86_400_000_000
_HOUR = 3_600_000_000

# By enhanced status code (RFC 3463), the longest prefix first.
_ADVICE = (
    (
        "4.4.7",
        "The other side could not be reached in all that time. Send the message again later, or use another way.",
    ),
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


def route_paused(account: str, reply: str, until: str) -> tuple[str, tuple[str, ...]]:
    """Subject and text of the note to ADMIN about a provider that refuses our login.

    :param until: when it is tried again, as text.
    """
    return (
        f"Sending through {account} is paused",
        (
            f"The provider of {account} refused the login. Its words were:",
            f"  {printable(reply)}",
            f"All mail that waits for it stays in the outbox. The next try is at {until}.",
            "Check the user name and the password of the account. Once they are right, sending goes on by itself.",
            "To try at once: mailshare sendreceive",
        ),
    )
