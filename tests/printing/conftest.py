"""A counter for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from counter import Counter, settled
from status_office import StatusOffice


@pytest.fixture
def counter() -> Iterator[Counter]:
    """A service with two queues and a client."""
    made = Counter()
    yield made
    settled(made.service.close())


@pytest.fixture
def office(counter: Counter) -> Iterator[StatusOffice]:
    """A printing server that tells senders of their jobs."""
    made = StatusOffice(counter)
    yield made
    made.desk.close()
