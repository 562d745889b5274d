"""Where two rooms meet: rules of sharing that no room keeps alone, on a whole office through its sockets."""

from __future__ import annotations

import os
import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from real_peers.warm import finished
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office
from mailshare.core.errors import MailshareError
from mailshare.testing.isp import PretendISP
from tests.acceptance.conftest import House
from tests.house import BASE

HERE = '\naccounts = ["mail@company.example"]\n'
DEVICE = """
[[device]]
name = "scanner-2"
networks = ["127.0.0.1"]
user = "scanner"
recipients = ["local", "@customer.example"]
"""
SCAN = b"From: q@z.example\r\nSubject: Scan\r\nMessage-ID: <scan@z.example>\r\n\r\nPages\r\n"


def user(name: str, more: str = "") -> str:
    """A declared user whose password is the login."""
    return f'[[user]]\nname = "{name}"\npassword = "{name}"{HERE}{more}\n'


async def told(office: Office, wanted: str) -> str:
    """What ``mailshare why`` prints."""
    chains: Any = await office.acts.why(id=wanted)
    return "\n".join(line for chain in chains for line in chain["words"])


@pytest_twisted.ensureDeferred
async def test_given_mail_tells_its_way_and_cannot_be_given_twice(house: House) -> None:
    """``why`` tells who gave it and who fetched it; the second try says who has it now."""
    office = await house.start(user("andrew") + user("greg"))
    house.arrives("mail@company.example")
    await office.acts.send_receive()
    (row,) = await office.acts.admin_list()
    await office.acts.admin_give(id=str(row["id"]), users=["andrew"], by="boss")
    assert len(await house.mail_of("andrew", "andrew")) == 1
    words = await told(office, str(row["trace"]))
    assert words.index("[no-name]") < words.index("ADMIN gave it to andrew") < words.index("andrew fetched it")
    for wanted in (row["id"], row["trace"]):
        with pytest.raises(MailshareError, match=r"was given to andrew at .* by boss"):
            await office.acts.admin_give(id=str(wanted), users=["greg"])
    with pytest.raises(MailshareError, match="admin list shows what does"):
        await office.acts.admin_give(id="1.99", users=["greg"])


@pytest_twisted.ensureDeferred
async def test_everybody_copies_and_duplicates_at_once(house: House) -> None:
    """Everybody has it once, as mail to everybody: no copies of it, the second copy is told and not counted as mail."""
    office = await house.start(user("lisa") + user("greg", 'cc = ["lisa"]') + user("andrew"))
    letter = house.arrives("PUBLIC <mail@company.example>, Greg <mail@company.example>")
    house.isp.box.put(letter, "again")
    done: Any = await office.acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"lisa": 1, "greg": 1, "andrew": 1}
    for name in ("lisa", "greg", "andrew"):
        (mail,) = await house.mail_of(name, name)
        assert b"X-Mailshare-Copy-For" not in mail
    log: Any = await office.acts.log(kinds=["collect.run"])
    assert log["events"][-1]["data"]["duplicates"] == 3
    assert (await told(office, "1@far.example")).count("has it already: duplicate of") == 3


@pytest_twisted.ensureDeferred
async def test_forward_answer_and_what_came_back(house: House) -> None:
    """One forward, one answer; what comes back is known, adds no copy, and is neither forwarded nor answered."""
    office = await house.start(user("greg", 'forward = ["greg@home.example"]'))
    await office.acts.vacation(name="greg", text="Away.")
    house.arrives("greg <mail@company.example>")
    for _ in range(2):
        await office.acts.send_receive()
    senders = [str(each.envelope.sender or "") for each in house.isp.relayed]
    assert sorted(senders) == ["", "mail@company.example"]
    gone = next(each for each in house.isp.relayed if each.envelope.sender)
    house.isp.box.put(b"Received: from home by mx.isp.example; x\r\n" + gone.octets, "back")
    for _ in range(2):
        await office.acts.send_receive()
    assert len(house.isp.relayed) == 2
    assert len(await house.mail_of("greg", "greg")) == 1
    words = await told(office, "1@far.example")
    for each in ("it bears the mark of this office [came-back]", "[not-forwarded]", "has it already", "gets no answer"):
        assert each in words


@pytest_twisted.ensureDeferred
async def test_why_names_the_machine_that_handed_in(house: House) -> None:
    """A scanner's message bears its user's identity, waits in the outbox, and ``why`` names the machine."""
    office = await house.start(user("scanner", 'names = ["Scanner Two"]') + user("greg") + DEVICE)

    def talk(client: smtplib.SMTP) -> Any:
        return client.sendmail("x@y.example", ["greg", "a@customer.example"], SCAN)

    assert await house.smtp(talk, "device") == {}
    (row,) = await office.acts.outbox()
    assert (row["user"], row["from"], row["to"]) == ("scanner", "mail@company.example", "a@customer.example")
    words = await told(office, "scan@z.example")
    assert "a machine that is known by its address handed it in: scanner-2 [device]" in words
    assert "q@z.example became Scanner Two <mail@company.example> [from-fixed]" in words

    def by_greg(client: smtplib.SMTP) -> Any:
        client.login("greg", "greg")
        return client.sendmail("greg", ["scanner"], SCAN.replace(b"scan@", b"own@"))

    await house.smtp(by_greg)
    assert "[device]" not in await told(office, "own@z.example")


