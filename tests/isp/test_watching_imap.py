"""Waiting for mail at an IMAP server: told at once where there is IDLE, asked for once a minute where there is none."""

from __future__ import annotations

import pytest

from mailshare.core.errors import LoginRefused, Unavailable
from mailshare.core.servers import parse_server
from mailshare.interfaces import IWatch
from mailshare.isp.imap_watch import LONGEST
from mailshare.isp.watching import Watching
from mailshare.testing.imap_double import CAPABILITIES, PretendIMAP
from mailshare.testing.liars import CUT, instead
from mailshare.testing.pretend_office import Office, letters

MAIL = list(letters().values())
WITHOUT_IDLE = tuple(name for name in CAPABILITIES if name != "IDLE")


def begin(office: Office, server: PretendIMAP) -> IWatch:
    office.provider(server)
    office.change(collect=parse_server("imaps://mail@h"))
    return office.run(Watching(office.doors).watch(office.account), 60)


def test_mail_ends_the_wait_at_once(office: Office) -> None:
    """No clock is needed; what lay there before is no news, and each arrival is told once."""
    server = PretendIMAP(MAIL)
    watch = begin(office, server)
    assert watch.pushes
    waiting = office.begin(watch.wait(LONGEST))
    office.settle()
    assert waiting == []
    server.arrive(MAIL[0])
    office.settle()
    assert waiting == [True]
    again = office.begin(watch.wait(LONGEST))
    office.settle()
    assert again == []
    assert server.inbox.seen == set()
    assert [c for c in server.commands if "FETCH" in c or "SELECT" in c] == []


def test_what_comes_between_two_waits_is_told(office: Office) -> None:
    """Nobody listened when it came; the next wait ends as soon as the server has spoken."""
    server = PretendIMAP(MAIL)
    watch = begin(office, server)
    server.arrive(MAIL[0])
    assert office.run(watch.wait(LONGEST), 5) is True
    assert office.run(watch.wait(600), 700) is False


def test_each_wait_is_an_idle_of_its_own(office: Office) -> None:
    """Renewed before the server hangs up: DONE and IDLE again, after 29 minutes at most (RFC 2177 section 3)."""
    server = PretendIMAP(MAIL)
    watch = begin(office, server)
    began = office.clock.seconds()
    assert office.run(watch.wait(100_000), 3000) is False
    assert office.clock.seconds() - began == LONGEST
    assert office.run(watch.wait(60), 100) is False
    assert server.commands.count("IDLE") == 2


@pytest.mark.parametrize("refused", [True, False])
def test_without_idle_the_server_is_asked_once_a_minute(office: Office, refused: bool) -> None:
    """Also where IDLE is offered and refused."""
    lie = instead(IDLE=b"<tag> NO not really\r\n") if refused else instead()
    server = PretendIMAP(MAIL, lie, CAPABILITIES if refused else WITHOUT_IDLE)
    watch = begin(office, server)
    waiting = office.begin(watch.wait(600))
    office.settle()
    for _ in range(3):
        office.clock.advance(60)
        office.settle()
    assert waiting == []
    server.arrive(MAIL[0])
    office.clock.advance(60)
    office.settle()
    assert waiting == [True]
    assert server.commands.count("NOOP") == 4
    assert not watch.pushes
    assert office.run(watch.wait(90), 100) is False


@pytest.mark.parametrize(
    "lie",
    [
        instead(IDLE=b"+ idling\r\n* BYE going down\r\n"),
        instead(IDLE=b"+ idling\r\n" + CUT),
        instead(IDLE=b"+ idling\r\n<tag> OK enough\r\n"),
        instead(IDLE=b""),
        instead(DONE=b""),
        instead(IDLE=b"+ idling\r\n" + b"* OK still here\r\n" * 20_000),
    ],
)
def test_a_watch_that_breaks_says_so(office: Office, lie: object) -> None:
    """BYE, a cut, an end nobody asked for, silence, a flood: the wait ends with an error, in bounded time."""
    server = PretendIMAP(MAIL, lie)  # type: ignore[arg-type]
    watch = begin(office, server)
    waiting = office.begin(watch.wait(600))
    for _ in range(12):
        office.clock.advance(70)
        office.settle()
    (error,) = waiting
    assert isinstance(error, Unavailable) or "does not stop" in str(error)
    assert office.endpoint.wires[-1].closed
    with pytest.raises(Unavailable):
        office.run(watch.wait(1), 5)
    office.run(watch.close(), 10)


@pytest.mark.parametrize("capabilities", [CAPABILITIES, WITHOUT_IDLE])
@pytest.mark.parametrize("silent", [True, False])
def test_close_ends_the_wait_and_says_goodbye(
    office: Office, capabilities: tuple[str, ...], silent: bool
) -> None:
    """Who waits hears of it; a server that does not answer is left after some seconds; twice is once."""
    server = PretendIMAP(MAIL, capabilities=capabilities)
    watch = begin(office, server)
    waiting = office.begin(watch.wait(600))
    office.settle()
    if silent:
        server.lie = lambda _verb, _reply: b""
    office.run(watch.close(), 10)
    office.settle()
    assert isinstance(waiting[0], Unavailable)
    assert office.endpoint.wires[-1].closed
    assert "LOGOUT" in server.commands or silent
    office.run(watch.close(), 10)


def test_cancelling_cuts_the_connection(office: Office) -> None:
    """Whoever stops waiting needs nothing else to do."""
    watch = begin(office, PretendIMAP(MAIL))
    office.begin(watch.wait(600))
    office.settle()
    office.deferred.cancel()
    office.settle()
    assert office.endpoint.wires[-1].closed


def test_who_can_be_watched(office: Office) -> None:
    """Over IMAP, unless it is switched off; a refused login is told as such, and a folder that is not there."""
    watching = Watching(office.doors)
    assert not watching.can_watch(office.account)
    office.change(collect=parse_server("imaps://mail@h"))
    assert watching.can_watch(office.account)
    assert not watching.can_watch(office.change(options={"idle": False}))
    office.provider(PretendIMAP(MAIL, instead(AUTHENTICATE=b"<tag> NO wrong\r\n")))
    with pytest.raises(LoginRefused):
        office.run(watching.watch(office.account), 60)
    office.provider(PretendIMAP({}))
    with pytest.raises(Unavailable, match="cannot be watched"):
        office.run(watching.watch(office.account), 60)
    office.settle()
    assert office.endpoint.wires[-1].closed


def test_mail_is_told_of_while_another_session_collects_it(office: Office) -> None:
    """Two connections at once: the one waits, the other fetches and deletes; what is expunged is no news."""
    from mailshare.isp.collect import Collector

    server = PretendIMAP([])
    watch = begin(office, server)
    waiting = office.begin(watch.wait(600))
    office.settle()
    server.arrive(MAIL[0])
    office.settle()
    assert waiting == [True]
    office.run(Collector(office.store, office.door, office.doors).collect(office.account), 60)
    assert office.mail_of("andrew") == MAIL[:1]
    assert office.run(watch.wait(300), 400) is False
