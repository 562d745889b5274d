"""Mail addresses as the envelope knows them: a local part and a domain.

The forgiving reading of header fields stands in :mod:`mailshare.core.headers`; here only what RFC 5321 section 4.1.2
allows in ``MAIL FROM`` and ``RCPT TO`` (with RFC 6531 for UTF-8), and the one rule for comparing two addresses.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from mailshare.core.derived import once
from mailshare.core.errors import PeerFault

MAX_LOCAL = 64
MAX_DOMAIN = 255
# These name what ASCII leaves out, not what all of Unicode has: compiling such sets took Python twenty times as long.
_ATEXT = r"""[^\x00-\x20"(),.:;<>@\[\\\]\x7f]"""
_DOT_ATOM = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*\Z")
_NO_LETTER = r"\x00-,./:-@\[-^`{-\x7f"  # no letter, digit or underline
_LABEL = rf"[^\-{_NO_LETTER}](?:[^{_NO_LETTER}]*[^\-{_NO_LETTER}])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z")
_LITERAL = re.compile(r"\[(?:IPv6:[0-9A-Fa-f:.]+|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[A-Za-z0-9\-]*:[!-Z^-~]+)\]\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # and halves of pairs, which no octets can say


def _syntax(text: str) -> PeerFault:
    return PeerFault(text, code=501, enhanced=(5, 1, 3))


@frozen(order=True, slots=False)  # once() keeps its results in the object
class Address:
    """An address without display name.

    :ivar local: the local part in its meaning, that is without the quotes of ``"a b"@x``; never empty.
    :ivar domain: as written; empty for a bare local name such as ``greg``.
    """

    local: str
    domain: str = field(default="")

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an addr-spec (or a bare local part) strictly.

        :param text: ``local@domain``, ``"quoted local"@domain``, ``local@[192.0.2.1]`` or ``local``.
        :raises PeerFault: 501 5.1.3 when it is not an address.

        Source: RFC 5321 section 4.1.2, RFC 6531 section 3.3.
        """
        if _CONTROL.search(text):
            raise _syntax("An address may not hold control characters")
        if text.startswith('"'):
            local, rest = _quoted(text)
        else:
            local, at, domain = text.rpartition("@")
            if not at:
                local, rest = text, ""
            else:
                rest = "@" + domain
            if not _DOT_ATOM.match(local):
                raise _syntax("The part before the @ is not a valid local part")
        if not local or len(local.encode()) > MAX_LOCAL * 4:
            raise _syntax("The part before the @ is empty or too long")
        if rest and not rest.startswith("@"):
            raise _syntax("Characters after the closing quote of the local part")
        domain = rest[1:]
        if rest and not is_domain(domain):
            raise _syntax("The part after the @ is not a valid domain")
        return cls(local, domain)

    @once
    def key(self) -> tuple[str, str]:
        """What two addresses are compared by: both parts casefolded, the root dot dropped.

        RFC 5321 section 2.4 lets local parts differ by case; no mailbox provider does, and people do not.
        """
        return self.local.casefold(), self.domain.casefold().rstrip(".")

    @property
    def quoted_local(self) -> str:
        """The local part as it goes on the wire, quoted when it must be."""
        if _DOT_ATOM.match(self.local):
            return self.local
        escaped = self.local.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    @property
    def is_ascii(self) -> bool:
        """False when sending it takes SMTPUTF8 (RFC 6531)."""
        return self.local.isascii() and self.domain.isascii()

    @once
    def _text(self) -> str:
        return f"{self.quoted_local}@{self.domain}" if self.domain else self.quoted_local

    def __str__(self) -> str:
        return self._text


def is_domain(text: str) -> bool:
    """Tell whether this is a domain name or an address literal (RFC 5321 section 4.1.2 and 4.1.3)."""
    if not text or len(text) > MAX_DOMAIN:
        return False
    return bool(_LITERAL.match(text) if text.startswith("[") else _DOMAIN.match(text))


def _quoted(text: str) -> tuple[str, str]:
    """Split ``"local"rest`` into the meaning of the quoted string and the rest."""
    out: list[str] = []
    position = 1
    while position < len(text):
        char = text[position]
        if char == '"':
            return "".join(out), text[position + 1 :]
        if char == "\\":
            position += 1
            if position == len(text):
                break
            char = text[position]
        out.append(char)
        position += 1
    raise _syntax("The quotes around the local part are not closed")
