"""Address lists of the wild: what is a mailbox, what is its name, what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.encoded_words import decode, encode
from mailshare.core.mailboxes import _USUAL, _read_any, _tokens, read_mailboxes


def read(text: str) -> list[tuple[str, str]]:
    return [(box.name, str(box.address)) for box in read_mailboxes(text)[0]]


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("andrew@x.example", [("", "andrew@x.example")]),
        ("Andrew <a@x.example>", [("Andrew", "a@x.example")]),
        ('"Smith, Andrew" <a@x.example>, b@y.example', [("Smith, Andrew", "a@x.example"), ("", "b@y.example")]),
        ("mail@x.example (Andrew)", [("Andrew", "mail@x.example")]),
        ("mail@x.example (old) (Andrew)", [("Andrew", "mail@x.example")]),
        ("(Greg) mail@x.example", [("", "mail@x.example")]),
        ("<mail@x.example> (Andrew (the tall))", [("Andrew (the tall)", "mail@x.example")]),
        ("mail@x.example (greg@y.example)", [("greg@y.example", "mail@x.example")]),
        ('"greg@y.example" <mail@x.example>', [("greg@y.example", "mail@x.example")]),
        ('"Greg <greg@y.example>" <mail@x.example>', [("Greg <greg@y.example>", "mail@x.example")]),
        ("=?utf-8?Q?Greg_=3Cgreg=40y=3E?= <mail@x.example>", [("Greg <greg@y>", "mail@x.example")]),
        ("=?utf-8?Q?Smith,_Andr=C3=A9?= <mail@x.example>", [("Smith, André", "mail@x.example")]),
        ('"=?utf-8?Q?Andr=C3=A9?=" <mail@x.example>', [("André", "mail@x.example")]),
        ("=?utf-8?Q?Andr=C3?= =?utf-8?Q?=A9_M?= <mail@x.example>", [("André M", "mail@x.example")]),
        ("=?iso-8859-1?Q?A?= =?iso-8859-1?Q?_B?= <mail@x.example>", [("A B", "mail@x.example")]),
        ("mail@x.example (=?utf-8?B?QW5kcmV3?=)", [("Andrew", "mail@x.example")]),
        (
            "team: Andrew <a@x.example>, b@x.example;, c@x.example",
            [
                ("Andrew", "a@x.example"),
                ("", "b@x.example"),
                ("", "c@x.example"),
            ],
        ),
        ("unlisted-recipients:; (no To-header on input)", []),
        ("undisclosed-recipients:;", []),
        ("a@x.example; b@x.example", [("", "a@x.example"), ("", "b@x.example")]),
        ("ann <mail@x.example>evil@y.example", [("ann", "mail@x.example")]),
        ("ann@bob <mail@x.example>", [("ann@bob", "mail@x.example")]),
        ("A <a@x.example> B <b@x.example>", [("A", "a@x.example"), ("B", "b@x.example")]),
        ('"Andrew <mail@x.example>', [('"Andrew', "mail@x.example")]),
        ("Andrew <mail@x.example", [("Andrew", "mail@x.example")]),
        ("(Andrew mail@x.example", [("(Andrew", "mail@x.example")]),
        ("<@a.example,@b.example:mail@x.example>", [("", "mail@x.example")]),
        ("mailto:mail@x.example", [("", "mail@x.example")]),
        ("Andrew mail@x.example", [("Andrew", "mail@x.example")]),
        ("mail @ x.example", [("", "mail@x.example")]),
        ('"a b"@x.example', [("", '"a b"@x.example')]),
        ("greg@mail@x.example", [("", '"greg@mail"@x.example')]),
        ("mail@[192.0.2.1]", [("", "mail@[192.0.2.1]")]),
        ("Greg <greg>", [("Greg", "greg")]),
        (',,;<>,@,:,(),""', []),
    ],
)
def test_mailboxes_of_the_wild(text: str, boxes: list[tuple[str, str]]):
    """One pair of angle brackets is one mailbox; addresses in names and comments are no addresses."""
    assert read(text) == boxes


def test_fragments_join_the_mailbox_behind_them():
    """Words before an unquoted comma are kept with the next mailbox and only with it."""
    boxes, _ = read_mailboxes("Andrew, Greg <mail@x.example>, c@x.example")
    assert [box.fragments for box in boxes] == [("Andrew",), ()]


def test_names_are_cut_at_255_and_say_so():
    """A longer name is cut and marked, so that nobody is guessed from it."""
    box = read_mailboxes("x" * 300 + " <a@x.example>")[0][0]
    assert box.cut
    assert len(box.name) == 255


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("=?x-unknown?Q?Andr=C3=A9?=", "André"),
        ("=?x-unknown?Q?Andr=E9?=", "André"),
        ("=?us-ascii?Q?Andr=E9?=", "André"),
        ("=?utf-8?Q?a=0D=0ABcc:_x?=", "a  Bcc: x"),
        ("=?punycode?Q?abc-?=", "abc-"),
        ("=?utf-8?B?QW5kcmV3=?=", "Andrew"),
        ("=?utf-8?B?Q?=", ""),
        ("=?utf-8?Q?a b?=", "a b"),
        ("=?utf-8*en?Q?a?= x", "a x"),
        ("=?broken", "=?broken"),
    ],
)
def test_encoded_words_of_the_wild(text: str, meaning: str):
    """Unknown charsets, broken base64, encoded line ends and codecs that are no charsets do no harm."""
    assert decode(text) == meaning


@pytest.mark.parametrize("text", ["André", "日本語" * 20, "a=?b?=", "x" * 200])
def test_encoding_comes_back(text: str):
    """What is written as encoded words is read back, each at most 75 characters."""
    assert decode(encode(text)) == text
    assert all(len(word) <= 75 for word in encode(text).split())


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        '"',
        "<",
        ">",
        "=?a?q?",
        "a@b,",
        "@a,",
        '"\\',
        "((a)",
        "[",
        ":",
        "a:b;",
        "\\",
        "<@a,",
        "=?utf-8?B?QQ?= ",
    ],
)
def test_reading_takes_time_in_proportion(unit: str):
    """Ten times the input makes at most about ten times the tokens, none of which is read twice."""
    small, large = (unit * n for n in (300, 3000))
    assert len(_tokens(large)) <= 12 * len(_tokens(small)) + 12
    assert sum(len(token.text) for token in _tokens(large)) <= len(large)
    read_mailboxes(large)


def test_a_flood_of_tokens_is_cut():
    """A field of specials only is not read to its end, and says so."""
    boxes, over = read_mailboxes("<" * 60_000 + "a@b.example")
    assert over
    assert boxes == ()


_WORDS = st.text("aZ0.!'=?_-+<>@(),;:\"\\[] \t\u00e9", max_size=8)
_SHAPES = st.one_of(
    _WORDS,
    st.builds("{}@{}".format, _WORDS, _WORDS),
    st.builds("{} <{}@{}>".format, _WORDS, _WORDS, _WORDS),
    st.builds('"{}" <{}@{}>'.format, _WORDS, _WORDS, _WORDS),
)


@given(_SHAPES)
def test_the_quick_way_reads_a_mailbox_as_the_careful_one_does(text: str):
    """A usual mailbox is read by one pattern; it gives what the reader of all lists gives."""
    assert read_mailboxes(text) == _read_any(text, 1000)


@pytest.mark.parametrize(
    "text", ["a@x.example", "Ann B. <a@x.example>", '"B, Ann  (x)" <a+b@x.example>', "<a@x.example>", '""<a@x.example>']
)
def test_usual_mailboxes_go_the_quick_way(text: str):
    """What most programs write into From and To matches the pattern, and both ways give the same."""
    assert _USUAL.fullmatch(text)
    assert read_mailboxes(text) == _read_any(text, 1000)
