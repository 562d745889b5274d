"""The mail that answers while somebody is away (RFC 3834 section 3, RFC 5230 section 5)."""

from __future__ import annotations

import textwrap

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.identity import display, envelope_sender, name_that_returns
from mailshare.core.people import people_of
from mailshare.core.report_parts import CRLF, date_text, field, printable, seven_bit, text_field
from mailshare.core.values import Account, AccountMode, Directory, User

_MOST_IDS = 20  # of References; the newest are kept


def own_addresses(user: User, directory: Directory) -> frozenset[tuple[str, str]]:
    """:attr:`~mailshare.core.address.Address.key` of every address that is this user's, for "really addressed".

    The shared address itself counts: the ladder has found by name, tag or answer that he is meant.
    """
    host = directory.hostname.casefold()
    out = {Address(user.name, host).key, Address(user.name).key}
    for account in (directory.account_by_id[one] for one in user.accounts if one in directory.account_by_id):
        if account.mode is AccountMode.REGULAR:
            for own in (account.address, *account.aliases):
                out.add(own.key)
                out.add(Address(f"{own.local}{account.tag_delimiter}{user.name}", own.domain).key)
            continue
        locals_ = [user.name, *(name for name in user.names if " " not in name and "@" not in name)]
        out |= {Address(local, domain).key for local in locals_ for domain in account.domains}
    for name in user.names:
        if name.count("@") == 1:
            local, _, domain = name.partition("@")
            out.add(Address(local, domain).key)
    return frozenset(out)


def vacation_reply(
    headers: Headers, to: Address, user: User, account: Account | None, directory: Directory, *, at: int, trace: str
) -> bytes:
    """The whole answer, CRLF line ends.

    :param to: the return path of what is answered, and nobody else (RFC 3834 section 4).
    :param at: microseconds UTC.
    """
    vacation = user.vacation
    assert vacation is not None
    sharers = people_of(directory).sharers.get(account.id) if account is not None else None
    author = envelope_sender(user, account) if account is not None else Address(user.name, directory.hostname)
    asked = headers.text("subject")
    host = account.address.domain if account is not None else directory.hostname
    answered = headers.message_ids("message-id")[:1]
    lines = [
        field("Date", date_text(at)),
        f"From: {display(name_that_returns(user, sharers), author)}".encode() + CRLF,
        field("To", f"<{to}>"),
        text_field("Subject", vacation.subject or (f"Auto: {asked}" if asked else "Automatic reply")),
        field("Message-ID", f"<{trace}@{host}>"),
    ]
    if answered:
        lines.append(field("In-Reply-To", answered[0]))
        older = [each for each in headers.message_ids("references") if each != answered[0]]
        ids = [*(older or headers.message_ids("in-reply-to")[:1])[-_MOST_IDS:], answered[0]]
        lines.append(b"References: " + "\r\n ".join(ids).encode() + CRLF)
    lines += [field("Auto-Submitted", "auto-replied"), field("Precedence", "bulk")]
    body, encoding = _body(vacation.text)
    mime = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    return b"".join(lines) + mime + encoding + CRLF + CRLF + body


def _body(text: str) -> tuple[bytes, bytes]:
    """The text with its line breaks, long lines wrapped, and how it is encoded: 7-bit in any case."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        lines += textwrap.wrap(printable(line, 2000), 76) or [""]
    return seven_bit("\r\n".join([*lines, ""]).encode())
