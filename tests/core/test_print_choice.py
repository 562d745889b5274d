"""What is printed of an ordinary mail (printing from a phone)."""

from __future__ import annotations

import pytest
from attrs import frozen

from mailshare.core.media_type import MediaType
from mailshare.core.print_choice import LOGO, choose, kind_of

PDF, JPEG = b"%PDF-1.7 ...", b"\xff\xd8\xff\xe0" + bytes(30)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@frozen
class Piece:
    """A part."""

    type: str = "application/pdf"
    head: bytes = PDF
    name: str = ""
    length: int = 100_000
    attached: bool = False
    content_id: str = ""
    messages: tuple[tuple[int, ...], ...] = ()
    whole: bool = True

    @property
    def media(self) -> MediaType:
        return MediaType(self.type)


TEXT = Piece("text/plain", b"Please print.")
HTML = Piece("text/html", b"<p>Please print.")
PAPER = Piece(name="paper.pdf")


def all_taken(part: Piece, kind: str) -> str:
    return "" if kind != "application/zip" else "it is no document"


def printed(*parts: Piece, most: int = 10, shown: tuple[str, ...] = ()) -> tuple[list[int], list[str]]:
    choice = choose(parts, all_taken, most=most, shown=shown)
    return [index for index, _ in choice.parts], list(choice.left)


def test_attachments_go_before_the_text() -> None:
    """In their order; the text only when there is none of them."""
    assert printed(TEXT, PAPER, Piece("image/jpeg", JPEG, "photo.jpg")) == ([1, 2], [])
    assert printed(HTML, TEXT) == ([1], [])
    assert printed(Piece("text/plain", b" \r\n"), HTML) == ([1], [])
    assert printed(Piece("text/plain", b"notes", "notes.txt"), TEXT) == ([0], [])
    assert printed() == ([], [])


def test_a_text_is_not_printed_in_place_of_what_was_meant() -> None:
    """An attachment that cannot be printed is told of, and the text stays."""
    zipped = Piece("application/zip", b"PK\3\4", "all.zip")
    assert printed(TEXT, zipped) == ([], ["all.zip: it is no document"])


def test_ornaments_and_signatures_are_passed_over() -> None:
    """Small pictures of the text, S/MIME, OpenPGP, appointments; a large picture in the text is a photo."""
    logo = Piece("image/png", b"\x89PNG\r\n\x1a\n", "logo.png", LOGO - 1, content_id="a@b")
    photo = Piece("image/jpeg", JPEG, "photo.jpg", LOGO, content_id="c@d")
    kinds = ("application/pkcs7-signature", "application/pgp-signature", "text/calendar")
    silent = [Piece(kind, b"x") for kind in kinds]
    attached = Piece("image/png", b"\x89PNG\r\n\x1a\n", "stamp.png", 500, attached=True, content_id="e@f")
    assert printed(HTML, logo, photo, *silent) == ([2], [])
    assert printed(HTML, attached) == ([1], [])
    assert printed(HTML, attached, shown=("e@f",)) == ([0], [])
    assert printed(TEXT, Piece(name="empty.pdf", length=0)) == ([0], [])


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (Piece("application/ms-tnef", b"?", "winmail.dat"), "Outlook"),
        (Piece("application/octet-stream", b"\x78\x9f\x3e\x22", "x.bin"), "Outlook"),
        (Piece("application/pkcs7-mime", b"0", "smime.p7m"), "encrypted"),
        (Piece(name="cut.pdf", whole=False), "ends before"),
    ],
)
def test_what_nobody_can_open_is_told(piece: Piece, words: str) -> None:
    """With a sentence that says what to do."""
    places, left = printed(TEXT, piece)
    assert places == []
    assert words in left[0]


def test_a_forwarded_mail_is_unpacked_once() -> None:
    """Its attachments, or its text; what lies a mail deeper is told of."""
    inner, deeper = ((2,),), ((2,), (2, 1, 2))
    text_inside = Piece("text/plain", b"forwarded", messages=inner)
    assert printed(TEXT, text_inside) == ([1], [])
    assert printed(TEXT, text_inside, Piece(name="a.pdf", messages=inner)) == ([2], [])
    assert printed(TEXT, PAPER, text_inside) == ([1, 2], [])
    places, left = printed(TEXT, text_inside, Piece(name="b.pdf", messages=deeper))
    assert places == [1]
    assert left == ["b.pdf: a mail inside a mail inside a mail is not opened"]


def test_documents_of_a_mail_are_bounded() -> None:
    """The first ones are printed, the others named."""
    places, left = printed(*(Piece(name=f"{n}.pdf") for n in range(4)), most=2)
    assert places == [0, 1]
    assert left == [f"{n}.pdf: only 2 attachments of a mail are printed" for n in (2, 3)]


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        (Piece("application/octet-stream", JPEG, "x.pdf"), "image/jpeg"),
        (Piece("application/pdf", b"just words"), "text/plain"),
        (Piece("text/html", b"words"), "text/html"),
        (Piece("application/octet-stream", b"<p>", "page.htm"), "text/html"),
        (Piece("text/plain", "Grüße".encode("latin-1")), "text/plain"),
        (Piece("application/octet-stream", b"PK\3\4...", "letter.docx"), DOCX),
        (Piece(DOCX, b"PK\3\4..."), DOCX),
        (Piece("application/pdf", b"PK\3\4...", "x.zip"), "application/zip"),
        (Piece("application/octet-stream", b"\0\0\0\x18ftypheic"), "image/heic"),
    ],
)
def test_kinds_go_by_octets_then_by_what_is_said(piece: Piece, kind: str) -> None:
    """Names and declarations count only where the octets tell nothing."""
    assert kind_of(piece) == kind
