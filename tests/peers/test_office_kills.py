"""The server is killed at any moment: nothing it acknowledged is lost, nothing it collected comes twice."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter

import pytest
from real_peers.churn import Books, Loop, open_box, reading, sending, serials_of
from real_peers.letters import letter
from real_peers.office import Office
from real_peers.provider import Provider
from real_peers.running import wait_until
from real_peers.warm import spawn

pytestmark = [pytest.mark.peers, pytest.mark.slow]
KILLS = int(os.environ.get("MAILSHARE_KILLS", "40"))
SEED = 11
FROM_THE_BEGINNING = 20


def one_life(office: Office, books: Books, numbers: itertools.count[int], seconds: float, busy: bool) -> None:
    """Start the server, let people send, read and delete while it collects, and kill it after some time.

    :param busy: the time begins when the server has promised something, however slow the machine is.
    """
    office.start()
    promised = len(books.acknowledged)
    loops = [
        Loop(sending(office.smtp("none", "greg"), books, numbers.__next__)),
        Loop(reading(office.pop3("none", "carolyn"), books)),
    ]
    for loop in loops:
        loop.start()
    asking = office.ask_quietly("sendreceive")
    if busy:
        log = office.folder / "server.log"
        wait_until(lambda: len(books.acknowledged) > promised or not loops[0].is_alive(), "a promise", 300, log)
    time.sleep(seconds)
    office.kill()
    asking.join(120)
    for loop in loops:
        loop.finish()


def test_kill_while_mail_is_left_there_and_sessions_are_short(office: Office, provider: Provider) -> None:
    """Mail stays at the provider and a session takes two messages: killed anywhere, each comes once, none goes."""
    chance = random.Random(SEED)
    office.accounts = [{**office.accounts[0], "leave_on_server_days": 30, "options": {"session_messages": 2}}]
    put: list[str] = []
    for life in range(max(KILLS // 5, 5)):
        for one in range(5):
            name = f"left-{life}-{one}"
            provider.dovecot.put("mail", letter(name, to="Andrew <mail@company.example>"), f"{life}-{one}.left")
            put.append(name)
        office.start()
        asking = office.ask_quietly("sendreceive")
        time.sleep(chance.uniform(0.0, 0.5))
        office.kill()
        asking.join(30)
    office.start()
    office.sendreceive()
    assert sorted(everything_of(office, "andrew")) == sorted(put)
    assert provider.dovecot.messages_count("mail") == len(put)


@pytest.mark.parametrize("days", [0, 30])
def test_kill_while_it_collects_over_imap(days: int, office: Office, provider: Provider, imaps: int) -> None:
    """Killed while it lists, fetches, marks, expunges or listens: each message comes once; it goes, or stays unread."""
    chance = random.Random(SEED)
    url = f"imaps://mail@localhost:{imaps}?ca={provider.authority}"
    office.accounts = [{**office.accounts[0], "collect": url, "leave_on_server_days": days}]
    put: list[str] = []
    for life in range(max(KILLS // 4, 5)):
        for one in range(3):
            name = f"imap-{life}-{one}"
            provider.dovecot.put("mail", letter(name, to="Andrew <mail@company.example>"), f"{life}-{one}.imap")
            put.append(name)
        office.start()
        asking = office.ask_quietly("sendreceive")
        time.sleep(chance.uniform(0.0, 0.5))
        office.kill()
        asking.join(30)
    office.start()
    office.sendreceive()
    assert sorted(everything_of(office, "andrew")) == sorted(put)
    names = provider.dovecot.names("mail")
    assert len(names) == (len(put) if days else 0)
    assert not [name for name in names if set(name.partition(":2,")[2]) & {"S", "T"}]


def everything_of(office: Office, user: str) -> list[str]:
    """Serials of a whole mailbox."""
    session = open_box(office.pop3("none", user))
    try:
        return serials_of(session)
    finally:
        session.quit()


def test_kill_at_any_moment(office: Office, provider: Provider) -> None:
    """Killed many times while it collects, takes mail and deletes mail; afterwards the books are right.

    Each twentieth server is started from the beginning, the others are forked from one that has imported everything.
    """
    chance = random.Random(SEED)
    numbers = itertools.count(1)
    books = Books()
    put: set[str] = set()
    for life in range(KILLS):
        for one in range(3):
            name = f"collected-{life}-{one}"
            provider.dovecot.put("mail", letter(name, to="Andrew <mail@company.example>"), f"{life}-{one}.kill")
            put.add(name)
        office.spawn = spawn if life % FROM_THE_BEGINNING else None
        one_life(office, books, numbers, chance.uniform(0.0, 0.4), busy=life % 2 == 1)
    office.start()

    def empty() -> bool:
        office.sendreceive()
        return not provider.dovecot.messages_count("mail")

    wait_until(empty, "the provider's box to be empty", 300, office.folder / "server.log")
    collected = Counter(everything_of(office, "andrew"))
    assert not put - set(collected), "collected mail was lost"
    assert not {name: count for name, count in collected.items() if count > 1}, "collected mail came twice"
    books.listed(everything_of(office, "carolyn"))
    assert len(books.acknowledged) >= KILLS / 4, "too little happened between the kills"
    assert not books.lost
    assert not books.doubled
    assert not books.returned
    assert not books.halves
    assert office.command("status")
