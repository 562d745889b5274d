"""ADMIN as a work list (rule 3.1 step 7 and 8): list, give, always give, teach a name, sort the past once more."""

from __future__ import annotations

import pytest

from mailshare.core.envelope import Envelope
from mailshare.core.errors import Declared, MailshareError, NoSuchEntry, PolicyRefusal
from mailshare.core.values import Origin, Source, User
from tests.administration.conftest import Office, finish


def test_the_list_says_from_whom_about_what_and_why(office: Office) -> None:
    """Rule 3.1 step 8: sender, subject, names and the reason, newest first; ids and traces both name an entry."""
    first = office.arrive('"Zed, Zoe" <mail@company.example>')
    office.arrive("mail@company.example")
    office.arrive('"Andrew" <mail@company.example>')
    office.arrive("lisa@firm.example", account=2, more="Delivered-To: lisa@firm.example\r\n")
    rows = finish(office.acts.admin_list())
    assert [(row["id"], row["reason"]) for row in rows] == [
        ("1.2", "no-name"),
        ("1.1", "unknown-name"),
        ("2.1", "unknown-user"),
    ]
    assert rows[1]["unknown"] == ["Zed, Zoe"]
    assert rows[2]["unknown"] == ["lisa"]
    assert rows[1]["trace"] == first
    assert rows[1]["subject"].startswith("Letter ")
    assert "ann@out.example" in rows[1]["from"]
    assert [row["id"] for row in finish(office.acts.admin_list(account="box@firm.example"))] == ["2.1"]


def test_given_mail_moves_with_its_body_and_its_event(office: Office) -> None:
    """The copy says whom it was delivered to, no longer why ADMIN had it; who gave it stands in the journal."""
    trace = office.arrive("mail@company.example")
    answer = finish(office.acts.admin_give(id="1.1", users=["greg", "andrew"], by="root"))
    assert answer == {"id": "1.1", "trace": trace, "to": ["greg", "andrew"], "sent_on": []}
    assert (office.box("admin1"), office.box("greg"), office.box("andrew")) == ([], [trace], [trace])
    assert office.octets("greg").startswith(b"Delivered-To: greg@mail.office.example\r\nFrom: Ann")
    event = office.events(trace)[-1]
    assert (event.kind, event.data["by"], event.data["to"]) == ("admin.gave", "root", ["greg", "andrew"])
    assert finish(office.store.verify(deep=True)) == []
    with pytest.raises(NoSuchEntry):
        finish(office.acts.admin_give(id="1.1", users=["greg"]))
    with pytest.raises(NoSuchEntry):
        finish(office.acts.admin_give(id=trace, users=["greg"]))


def test_giving_keeps_the_cc_rule_and_knows_public(office: Office) -> None:
    """Rule 3.4: one hop of copies, marked; PUBLIC is its members; ADMIN, strangers and the disabled are refused."""
    directory = office.store.directory
    boss = finish(directory.add_user(User(0, "boss", accounts=(1,))))
    greg = directory.current().user_by_name["greg"]
    finish(office.acts.change_user(name="greg", cc=["boss"]))
    trace = office.arrive("mail@company.example", more="X-Mailshare-Reason: forged\r\n")
    finish(office.acts.admin_give(id=trace, users=["greg"]))
    assert office.box("boss") == [trace]
    assert b"X-Mailshare-Copy-For: greg\r\n" in office.octets("boss")
    everybody = office.arrive("mail@company.example")
    finish(office.acts.admin_give(id=everybody, users=["public1"]))
    assert [office.box(name)[-1] for name in ("andrew", "greg", "boss")] == [everybody] * 3
    finish(office.acts.change_user(name="boss", enabled=False))
    last = office.arrive("mail@company.example")
    for name in ("admin1", "boss", "nobody"):
        with pytest.raises(MailshareError):
            finish(office.acts.admin_give(id=last, users=[name]))
    assert office.box("admin1") == [last]
    assert (boss.id, greg.id) != (0, 0)


