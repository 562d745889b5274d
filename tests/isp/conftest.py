"""An office in memory for each test."""

from __future__ import annotations

import pytest

from mailshare.testing.pretend_office import Office


@pytest.fixture
def office() -> Office:
    """A fresh one."""
    return Office()
