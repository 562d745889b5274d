"""``route --dry-run``: the stored mail through changed settings, without changing anything (issue 3, item 3)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

from mailshare.core.errors import ConfigFault, NoSuchUser, PeerFault
from mailshare.core.values import User
from tests.administration.conftest import Office
from tests.administration.conftest import finish as finished
from tests.test_assembly_office import ACCOUNT, BASE, Room, room, user

__all__ = ["room"]


def brief(answer: Any) -> list[tuple[list[str], list[str]]]:
    return [(row["got"], row["would"]) for row in answer["rows"]]


def test_only_differences_are_shown_and_every_change_can_be_tried(office: Office) -> None:
    """Names, the rule for ambiguity and options of an account are each tried; --all shows the rest too."""
    for name in ("ab", "ac"):
        finished(office.store.directory.add_user(User(0, name, names=("Zoe Brown",), accounts=(1,))))
    office.arrive('"Sales Team" <mail@company.example>')
    office.arrive('"Zoe Brown" <mail@company.example>')
    office.arrive('"greg" <mail@company.example>')
    run = office.acts.dry_run
    nothing = finished(run())
    assert (nothing["stored"], nothing["replayed"], nothing["changed"], nothing["rows"]) == (3, 3, 0, [])
    assert brief(finished(run(all=True))) == [(["admin1"], ["admin1"])] * 2 + [(["greg"], ["greg"])]
    named = finished(run(aliases=["andrew=Sales Team"]))
    assert brief(named) == [(["admin1"], ["andrew"])]
    assert (named["rows"][0]["was"], named["rows"][0]["why"]) == (["unknown-name"], ["name-L1"])
    assert brief(finished(run(ambiguous="all"))) == [(["admin1"], ["ab", "ac"])]
    assert brief(finished(run(ambiguous="all", account="2"))) == []
    assert brief(finished(run(options={"ignore_names": ["greg", "Zoe Brown", "Sales Team"]}))) == []
    assert brief(finished(run(aliases=["andrew=Sales Team"], last=1))) == []


def test_what_is_wrong_is_said_before_anything_is_tried(office: Office) -> None:
    """A broken file with its line, a stranger, an alias without a name, an option that is none."""
    for given, fault in (
        ({"text": "[[user]]\nname = 5\n", "path": "/x/new.toml"}, ConfigFault),
        ({"aliases": ["nobody=N"]}, NoSuchUser),
        ({"aliases": ["greg"]}, PeerFault),
        ({"options": {"trusted_buy": ["x"]}}, ConfigFault),
    ):
        with pytest.raises(fault):
            finished(office.acts.dry_run(**given))


def octets(folder: Path) -> dict[str, str]:
    """Every file below a directory, by digest; the index of SQLite's log is no data."""
    files = [one for one in folder.rglob("*") if one.is_file() and not one.name.endswith("-shm")]
    return {str(one.relative_to(folder)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


@pytest_twisted.ensureDeferred
async def test_a_changed_file_is_tried_and_the_store_stays_to_the_octet(room: Room) -> None:
    """--with FILE: new, changed and missing objects and rules all count; not one octet of the data is written."""
    room.write("ACCOUNT" + user("andrew") + user("greg"))
    office = await room.start()
    room.isp.arrive('"Lisa" <mail@company.example>', "new user", "a")
    room.isp.arrive('"Greg" <mail@company.example>', "greg goes", "b")
    room.isp.arrive("mail@company.example", "by rule", "c", sender="Shop <shop@far.example>")
    room.isp.arrive('"Andrew" <mail@company.example>', "as before", "d")
    await office.acts.send_receive()
    pop3, smtp = room.isp.ports()
    rule = '[[rule]]\naccount = "mail@company.example"\nmatch = "shop@far.example"\nusers = ["lisa"]\n'
    text = BASE + ACCOUNT.format(pop3=pop3, smtp=smtp) + user("andrew") + user("lisa", more='cc = ["andrew"]') + rule
    before = octets(room.folder)
    answer: Any = await office.acts.dry_run(text=text, path=str(room.folder / "new.toml"))
    assert octets(room.folder) == before
    assert len(before) > 1
    rows = {row["subject"]: (row["got"], row["would"]) for row in answer["rows"]}
    assert rows == {
        "new user": (["admin1"], ["andrew", "lisa"]),
        "greg goes": (["greg"], ["admin1"]),
        "by rule": (["admin1"], ["andrew", "lisa"]),
    }
    assert (answer["replayed"], answer["changed"]) == (4, 3)
    assert "lisa" not in office.store.directory.current().user_by_name


def test_what_admin_gave_away_is_no_difference(office: Office) -> None:
    """By hand: neither the router's old choice nor ADMIN's counts as a change; another one does."""
    office.arrive('"Sales Team" <mail@company.example>')
    finished(office.acts.admin_give(id="1.1", users=["greg"]))
    run = office.acts.dry_run
    assert brief(finished(run())) == []
    (row,) = finished(run(all=True))["rows"]
    assert (row["got"], row["would"], row["given"]) == (["greg"], ["admin1"], True)
    assert brief(finished(run(aliases=["greg=Sales Team"]))) == []
    assert brief(finished(run(aliases=["andrew=Sales Team"]))) == [(["greg"], ["andrew"])]
    finished(office.store.events.expire(1 << 61, audit_before=0))  # the journal's days are gone, the audit stays
    assert brief(finished(run())) == []


def test_what_a_rule_moved_is_no_difference(office: Office) -> None:
    """Always give, and the past sorted once more: who has the mail is whom the rule gives it to."""
    for _ in range(2):
        office.arrive("mail@company.example")
    finished(office.acts.admin_always(id="1.2", users=["greg", "andrew"], past=True))
    office.arrive("mail@company.example")
    assert brief(finished(office.acts.dry_run())) == []
    finished(office.acts.delete_rule(account="1", kind="from", match="ann@out.example"))
    assert brief(finished(office.acts.dry_run())) == [(["andrew", "greg"], ["admin1"])]  # what the rule itself sorted


def test_whose_mail_is_sent_on_had_it_all_the_same(office: Office) -> None:
    """A reader whose mailbox keeps nothing is no difference, whether the router or ADMIN gave it to him."""
    finished(office.acts.change_user(name="greg", forward=["greg@home.example"], forward_keep=False))
    office.arrive("andrew <mail@company.example>, greg <mail@company.example>")
    office.arrive("mail@company.example")
    finished(office.acts.admin_give(id="1.1", users=["greg", "andrew"]))
    rows = finished(office.acts.dry_run(all=True))["rows"]
    assert [(row["got"], row["would"], row["differs"]) for row in rows] == [
        (["andrew", "greg"], ["andrew", "greg"], False),
        (["andrew", "greg"], ["admin1"], False),
    ]