@pytest.mark.parametrize(
    ("kind", "more", "match"),
    [
        ("", "List-Id: News <News.Example.org>\r\n", ("list", "news.example.org")),
        ("", "", ("from", "ann@out.example")),
        ("from", "List-Id: News <news.example.org>\r\n", ("from", "ann@out.example")),
        ("to", "", ("to", "sales team")),
    ],
)
def test_always_gives_this_one_the_next_and_the_past(
    office: Office, kind: str, more: str, match: tuple[str, str]
) -> None:
    """Rule 3.1 step 7: an event tells of the rule; this message moves, the past on request, the next by itself."""
    to = '"Sales  Team" <mail@company.example>'
    past, this = office.arrive(to, more=more), office.arrive(to, more=more)
    other = office.arrive("mail@company.example", sender="bob@other.example")
    answer = finish(office.acts.admin_always(id=this, users=["greg"], kind=kind, past=True, by="root"))
    assert (answer["rule"]["kind"], answer["rule"]["match"]) == match
    assert [row["trace"] for row in answer["past"]] == [past]
    following = office.arrive(to, more=more)
    assert office.box("greg") == [this, past, following]
    assert office.box("admin1") == [other]
    told = [event for event in office.events(this) if event.kind == "admin.rule"]
    assert [(event.data["by"], event.data["users"]) for event in told] == [("root", ["greg"])]
    assert [reason for _, reason in office.events(following)[0].data["targets"]] == [f"rule-{match[0]}"]
    assert finish(office.acts.rules()) == [
        {"account": "mail@company.example", "kind": match[0], "match": match[1], "users": ["greg"]}
    ]
    finish(office.acts.delete_rule(account="1", kind=match[0], match=match[1], by="root"))
    assert finish(office.acts.rules(account="1")) == []
    after = office.arrive(to, more=more)
    assert office.box("admin1") == [other, after]


def test_without_past_only_this_one_moves(office: Office) -> None:
    """The past is touched on request only; sorting once more does it later."""
    past, this = office.arrive("mail@company.example"), office.arrive("mail@company.example")
    assert finish(office.acts.admin_always(id=this, users=["greg"]))["past"] == []
    assert office.box("admin1") == [past]
    assert [row["to"] for row in finish(office.acts.admin_sort())["past"]] == [["greg"]]
    assert finish(office.acts.admin_sort(account="1"))["past"] == []


def test_a_rule_that_would_catch_everything_is_refused(office: Office) -> None:
    """By an own address, by a list that is none, by a name that is none: refused, nothing is taught or moved."""
    trace = office.arrive("mail@company.example", sender="mail@company.example")
    for kind in ("from", "list", "to", "shape"):
        with pytest.raises(PolicyRefusal):
            finish(office.acts.admin_always(id=trace, users=["greg"], kind=kind))
    assert finish(office.acts.rules()) == []
    assert office.box("admin1") == [trace]
    with pytest.raises(MailshareError):
        finish(office.acts.delete_rule(account="1", kind="from", match="nobody@x.example"))


def test_teaching_a_name_finds_its_mail(office: Office) -> None:
    """The unknown name becomes the user's; this message and the past find him; the next goes by name."""
    past = office.arrive('"A. Smithson" <mail@company.example>')
    this = office.arrive("=?utf-8?q?A=2E_Smithson?= <mail@company.example>")
    answer = finish(office.acts.admin_teach(id=this, user="andrew", past=True, by="root"))
    assert (answer["name"], answer["user"]) == ("A. Smithson", "andrew")
    following = office.arrive('"a. smithson" <mail@company.example>')
    assert office.box("andrew") == [this, past, following]
    assert office.store.directory.current().user_by_name["andrew"].names == ("A. Smithson",)
    (told,) = [event for event in office.events(this) if event.kind == "admin.name"]
    assert told.data == {"by": "root", "user": "andrew", "name": "A. Smithson"}


def test_teaching_a_tag_and_a_local_part(office: Office) -> None:
    """A tag nobody has and a local part nobody has are names too."""
    office.arrive("mail+sales@company.example")
    office.arrive("info@firm.example", account=2, more="Delivered-To: info@firm.example\r\n")
    finish(office.acts.admin_teach(id="1.1", user="andrew"))
    finish(office.acts.admin_teach(id="2.1", user="greg"))
    names = {one["name"]: one["names"] for one in finish(office.acts.users())}
    assert (names["andrew"], names["greg"]) == (["sales"], ["info"])
    office.arrive("mail+sales@company.example")
    assert len(office.box("andrew")) == 2


def test_teaching_needs_one_name(office: Office) -> None:
    """Without a name there is nothing to teach; with several it has to be said which; declared users stay."""
    nameless = office.arrive("mail@company.example")
    several = office.arrive('"Xerxes" <mail@company.example>, "Yolanda" <mail@company.example>')
    with pytest.raises(PolicyRefusal, match="names nobody"):
        finish(office.acts.admin_teach(id=nameless, user="greg"))
    with pytest.raises(PolicyRefusal, match="Xerxes, Yolanda"):
        finish(office.acts.admin_teach(id=several, user="greg"))
    with pytest.raises(PolicyRefusal):
        finish(office.acts.admin_teach(id=several, user="public1", name="Xerxes"))
    finish(office.store.directory.add_user(User(0, "lisa", accounts=(1,), managed_by="m.toml:7")))
    with pytest.raises(Declared, match=r"m\.toml:7"):
        finish(office.acts.admin_teach(id=several, user="lisa", name="Xerxes"))
    assert office.box("admin1") == [nameless, several]
    finish(office.acts.admin_teach(id=several, user="greg", name="Yolanda"))
    assert office.box("greg") == [several]


