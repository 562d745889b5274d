"""Priority mail is known by the fields that mail programs write."""

from __future__ import annotations

import pytest

from mailshare.core.headers import Headers
from mailshare.core.urgency import is_urgent


@pytest.mark.parametrize(
    "line",
    [
        "X-Priority: 1",
        "X-Priority: 1 (Highest)",
        "X-Priority: 2 (High)",
        "X-Priority:1(Highest)",
        "Importance: High",
        "importance: urgent",
        "Priority: urgent",
        "Priority: high",
        "X-MSMail-Priority: High",
    ],
)
def test_high_priority(line: str) -> None:
    """Each of the usual spellings."""
    assert is_urgent(Headers.parse(f"Subject: x\r\n{line}\r\n\r\n".encode()))


@pytest.mark.parametrize(
    "line",
    ["X-Priority: 3", "X-Priority: 10", "Importance: normal", "Priority: non-urgent", "Subject: urgent", "Priority:"],
)
def test_ordinary_priority(line: str) -> None:
    """Normal, low, empty and the subject's own words are no priority."""
    assert not is_urgent(Headers.parse(f"From: a@x.example\r\n{line}\r\n\r\n".encode()))
