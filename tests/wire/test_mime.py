"""The MIME reader: parts, names and octets of messages in every cut, against the standard library and by hand."""

from __future__ import annotations

import email
import email.policy
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.media_type import MediaType, file_name, valued
from mailshare.wire.mime import EntityBegun, EntityData, EntityEnded, MIMEReader, TooManyParts
from mailshare.wire.transfer_encoding import Base64, QuotedPrintable

NESTED = (
    b"From: Phone <phone@x.example>\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n"
    b'preamble\r\n--outer\r\nContent-Type: multipart/alternative; boundary="in ner"\r\n\r\n'
    b"--in ner\r\n\r\nplain\r\n-- \r\nsignature\r\n--in ner  \r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>caf=C3=A9</b> soft=\r\n ware  \r\n"
    b"--in ner--\r\nepilogue\r\n"
    b'--outer\r\nContent-Type: application/pdf; name="=?utf-8?Q?r=C3=A9sum=C3=A9=2Epdf?="\r\n'
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\nJVBERi0xLjQK\r\nJVBERg==\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nthe inner text\r\n--outer--\r\nbye\r\n"
)


def read(pieces: list[bytes]) -> list[tuple[tuple[int, ...], str, str, bytes, bool]]:
    """``(path, type, name, octets, whole)`` of each entity, in the order in which they begin."""
    reader = MIMEReader()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.end()
    begun = [event for event in events if isinstance(event, EntityBegun)]
    body: dict[tuple[int, ...], bytes] = {}
    whole: dict[tuple[int, ...], bool] = {}
    for event in events:
        if isinstance(event, EntityData):
            body[event.path] = body.get(event.path, b"") + event.data
        elif isinstance(event, EntityEnded):
            assert event.path not in whole
            whole[event.path] = event.whole
    assert whole.keys() == {event.path for event in begun}
    return [(each.path, each.media.name, each.name, body.get(each.path, b""), whole[each.path]) for each in begun]


EXPECTED = [
    ((), "multipart/mixed", "", b"", False),
    ((1,), "multipart/alternative", "", b"", True),
    ((1, 1), "text/plain", "", b"plain\r\n-- \r\nsignature", True),
    ((1, 2), "text/html", "", "<b>café</b> soft ware".encode(), True),
    ((2,), "application/pdf", "résumé.pdf", b"%PDF-1.4\n%PDF", True),
    ((3,), "message/rfc822", "", b"", True),
    ((3, 1), "text/plain", "", b"the inner text", True),
]


def test_nested_parts_are_taken_apart() -> None:
    """Multiparts in multiparts, both encodings, an attached message, a signature line that is no delimiter."""
    assert read([NESTED]) == EXPECTED


def test_every_cut_gives_the_same() -> None:
    """Octet by octet, and cut once at every place."""
    assert read([bytes([octet]) for octet in NESTED]) == EXPECTED
    for cut in range(len(NESTED)):
        assert read([NESTED[:cut], NESTED[cut:]]) == EXPECTED


def test_the_octets_of_a_part_can_be_found_again() -> None:
    """The offsets of each leaf name its body in the message as it is stored, wherever the pieces were cut."""
    for size in (1, 7, 1000):
        reader = MIMEReader()
        events = [event for at in range(0, len(NESTED), size) for event in reader.feed(NESTED[at : at + size])]
        events += reader.end()
        start = {event.path: event.offset for event in events if isinstance(event, EntityBegun)}
        stop = {event.path: event.offset for event in events if isinstance(event, EntityEnded)}
        assert NESTED[start[1, 1] : stop[1, 1]] == b"plain\r\n-- \r\nsignature"
        assert NESTED[start[2,] : stop[2,]] == b"JVBERi0xLjQK\r\nJVBERg=="
        assert NESTED[start[3, 1] : stop[3, 1]] == b"the inner text"


def test_lines_may_end_in_lf() -> None:
    """Some spools keep LF; the octets of text parts keep their own line ends."""
    got = read([NESTED.replace(b"\r\n", b"\n")])
    assert [each[:3] for each in got] == [each[:3] for each in EXPECTED]
    assert got[2][3] == b"plain\n-- \nsignature"
    assert got[4][3] == EXPECTED[4][3]


def test_a_message_that_is_cut_gives_what_is_there() -> None:
    """No closing line: the parts end with the message and say so."""
    cut = NESTED[: NESTED.index(b"JVBERg")]
    got = read([cut])
    assert got[4] == ((2,), "application/pdf", "résumé.pdf", b"%PDF-1.4\n", False)


def test_a_parents_delimiter_ends_an_open_child() -> None:
    """Who forgets the closing line of an inner multipart loses nothing of what follows."""
    got = read([NESTED.replace(b"--in ner--\r\nepilogue\r\n", b"")])
    assert got[4] == EXPECTED[4]


def test_a_header_cut_off_by_a_delimiter_is_an_empty_part() -> None:
    """RFC 2046 section 5.1.1: a part may be empty."""
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    message = head + b"--b\r\nContent-Type: image/png\r\n--b\r\n\r\nx\r\n--b--"
    assert [each[1:4] for each in read([message])][1:] == [("image/png", "", b""), ("text/plain", "", b"x")]


def test_ordinary_mail_is_one_part() -> None:
    """No MIME at all: the text as it is, its last line end too."""
    assert read([b"Subject: hi\r\n\r\n--not a delimiter\r\ntext\r\n"]) == [
        ((), "text/plain", "", b"--not a delimiter\r\ntext\r\n", False)
    ]


