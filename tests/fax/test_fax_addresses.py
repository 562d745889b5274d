"""Fax addresses, numbers, dial rules and what may be called."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from mailshare.core.address import Address
from mailshare.core.envelope import Recipient
from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.fax_address import FaxAddress, format_fax_address, parse_fax_address
from mailshare.core.fax_covers import FaxCover
from mailshare.core.fax_dialling import USUAL_TOLLS, DialRules, Number, Toll, refusal
from mailshare.core.headers import Headers
from mailshare.core.values import User
from mailshare.core.values.fax import FaxCapabilities
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.numbers import Numbers
from mailshare.fax.pool import LinePool, PooledLine
from mailshare.fax.rules import FaxContact, FaxRules

BERLIN = DialRules("49", "30", "00", "0", outside="9", extension=3)


@pytest.mark.parametrize(
    ("local", "number", "subaddresses"),
    [
        ("FAX=+1-202-555.0123", "+12025550123", ()),
        ("fax=+12025550123/T33S=12", "+12025550123", ("12",)),
        ("/FAX=+12025550123/", "+12025550123", ()),
        ("FAX=+12025550123/T33S=12/T33S=13", "+12025550123", ("12", "13")),
        ("FAX=+12025550123/t33s=12#13", "+12025550123", ("12", "13")),
        ("FAX=0301234p567", "0301234p567", ()),
    ],
)
def test_addresses_of_the_standards_are_read(local: str, number: str, subaddresses: tuple[str, ...]) -> None:
    """S9 G5 A1: RFC 3191 and 3192 with slashes and without, several subaddresses, RFC 2846's local numbers."""
    assert parse_fax_address(local) == FaxAddress(number, subaddresses)


def test_addresses_of_other_gateways_are_read_where_they_are_distinct() -> None:
    """S9: bare digits are a number only where somebody says that everything there is a fax."""
    assert parse_fax_address("030-1234", bare=True) == FaxAddress("0301234")
    assert parse_fax_address("0301234") is None
    assert parse_fax_address("miller", bare=True) is None


def test_words_for_the_cover_page_are_read() -> None:
    """RFC 2846 section 3: who and where, beside the number."""
    found = parse_fax_address("FAX=+12025550123/ATTN=John_Smith/ORG=Example")
    assert found is not None
    assert found.cover == {"ATTN": "John Smith", "ORG": "Example"}