def test_what_was_meant_for_admin_or_capped_stays(office: Office) -> None:
    """Sorting once more leaves mail written to ADMIN, and mail to everybody above the cap of its hour."""
    own = office.arrive('"ADMIN" <mail@company.example>')
    for _ in range(11):
        office.arrive('"PUBLIC" <mail@company.example>')
    before = office.box("admin1")
    assert len(before) == 2
    assert own in before
    assert finish(office.acts.admin_sort())["past"] == []
    assert office.box("admin1") == before


def test_an_entry_says_who_it_might_be_for_and_what_to_do(office: Office) -> None:
    """Rule 2 #9: the reason in words, people whose name is like it or who share it, and the command to give."""
    finish(office.store.directory.add_user(User(0, "a.brown", names=("Andrew Brown",), accounts=(1,))))
    finish(office.store.directory.add_user(User(0, "a.green", names=("Andrew Green",), accounts=(1,))))
    office.arrive('"Gregg" <mail@company.example>')
    office.arrive('"Andrew" <mail@company.example>')
    office.arrive("mail@company.example", more="List-Id: News <news.example.org>\r\n")
    rows = {row["id"]: row for row in finish(office.acts.admin_list())}
    typo, nameless = rows["1.1"], rows["1.2"]
    assert [one["user"] for one in typo["candidates"]] == ["greg"]
    assert typo["suggestion"] == "teach 1.1 greg"
    assert typo["words"] == "Nobody has the name it is written to"
    assert nameless["suggestion"] == "always-give 1.2 USER --by list"
    assert len(office.box("andrew")) == 1  # a login that is exactly the name is not ambiguous
    finish(office.acts.change_user(name="andrew", enabled=False))
    shown = finish(office.acts.admin_show(id="1.1"))
    assert ["unknown-name", "To: Gregg"] in shown["steps"]
    assert shown["text"].startswith("Text ")


def test_an_ambiguous_name_names_those_who_share_it(office: Office) -> None:
    """Two people with one full name are both shown; neither gets the mail by itself."""
    for name in ("ab", "ac"):
        finish(office.store.directory.add_user(User(0, name, names=("Zoe Brown",), accounts=(1,))))
    office.arrive('"Zoe Brown" <mail@company.example>')
    (row,) = finish(office.acts.admin_list())
    assert (row["reason"], sorted(one["user"] for one in row["candidates"])) == ("ambiguous", ["ab", "ac"])
    assert row["suggestion"] == "give 1.1 USER"


def test_mail_that_only_a_former_users_rule_caught_says_so(office: Office) -> None:
    """Rule 3.4: after greg was deleted ADMIN reads former-user; brought back, he gets such mail again."""
    office.arrive("mail@company.example", sender="Shop <shop@far.example>")
    finish(office.acts.admin_always(id="1.1", users=["greg"], kind="from"))
    finish(office.acts.delete_user(name="greg"))
    office.arrive("mail@company.example", sender="Shop <shop@far.example>")
    office.arrive("mail@company.example", sender="Other <other@far.example>")
    assert [row["reason"] for row in finish(office.acts.admin_list())] == ["no-name", "former-user"]
    finish(office.acts.restore_user(name="greg"))
    last = office.arrive("mail@company.example", sender="Shop <shop@far.example>")
    assert office.box("greg")[-1] == last


def test_a_byte_order_mark_in_front_of_the_header_spoils_nothing(office: Office) -> None:
    """Sorted by its first field, listed with sender and Message-ID, and stored as it came."""
    octets = b"\xef\xbb\xbfTo: greg <mail@company.example>\r\nFrom: Ann <ann@out.example>\r\n\r\nText\r\n"
    second = b"\xef\xbb\xbfMessage-ID: <bom@out.example>\r\nTo: Zed <mail@company.example>\r\n\r\nText 2\r\n"
    for number, text in enumerate((octets, second), 50):
        sink = office.store.new_body(len(text))
        sink.write(text)
        origin = Origin(Source.COLLECT, f"{number:016x}", account_id=1)
        finish(office.intake.accept(Envelope(None), finish(sink.finish()), origin))
    assert office.octets("greg") == b"Delivered-To: greg@mail.office.example\r\n" + octets
    assert office.octets("admin1").endswith(b"\r\n" + second)
    assert [one["title"].split()[1] for one in finish(office.acts.why(id="bom@out.example"))] == ["<bom@out.example>,"]