@pytest_twisted.ensureDeferred
async def test_names_that_mean_admin_and_public_belong_to_nobody(house: House) -> None:
    """Neither a login nor a further name may be ADMINn or PUBLICn in any spelling; logins have no case."""
    office = await house.start(user("greg"))
    for name in ("ADMIN1", "admin", "Public2", "public", "Admin01", "ADMIN\uff11", "a b", "x@y", ""):
        with pytest.raises(MailshareError):
            await office.acts.add_user(name=name, accounts=["1"], password="x")
    for names in (["Public"], ["ADMIN1"], ["Public\uff12"], ["  "], ["Greg Jones", "admin"]):
        with pytest.raises(MailshareError):
            await office.acts.change_user(name="greg", names=names)
    for number, name in enumerate(("AdMiN1", "Admin", "PUBLIC1", "GREG")):
        house.arrives(f"{name} <mail@company.example>", number=number)
    done: Any = await office.acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"ADMIN1": 2, "greg": 2}
    await office.acts.change_user(name="admin1", password="boss")
    for login, password, count in (("ADMIN1", "boss", 2), ("Admin", "boss", 2), ("GREG", "greg", 2)):
        assert len(await house.mail_of(login, password)) == count


@pytest_twisted.ensureDeferred
async def test_who_keeps_nothing_has_a_message_sent_on_once(house: House) -> None:
    """A second copy of a message is not sent on again when the mailbox keeps none; both are told as collected."""
    office = await house.start(user("greg", 'forward = ["greg@home.example"]\nforward_keep = false'))
    letter = house.arrives("greg <mail@company.example>")
    house.isp.box.put(letter, "again")
    done: Any = await office.acts.send_receive()
    assert done["mail@company.example"]["text"].startswith("collected 2")
    again: Any = await office.acts.send_receive()
    assert again["mail@company.example"]["text"].startswith("collected nothing")
    assert len(house.isp.relayed) == 1
    assert "greg has it already: duplicate of" in await told(office, "1@far.example")


@pytest_twisted.ensureDeferred
async def test_who_leaves_while_mail_is_collected_loses_none(house: House) -> None:
    """A reload in the middle of a collection takes a user away: what follows lies with ADMIN, each message once."""
    office = await house.start(user("greg") + user("lisa"))
    for number in range(200):
        house.arrives(f"{('greg', 'lisa')[number % 2]} <mail@company.example>", number=number)
    run = Deferred.fromCoroutine(office.acts.send_receive())
    file = house.folder / "m.toml"
    file.write_text(file.read_text().replace(user("lisa"), ""))
    await office.acts.reload()
    done: Any = await run
    counts = done["mail@company.example"]["collected"]
    assert counts["greg"] == 100
    assert counts.get("lisa", 0) + counts["ADMIN1"] == 100
    assert {row["reason"] for row in await office.acts.admin_list()} == {"former-user"}
    assert house.isp.box.letters == {}


@pytest_twisted.ensureDeferred
async def test_a_paused_way_out_holds_threshold_and_priority_mail_uncounted(house: House) -> None:
    """Neither is tried again while the login is refused; the right password and a reload send both."""
    office = await house.start(user("greg"))
    file = house.folder / "m.toml"
    right = file.read_text()
    file.write_text(right.replace('"isp"', '"wrong"').replace("threshold = 0", "threshold = 1"))
    await office.acts.reload()

    def talk(client: smtplib.SMTP) -> Any:
        client.login("greg", "greg")
        for more in (b"", b"X-Priority: 1\r\n"):
            client.sendmail("greg", ["a@far.example"], more + b"Subject: x\r\n\r\nText\r\n")

    await house.smtp(talk)
    await office.acts.send_receive()
    rows: Any = []
    while not (rows and all("refuses the login" in row["reply"] for row in rows)):
        await deferLater(reactor, 0.05)
        rows = await office.acts.outbox()
    assert [row["attempts"] for row in rows] == [0, 0]
    assert all("refuses the login" in row["why"] for row in rows)
    assert "refuses the login" in await told(office, rows[0]["trace"])
    file.write_text(right)
    await office.acts.reload()
    await until(lambda: len(house.isp.relayed) == 2)


