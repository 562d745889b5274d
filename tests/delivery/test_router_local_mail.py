"""Mail of local senders: what stays in the house, what goes out, and by which account."""

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.recipients import Local, Named, Outside, Resolution, Unknown, old_form, resolve_recipient
from mailshare.core.values import Account, AccountMode, Directory, Origin, Routing, Source, User, UserKind
from mailshare.delivery.router import Router

SHARED = Account(1, 1, Address("mail", "company.example"))
DOMAIN = Account(2, 2, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "admin2", UserKind.ADMIN, accounts=(2,)),
    User(4, "public2", UserKind.PUBLIC, accounts=(2,)),
    User(5, "andrew", names=("Andrew Smith",), accounts=(1, 2)),
    User(6, "greg", names=("Gregory", "boss"), accounts=(1,)),
    User(7, "lisa", names=("info",), accounts=(2,), cc=(6,)),
    User(8, "gone", enabled=False, accounts=(1,)),
    User(9, "inside", local_only=True, accounts=(1,)),
)
OFFICE = Directory(USERS, (SHARED, DOMAIN), hostname="mail.office.example")
NAMES = {user.id: user.name for user in USERS}
ANDREW = OFFICE.user_by_id[5]


def resolve(
    text: str, user: User | None = ANDREW, directory: Directory = OFFICE, *, trusted: bool = False
) -> Resolution:
    address = Address.parse(text) if text.count("@") < 2 or '"' in text else old_form(text)
    assert address is not None
    return resolve_recipient(address, sender_user=user, directory=directory, trusted=trusted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("greg", Local((6,), 1)),
        ("GREG", Local((6,), 1)),
        ("greg@mail.office.example", Local((6,), 1)),
        ("greg@localhost", Local((6,), 1)),
        ("boss", Local((6,), 1)),
        ("mail+greg@company.example", Local((6,), 1)),
        ("mail+shop@company.example", Named(1)),
        ("mail@company.example", Named(1)),
        ("Mail@COMPANY.example", Named(1)),
        ("lisa@firm.example", Local((7,), 2)),
        ("info@firm.example", Local((7,), 2)),
        ("info+x@firm.example", Local((7,), 2)),
        ("box@firm.example", Local((3,), 2)),
        ("admin", Local((1,), 1)),
        ("admin2", Local((3,), 2)),
        ("public", Local((2,), 1)),
        ("public@firm.example", Local((4,), 2)),
        ("postmaster", Local((1,), 1)),
        ("nobody", Unknown()),
        ("nobody@mail.office.example", Unknown()),
        ("nobody@firm.example", Unknown()),
        ("greg@firm.example", Unknown()),
        ("x@elsewhere.example", Outside()),
        ("other@company.example", Outside()),
    ],
)
def test_resolution_3_7(text: str, expected: Resolution):
    """One rule says where a recipient is: in the house, behind a name, outside, or nowhere."""
    assert resolve(text) == expected


def test_public_and_admin_mean_the_senders_own_account():
    """Without a number they are those of the account the sender belongs to first."""
    lisa = OFFICE.user_by_id[7]
    assert resolve("admin", lisa) == Local((3,), 2)
    assert resolve("public", lisa) == Local((4,), 2)
    assert resolve("admin", None) == Local((1,), 1)


def test_old_form_only_from_the_local_network():
    """``"greg@mail"@company.example`` is taken from trusted networks, quoted or not, and refused from elsewhere."""
    for text in ('"greg@mail"@company.example', "greg@mail@company.example"):
        assert resolve(text, trusted=True) == Local((6,), 1, "old-form")
        assert isinstance(resolve(text), Unknown)
    assert isinstance(resolve("nobody@mail@company.example", trusted=True), Unknown)
    assert isinstance(resolve("greg@other@company.example", trusted=True), Unknown)
    assert isinstance(resolve("greg@relay@elsewhere.example", trusted=True), Unknown)
    for text in ("greg@mail", "a@b@c@d", "a b@mail@c", "@mail@c", "a@@c", 'a"@b@c', "<a@b@c>", "a@b@c\r\n"):
        assert old_form(text) is None


