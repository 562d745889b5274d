"""Servers that lie about what the ledger rests on: unique-ids, TOP, sizes, EXPIRE; and sessions cut anywhere."""

from __future__ import annotations

import pytest

from mailshare.core.values import LedgerState
from mailshare.isp.collect import Collector
from mailshare.isp.listing import CLOSE_LOOK, SAMPLE, Upstream, to_verify
from mailshare.testing.liars import CUT, Lie, PretendPOP3, honest, instead
from mailshare.testing.pretend_office import Office, letters
from mailshare.wire.pop3_client_replies import POP3Limits

LOCK_STEP = ("TOP", "UIDL", "USER")
AHEAD = ("TOP", "UIDL", "PIPELINING", "SASL PLAIN")


def collect(office: Office) -> None:
    """One run of a collector that remembers nothing but what was written."""
    office.run(Collector(office.store, office.door, office.doors).collect(office.account), 8000)


def nth(verb: str, which: int, reply: bytes) -> Lie:
    """The honest reply but to one of the commands of a kind."""
    count = 0

    def lie(spoken: str, honestly: bytes) -> bytes:
        nonlocal count
        count += spoken == verb
        return reply if spoken == verb and count == which else honestly

    return lie


@pytest.mark.parametrize("capabilities", [AHEAD, LOCK_STEP, ("TOP", "USER"), ("USER",)])
@pytest.mark.parametrize("days", [0, -1])
@pytest.mark.parametrize("which", [1, 2, 3])
@pytest.mark.parametrize("verb", ["STAT", "LIST", "UIDL", "TOP", "RETR", "DELE", "QUIT"])
def test_a_session_cut_at_any_command_goes_on(
    office: Office, verb: str, which: int, days: int, capabilities: tuple[str, ...]
) -> None:
    """Complaint 3: after the cut and one honest run each message is here once, whatever stays at the provider."""
    office.change(leave_days=days)
    server = PretendPOP3(letters(), nth(verb, which, CUT), capabilities)
    office.provider(server)
    collect(office)
    server.lie = honest
    fetched = len(server.retrieved)
    collect(office)
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())
    assert len(server.messages) == (0 if days == 0 else 3)
    if "UIDL" in capabilities and verb in ("DELE", "QUIT") and fetched == 3:
        assert len(server.retrieved) == 3, "what is stored is only deleted"


def test_ids_that_change_with_every_listing_are_followed(office: Office) -> None:
    """The server makes ids up anew each time: headers tell that nothing is new, so nothing is fetched twice."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters())
    office.provider(server)
    listing = 0

    def lie(verb: str, reply: bytes) -> bytes:
        nonlocal listing
        if verb != "UIDL":
            return reply
        listing += 1
        return b"+OK\r\n" + b"".join(b"%d id-%d-%d\r\n" % (n, listing, n) for n in (1, 2, 3)) + b".\r\n"

    server.lie = lie
    for _ in range(4):
        collect(office)
    assert server.retrieved == ["a", "b", "c"]
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())


@pytest.mark.parametrize(
    "uidl", [b"-ERR not now\r\n", b"+OK\r\n1 same\r\n2 same\r\n3 same\r\n.\r\n", b"+OK\r\n.\r\n"]
)
def test_a_listing_without_ids_brings_nothing_twice(office: Office, uidl: bytes) -> None:
    """UIDL fails for an hour: what is left at the provider is known by its header, and new mail still comes."""
    office.change(leave_days=40)
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    office.clock.advance(35 * 86_400)
    server.lie = instead(UIDL=uidl)
    server.messages.update(letters(["new"]))
    collect(office)
    server.lie = honest
    collect(office)
    assert server.retrieved == ["a", "b", "c", "new"]
    assert office.mail_of("andrew") == [*letters().values(), *letters(["new"]).values()]
    office.clock.advance(6 * 86_400)
    collect(office)
    assert list(server.messages) == ["new"]


def test_a_server_that_loses_uidl_for_good_is_lived_with(office: Office) -> None:
    """CAPA no longer has it: rows of before stay, nothing is fetched again, nothing is deleted by its header alone."""
    office.change(leave_days=40)
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    server.capabilities = ("TOP", "USER")
    for _ in range(3):
        office.clock.advance(20 * 86_400)
        collect(office)
    assert server.retrieved == ["a", "b", "c"]
    assert len(server.messages) == 3


def test_a_listing_longer_than_we_take_is_worked_off(office: Office) -> None:
    """``[limits] listing_rows``: the rest comes in the next session, at once, and nothing is lost."""
    server = PretendPOP3(letters([f"m{n}" for n in range(7)]))
    office.provider(server)
    limits = POP3Limits(rows=3)
    office.run(Collector(office.store, office.door, office.doors, limits=limits).collect(office.account), 5)
    assert len(office.mail_of("andrew")) == 7
    assert (server.messages, server.sessions) == ({}, 3)


@pytest.mark.parametrize("capabilities", [AHEAD, LOCK_STEP])
def test_new_mail_is_not_hidden_by_what_is_left(office: Office, capabilities: tuple[str, ...]) -> None:
    """More messages are left there than are listed: the newest are looked at, and each that comes is collected once."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters([f"m{n}" for n in range(7)]), capabilities=capabilities)
    office.provider(server)
    collector = Collector(office.store, office.door, office.doors, limits=POP3Limits(rows=3))
    office.run(collector.collect(office.account), 5)
    assert server.retrieved == ["m4", "m5", "m6"]
    assert collector.status(office.account.id).note == "There are 7 messages; the newest 3 of them are looked at"
    server.messages |= letters(["m7", "m8"])
    office.run(collector.collect(office.account), 5)
    assert server.retrieved == ["m4", "m5", "m6", "m7", "m8"]
    assert len(server.messages) == 9


