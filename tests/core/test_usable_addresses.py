"""The addresses that a user's page shows: only those that lead to him."""

from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.people import people_of, usable_addresses
from mailshare.core.values import Account, AccountMode, Directory, User

SHARED = Account(1, 1, Address("mail", "company.example"))
DOMAIN = Account(2, 2, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
ANDREW = User(5, "andrew", names=("Andrew Smith", "sales"), accounts=(1, 2))
LISA = User(6, "lisa", names=("Sales",), accounts=(1, 2))
OFFICE = Directory((ANDREW, LISA), (SHARED, DOMAIN))


def test_a_name_that_two_people_have_is_not_shown():
    """Andrew and Lisa both answer to "sales", so neither page offers it."""
    assert usable_addresses(ANDREW, SHARED, OFFICE) == (
        "Andrew Smith <mail@company.example>",
        "andrew <mail@company.example>",
    )
    assert usable_addresses(ANDREW, DOMAIN, OFFICE) == ("andrew@firm.example",)


def test_the_tag_comes_first_where_tags_work():
    """A tag is surer than a name, once the provider was seen to deliver it."""
    shared = evolve(SHARED, options={"tags_work": True})
    office = evolve(OFFICE, accounts=(shared, DOMAIN))
    assert usable_addresses(LISA, shared, office) == ("mail+lisa@company.example", "lisa <mail@company.example>")


def test_look_ups_are_built_once_for_a_directory():
    """The same directory gives the same look-ups, another one others."""
    assert people_of(OFFICE) is people_of(OFFICE)
    assert people_of(evolve(OFFICE, version=2)) is not people_of(OFFICE)
