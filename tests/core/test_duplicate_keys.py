"""Which copies count as one message."""

from mailshare.core.duplicates import duplicate_key
from mailshare.core.headers import Headers

TEXT, FOOTER = b"t" * 32, b"f" * 32


def key(block: bytes, content: bytes = TEXT, *, whole: bytes = b"w" * 32, collapse: bool = False) -> bytes:
    return duplicate_key(Headers.parse(block), content, whole, collapse_lists=collapse)


def test_two_copies_with_one_message_id_are_one():
    """What servers put on top on the way does not matter; the id is compared without case and folding."""
    one = key(b"Received: a\r\nMessage-ID: <A@b>\r\nSubject: x\r\n")
    assert one == key(b"Delivered-To: c@d\r\nMessage-Id:\r\n <a@b>\r\nSubject: y\r\n")
    assert len(one) == 32


def test_other_text_is_another_message():
    """A list's copy with its footer is kept, unless lists are collapsed; the direct copy has no List-Id."""
    block = b"Message-ID: <a@b>\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    listed = b"List-Id: <news.example>\r\nSubject: [news] x\r\n" + block
    assert key(block) != key(listed, FOOTER)
    assert key(block, collapse=True) == key(listed, FOOTER, collapse=True)


def test_collapsing_lists_never_swallows_another_message_3_5():
    """Programs use one Message-ID for several messages: another Date, or none, and the text decides again."""
    one, other = (b"Message-ID: <a@b>\r\nDate: Sat, 21 Nov 2026 12:00:0%d +0000\r\n" % second for second in (1, 2))
    assert key(one, collapse=True) != key(other, collapse=True)
    undated = b"Message-ID: <a@b>\r\n"
    assert key(undated, collapse=True) != key(undated, FOOTER, collapse=True)


def test_without_id_sender_date_and_subject_tell():
    """Messages without id are one only when From, Date, Subject and text are equal."""
    block = b"From: a@b\r\nDate: x\r\nSubject: y\r\n"
    assert key(block) == key(b"X: z\r\n" + block)
    assert key(block) != key(block.replace(b"y", b"z"))
    assert key(block, collapse=True) != key(block, FOOTER, collapse=True)
    assert key(b"") != key(b"Message-ID: <a@b>\r\n")


def test_the_fields_cannot_be_shifted():
    """What one field lacks and the next has too much makes another key."""
    assert key(b"From: a\r\nDate: bc\r\n") != key(b"From: ab\r\nDate: c\r\n")


def test_without_any_of_these_fields_all_octets_tell():
    """A text without a header is all header up to its first empty line: another one is another message."""
    for one in (b"some text\r\n", b"some text\r\nSubject: x\r\n", b"To: a@b\r\nX: y\r\n"):
        assert key(one) == key(one)
        assert key(one) != key(one, whole=b"v" * 32)
    named = b"some text\r\nMessage-ID: <a@b>\r\n"
    assert key(named) == key(named, whole=b"v" * 32)
