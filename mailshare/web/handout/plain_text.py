"""Texts of unknown origin made harmless before they go into files of other programs."""

from __future__ import annotations

import unicodedata

from mailshare.core.errors import PeerFault

MOST_SHOWN = 200
# Controls, invisible formatting such as bidirectional overrides, halves of surrogate pairs, private and unassigned
# code points (the noncharacters, which XML forbids, are among them), line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """A text for people's eyes: one line, nothing invisible in it, at most 200 characters."""
    spaced = "".join(" " if char.isspace() else char for char in text)
    visible = "".join(char for char in spaced if unicodedata.category(char) not in _UNSEEN)
    return " ".join(visible.split())[:MOST_SHOWN].rstrip()


def exact(text: str, what: str) -> str:
    """A text that must arrive as it is, such as a login.

    :raises PeerFault: 400, it holds what no file can carry: controls, line ends, invisible characters.
    """
    if any(unicodedata.category(char) in _UNSEEN for char in text):
        raise PeerFault(f"The {what} holds invisible or control characters and cannot be handed out", code=400)
    return text
