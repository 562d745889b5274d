"""Mails about one thing are kept apart, and nothing is begun once the office stops."""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailshare.core.values import SECOND
from mailshare.printing.mail_pace import MailPace


def test_what_comes_after_the_end_is_not_begun() -> None:
    """Neither what waited then nor what comes later leaves a timer behind."""
    clock = Clock()
    done: list[str] = []

    async def work(word: str) -> None:
        done.append(word)

    def soon(coroutine: Awaitable[object]) -> None:
        Deferred.fromCoroutine(coroutine)  # type: ignore[arg-type]

    pace = MailPace(clock, lambda: int(clock.seconds() * SECOND), soon, 10 * SECOND)
    pace.later("job", lambda: work("first"))
    clock.advance(0)
    pace.later("job", lambda: work("second"))
    pace.close()
    pace.later("job", lambda: work("third"))
    pace.later("other", lambda: work("fourth"))
    assert clock.getDelayedCalls() == []
    clock.advance(60)
    assert done == ["first"]
