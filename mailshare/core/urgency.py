"""Whether a message asks to leave at once: by the fields that mail programs write for "high priority".

Sources: RFC 2156 section 5.3.6 and 5.3.4 (``Priority``, ``Importance``); ``X-Priority`` and ``X-MSMail-Priority`` are
custom, 1 being the highest of five.
"""

from __future__ import annotations

from mailshare.core.headers import Headers

_WORDS = frozenset({"high", "urgent", "highest"})
_NUMBERS = frozenset({"1", "2"})
_FIELDS = ("x-priority", "importance", "priority", "x-msmail-priority")


def is_urgent(headers: Headers) -> bool:
    """``X-Priority`` 1 or 2, or one of the others with the word high or urgent; the first field of each name counts."""
    for name in _FIELDS:
        word = headers.text(name).strip().partition(" ")[0].partition("(")[0].casefold()
        if word in (_NUMBERS if name == "x-priority" else _WORDS):
            return True
    return False