@pytest.mark.parametrize("local", ["FAX=", "FAX=x", "FAX=+1/T33S=", "FAX=+1/T33S=a", "FAX=+1/X=1", "FAX=+" + "1" * 60])
def test_what_says_it_is_one_and_is_not_is_told_so(local: str) -> None:
    """Elements that are not known may change the meaning, so they are not passed over (RFC 2846 section 1.2)."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_fax_address(local)


def test_what_is_written_has_no_slashes_around_it() -> None:
    """RFC 3192 section 3: the optional slashes must not be generated."""
    assert format_fax_address("+12025550123", "7") == "FAX=+12025550123/T33S=7"


@pytest.mark.parametrize(
    ("text", "dialled"),
    [("+12025550123", "900" + "12025550123"), ("+498912345678", "9089" + "12345678"), ("+49301234567", "91234567"),
     ("0891234567", "90891234567"), ("00441632960000", "900441632960000"), ("42", "42")],
)  # fmt: skip
def test_numbers_are_dialled_as_this_place_dials(text: str, dialled: str) -> None:
    """G3: exit code, trunk prefix, own area, outside line, extensions (RFC 4160 section 3.2.1)."""
    assert BERLIN.dial(Numbers("DE", BERLIN).read(text)) == dialled


def test_a_line_may_take_numbers_as_they_are() -> None:
    """A provider wants E.164 whatever is dialled elsewhere."""
    assert DialRules("49", exit_code="+").dial(Numbers("DE", DialRules("49")).read("030 1234567")) == "+49301234567"


@pytest.mark.parametrize(
    ("text", "toll"),
    [
        ("+49301234567", Toll.LOCAL), ("+49891234567", Toll.NATIONAL), ("+4915112345678", Toll.MOBILE),
        ("+498001234567", Toll.FREE), ("+499001234567", Toll.PREMIUM), ("+491801234567", Toll.SHARED),
        ("+12025550123", Toll.INTERNATIONAL), ("+19005550123", Toll.PREMIUM), ("+881612345678", Toll.SATELLITE),
        ("42", Toll.INTERNAL),
    ],
)  # fmt: skip
def test_kinds_of_numbers_are_known(text: str, toll: Toll) -> None:
    """S10: what a call costs decides whether it is made, also for premium numbers of other countries."""
    assert Numbers("DE", BERLIN).read(text).toll is toll


def test_what_earns_money_by_being_called_is_refused_by_default() -> None:
    """S10: premium, satellite and emergency numbers need somebody to allow them."""
    for toll in (Toll.PREMIUM, Toll.SATELLITE, Toll.SHORT, Toll.SHARED, Toll.UNKNOWN):
        assert refusal(toll, USUAL_TOLLS)
    assert not refusal(Toll.PREMIUM, [Toll.PREMIUM])


@pytest.mark.parametrize("text", ["+4911", "112", "+999123", "0", "+49" + "1" * 17])
def test_no_number_is_called_that_cannot_be(text: str) -> None:
    """Neither emergency numbers nor nonsense pass the usual rules."""
    rules = FaxRules(("fax.example",), "DE", DialRules("49", "30"))
    with pytest.raises(PolicyRefusal):
        FaxGateway(rules, None).number(text)  # type: ignore[arg-type]


def gateway(**facts: object) -> FaxGateway:
    contacts = (
        FaxContact("Miller", "+49301234567", short="7", subaddress="12", title="Ms Miller"),
        FaxContact("smith", "+12025550123"),
        FaxContact("all", members=("miller", "Smith", "inner")),
        FaxContact("inner", members=("all", "miller")),
    )
    rules = FaxRules(("fax.example",), "DE", BERLIN, frozenset({"anna"}), contacts=contacts, **facts)  # type: ignore[arg-type]
    return FaxGateway(rules, None)  # type: ignore[arg-type]


ANNA = User(7, "anna")


def called(local: str, **facts: object) -> list[str]:
    recipient = Recipient(Address(local, "fax.example"))
    return [str(hop.params["number"]) for hop in gateway(**facts).hops(recipient, ANNA)]


def test_the_address_book_is_an_address_like_any_other() -> None:
    """Names, abbreviated numbers, and groups in groups: each member once."""
    assert called("miller") == called("7") == ["+49301234567"]
    assert called("ALL") == ["+49301234567", "+12025550123"]
    [hop] = gateway().hops(Recipient(Address("7", "fax.example")), ANNA)
    assert (hop.params["sub"], hop.params["title"]) == ("12", "Ms Miller")


def test_each_subaddress_is_a_recipient() -> None:
    """G5 A2: RFC 3192 section 4.1."""
    rows = gateway().hops(Recipient(Address("FAX=+12025550123/T33S=1/T33S=2", "fax.example")), ANNA)
    assert [(hop.address, hop.params["sub"]) for hop in rows] == [
        ("FAX=+12025550123/T33S=1@fax.example", "1"),
        ("FAX=+12025550123/T33S=2@fax.example", "2"),
    ]


@pytest.mark.parametrize("user", [None, User(8, "ben")])
def test_who_is_not_on_the_list_sends_nothing(user: User | None) -> None:
    """S10 G1: nobody is asked what he claims to be; a login is what counts."""
    with pytest.raises(PolicyRefusal) as refused:
        gateway().hops(Recipient(Address("FAX=+12025550123", "fax.example")), user)
    assert refused.value.status == "5.7.1"


@pytest.mark.parametrize("local", ["FAX=+12025550123/ISUB=1", "FAX=+12025550123/POSTD=1", "nobody", "FAX=+499001234"])
def test_what_no_line_can_do_is_refused_and_not_left_out(local: str) -> None:
    """A4: a fax that rings somewhere else than its sender meant is worse than none."""
    with pytest.raises(MailshareError):
        called(local)


def test_only_the_fax_domain_is_claimed() -> None:
    """G3: recipients of other domains are nobody's fax."""
    assert gateway().claims(Address("x", "FAX.example"))
    assert not gateway().claims(Address("FAX=+12025550123", "mail.example"))


def test_a_number_abroad_keeps_all_its_digits() -> None:
    """Trunk and area are the own country's alone."""
    assert BERLIN.dial(Number("+3612345678", "36", "12345678", Toll.INTERNATIONAL)) == "9003612345678"


@pytest.mark.parametrize(
    "address",
    [
        Address("Arlington_Hewes", "0301234567"),  # faxmail: user@number
        Address("x", "0301234567.fax.example"),
        Address("0301234567", "fax.example"),
        Address("FAX=0301234567", "fax.example"),
        Address("/fax=+49-30.1234567/", "fax.example"),
        Address.parse('"FAX=+49301234567"@fax.example'),
    ],
)
def test_the_forms_of_peers_mean_the_same_number(address: Address) -> None:
    """S9 A6: each of them apart from the others by its form, and from the address of any mail."""
    assert gateway().claims(address)
    [hop] = gateway().hops(Recipient(address), ANNA)
    assert (hop.params["number"], hop.params["dial"], hop.params["toll"]) == ("+49301234567", "91234567", "local")
    assert (hop.params.get("title") == "Arlington Hewes") == address.local.startswith("Arlington")
    for other in ("030.example", "49301234567.example", "x.0301234567", "12", "mail.example"):
        assert not gateway().claims(Address("x", other))


