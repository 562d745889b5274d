"""The collector against an honest IMAP server, and with its ledger in every state."""

from __future__ import annotations

import pytest

from mailshare.core.servers import parse_server
from mailshare.core.values import LedgerKey, LedgerState
from mailshare.isp.collect import Collector
from mailshare.isp.wanted import Wanted
from mailshare.testing.imap_double import CAPABILITIES, Mailbox, PretendIMAP
from mailshare.testing.liars import CUT, PretendPOP3, behind, instead
from mailshare.testing.pretend_office import Office, letters
from mailshare.wire.pop3_client_replies import POP3Limits

MAIL = list(letters().values())


def collector(office: Office) -> Collector:
    return Collector(office.store, office.door, office.doors)


def collect(office: Office, collecting: Collector | None = None, seconds: float = 200) -> dict[str, int]:
    """One run, by a collector that remembers nothing unless one is given."""
    return dict(office.run((collecting or collector(office)).collect(office.account), seconds))


def states(office: Office) -> dict[str, LedgerState]:
    known = office.wait(office.store.ledger.known(office.account.id))
    return {uidl: row.state for uidl, row in known.items()}


def at(office: Office, server: PretendIMAP, url: str = "imaps://mail@imap.example", **changes: object) -> PretendIMAP:
    """This server is the account's."""
    office.provider(server)
    office.change(collect=parse_server(url), **changes)
    return server


@pytest.mark.parametrize("url", ["imaps://mail@h", "imap://mail@h", "imap://mail@h?tls=none"])
@pytest.mark.parametrize(
    "capabilities",
    [
        CAPABILITIES,
        ("IMAP4rev1", "STARTTLS"),
        ("IMAP4rev1", "STARTTLS", "AUTH=PLAIN"),
        ("IMAP4rev2", "STARTTLS", "AUTH=PLAIN"),
    ],
)
def test_mail_is_collected_whole_and_deleted(office: Office, url: str, capabilities: tuple[str, ...]) -> None:
    """With every extension and with none, by LOGIN and by SASL: the same octets arrive once and leave the provider."""
    server = at(office, PretendIMAP(MAIL, capabilities=capabilities), url)
    collecting = collector(office)
    assert collect(office, collecting) == {"andrew": 3}
    assert office.mail_of("andrew") == MAIL
    assert (server.inbox.messages, server.inbox.seen) == ({}, set())
    assert states(office) == {f"17/{uid}/INBOX": LedgerState.GONE for uid in (1, 2, 3)}
    status = collecting.status(office.account.id)
    assert (status.error, status.messages, status.running) == ("", 3, False)
    assert str(office.door.envelope.sender) == "boss@out.example"
    assert server.clear_secrets == ("none" in url)
    assert collect(office) == {}


def test_two_hundred_messages_take_few_turns(office: Office) -> None:
    """Asked for ahead, in flights; deleted and expunged as sets."""
    server = at(office, PretendIMAP([*letters([f"m{n}" for n in range(200)]).values()]))
    collect(office)
    assert len(office.mail_of("andrew")) == 200
    assert server.inbox.messages == {}
    assert [c for c in server.commands if "STORE" in c or "EXPUNGE" in c] == [
        "UID STORE 1:200 +FLAGS.SILENT (\\Deleted)", "UID EXPUNGE 1:200",
    ]  # fmt: skip


def test_nothing_left_there_is_touched(office: Office) -> None:
    """Left for days: never marked as seen, opened for reading only, fetched once; then it goes."""
    server = at(office, PretendIMAP(MAIL), leave_days=2)
    for _ in range(3):
        collect(office)
        office.clock.advance(86_400 * 0.9)
    assert (len(server.inbox.messages), server.inbox.seen, server.inbox.deleted) == (3, set(), set())
    assert not [c for c in server.commands if "SELECT" in c or "STORE" in c]
    assert server.fetched == [("INBOX", uid) for uid in (1, 2, 3)]
    collect(office)
    assert server.inbox.messages == {}
    assert len(server.fetched) == 3


def test_another_uidvalidity_brings_nothing_again(office: Office) -> None:
    """Rule 3.3: all ids are new, all headers old: the ledger follows. New mail among them is fetched."""
    server = at(office, PretendIMAP(MAIL), leave_days=-1)
    collect(office)
    new = letters(["d"])["d"]
    server.folders["INBOX"] = Mailbox.of([MAIL[2], new, MAIL[0], MAIL[1]], uidvalidity=18)
    server.fetched.clear()
    collect(office)
    assert server.fetched == [("INBOX", 2)]
    assert office.mail_of("andrew") == [*MAIL, new]
    assert set(states(office)) == {f"18/{uid}/INBOX" for uid in (1, 2, 3, 4)}


