"""A counter for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from counter import Counter


@pytest.fixture
def counter() -> Iterator[Counter]:
    """A service with two queues and a client."""
    made = Counter()
    yield made
    made.service.close()