def test_a_number_in_the_subject_is_dialled_for_its_own_address_alone() -> None:
    """A7: NethServer's form; the sender is judged at RCPT, the number as soon as it is there."""
    found = gateway(subject="sendfax")
    recipient = Recipient(Address("SendFax", "fax.example"))
    with pytest.raises(PolicyRefusal):
        found.hops(recipient, User(8, "ben"))
    assert found.hops(recipient, ANNA) == []

    def meant(subject: str) -> list[str]:
        headers = Headers.parse(f"Subject: {subject}\r\n\r\n".encode())
        return [str(hop.params["number"]) for hop in found.hops(recipient, ANNA, headers)]

    assert meant("+49 (30) 123-4567") == meant("fax: 0301234567") == ["+49301234567"]
    for wrong in ("", "Offer 0301234567", "+499001234567", "0301234567, 0301234568"):
        with pytest.raises(PolicyRefusal):
            meant(wrong)
    with pytest.raises(MailshareError):
        gateway().hops(recipient, ANNA, Headers.parse(b"Subject: 0301234567\r\n\r\n"))


@pytest.mark.parametrize("number", ["0301234*5", "0301234p5", "0w0301234567", "*123#", "A12"])
def test_keys_and_pauses_are_never_left_out_of_a_number(number: str) -> None:
    """A3: RFC 2846 section 2.1: what is left without them is another number; what it costs nobody knows."""
    with pytest.raises(PolicyRefusal, match="not known what this number costs"):
        called(f"FAX={number}")
    [hop] = gateway(tolls=frozenset({Toll.UNKNOWN})).hops(Recipient(Address(f"FAX={number}", "fax.example")), ANNA)
    assert (hop.params["dial"], hop.params["toll"]) == (number, "unknown")


def test_an_address_names_the_reader_and_the_cover_sheet() -> None:
    """A5 U24: RFC 2846 section 3, and COVER, which is ours: a sheet that is not there is refused at once."""
    local = "FAX=+49301234567/ATTN=Ms_Miller/ORG=Example/OFNO=7/COVER=Letter"
    rules = {"covers": (FaxCover("letter"),)}
    [hop] = gateway(**rules).hops(Recipient(Address(local, "fax.example")), ANNA)
    assert (hop.params["title"], hop.params["company"]) == ("Ms Miller", "Example, 7")
    assert hop.params["cover"] == "letter"
    assert hop.address == "FAX=+49301234567@fax.example"
    with pytest.raises(PolicyRefusal, match="no cover sheet 'letter'") as refused:
        called(local)
    assert refused.value.status == "5.1.3"


class Plain:
    """A line that gives no subaddress."""

    capabilities = FaxCapabilities(subaddress=False)


def test_a_subaddress_that_no_line_can_give_is_refused() -> None:
    """G5: it must be used, so it is never left out in silence (RFC 4160 section 3.2.2)."""
    found = gateway()
    plain = PooledLine(Plain(), ("+1*",))  # type: ignore[arg-type]
    found.lacking = LinePool(Clock(), [plain]).lacking
    assert found.hops(Recipient(Address("FAX=+49301234567/T33S=1", "fax.example")), ANNA)
    assert found.hops(Recipient(Address("FAX=+12025550123", "fax.example")), ANNA)
    with pytest.raises(PolicyRefusal, match="subaddress"):
        found.hops(Recipient(Address("FAX=+12025550123/T33S=1", "fax.example")), ANNA)


def test_of_a_group_nobody_is_left_out_in_silence() -> None:
    """One that is too large for a mail, or has no number in it, is refused; at its bound it is taken whole."""
    people = tuple(FaxContact(f"m{number}", f"+49301{number:06}") for number in range(501))
    groups = (
        FaxContact("many", members=tuple(one.name for one in people)),
        FaxContact("most", members=tuple(one.name for one in people[:500])),
        FaxContact("none", members=("nosuch",)),
    )
    rules = FaxRules(("fax.example",), "DE", BERLIN, frozenset({"anna"}), contacts=(*people, *groups))
    found = FaxGateway(rules, None)  # type: ignore[arg-type]
    assert len(found.hops(Recipient(Address("most", "fax.example")), ANNA)) == 500
    for name in ("many", "none"):
        with pytest.raises(PolicyRefusal):
            found.hops(Recipient(Address(name, "fax.example")), ANNA)