@pytest_twisted.ensureDeferred
async def test_sixty_four_people_of_one_first_name(house: House) -> None:
    """The first name alone means nobody; full names find each, in either order; nobody is shown the shared name."""
    people = (user(f"a{number}", f'names = ["Andrew Miller{number}", "Andrew"]') for number in range(64))
    office = await house.start("".join(people))
    for number, to in enumerate(
        (
            "Andrew <mail@company.example>",
            "Andrew Miller7 <mail@company.example>",
            '"Miller8, Andrew" <mail@company.example>',
            "Andrew Miller9 <mail@company.example>, Andrew <mail@company.example>",
        )
    ):
        house.arrives(to, number=number)
    done: Any = await office.acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"ADMIN1": 1, "a7": 1, "a8": 1, "a9": 1}
    (row,) = await office.acts.admin_list()
    assert row["reason"] == "ambiguous"
    shown: Any = await office.acts.show_user(name="a3")
    addresses = shown["addresses"][0]["addresses"]
    assert addresses == ["Andrew Miller3 <mail@company.example>", "a3 <mail@company.example>"]


@pytest_twisted.ensureDeferred
async def test_one_user_of_two_accounts_at_one_provider(house: House) -> None:
    """One mailbox for both; mail leaves by the account in From, else by the first; each account has its own sharers."""
    other = PretendISP(reactor, os.urandom, address="mail@other.example", login="other")
    other.startService()
    try:
        pop3, smtp = other.ports()
        second = BASE[BASE.index("[[account]]") :].format(pop3=pop3, smtp=smtp)
        second = second.replace("company", "other").replace("//mail@", "//other@")
        both = user("greg").replace('e"]', 'e", "mail@other.example"]')
        office = await house.start(second + both + user("lisa").replace("company", "other"))
        house.arrives("greg <mail@company.example>", number=1)
        house.arrives("lisa <mail@company.example>", number=2)
        other.arrive("greg <mail@other.example>", "Letter 3", "Text")
        other.arrive("lisa <mail@other.example>", "Letter 4", "Text")
        done: Any = await office.acts.send_receive()
        assert {name: one["collected"] for name, one in done.items()} == {
            "mail@company.example": {"greg": 1, "ADMIN1": 1},
            "mail@other.example": {"greg": 1, "lisa": 1},
        }

        def talk(client: smtplib.SMTP) -> Any:
            client.login("greg", "greg")
            for number, address in enumerate(("mail@other.example", "mail@company.example", "else@where.example")):
                text = f"From: greg <{address}>\r\nSubject: {number}\r\n\r\nText\r\n".encode()
                client.sendmail("greg", ["a@far.example"], text)

        await house.smtp(talk)
        await office.acts.send_receive()
        assert [str(one.envelope.sender) for one in other.relayed] == ["mail@other.example"]
        assert [str(one.envelope.sender) for one in house.isp.relayed] == ["mail@company.example"] * 2
    finally:
        await other.stopService()


@pytest_twisted.ensureDeferred
async def test_rules_leave_and_come_back_with_their_user(house: House) -> None:
    """Without him their mail is ADMIN's, his aliases are a former user's; restored he gets both again."""
    office = await house.start(user("lisa"))
    acts = office.acts
    await acts.add_user(name="greg", names=["Sales"], accounts=["1"], password="greg")
    for number, sender in ((1, "one@far.example"), (2, "two@far.example")):
        house.arrives("mail@company.example", sender=sender, number=number)
    await acts.send_receive()
    newest, oldest = await acts.admin_list()
    await acts.admin_always(id=str(newest["id"]), users=["greg"], kind="from")
    await acts.admin_always(id=str(oldest["id"]), users=["greg", "lisa"], kind="from")
    rules = await acts.rules()
    await acts.delete_user(name="greg")
    assert [rule["users"] for rule in await acts.rules()] == [["lisa"]]
    house.arrives("mail@company.example", sender="two@far.example", number=3)
    house.arrives("Sales <mail@company.example>", number=4)
    await acts.send_receive()
    assert [row["reason"] for row in await acts.admin_list()] == ["former-user"] * 2
    await acts.restore_user(name="greg")
    assert sorted(map(str, rules)) == sorted(str({**one, "users": sorted(one["users"])}) for one in await acts.rules())
    house.arrives("mail@company.example", sender="two@far.example", number=5)
    done: Any = await acts.send_receive()
    assert done["mail@company.example"]["collected"] == {"greg": 1}


@pytest_twisted.ensureDeferred
async def test_why_answers_while_the_server_is_down(house: House) -> None:
    """``mailshare why`` and ``status`` open the store themselves, and tell what the server knew when it ended."""
    office = await house.start(user("greg"))
    house.arrives("greg <mail@company.example>")
    await office.acts.send_receive()
    await house.mail_of("greg", "greg")
    whole = await told(office, "1@far.example")
    await office.stopService()

    def command(*words: str) -> str:
        program = [Path(sys.executable).parent / "mailshare", "-c", house.folder / "m.toml", *words]
        done = finished(*program)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    assert command("why", "1@far.example").strip() == whole
    assert ", 1 messages" in command("status")


async def until(there: Callable[[], bool]) -> None:
    """Wait for what the office does by itself, ten seconds at most."""
    for _ in range(200):
        if there():
            return
        await deferLater(reactor, 0.05)
    raise AssertionError("it did not come")
