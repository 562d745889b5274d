"""Exact user before alias before list map before fallback, whatever the names are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.headers import Headers
from mailshare.core.sorting import sort_collected
from mailshare.core.values import Account, AccountMode, Directory, SenderRule, User, UserKind

ACCOUNT = Account(1, 1, Address("box", "company.example"), AccountMode.DOMAIN, domains=("company.example",))
WORDS = st.sampled_from(["greg", "lisa", "sales", "info", "hill", "news"])
ALIASES = st.lists(st.one_of(WORDS, WORDS.map(lambda word: f"{word}@company.example")), max_size=3).map(tuple)


@st.composite
def offices(draw: st.DrawFn) -> Directory:
    """Some users with aliases that may clash with logins and with each other, and perhaps a rule for a list."""
    logins = draw(st.lists(WORDS, unique=True, max_size=3))
    users = [User(10 + n, name, names=draw(ALIASES), accounts=(1,)) for n, name in enumerate(logins)]
    rules = (SenderRule(1, "list", "l.example", (users[-1].id,)),) if users and draw(st.booleans()) else ()
    admin = User(1, "admin1", UserKind.ADMIN, accounts=(1,))
    return Directory((admin, User(2, "public1", UserKind.PUBLIC, accounts=(1,)), *users), (ACCOUNT,), rules)


@settings(max_examples=300)
@given(offices(), WORDS)
def test_exact_user_then_alias_then_list_map_then_fallback(directory: Directory, local: str) -> None:
    """Complaint 7: a catch-all never swallows mail of addresses that exist; what is not certain goes to ADMIN."""
    headers = Headers.parse(
        f"X-Original-To: {local}@company.example\r\nReceived: from a by b; x\r\nList-Id: <l.example>\r\n"
        "From: x@far.example\r\nTo: somebody@far.example\r\n\r\n".encode()
    )
    got = tuple(sort_collected(headers, ACCOUNT, directory, {}).hits)
    people = directory.members(1)
    exact = tuple(user.id for user in people if user.name == local)
    whole = {user.id for user in people if f"{local}@company.example" in user.names}
    alias = {user.id for user in people if local in user.names}
    mapped = tuple(user_id for rule in directory.rules for user_id in rule.user_ids)
    if exact:
        assert got == exact, "the login is exact, an alias is not"
    elif len(whole) == 1:
        assert got == tuple(whole), "an alias that is the whole address is the more exact one"
    elif len(alias) == 1:
        assert got == tuple(alias)
    else:
        assert got == mapped, "nobody has it, or several have: the list map, and then ADMIN"


def test_a_whole_address_in_a_further_domain_is_more_exact_than_a_login() -> None:
    """``info@two.example`` may be somebody else than ``info`` of the first domain."""
    account = Account(1, 1, Address("box", "one.example"), AccountMode.DOMAIN, domains=("one.example", "two.example"))
    info = User(10, "info", accounts=(1,))
    lisa = User(11, "lisa", names=("info@two.example", "info@one.example"), accounts=(1,))
    admin, public = User(1, "admin1", UserKind.ADMIN), User(2, "public1", UserKind.PUBLIC)
    directory = Directory((admin, public, info, lisa), (account,))
    for domain, expected in (("one.example", 10), ("two.example", 11)):
        headers = Headers.parse(f"X-Original-To: info@{domain}\r\nReceived: from a by b; x\r\n\r\n".encode())
        assert tuple(sort_collected(headers, account, directory, {}).hits) == (expected,)
