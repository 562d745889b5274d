"""Fax addresses, numbers, dial rules and what may be called."""

from __future__ import annotations

import pytest

from mailshare.core.address import Address
from mailshare.core.envelope import Recipient
from mailshare.core.errors import MailshareError, PolicyRefusal
from mailshare.core.fax_address import FaxAddress, format_fax_address, parse_fax_address
from mailshare.core.fax_dialling import USUAL_TOLLS, DialRules, Number, Toll, refusal
from mailshare.core.values import User
from mailshare.fax.gateway import FaxGateway
from mailshare.fax.numbers import Numbers
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
    """S9 G5: RFC 3191 and 3192 with slashes and without, several subaddresses, RFC 2846's local numbers."""
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
    """G5: RFC 3192 section 4.1."""
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
    """A fax that rings somewhere else than its sender meant is worse than none."""
    with pytest.raises(MailshareError):
        called(local)


def test_only_the_fax_domain_is_claimed() -> None:
    """G3: recipients of other domains are nobody's fax."""
    assert gateway().claims(Address("x", "FAX.example"))
    assert not gateway().claims(Address("FAX=+12025550123", "mail.example"))


def test_a_number_abroad_keeps_all_its_digits() -> None:
    """Trunk and area are the own country's alone."""
    assert BERLIN.dial(Number("+3612345678", "36", "12345678", Toll.INTERNATIONAL)) == "9003612345678"
