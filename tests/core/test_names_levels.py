"""Whom a name in front of the shared address means: the four levels, and what is no name."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.names import _OUTER, NameIndex, normalise, without_accents
from mailshare.core.values import Account, User, UserKind

ACCOUNT = Account(1, 1, Address("mail", "company.example"))
ADMIN, PUBLIC, ANDREW, GREG, ANDRE, JONES, CAROLYN = range(1, 8)
USERS = (
    User(ADMIN, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(PUBLIC, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(ANDREW, "andrew", names=("Andrew Smith",), accounts=(1,)),
    User(GREG, "greg", accounts=(1,)),
    User(ANDRE, "am", names=("André Müller", "Søren Łach"), accounts=(1,)),
    User(JONES, "j.jones", names=("Andrew Jones",), accounts=(1,)),
    User(CAROLYN, "carolyn", names=("Carolyn", "O'Neil, Carolyn"), accounts=(1,)),
    User(9, "stranger", names=("Peter",), accounts=(2,)),
)
INDEX = NameIndex.build(ACCOUNT, USERS, ("Company Ltd",))


@pytest.mark.parametrize(
    ("name", "level", "ids"),
    [
        ("Andrew", "L1", (ANDREW,)),
        ("ANDREW  smith", "L1", (ANDREW,)),
        ("'Greg'", "L1", (GREG,)),
        ('"\\"Greg\\""', "L1", (GREG,)),
        ("“Greg”", "L1", (GREG,)),
        ("Gr\u200beg\u202e", "L1", (GREG,)),
        ("\uff27\uff32\uff25\uff27", "L1", (GREG,)),
        ("André Müller", "L1", (ANDRE,)),
        ("Andre\u0301 Mu\u0308ller", "L1", (ANDRE,)),
        ("Andre Muller", "L2", (ANDRE,)),
        ("Soren Lach", "L2", (ANDRE,)),
        ("Smith, Andrew", "L3", (ANDREW,)),
        ("Smith Andrew", "L3", (ANDREW,)),
        ("Muller, Andre", "L3", (ANDRE,)),
        ("Carolyn O'Neil", "L3", (CAROLYN,)),
        ("J Jones", "L3", (JONES,)),
        ("Greg Brown", "L4", (GREG,)),
        ("Dr. Greg Brown (Sales)", "L4", (GREG,)),
        ("greg.brown", "L4", (GREG,)),
        ("Andrew Jones via LinkedIn", "L4", (JONES,)),
        ("[EXTERNAL] Mr Andrew Smith", "L4", (ANDREW,)),
        ("Andrew & Greg", "L1", (ANDREW, GREG)),
        ("Greg and Carolyn", "L1", (GREG, CAROLYN)),
        ("Andrew, Greg", "L1", (ANDREW, GREG)),
        ("PUBLIC", "L1", (PUBLIC,)),
        ("public1", "L1", (PUBLIC,)),
        ("Admin", "L1", (ADMIN,)),
        ("ADMIN1", "L1", (ADMIN,)),
    ],
)
def test_levels_3_1(name: str, level: str, ids: tuple[int, ...]):
    """Each level finds what the one before it misses, and says which it was."""
    match = INDEX.match(name)
    assert (match.level, match.user_ids, match.contenders) == (level, ids, ())


@pytest.mark.parametrize("name", ["Andrew Brown", "Greg Carolyn", "andrew greg"])
def test_several_owners_of_a_word_are_ambiguous(name: str):
    """One word that two people own, or two words of two people, mean nobody for sure."""
    match = INDEX.match(name)
    assert match.user_ids == ()
    assert match.ambiguous


def test_two_andrews_bare_is_ambiguous():
    """With two full names and no login or alias "andrew", the bare name is ambiguous and the full ones are not."""
    users = (
        User(1, "as", names=("Andrew Smith",), accounts=(1,)),
        User(2, "aj", names=("Andrew Jones",), accounts=(1,)),
    )
    index = NameIndex.build(ACCOUNT, users)
    assert index.match("Andrew").contenders == (1, 2)
    assert index.match("Andrew Smith").user_ids == (1,)
    assert index.match("Jones, Andrew").user_ids == (2,)


def test_accents_part_two_people():
    """The names Andre and André are two people when both exist (L1 before L2)."""
    index = NameIndex.build(ACCOUNT, (User(1, "andre", accounts=(1,)), User(2, "x", names=("André",), accounts=(1,))))
    assert index.match("Andre").user_ids == (1,)
    assert index.match("André").user_ids == (2,)


@pytest.mark.parametrize(
    "name", ["Public Relations", "Mr. Public", "admin team", "bob", "greg@x", "Jones", "Gregg", "Peter"]
)
def test_nobody(name: str):
    """No guess: no parts of words, no single family names, PUBLIC and ADMIN only whole, nobody of another account."""
    assert INDEX.match(name).user_ids == ()


@pytest.mark.parametrize("name", ["", " ", "''", "mail@company.example", "MAIL", "Company Ltd", "\u200b"])
def test_names_that_mean_nobody(name: str):
    """The address itself, its label, the firm's name and emptiness are no names."""
    assert INDEX.means_nobody(name)


