"""Did the provider find that a message really comes from the domain in its From field?

Only ``Authentication-Results`` fields in the trusted block count: whoever writes a message can write that field too,
but not so far up. Source: RFC 8601 section 2, alignment as in RFC 7489 section 3.1 (relaxed).
"""

from __future__ import annotations

import re

from mailshare.core.evidence import TrustedBlock

_PIECE = re.compile(r'"((?:[^"\\]|\\.)*+)"(@?)|\\.|[()]|[^"()\\]+|.', re.DOTALL)
_SIMPLE = re.compile(r"[\w.@-]*")
_RESULT = re.compile(r"\s*([a-z0-9\-]{1,30})\s*(?:/\s*\d+\s*)?=\s*([a-z]{1,20})\b", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(header|smtp)\s*\.\s*([a-z]{1,20})\s*=\s*\"?([^\s;\"]{1,300})", re.IGNORECASE)
_PROOF = {
    "dmarc": frozenset({"header.from"}),
    "dkim": frozenset({"header.d", "header.i"}),
    "spf": frozenset({"smtp.mailfrom"}),
    "auth": frozenset({"smtp.auth", "smtp.mailfrom"}),
}


def is_authenticated(block: TrustedBlock, domain: str) -> bool:
    """The provider wrote that DMARC, DKIM, SPF or the login of the sender speaks for this domain of a From field."""
    return any(_speaks_for(value, domain) for value in block.values("authentication-results"))


def _speaks_for(value: str, domain: str) -> bool:
    for clause in _bare(value[:10_000]).split(";")[1:]:
        result = _RESULT.match(clause)
        if result is None or result[2].lower() != "pass":
            continue
        wanted = _PROOF.get(result[1].lower(), frozenset())
        for found in _PROPERTY.finditer(clause):
            name = f"{found[1]}.{found[2]}".lower()
            if name in wanted and _aligned(found[3].rpartition("@")[2].casefold().rstrip("."), domain):
                return True
    return False


def _bare(value: str) -> str:
    """Without comments, and with nothing left in quotes that could pass for a result: senders write local parts so.

    A quoted string counts as one in comments too, for not every server escapes what it puts there. What follows a
    parenthesis that nothing opened is left out.
    """
    out: list[str] = []
    depth = 0
    for found in _PIECE.finditer(value):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if depth < 0:
                break
            out.append(" ")
        elif not depth:
            inside: str | None = found[1]
            text = found[0] if inside is None else inside if _SIMPLE.fullmatch(inside) and not found[2] else "x"
            out.append(text + (found[2] or ""))
    return "".join(out)


def _aligned(proven: str, domain: str) -> bool:
    """One of the two is the other or lies in it."""
    return bool(proven) and (
        proven == domain
        or ("." in domain and proven.endswith("." + domain))
        or ("." in proven and domain.endswith("." + proven))
    )