def test_a_small_folder_is_renumbered_beside_a_large_one(office: Office) -> None:
    """Two of a hundred ids are other ones; those two are recognised all the same."""
    many = [*letters([f"m{n}" for n in range(100)]).values()]
    server = PretendIMAP({"INBOX": Mailbox.of(many), "Spam": Mailbox.of(MAIL[:2])})
    at(office, server, leave_days=-1, options={"folders": ["INBOX", {"name": "Spam", "role": "junk"}]})
    collect(office)
    server.folders["Spam"].uidvalidity = 99
    server.fetched.clear()
    collect(office)
    assert server.fetched == []
    assert {"99/1/Spam", "99/2/Spam"} < set(states(office))


def test_from_pop3_to_imap_and_back(office: Office) -> None:
    """The same mailbox over another protocol: headers and sizes are the same, so nothing comes twice."""
    office.change(leave_days=-1)
    office.provider(PretendPOP3(letters()))
    collect(office)
    server = at(office, PretendIMAP(MAIL))
    collect(office)
    assert server.fetched == []
    pop3 = PretendPOP3(letters())
    office.provider(pop3)
    office.change(collect=parse_server("pop3s://mail@h"))
    collect(office)
    assert pop3.retrieved == []
    assert len(office.mail_of("andrew")) == 3


def test_a_server_without_lasting_ids(office: Office) -> None:
    """No UIDVALIDITY, or UIDNOTSTICKY: messages are known by their headers, as with a POP3 server without UIDL."""
    for lie in (
        lambda verb, reply: reply.replace(b"UIDVALIDITY 17", b"PERMANENTFLAGS ()"),
        lambda verb, reply: reply.replace(b"* 0 RECENT", b"* NO [UIDNOTSTICKY] never"),
    ):
        fresh = Office()
        server = at(fresh, PretendIMAP(MAIL, lie), leave_days=-1)
        collect(fresh)
        collect(fresh)
        assert len(server.fetched) == 3
        assert fresh.mail_of("andrew") == MAIL
        assert all(name.startswith("header ") for name in states(fresh))


def test_what_was_not_expunged_is_deleted_in_the_next_session(office: Office) -> None:
    """A cut at the very end: stored once, nothing is fetched again, everything goes in the end."""
    server = at(office, PretendIMAP(MAIL, instead(EXPUNGE=CUT)))
    collecting = collector(office)
    collect(office, collecting)
    assert set(states(office).values()) == {LedgerState.DELETE}
    assert collecting.status(office.account.id).error
    server.inbox.messages = dict(enumerate(MAIL, 1))  # the cut came before the server did it
    server.lie = lambda _, reply: reply
    server.fetched.clear()
    collect(office, collecting)
    assert (server.fetched, server.inbox.messages) == ([], {})
    assert office.mail_of("andrew") == MAIL


def test_mail_that_others_marked_survives_us(office: Office) -> None:
    """UID EXPUNGE hits ours alone; without UIDPLUS nothing is expunged beside others' marks, and the status says so."""
    theirs = letters(["z"])["z"]
    for capabilities, left in ((CAPABILITIES, 1), (("IMAP4rev1", "STARTTLS"), 4)):
        fresh = Office()
        server = PretendIMAP([theirs], capabilities=capabilities)
        at(fresh, server)
        server.inbox.deleted.add(1)
        for octets in MAIL:
            server.inbox.put(octets)
        key = LedgerKey(fresh.account.id, "17/1/INBOX", 0, b"")
        fresh.wait(fresh.store.delivery.refuse(key, LedgerState.KEPT, "fetched by another", fresh.now()))
        collecting = collector(fresh)
        collect(fresh, collecting)
        assert theirs in server.inbox.messages.values()
        assert len(server.inbox.messages) == left
        status = collecting.status(fresh.account.id)
        assert status.error == ""
        if left == 4:
            assert "marked for deletion that is not ours" in status.note
            server.inbox.messages.pop(1)
            server.inbox.deleted.discard(1)
            collect(fresh, collecting)
            assert server.inbox.messages == {}
            assert collecting.status(fresh.account.id).note == ""
        assert fresh.mail_of("andrew") == MAIL


def test_refusals_and_busy_servers(office: Office) -> None:
    """RFC 5530: a wrong password pauses the account after two tries; a server that is busy is no refusal."""
    server = at(office, PretendIMAP(MAIL, instead(AUTHENTICATE=b"<tag> NO [UNAVAILABLE] later\r\n")))
    collecting = collector(office)
    for _ in range(3):
        collect(office, collecting)
    assert "UNAVAILABLE later" in collecting.status(office.account.id).error
    assert collecting.not_before(office.account.id) == 0
    server.lie = instead(AUTHENTICATE=b"<tag> NO [AUTHENTICATIONFAILED] wrong\r\n")
    for _ in range(3):
        collect(office, collecting)
    assert collecting.not_before(office.account.id) > office.now()
    assert server.commands.count("AUTHENTICATE") == 5