def test_fragments_before_an_unquoted_comma():
    """``Andrew, Greg <mail@...>`` names two; ``Smith, Andrew <mail@...>`` names one; fragments match whole or not."""
    assert INDEX.match("Greg", ["Andrew"]).user_ids == (ANDREW, GREG)
    assert INDEX.match("Andrew", ["Smith"]).user_ids == (ANDREW,)
    assert INDEX.match("Greg", ["Carolyn Nobody"]).user_ids == (GREG,)


@given(st.text(max_size=300))
def test_normalising_twice_changes_nothing(text: str):
    """Comparison is stable: a name stored is a name found."""
    once = normalise(text)
    assert normalise(once) == once
    assert without_accents(without_accents(once)) == without_accents(once)
    INDEX.match(text, [text])


@given(st.text(min_size=1, max_size=40))
def test_a_users_own_name_finds_him(name: str):
    """Whatever a user is called, his name alone leads to him and to nobody else."""
    index = NameIndex.build(ACCOUNT, (User(5, "zz", names=(name,), accounts=(1,)), User(6, "other", accounts=(1,))))
    if normalise(name) not in {"", "other"} and not index.means_nobody(name):
        assert index.match(name).user_ids == (5,)


@given(st.text("aZ .'\"`-\t\\,", max_size=12))
def test_plain_names_are_normalised_as_all_others_are(text: str):
    """The short way for plain ASCII gives what the rule for all characters gives."""
    folded = " ".join(text.split()).casefold().strip(_OUTER)
    assert normalise(text) == " ".join(folded.split())
    assert normalise(text + "\u00ad") == normalise(text)  # an invisible character leads the long way round


def test_admin_can_keep_a_namesake_from_a_login():
    """``Andrew Brown`` reaches the only Andrew by L4, until that name means another or nobody, or Andrews are two."""

    def means(users: tuple[User, ...], ignore: tuple[str, ...] = ()) -> tuple[int, ...]:
        index = NameIndex.build(ACCOUNT, users, ignore)
        return () if index.means_nobody("Andrew Brown") else index.match("Andrew Brown").user_ids

    admin, andrew = User(ADMIN, "admin1", UserKind.ADMIN, accounts=(1,)), USERS[2]
    greg = USERS[3]
    assert means((admin, andrew, greg)) == (ANDREW,)
    assert means((admin, andrew, evolve(greg, names=("Andrew Brown",)))) == (GREG,)
    assert means((evolve(admin, names=("Andrew Brown",)), andrew, greg)) == (ADMIN,)
    assert means((admin, andrew, greg), ("Andrew Brown",)) == ()
    assert means((admin, andrew, greg, USERS[5])) == ()
