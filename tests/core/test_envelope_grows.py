"""An envelope that gets one recipient more loses nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, fields

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient


@pytest.mark.parametrize("name", [each.name for each in fields(Envelope) if each.name != "recipients"])
def test_everything_else_stays(name: str) -> None:
    """Each field of today and of tomorrow is handed on, for they are written out where an envelope grows."""
    mark: Any = object()
    grown = evolve(Envelope(None), **{name: mark}).also_to(Recipient(Address("a", "b.example")))
    assert getattr(grown, name) is mark
    assert grown.recipients == (Recipient(Address("a", "b.example")),)
