"""Documents become pages: of the right size, readable, complete or not at all."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from io import BytesIO

import pytest
from PIL import Image, ImageDraw

from mailshare.core.address import Address
from mailshare.core.documents import NotConvertible
from mailshare.core.errors import PolicyRefusal
from mailshare.core.fax_dialling import Number, Toll
from mailshare.core.headers import Headers
from mailshare.core.values import QueueItem, QueueState
from mailshare.core.values.fax import Coding
from mailshare.documents.fax_pages import fax_finished, fax_pages, pages_of
from mailshare.documents.fax_strips import coded, picture_of
from mailshare.fax.letters import read_letter
from mailshare.fax.pages import Pages
from mailshare.fax.queue_rows import cover_fields
from mailshare.fax.rules import FaxRules
from mailshare.store.bodies import MemoryBody
from mailshare.store.measure import measured
from mailshare.testing.fax_documents import InThread
from mailshare.wire.tiff_fax import write_tiff


def pdf(*sizes: tuple[float, float]) -> bytes:
    """A PDF with a black bar of an inch across each page's top left corner."""
    import pikepdf

    document = pikepdf.new()
    for width, height in sizes:
        page = document.add_blank_page(page_size=(width, height))
        page.contents_add(b"0 0 0 rg %d %d 72 36 re f" % (0, height - 36))
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def png(mode: str = "L", size: tuple[int, int] = (600, 400), **facts: object) -> bytes:
    picture = Image.new(mode, size, 0 if mode != "RGBA" else (0, 0, 0, 0))
    out = BytesIO()
    picture.save(out, "PNG", **facts)
    return out.getvalue()


def body_of(message: EmailMessage) -> MemoryBody:
    data = message.as_bytes(policy=SMTP)
    return MemoryBody(measured(data), data)


async def here(act):  # type: ignore[no-untyped-def]
    return act()


def maker(**facts: object) -> Pages:
    rules = FaxRules(**facts)  # type: ignore[arg-type]
    return Pages(InThread(here).perform, lambda: rules)


@pytest.mark.parametrize(
    ("paper", "resolution", "size"),
    [
        ("A4", "standard", (1728, 1146)), ("A4", "fine", (1728, 2292)), ("A4", "superfine", (1728, 4572)),
        ("Letter", "fine", (1728, 2156)), ("Legal", "fine", (1728, 2744)), ("B4", "fine", (2048, 2724)),
        ("A3", "fine", (2432, 3241)),
    ],
)  # fmt: skip
def test_pages_have_the_sizes_of_fax_machines(paper: str, resolution: str, size: tuple[int, int]) -> None:
    """The widths and lines of T.4, whatever the document."""
    tiff, facts = fax_pages(pdf((595, 842)), {"paper": paper, "resolution": resolution})
    [page] = pages_of(tiff)
    assert (page.width, page.rows) == size
    assert facts == {"pages": 1}
    assert (page.x_res, page.y_res) == (204, {"standard": 98, "fine": 196, "superfine": 391}[resolution])


def black_box(page: object) -> tuple[int, int, int, int]:
    return picture_of(page).point(lambda value: 255 - value).getbbox()  # type: ignore[arg-type,no-any-return]


def test_nothing_is_stretched() -> None:
    """An inch stays an inch both ways; what is too large shrinks evenly; the rest is padded."""
    tiff, _ = fax_pages(pdf((595, 842), (1190, 1684), (300, 300), (842, 595)), {})
    boxes = [black_box(page) for page in pages_of(tiff)]
    left, top, right, bottom = boxes[0]
    assert (right - left, bottom - top, top) == (pytest.approx(204, abs=2), pytest.approx(98, abs=2), 0)
    assert left == pytest.approx((1728 - 1686) / 2, abs=1)
    left, top, right, bottom = boxes[1]
    assert (right - left, bottom - top) == (pytest.approx(104, abs=3), pytest.approx(49, abs=2))
    left, _, right, _ = boxes[2]
    assert right - left == pytest.approx(204, abs=2)
    left, top, right, bottom = boxes[3]  # a landscape page is turned
    assert (right - left, bottom - top) == (pytest.approx(102, abs=2), pytest.approx(196, abs=2))


