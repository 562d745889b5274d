"""The sorting settings of an account, read from :attr:`mailshare.core.values.Account.options`.

The names are those of the configuration file; docs/reference/sorting.md explains each. Unknown values fall back to the
default here: the configuration has refused them before.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

from attrs import field, frozen

from mailshare.core.evidence import ENVELOPE_FIELDS
from mailshare.core.values import Account


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(str(part) for part in value)
    return ()


def _one_of(value: object, allowed: tuple[str, ...]) -> str:
    return str(value) if value in allowed else allowed[0]


@frozen
class SortingOptions:
    """How one account's mail is sorted.

    :ivar trusted_by: the provider's own hosts, as they name themselves in ``Received ... by``; casefolded.
    :ivar envelope_headers: names of envelope fields in order of preference; lower case.
    :ivar prefix_map: prefixes to take off the local part of an envelope address (qmail), and ``(pattern, replacement)``
        pairs for whole addresses.
    :ivar ignore_names: display names that mean nobody.
    :ivar dot_insensitive: ``a.smith`` and ``asmith`` are one local part.
    :ivar unknown: what a local sender's mail to an unknown local part of an own domain meets: ``reject``, ``upstream``
        or ``admin``.
    :ivar strangers: who gets collected mail to an unknown local part: ``admin``; a login of the account, who may have
        it forwarded; or ``drop-spam``, which is ADMIN but for what the provider marked as spam: that is dropped.
    :ivar public_from: who may write to everybody: ``anyone``, ``known`` or ``local``.
    :ivar public_rate: messages to everybody per sender and hour.
    :ivar public_to_author: the local author of a mail to everybody gets it too.
    :ivar public_to_admin: ADMINn is a person and gets mail to everybody.
    :ivar known_senders: addresses and ``@domains`` that count as known.
    :ivar collapse_lists: copies of a list mail count as equal although their text differs.
    :ivar tags_work: the provider was seen to deliver tagged addresses.
    :ivar box_names: own addresses that mean the provider's mailbox and nobody in the office; casefolded.
    """

    trusted_by: frozenset[str] = frozenset()
    envelope_headers: tuple[str, ...] = ENVELOPE_FIELDS
    prefixes: tuple[str, ...] = ()
    rewrites: tuple[tuple[re.Pattern[str], str], ...] = field(default=(), repr=False)
    ignore_names: tuple[str, ...] = ()
    dot_insensitive: bool = False
    unknown: str = "reject"
    strangers: str = "admin"
    public_from: str = "anyone"
    public_rate: int = 10
    public_to_author: bool = False
    public_to_admin: bool = False
    known_senders: frozenset[str] = frozenset()
    collapse_lists: bool = False
    tags_work: bool = False
    box_names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, account: Account) -> SortingOptions:
        """Read an account's options; what was found out by itself stands in for what nobody said."""
        said = {**account.found, **account.options}
        get = said.get
        prefix_map = get("prefix_map", ())
        rewrites: list[tuple[re.Pattern[str], str]] = []
        if isinstance(prefix_map, Mapping):
            for old, new in prefix_map.items():
                with contextlib.suppress(re.error):  # the configuration has reported it; mail must go on
                    rewrites.append((re.compile(str(old), re.IGNORECASE), str(new)))
            prefix_map = ()
        rate = get("public_rate", 10)
        return cls(
            trusted_by=frozenset(host.casefold().rstrip(".") for host in _words(get("trusted_by"))),
            envelope_headers=tuple(n.lower() for n in _words(get("envelope_headers"))) or ENVELOPE_FIELDS,
            prefixes=_words(prefix_map),
            rewrites=tuple(rewrites),
            ignore_names=_words(get("ignore_names")),
            dot_insensitive=bool(get("dot_insensitive", False)),
            unknown=_one_of(get("unknown"), ("reject", "upstream", "admin")),
            strangers=str(get("strangers", "admin")).casefold(),
            public_from=_one_of(get("public_from"), ("anyone", "known", "local")),
            public_rate=rate if isinstance(rate, int) else 10,
            public_to_author=bool(get("public_to_author", False)),
            public_to_admin=bool(get("public_to_admin", False)),
            known_senders=frozenset(text.casefold() for text in _words(get("known_senders"))),
            collapse_lists=bool(get("collapse_lists", False)),
            tags_work=bool(get("tags_work", False)),
            box_names=frozenset(text.casefold() for text in _words(get("box_names"))),
        )