def test_unknown_local_parts_by_the_accounts_option():
    """``unknown`` says whether a stranger in an own domain is refused, sent upstream or given to ADMIN."""
    expected = {"reject": Unknown(), "upstream": Outside(), "admin": Local((3,), 2, "unknown-user")}
    for word, resolution in expected.items():
        office = evolve(OFFICE, accounts=(SHARED, evolve(DOMAIN, options={"unknown": word})))
        assert resolve("nobody@firm.example", directory=office) == resolution


def test_who_has_no_outside():
    """Closed mailboxes, local-only senders and senders without account are told apart."""
    assert isinstance(resolve("gone"), Unknown)
    local_only = resolve("x@elsewhere.example", OFFICE.user_by_id[9])
    assert isinstance(local_only, Unknown)
    assert local_only.reason == "local-only"
    assert isinstance(resolve("x@elsewhere.example", User(99, "new")), Unknown)
    assert resolve("inside") == Local((9,), 1)


def route(
    recipients: list[str],
    header: str = "From: mail@company.example",
    *,
    user: int | None = 5,
    source: Source = Source.SMTP,
    trusted: bool = False,
) -> Routing:
    addresses = tuple(Recipient(Address.parse(text)) for text in recipients)
    headers = Headers.parse(header.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    origin = Origin(source, "0" * 16, user_id=user, trusted=trusted)
    return Router().route(Envelope(Address("a", "b.example"), addresses), headers, origin, OFFICE, {})


def who(routing: Routing) -> dict[str, str]:
    return {NAMES[target.user_id]: target.reason for target in routing.targets}


def test_local_mail_stays_and_the_rest_leaves_once():
    """Mixed recipients: local copies now, one queue row for each outside recipient, headers never asked."""
    header = "From: mail@company.example\nTo: everybody@elsewhere.example, greg"
    routing = route(["greg", "lisa@firm.example", "x@elsewhere.example", "y@elsewhere.example"], header)
    assert who(routing) == {"greg": "local", "lisa": "local"}
    assert [(hop.agent, hop.address, hop.account_id) for hop in routing.hops] == [
        ("relay", "x@elsewhere.example", 1),
        ("relay", "y@elsewhere.example", 1),
    ]
    assert routing.notes == ()


def test_the_shared_address_is_decided_by_name_and_stays():
    """Written to the shared address with a name: the named colleague gets it and nothing goes upstream."""
    routing = route(["mail@company.example"], "To: Gregory <mail@company.example>")
    assert who(routing) == {"greg": "name-L1"}
    assert routing.hops == ()


def test_an_unknown_name_goes_to_admin_and_the_sender_is_told():
    """Nobody of that name: ADMIN gets it, the sender a note."""
    routing = route(["mail@company.example"], "To: Bob <mail@company.example>")
    assert who(routing) == {"admin1": "unknown-name"}
    assert any("nobody here has this name" in note for note in routing.notes)
    silent = route(["mail@company.example"], "To: mail@company.example")
    assert who(silent) == {"admin1": "no-name"}
    assert silent.notes == ()
    assert who(route(["mail@company.example"], "Subject: bcc")) == {"admin1": "not-addressed"}


def test_local_only_people_get_local_mail():
    """Somebody without outside mail is reached by name from inside."""
    assert who(route(["mail@company.example"], "To: Inside <mail@company.example>")) == {"inside": "name-L1"}


def test_an_unknown_tag_leaves_it_to_the_name():
    """A tag of nobody is no tag: the name beside it decides; a known tag has its own RCPT."""
    header = "To: Gregory <mail+shop@company.example>, X <mail+andrew@company.example>"
    assert who(route(["mail+shop@company.example"], header)) == {"greg": "name-L1"}


def test_a_server_named_like_an_own_domain():
    """When the server has the name of a domain account, that account's people come first."""
    office = evolve(OFFICE, hostname="firm.example")
    assert resolve("info+x@firm.example", directory=office) == Local((7,), 2)
    assert isinstance(resolve("greg@firm.example", directory=office), Unknown)


def test_public_leaves_the_author_out():
    """Mail to everybody goes to everybody but the author, to local-only people too, and to ADMIN only by option."""
    assert who(route(["public"])) == {"greg": "public", "inside": "public"}
    assert who(route(["mail@company.example"], "To: PUBLIC <mail@company.example>")) == {
        "greg": "public",
        "inside": "public",
    }
    assert who(route(["public2"], user=7)) == {"andrew": "public"}


def test_cc_of_local_mail():
    """CC rules hold for local mail, and never bring the author his own words back."""
    assert who(route(["lisa@firm.example"])) == {"lisa": "local", "greg": "cc"}
    assert who(route(["lisa@firm.example"], user=6)) == {"lisa": "local"}


@pytest.mark.parametrize(
    ("header", "account_id"),
    [
        ("From: andrew@firm.example", 2),
        ("From: Andrew <mail@company.example>", 1),
        ("From: x@elsewhere.example", 1),
        ("Subject: no From", 1),
    ],
)
def test_route_choice_3_8(header: str, account_id: int):
    """Mail leaves by the account whose address stands in From, if it is one of the author's; else by his first."""
    assert route(["x@elsewhere.example"], header).hops[0].account_id == account_id


def test_recipients_keep_what_was_asked_for_them():
    """NOTIFY and ORCPT travel with the queue row."""
    asked = Recipient(Address("x", "y.example"), frozenset({"SUCCESS", "DELAY"}), "rfc822;x@y.example")
    envelope = Envelope(None, (asked,))
    origin = Origin(Source.SMTP, "0" * 16, user_id=5)
    hop = Router().route(envelope, Headers(), origin, OFFICE, {}).hops[0]
    assert hop.params == {"notify": ["DELAY", "SUCCESS"], "orcpt": "rfc822;x@y.example"}


def test_devices_reach_local_people_only():
    """Without a login nothing leaves the house: ADMIN gets what was meant for outside."""
    routing = route(["greg", "x@elsewhere.example"], user=None, trusted=True)
    assert who(routing) == {"greg": "local", "admin1": "outside"}
    assert routing.hops == ()


def test_strangers_are_marked():
    """Mail handed in without a login under the name of somebody here carries the warning."""
    routing = route(["greg"], "From: Andrew Smith <x@evil.example>", user=None)
    assert b"X-Mailshare-Warning: display-name\r\n" in routing.targets[0].prefix


def test_a_stranger_is_looked_at_again_when_people_change():
    """A From field that pretended nothing is remembered only as long as the same people are here."""
    headers = Headers.parse(b"From: Eve Miller <x@evil.example>\r\n")
    later = evolve(OFFICE, users=(*USERS, User(20, "eve", names=("Eve Miller",), accounts=(1,))))
    router, envelope = Router(), Envelope(None, (Recipient(Address("greg")),))
    origin = Origin(Source.SMTP, "0" * 16, trusted=True)
    marked = [
        b"X-Mailshare-Warning" in router.route(envelope, headers, origin, directory, {}).targets[0].prefix
        for directory in (OFFICE, OFFICE, OFFICE, later, later)
    ]
    assert marked == [False, False, False, True, True]


def test_reports_go_straight_to_the_person():
    """Our own notices are given to the named local user, whatever their header says."""
    routing = route(["andrew"], "From: MAILER-DAEMON@mail.office.example", user=None, source=Source.REPORT)
    assert who(routing) == {"andrew": "local"}


def test_nothing_is_ever_lost():
    """A recipient that is nobody's, or a message to nobody at all, lies with ADMIN."""
    assert who(route(["nobody"])) == {"admin1": "unknown-user"}
    assert who(route([])) == {"admin1": "nobody"}
    alone = evolve(OFFICE, users=tuple(u for u in USERS if u.id in {1, 2, 5}))
    origin = Origin(Source.SMTP, "0" * 16, user_id=5)
    envelope = Envelope(None, (Recipient(Address("public")),))
    assert [t.user_id for t in Router().route(envelope, Headers(), origin, alone, {}).targets] == [1]