def test_a_server_without_tls_or_password_gets_no_password(office: Office) -> None:
    """STARTTLS refused, PREAUTH, LOGINDISABLED: a sentence, and not one octet of the password."""
    for lie, words, capabilities in (
        (instead(STARTTLS=b"<tag> NO not today\r\n"), "does not start TLS", CAPABILITIES),
        (instead(greeting=b"* PREAUTH welcome\r\n"), "without a login", CAPABILITIES),
        (instead(greeting=b"* BYE full\r\n"), "greets with", CAPABILITIES),
        (instead(), "no way to log in", ("IMAP4rev1", "LOGINDISABLED")),
    ):
        fresh = Office()
        server = at(fresh, PretendIMAP(MAIL, lie, capabilities), "imap://mail@h")
        collecting = collector(fresh)
        collect(fresh, collecting)
        assert words in collecting.status(fresh.account.id).error
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.commands)


def test_the_server_learns_who_we_are(office: Office) -> None:
    """Some let nobody in who does not say it (RFC 2971): behind the login, before the folder."""
    server = at(office, PretendIMAP(MAIL))
    collect(office)
    assert server.commands.index('ID ("name" "mailshare")') < server.commands.index('EXAMINE "INBOX"')


def folders(office: Office, *given: object, **boxes: Mailbox) -> PretendIMAP:
    """A server with these folders, and an account that names them; none named = found."""
    server = PretendIMAP({"INBOX": Mailbox.of(MAIL[:1]), **boxes})
    return at(office, server, options={"folders": list(given) if given else "automatic"})


def test_a_folder_for_junk_is_collected_and_marked(office: Office) -> None:
    """Requirement 11: collected like any mail, with its folder told to the door, in the order given."""
    spam, lists = Mailbox.of(MAIL[1:2]), Mailbox.of(MAIL[2:])
    folders(office, {"name": "Spam", "role": "junk"}, "inbox", "Lists", Spam=spam, Lists=lists)
    collect(office)
    assert [(one.folder, one.junk) for one in office.door.origins] == [("Spam", True), ("", False), ("Lists", False)]
    assert [one.steps[0].detail for one in office.door.origins if one.steps] == [
        "Spam, for what the provider takes for junk", "Lists",
    ]  # fmt: skip
    assert set(states(office)) == {"17/1/Spam", "17/1/INBOX", "17/1/Lists"}


@pytest.mark.parametrize(
    ("boxes", "found"),
    [
        ({"Ramsch": "\\HasNoChildren \\Junk", "Sent": "\\Sent"}, "Ramsch"),
        ({"Spam": "", "Sent": "\\Sent"}, ""),
        ({"Spam": "", "Archive": ""}, "Spam"),
        ({"Spam": "", "Junk": ""}, ""),
        ({"Spam": "\\Noselect \\Junk"}, ""),
    ],
)
def test_the_server_says_which_folder_is_for_junk(office: Office, boxes: dict[str, str], found: str) -> None:
    """RFC 6154; where the server marks nothing, the only one that bears a usual name; else the inbox alone."""
    folders(office, **{name: Mailbox.of(MAIL[1:2], flags=flags) for name, flags in boxes.items()})
    collecting = collector(office)
    collect(office, collecting)
    assert [(one.folder, one.junk) for one in office.door.origins] == [("", False), *([(found, True)] if found else [])]
    assert collecting.status(office.account.id).note == ""


def test_a_folder_that_is_missing_is_a_sentence(office: Office) -> None:
    """The others are collected; the status says what the server has; nothing that lay in it is forgotten."""
    server = folders(office, "INBOX", "Wichtig", **{"Wichtige Post": Mailbox.of(MAIL[1:2])})
    collecting = collector(office)
    assert collect(office, collecting) == {"andrew": 1}
    status = collecting.status(office.account.id)
    assert (status.error, status.note) == ("", "The server has no folder Wichtig; it has: INBOX, Wichtige Post")
    server.folders["Wichtig"] = Mailbox.of(MAIL[2:])
    collect(office, collecting)
    assert collecting.status(office.account.id).note == ""
    del server.folders["INBOX"]
    del server.folders["Wichtig"]
    collect(office, collecting)
    assert "no folder INBOX" in collecting.status(office.account.id).error


def test_names_beyond_ascii(office: Office) -> None:
    """As people write them, here and in the ledger; modified UTF-7 on the wire."""
    server = folders(office, "Entwürfe & mehr", **{"Entw&APw-rfe &- mehr": Mailbox.of(MAIL[1:2])})
    collect(office)
    assert set(states(office)) == {"17/1/Entwürfe & mehr"}
    assert server.commands.count('SELECT "Entw&APw-rfe &- mehr"') == 1


