"""Header blocks are read whatever they hold, and every octet is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core import headers as headers_module
from mailshare.core.bounds import Bounds
from mailshare.core.headers import MAX_BLOCK, Headers, header_end


def test_fields_keep_their_octets():
    """The raw octets of the fields, put together, are the block."""
    block = b"Subject : a\r\n b\r\nno field here\r\nTO:x@y.example\n\tz\r\n"
    headers = Headers.parse(block)
    assert b"".join(each.raw for each in headers.fields) == block
    assert [each.name for each in headers.fields] == ["Subject", "", "TO"]
    assert headers.first("subject") == "a b"
    assert headers.all("to") == ("x@y.example z",)
    assert headers.first("cc") is None


def test_the_empty_line_ends_the_block():
    """What follows the empty line is body, also with bare line feeds or a doubled CR."""
    for end in (b"\r\n\r\n", b"\n\n", b"\r\n\r\r\n"):
        assert Headers.parse(b"A: 1" + end + b"B: 2\r\n").first("b") is None
        assert header_end(b"A: 1" + end + b"B: 2\r\n") == len(b"A: 1" + end)


def test_a_bare_cr_starts_no_field():
    """A lone CR in a value cannot smuggle in a field of its own."""
    headers = Headers.parse(b"Subject: x\rDelivered-To: greg@company.example\r\nTo: y@z.example\r\n")
    assert headers.first("delivered-to") is None
    assert headers.first("subject") == "x Delivered-To: greg@company.example"


def test_a_block_with_cr_only_is_read():
    """Old programs end lines with CR alone; a block without any LF is read so."""
    assert Headers.parse(b"A: 1\rB: 2\r\rbody").first("b") == "2"


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"Andr\xc3\xa9", "André"), (b"Andr\xe9", "André"), (b"a\x00b", "a b"), (b"\x81", "\ufffd")],
)
def test_raw_octets_are_utf8_or_windows_1252(octets: bytes, text: str):
    """Eight-bit octets in a field are read as UTF-8, else windows-1252, and NUL is a blank."""
    assert Headers.parse(b"X: " + octets + b"\r\n").first("x") == text


def test_limits_cut_and_say_so():
    """Past 256 KiB, 2,000 lines, 64 KiB in a field or 2,000 addresses the rest is cut and the block is oversize."""
    assert not Headers.parse(b"A: b\r\n" * 10).oversize
    assert Headers.parse(b"A: b\r\n" * (Bounds().header_lines + 1)).oversize
    assert not Headers.parse(b"A: b\r\n" * Bounds().header_lines).oversize
    assert Headers.parse(b"A: " + b"b" * Bounds().header_field + b"\r\n").oversize
    assert Headers.parse((b"A: " + b"b" * 1000 + b"\r\n") * (MAX_BLOCK // 1000)).oversize
    assert not Headers.parse(b"A: b\r\n\r\n" + b"x" * MAX_BLOCK).oversize
    assert Headers.parse(b"To: " + b"a@b.example, " * 2001 + b"\r\n").oversize
    assert Headers.parse((b"To: " + b"a@b.example, " * 700 + b"\r\n") * 3).oversize
    assert not Headers.parse((b"To: " + b"a@b.example, " * 600 + b"\r\n") * 3).oversize
    assert not Headers.parse(b"To: " + b"a@b.example, " * 1999 + b"\r\n").oversize


def test_a_136_kilobyte_recipient_line_is_read():
    """The line that stops others is cut, marked, and costs nothing else."""
    line = b", ".join(b'"P%d" <p%d@x.example>' % (i, i) for i in range(6000))
    headers = Headers.parse(b"To: " + line + b"\r\nA: 1\r\n")
    assert headers.oversize
    assert headers.first("a") == "1"
    assert len(headers.mailboxes("to")) == 2000


def test_message_ids():
    """Ids are found with or without folding, and one without brackets is taken when it stands alone."""
    headers = Headers.parse(
        b"References: <a@b>\r\n <c@d>(old) <e\r\n f>\r\nIn-Reply-To: your message of Monday\r\nMessage-ID: g@h\r\n"
    )
    assert headers.message_ids("references") == ("<a@b>", "<c@d>")
    assert headers.message_ids("in-reply-to") == ()
    assert headers.message_ids("message-id") == ("<g@h>",)


TROUBLE = st.text('=?"<>()@,;: \r\n\tabQB8.\\[]', max_size=200).map(lambda text: b"To: " + text.encode())


@given(st.binary(max_size=400) | TROUBLE)
def test_reading_never_raises(block: bytes):
    """Whatever comes, every question about a block has an answer."""
    headers = Headers.parse(block)
    assert isinstance(headers.oversize, bool)
    for each in headers.fields:
        assert isinstance(each.text, str)
        headers.mailboxes(each.name)
        headers.message_ids(each.name)
    assert block.startswith(b"".join(each.raw for each in headers.fields))


_PIECES = (b"\r", b"\n", b"\r\n", b" ", b"\t", b"a: b", b":", b"To", b"\x00", b"\xff")


@given(st.lists(st.sampled_from(_PIECES), max_size=25))
def test_the_quick_way_reads_a_block_as_the_careful_one_does(pieces: list[bytes]):
    """Wherever the quick way gives an answer, it is the careful one's, octet for octet."""
    block = b"".join(pieces)
    quick = headers_module._usual_fields(block)
    assert quick is None or quick == headers_module._split_fields(headers_module.split_lines(block))


def test_the_quick_way_is_taken_for_usual_blocks_only():
    """A letter's block goes the quick way; what is odd or long goes the careful one."""
    assert headers_module._usual_fields(b"A: b\r\n c\r\nTo: x@y.example\r\n\r\nbody\r\n") is not None
    for odd in (b"", b"A: b", b"\r\nA: b\r\n", b"A: b\r\n\rC: d\r\n", b"A: b\rC: d\r", b"A: b\n" * 2000):
        assert headers_module._usual_fields(odd) is None


@pytest.mark.parametrize("above", [b"", b"Received: from a by b; x\r\n"])
def test_a_byte_order_mark_in_front_of_a_field_hides_nothing(above: bytes) -> None:
    """Alone on top, or under the fields of those who handed it on: the name is read, the octets stay."""
    block = above + b"\xef\xbb\xbfFrom: Ann <ann@out.example>\r\nTo: x@y.example\r\n\r\n"
    for line_end in (b"\r\n", b"\n"):
        octets = block.replace(b"\r\n", line_end)
        headers = Headers.parse(octets)
        assert headers.mailboxes("from")[0].address.domain == "out.example"
        assert b"".join(each.raw for each in headers.fields) + line_end == octets
        assert headers.text("from") == "Ann <ann@out.example>"