def test_faxes_keep_their_pixels() -> None:
    """A TIFF file of a fax goes out bit for bit, long pages and both codings included."""
    import random

    pictures = [Image.frombytes("1", (1728, rows), random.Random(rows).randbytes(216 * rows)) for rows in (100, 3000)]
    source = write_tiff([coded(pictures[0], 204, 196, Coding.MH), coded(pictures[1], 204, 196, Coding.MR)])
    tiff, _ = fax_pages(source, {})
    assert [picture_of(page).tobytes() for page in pages_of(tiff)] == [one.tobytes() for one in pictures]


def test_letters_by_a_threshold_and_photographs_by_dots() -> None:
    """U11: dots cost minutes and legibility; they stand only where a photograph is."""
    page = Image.new("L", (1686, 2292), 255)
    draw = ImageDraw.Draw(page)
    for row in range(20):
        draw.rectangle((100, 100 + row * 40, 1500, 110 + row * 40), fill=100)
    photo = Image.blend(Image.new("L", (700, 700), 120), Image.effect_noise((700, 700), 60), 0.4)
    page.paste(photo, (400, 1200))
    out = BytesIO()
    page.save(out, "PNG", dpi=(204, 196))
    sizes = {}
    for photos in ("auto", "threshold", "dither"):
        [made] = pages_of(fax_pages(out.getvalue(), {"photos": photos})[0])
        sizes[photos] = made
    text = (100, 90, 1500, 900)
    assert picture_of(sizes["auto"]).crop(text).tobytes() == picture_of(sizes["threshold"]).crop(text).tobytes()
    photo_box = (500, 1300, 1000, 1800)
    assert picture_of(sizes["auto"]).crop(photo_box).tobytes() == picture_of(sizes["dither"]).crop(photo_box).tobytes()
    # Dots in rows are not dear, even where a threshold leaves nothing but noise.
    assert len(sizes["auto"].data) < 1.5 * len(sizes["threshold"].data)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA", "I;16"])
def test_pictures_of_every_mode(mode: str) -> None:
    """Transparent ones lie on white paper."""
    data = png(mode) if mode != "LA" else png("LA")
    [page] = pages_of(fax_pages(data, {})[0])
    assert (page.width, page.rows) == (1728, 2292)
    if mode == "RGBA":
        assert black_box(page) is None


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (b"", "application/pdf"), (b"%PDF-1.7\nrubbish", "application/pdf"), (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"), (b"PK\x03\x04", "application/zip"), (b"   \r\n", "text/plain"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_page_is_said_so(data: bytes, declared: str) -> None:
    """S8: 5.6.1 with a sentence, never a page that is empty or half."""
    with pytest.raises(NotConvertible) as refused:
        fax_pages(data, {}, declared)
    assert refused.value.status == "5.6.1"


def test_a_locked_document_is_named_as_such() -> None:
    """Whoever sent it can do something about it."""
    import pikepdf

    out = BytesIO()
    with pikepdf.open(BytesIO(pdf((595, 842)))) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="x", user="y"))
    with pytest.raises(NotConvertible, match="password"):
        fax_pages(out.getvalue(), {})


def test_more_pages_than_are_taken() -> None:
    """Not one is sent of a document that is too long."""
    with pytest.raises(NotConvertible, match="3 pages; 2 are taken here"):
        fax_pages(pdf((595, 842), (595, 842), (595, 842)), {"most_pages": 2})


def test_text_is_broken_at_80_columns_and_at_form_feeds() -> None:
    """Long lines lose nothing."""
    tiff, facts = fax_pages(("word " * 40 + "\n\fsecond").encode(), {}, "text/plain")
    assert facts == {"pages": 2}
    _, _, right, bottom = black_box(pages_of(tiff)[0])
    assert right < 1728 - 60
    assert bottom > 2.2 * 40


def test_the_head_line_is_added_above_and_covers_nothing() -> None:
    """ITU-T T.30's line on top; the page below it is the page."""
    tiff, _ = fax_pages(pdf((595, 842)), {})
    [plain] = pages_of(tiff)
    finished, _ = fax_finished(tiff, {"head": ["21 Nov 2026", "Office", "{page}/{pages}"], "coding": "mh"})
    [page] = pages_of(finished)
    assert (page.coding, page.rows) == (Coding.MH, plain.rows + 26)
    below = picture_of(page).crop((0, 26, 1728, page.rows))
    assert below.tobytes() == picture_of(plain).tobytes()
    assert picture_of(page).crop((0, 0, 1728, 26)).point(lambda value: 255 - value).getbbox()