def test_a_digest_holds_messages() -> None:
    """RFC 2046 section 5.1.5: the default type changes."""
    message = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: one\r\n\r\nfirst\r\n--b--\r\n"
    assert [each[:2] for each in read([message])][1:] == [((1,), "message/rfc822"), ((1, 1), "text/plain")]


def test_an_encoded_message_is_not_opened() -> None:
    """A message/rfc822 in base64 is against the rules; it is given as a file."""
    message = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n"
    assert read([message]) == [((), "message/rfc822", "", b"Subject: x", False)]


def test_depth_and_number_are_bounded() -> None:
    """A tower of multiparts ends as a leaf; the 1,001st part ends the reading, and nothing is kept of what follows."""
    tower = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(100))
    assert max(len(each[0]) for each in read([tower])) == 50
    reader = MIMEReader()
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 3000
    assert any(isinstance(event, TooManyParts) for event in reader.feed(many))
    assert reader.feed(b"more" * 1000) == reader.end() == []


def test_a_stream_is_passed_on_as_it_comes() -> None:
    """No more than a few octets are held of a large part."""
    reader = MIMEReader()
    reader.feed(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    got = 0
    for _ in range(64):
        got += sum(len(event.data) for event in reader.feed(b"QUJD" * 19 + b"\r\n") if isinstance(event, EntityData))
    assert got >= 64 * 57 - 3


@pytest.mark.parametrize("seed", range(30))
def test_the_standard_library_reads_the_same(seed: int) -> None:
    """What ``email`` writes is read back: types, names and octets of every leaf."""
    random = Random(seed)
    message = email.message.EmailMessage()
    message.set_content("".join(random.choice("abc é\n-=") for _ in range(random.randrange(300))))
    if random.random() < 0.7:
        message.add_alternative("<p>é" + "x" * random.randrange(200), subtype="html")
    for number in range(random.randrange(4)):
        octets = random.randbytes(random.randrange(5000))
        message.add_attachment(octets, maintype="application", subtype="pdf", filename=f"Blatt {number} ü.pdf")
    octets = message.as_bytes(policy=email.policy.SMTP)
    ours = [(kind, name, data) for _, kind, name, data, _ in read([octets]) if not kind.startswith("multipart/")]
    theirs = [
        (part.get_content_type(), part.get_filename() or "", part.get_payload(decode=True))
        for part in email.message_from_bytes(octets, policy=email.policy.SMTP).walk()
        if not part.is_multipart()
    ]
    assert [(kind, name) for kind, name, _ in ours] == [(kind, name) for kind, name, _ in theirs]
    for (kind, _, data), (_, _, wanted) in zip(ours, theirs, strict=True):
        text = kind.startswith("text/")
        assert (_bare(data) == _bare(wanted)) if text else (data == wanted)


def _bare(text: bytes) -> bytes:
    """Text without its kind of line end and without the last ones, which the library adds."""
    return text.replace(b"\r\n", b"\n").rstrip()


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=12))
def test_nothing_raises_and_cuts_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """Octets of strangers, in any pieces."""
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + data
    pieces, rest = [], message
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    assert read([*pieces, rest]) == read([message])


@given(st.binary(max_size=200), st.integers(1, 9))
def test_base64_in_any_pieces(data: bytes, size: int) -> None:
    """Line ends, blanks and missing padding do no harm."""
    text = email.base64mime.body_encode(data).replace("\n", " \r\n").rstrip("= \r\n").encode()
    reader = Base64()
    got = b"".join(reader.feed(text[at : at + size]) for at in range(0, len(text), size)) + reader.end()
    assert got == data


def test_quoted_printable_without_line_ends_stays_small() -> None:
    """A line of a megabyte is given out as it comes; an escape is never cut in two."""
    reader = QuotedPrintable()
    got = b"".join(reader.feed(b"=41=3D" * 100) for _ in range(50)) + reader.end()
    assert got == b"A=" * 5000


def test_parameters_of_all_kinds() -> None:
    """Quotes, blanks, sections, charsets, the first of two."""
    word, parameters = valued(
        "Attachment; filename*1*=%20two.pdf; filename*0*=UTF-8''%e2%82%ac; x=\"a;b\\\"c\"; x=2; broken; y = z "
    )
    assert word == "attachment"
    assert parameters == {"filename": "€ two.pdf", "x": 'a;b"c', "y": "z"}


def test_a_file_name_is_safe() -> None:
    """No folder, no control character, no hidden file; cut with its ending kept."""
    plain = MediaType("application/pdf", {"name": "fallback.pdf"})
    assert file_name('attachment; filename="..\\\\..\\\\etc/passwd\x07.pdf"', plain) == "passwd .pdf"
    assert file_name(None, plain) == "fallback.pdf"
    assert file_name('attachment; filename=".bashrc"', plain) == "bashrc"
    assert file_name(f'attachment; filename="{"x" * 400}.pdf"', plain) == "x" * 196 + ".pdf"


def test_a_broken_type_is_the_default() -> None:
    """RFC 2045 section 5.2: what cannot be read is plain text."""
    assert [MediaType.parse(value).name for value in (None, "", "text", "text/", "a b/c", "TEXT/HTML;x")] == [
        "text/plain"
    ] * 5 + ["text/html"]