@pytest.mark.parametrize("days", [0, -1])
@pytest.mark.parametrize("capabilities", [AHEAD, LOCK_STEP])
def test_numbers_that_move_behind_the_listing_lose_nothing(
    office: Office, days: int, capabilities: tuple[str, ...]
) -> None:
    """Another program's session moves the numbers between UIDL and RETR: what is fetched is what is deleted."""
    office.change(leave_days=days)
    server = PretendPOP3(letters(), capabilities=capabilities)
    office.provider(server)

    def lie(verb: str, reply: bytes) -> bytes:
        if verb == "UIDL":
            server._listed = ["b", "c", "a"]
        return reply

    server.lie = lie
    collect(office)
    got = office.mail_of("andrew")
    assert {*got, *server.messages.values()} == {*letters().values()}
    server.lie = honest
    for _ in range(2):
        collect(office)
    assert {*office.mail_of("andrew")} == {*letters().values()}
    assert len(server.messages) == (0 if days == 0 else 3)


def test_a_server_whose_top_shows_another_header_is_found_out(office: Office) -> None:
    """Some put fields on top of TOP only: the mail that is left is fetched once more, and never again after that."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    server.lie = lambda verb, reply: reply.replace(b"Subject", b"X-Scanned: yes\r\nSubject") if verb == "TOP" else reply
    for _ in range(4):
        collect(office)
    assert sorted(server.retrieved) == ["a", "a", "b", "b", "c", "c"]
    assert sorted(office.mail_of("andrew")) == sorted(letters().values())


def test_expire_0_leaves_nothing_there(office: Office) -> None:
    """RFC 2449 section 6.7: mail may not be left, so it is deleted once it is safe here, and ADMIN hears why."""
    office.change(leave_days=30)
    server = PretendPOP3(letters(), capabilities=(*LOCK_STEP, "EXPIRE 0"))
    office.provider(server)
    collect(office)
    assert server.messages == {}
    assert b"keeps mail for 0 days, not 30" in office.mail_of("admin1")[0]
    assert len(office.mail_of("andrew")) == 3


def test_a_lie_about_expire_deletes_nothing_that_is_not_here(office: Office) -> None:
    """A server that suddenly says EXPIRE 0 gets its DELE for what is stored and for nothing else."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters())
    office.provider(server)
    collect(office)
    office.change(leave_days=30)
    server.messages["new"] = letters(["new"])["new"]
    server.capabilities = (*AHEAD, "EXPIRE 0")
    server.lie = lambda verb, reply: b"-ERR no\r\n" if verb == "RETR" and b"new" in reply else reply
    collect(office)
    assert list(server.messages) == ["new"]
    assert len(office.mail_of("andrew")) == 3


def test_a_login_delay_of_months_counts_as_a_day(office: Office) -> None:
    """A figure that would stop mail for good is a lie."""
    server = PretendPOP3(letters(), capabilities=("UIDL", "TOP", "LOGIN-DELAY 9999999"))
    office.provider(server)
    collect(office)
    server.messages.update(letters(["d"]))
    office.clock.advance(86_401)
    collect(office)
    assert len(office.mail_of("andrew")) == 4


def test_uids_of_another_message_with_equal_header_and_other_size(office: Office) -> None:
    """Same id, same header, another length: new mail, and deleted only after it was stored."""
    server = PretendPOP3({"a": b"Subject: x\r\n\r\none\r\n"}, instead(QUIT=b"-ERR no\r\n"))
    office.provider(server)
    collect(office)
    server.messages = {"a": b"Subject: x\r\n\r\nand another\r\n"}
    server.lie = honest
    collect(office)
    assert office.mail_of("andrew") == [b"Subject: x\r\n\r\none\r\n", b"Subject: x\r\n\r\nand another\r\n"]
    assert server.messages == {}


def test_the_close_look_is_bounded_too(office: Office) -> None:
    """A mailbox of thousands whose ids look odd costs five hundred TOPs a run, and each message has its turn."""
    office.change(leave_days=-1)
    names = [str(n) for n in range(1, CLOSE_LOOK + 101)]
    server = PretendPOP3(letters(names))
    office.provider(server)
    collect(office)
    tops = 0

    def lie(verb: str, reply: bytes) -> bytes:
        nonlocal tops
        tops += verb == "TOP"
        return reply

    server.lie = lie
    collect(office)
    assert tops == CLOSE_LOOK
    known = office.wait(office.store.ledger.known(office.account.id))
    assert {row.state for row in known.values()} == {LedgerState.KEPT}


@pytest.mark.parametrize("most", [SAMPLE, CLOSE_LOOK, None])
def test_every_message_has_its_turn(office: Office, most: int | None) -> None:
    """Whatever the size of the sample, some seed reaches each message."""
    office.change(leave_days=-1)
    server = PretendPOP3(letters([f"m{n}" for n in range(40)]))
    office.provider(server)
    collect(office)
    known = office.wait(office.store.ledger.known(office.account.id))
    messages = [Upstream(n + 1, f"m{n}", known[f"m{n}"].key.size, f"m{n}") for n in range(40)]
    reached = {m.uid for seed in range(40) for m in to_verify(messages, known, seed=seed, most=most)}
    assert len(reached) == 40