def message(*parts: tuple[bytes, str, str], text: str = "Hello\n") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Anna Bell <anna@office.example>", "x@fax.example", "Offer"
    made.set_content(text)
    for data, kind, name in parts:
        made.add_attachment(data, *kind.split("/"), filename=name)
    return made


async def test_a_message_is_all_its_parts_in_their_order() -> None:
    """S4 S6: its text, and several files; signatures are no pages."""
    fax = write_tiff([coded(Image.new("1", (1728, 300), 1), 204, 196)])
    made = await maker().of_body(
        body_of(message((fax, "image/tiff", "a.tif"), (pdf((595, 842)), "application/pdf", "b.pdf"),
                        (fax, "image/tiff", "c.tif"), (b"x", "application/pgp-signature", "s.asc")))
    )  # fmt: skip
    assert [page.rows for page in pages_of(made.tiff)] == [2292, 300, 2292, 300]


async def test_one_part_that_fails_makes_the_message_fail() -> None:
    """S6 X12: a fax without one of its documents is not the fax that was sent."""
    fax = write_tiff([coded(Image.new("1", (1728, 300), 1), 204, 196)])
    with pytest.raises(NotConvertible, match=r"b\.pdf"):
        await maker().of_body(
            body_of(message((fax, "image/tiff", "a.tif"), (b"%PDF-1.4 broken", "application/pdf", "b.pdf")))
        )


async def test_of_alternatives_the_plain_text_counts() -> None:
    """Once, and not as HTML too."""
    made = message(text="plain words")
    made.add_alternative("<p>html words", subtype="html")
    letter = await read_letter(body_of(made))
    assert [(part.kind, part.data.strip()) for part in letter.parts] == [("text/plain", b"plain words")]
    assert letter.text.strip() == "plain words"


async def test_an_empty_message_is_no_fax() -> None:
    """Nobody is called with nothing."""
    with pytest.raises(NotConvertible, match="nothing that could be faxed"):
        await maker().of_body(body_of(message(text="\n")))


async def test_with_a_cover_page_the_text_stands_there() -> None:
    """The text is not sent twice."""
    pages = maker(cover=True)
    made = await pages.of_body(body_of(message((pdf((595, 842)), "application/pdf", "b.pdf"))))
    assert len(pages_of(made.tiff)) == 1
    finished = await pages.for_recipient(made, {"To": "Ms Miller"}, ("now", "us", "{page}"))
    assert finished.count == 2
    assert (await finished.encode(0, Coding.MH)).coding is Coding.MH


def test_the_cover_page_says_who_and_nothing_that_was_dialled() -> None:
    """S11 S12: sender, address and number; no exit codes, no digits that were meant for the exchange."""
    params = {"number": "+12025550123", "dial": "9,00112025550123", "title": "Ms Miller", "company": "Example"}
    item = QueueItem(1, 1, 1, "t", "fax", "x", None, QueueState.ACTIVE, 0, 0, 0, 0, 0, params=params)
    headers = Headers.parse(b"From: Anna Bell <anna@office.example>\r\nSubject: Offer\r\n\r\n")
    fields = cover_fields(item, headers, "21 Nov 2026")
    assert (fields["From"], fields["Mail"], fields["To"]) == ("Anna Bell", "anna@office.example", "Ms Miller")
    assert "9,0011" not in " ".join(fields.values())


def test_a_fax_that_is_too_dear_is_refused() -> None:
    """Before it is dialled, with the figures."""
    pages = maker(prices={"national": 0.5}, most_cost=1.0)
    number = Number("+49891234567", "49", "891234567", Toll.NATIONAL)
    assert pages.affordable([10_000], number.text, number.toll).cost == 0.5
    with pytest.raises(PolicyRefusal, match="more than the 1 "):
        pages.affordable([200_000] * 3, number.text, number.toll)


def test_addresses_of_faxes_pass_the_smtp_reader() -> None:
    """The slashes and the equals sign are atoms (RFC 5321 section 4.1.2)."""
    assert Address.parse("FAX=+12025550123/T33S=12@fax.example").local == "FAX=+12025550123/T33S=12"
