"""Did the provider find that a message really comes from the domain in its From field?

Only ``Authentication-Results`` fields in the trusted block count: whoever writes a message can write that field too,
but not so far up. Source: RFC 8601 section 2, alignment as in RFC 7489 section 3.1 (relaxed).
"""

from __future__ import annotations

import re

from mailshare.core.evidence import TrustedBlock

_COMMENT = re.compile(r"\([^()]{0,500}\)")
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
    for clause in _COMMENT.sub(" ", value[:10_000]).split(";")[1:]:
        result = _RESULT.match(clause)
        if result is None or result[2].lower() != "pass":
            continue
        wanted = _PROOF.get(result[1].lower(), frozenset())
        for found in _PROPERTY.finditer(clause):
            name = f"{found[1]}.{found[2]}".lower()
            if name in wanted and _aligned(found[3].rpartition("@")[2].casefold().rstrip("."), domain):
                return True
    return False


def _aligned(proven: str, domain: str) -> bool:
    """One of the two is the other or lies in it."""
    return bool(proven) and (
        proven == domain
        or ("." in domain and proven.endswith("." + domain))
        or ("." in proven and domain.endswith("." + proven))
    )