def test_mail_moved_to_another_folder_is_not_fetched_again(office: Office) -> None:
    """Somebody drags a message from the inbox to Lists; it is the same message."""
    server = folders(office, "INBOX", "Lists", Lists=Mailbox())
    office.change(leave_days=-1)
    collect(office)
    server.folders["Lists"].put(server.inbox.messages.pop(1))
    server.fetched.clear()
    collect(office)
    assert server.fetched == []
    assert set(states(office)) == {"17/1/Lists"}


def test_what_the_provider_wants_read_reaches_admin_once_a_day(office: Office) -> None:
    """RFC 3501 section 7.1: ALERT is for a person."""
    at(office, PretendIMAP(MAIL, behind(NOOP=b"", EXAMINE=b"* OK [ALERT] Your mailbox moves on Friday\r\n")))
    for _ in range(3):
        collect(office)
    collecting = collector(office)
    for _ in range(3):
        collect(office, collecting)
    notices = [octets for octets in office.mail_of("admin1") if b"moves on Friday" in octets]
    assert len(notices) == 4  # a collector that remembers tells it once


def test_a_large_message_is_left_and_can_be_asked_for(office: Office) -> None:
    """Its header alone is read; the notice names it; a wish fetches it."""
    large = b"Subject: large\r\n\r\n" + b"0123456789abcdef.\r\n" * 500
    server = at(office, PretendIMAP([*MAIL, large]), options={"max_size": 5000})
    collect(office)
    assert list(server.inbox.messages.values()) == [large]
    assert states(office)["17/4/INBOX"] is LedgerState.SKIPPED
    assert b"large" in office.mail_of("admin1")[0]
    office.wait(Wanted(office.store).add(office.account.id, "17/4/INBOX"))
    collect(office)
    assert server.inbox.messages == {}
    assert large in office.mail_of("andrew")


def test_small_messages_come_first(office: Office) -> None:
    """Nobody's short letter waits behind a large attachment."""
    large = b"Subject: large\r\n\r\n" + b"0123456789abcdef.\r\n" * 5000
    server = at(office, PretendIMAP([large, *MAIL]))
    collect(office)
    assert server.fetched == [("INBOX", uid) for uid in (2, 3, 4, 1)]


def test_another_size_under_a_known_id_is_looked_at_and_not_fetched(office: Office) -> None:
    """Servers estimate sizes; the id goes with its message, so the header decides."""
    server = at(office, PretendIMAP(MAIL), leave_days=-1)
    collect(office)
    server.lie = lambda verb, reply: reply.replace(b"RFC822.SIZE ", b"RFC822.SIZE 1") if verb == "SIZES" else reply
    server.fetched.clear()
    collect(office)
    assert server.fetched == []
    other = letters(["z"])["z"]
    server.inbox.messages[2] = other  # and yet a server that breaks its word is found out
    collect(office)
    assert server.fetched == [("INBOX", 2)]
    assert other in office.mail_of("andrew")


def test_a_folder_of_too_many_messages_shows_its_newest(office: Office) -> None:
    """What is left there for ever hides no new mail; the status says so."""
    server = at(office, PretendIMAP([*letters([f"m{n}" for n in range(12)]).values()]), leave_days=-1)
    collecting = Collector(office.store, office.door, office.doors, limits=POP3Limits(rows=10))
    collect(office, collecting)
    assert [uid for _, uid in server.fetched] == list(range(3, 13))
    assert "the newest 10 of them" in collecting.status(office.account.id).note
    server.inbox.put(MAIL[0])
    collect(office, collecting)
    assert server.fetched[-1] == ("INBOX", 13)
    assert len(server.fetched) == 11


def test_a_folder_that_is_renumbered_meanwhile_ends_the_session(office: Office) -> None:
    """Between listing and deleting: nothing of the other numbering is touched, and one question is enough to see it."""
    server = at(office, PretendIMAP(MAIL))
    server.lie = lambda verb, reply: reply.replace(b"UIDVALIDITY 17", b"UIDVALIDITY 18") if verb == "SELECT" else reply
    collecting = collector(office)
    collect(office, collecting)
    assert "renumbered" in collecting.status(office.account.id).error
    assert (len(server.inbox.messages), server.inbox.deleted) == (3, set())
    assert len([one for one in server.commands if one.startswith("SELECT")]) == 1


def test_a_listing_that_is_refused_is_no_success(office: Office) -> None:
    """Nothing was looked at, and the status says so; another folder is collected all the same."""
    server = at(office, PretendIMAP(MAIL, instead(SIZES=b"<tag> NO [SERVERBUG] sorry\r\n")))
    collecting = collector(office)
    collect(office, collecting)
    assert "INBOX cannot be listed: SERVERBUG sorry" in collecting.status(office.account.id).error
    assert len(server.inbox.messages) == 3
