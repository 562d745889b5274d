"""What is made of documents: for devices that take PDF, raster, PostScript or PCL."""

from __future__ import annotations

import hashlib
import io
import os

import pytest
import pytest_twisted
from made_papers import looks, octets, pdf, picture, words_of
from twisted.internet.defer import CancelledError, Deferred

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import Unavailable
from mailshare.core.values import Conversion
from mailshare.wire.pwg_raster import HEADER, KINDS, rows_of
from mailshare.wire.raster_rows import unpacked_rows

PDF, PWG, URF = "application/pdf", "image/pwg-raster", "image/urf"
POSTSCRIPT = "application/postscript"


async def made(desk, document: bytes, wanted: Conversion, declared: str = "") -> tuple[str, int | None, bytes]:
    """Format, pages and octets of what comes of it; its file is gone afterwards."""
    one = await desk.convert(octets(document), wanted, declared)
    out = b""
    while piece := await one.read(len(out), 1 << 20):
        out += piece
    assert (len(out), hashlib.sha256(out).digest()) == (one.size, one.digest)
    one.release()
    one.release()
    return one.format, one.pages, out


def raster_of(data: bytes) -> list[list[bytes]]:
    """The rows of each page of PWG raster."""
    source, pages = io.BytesIO(data), []
    assert source.read(4) == b"RaS2"
    while header := source.read(HEADER):
        pages.append(list(unpacked_rows(source, *rows_of(header))))
    return pages


@pytest_twisted.ensureDeferred
async def test_what_a_device_takes_passes_as_it_came(desk) -> None:
    """Octet for octet, with its pages counted; a device that takes several kinds does not get another one."""
    document = pdf(2)
    assert await made(desk, document, Conversion((PWG, PDF))) == (PDF, 2, document)
    jpeg = picture("JPEG")
    assert await made(desk, jpeg, Conversion((PDF, "image/jpeg"))) == ("image/jpeg", 1, jpeg)


@pytest_twisted.ensureDeferred
async def test_pages_are_chosen_joined_and_repeated(desk) -> None:
    """page-ranges, number-up and copies, as IPP has them."""
    document = pdf(6)
    kind, pages, out = await made(desk, document, Conversion((PDF,), {"page-ranges": [[2, 3], [6, 2**31 - 1]]}))
    assert (kind, pages, words_of(out)) == (PDF, 3, ["page 2", "page 3", "page 6"])
    kind, pages, out = await made(desk, document, Conversion((PDF,), {"copies": 2, "page-ranges": [[1, 2]]}))
    assert words_of(out) == ["page 1", "page 2", "page 1", "page 2"]
    kind, pages, out = await made(desk, document, Conversion((PDF,), {"number-up": 4}))
    assert pages == 2
    assert words_of(out)[1].split() == ["page", "5", "page", "6"]
    with pytest.raises(NotConvertible) as refused:
        await desk.convert(octets(document), Conversion((PDF,), {"page-ranges": [[7, 9]]}))
    assert refused.value.cause is Hindrance.NO_SUCH_PAGES


@pytest_twisted.ensureDeferred
async def test_two_pages_up_stand_side_by_side(desk) -> None:
    """Two upright pages lie beside each other on paper that lies; each keeps its shape."""
    _, _, out = await made(desk, pdf(2), Conversion((PDF,), {"number-up": 2}))
    sheet = looks(out)
    assert sheet.size == (842, 596)
    # The black squares of 72 points in the lower left corners have shrunk to 1 / 1.414.
    dark = [sheet.getpixel((x, 560)) < 64 for x in (20, 46, 60, 440, 465, 480)]
    assert dark == [True, True, False, True, True, False]


@pytest_twisted.ensureDeferred
async def test_what_the_device_does_itself_is_not_done_here(desk) -> None:
    """An option in ``done_there`` changes nothing."""
    document = pdf(2)
    wanted = Conversion((PDF,), {"copies": 3, "number-up": 2}, frozenset({"copies", "number-up"}))
    assert await made(desk, document, wanted) == (PDF, 2, document)


@pytest_twisted.ensureDeferred
async def test_a_pdf_that_does_things_is_passed_on_without_them(desk) -> None:
    """JavaScript, actions and files inside go; the pages stay."""
    import pikepdf

    rich, out = pikepdf.open(io.BytesIO(pdf(1))), io.BytesIO()
    rich.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.Launch, F=pikepdf.String("calc.exe"))
    rich.attachments["a.txt"] = b"hello"
    rich.save(out)
    _, _, passed = await made(desk, out.getvalue(), Conversion((PDF,)))
    assert words_of(passed) == ["page 1"]
    assert (await desk.facts(octets(passed))).active == ()


@pytest.mark.parametrize("kind", ["black_1", "sgray_8", "srgb_8", "cmyk_8"])
@pytest_twisted.ensureDeferred
async def test_pdf_becomes_raster(desk, kind: str) -> None:
    """Every kind of pixels has the page where it belongs: black square below on the left, white elsewhere."""
    color = {} if KINDS[kind].colors > 1 else {"print-color-mode": "monochrome"}
    options = {"media": "iso_a6_105x148mm", "print-scaling": "none", **color}
    wanted = Conversion((PWG,), options, resolutions=(100,), raster_types=(kind,))
    _, pages, out = await made(desk, pdf(2, (297.64, 419.53)), wanted)
    (rows, again) = raster_of(out)
    assert pages == 2
    width = 408 if kind == "black_1" else 413
    assert {len(row) for row in rows} == {KINDS[kind].row(width)}
    assert len(rows) == len(again) == 583
    unit, white = KINDS[kind].unit, {"black_1": 0, "cmyk_8": 0}.get(kind, 255)
    assert set(rows[300][: 3 * unit]) == {white}
    black = {"black_1": b"\xff", "sgray_8": b"\0", "srgb_8": b"\0\0\0", "cmyk_8": b"\0\0\0\xff"}[kind]
    assert rows[560][unit * 2 : unit * 3] == black


@pytest_twisted.ensureDeferred
async def test_dots_are_the_same_whether_something_on_the_page_is_grey(desk) -> None:
    """A page of black and white is packed by a shorter way, a grey box at the foot takes the one of half-tones."""
    options = {"media": "iso_a6_105x148mm", "print-scaling": "none", "print-color-mode": "monochrome"}
    wanted = Conversion((PWG,), options, resolutions=(300,), raster_types=("black_1",))
    size, black = (297.64, 419.53), "0 9 72 72 re f BT /F1 24 Tf 100 200 Td (page) Tj ET"
    pages = [(await made(desk, pdf(1, size, black + more), wanted))[2] for more in ("", " 0.5 g 200 1 9 3 re f")]
    [plain], [mixed] = (raster_of(one) for one in pages)
    assert plain[:1700] == mixed[:1700]
    assert plain != mixed


@pytest_twisted.ensureDeferred
async def test_the_back_of_a_sheet_is_turned_as_the_printer_wants_it(desk) -> None:
    """``rotated``: every second page stands on its head when sheets turn over the long edge."""
    options = {"media": "iso_a6_105x148mm", "print-color-mode": "monochrome", "sides": "two-sided-long-edge"}
    wanted = Conversion((PWG,), options, resolutions=(100,), raster_types=("sgray_8",), sheet_back="rotated")
    _, _, out = await made(desk, pdf(2, (297.64, 419.53), "0 0 72 72 re f"), wanted)
    front, back = raster_of(out)
    assert front == [row[::-1] for row in back[::-1]]
    assert front != back


@pytest_twisted.ensureDeferred
async def test_copies_of_raster_are_counted(desk) -> None:
    """A printer of raster that cannot repeat gets each page so many times."""
    wanted = Conversion((URF,), {"copies": 2, "media": "iso_a6_105x148mm"}, resolutions=(72,))
    _, pages, out = await made(desk, pdf(2), wanted)
    assert (pages, out[8:12]) == (4, b"\0\0\0\4")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP"])
@pytest_twisted.ensureDeferred
async def test_pictures_fill_a_page(desk, kind: str) -> None:
    """A picture lies as large as the paper allows, which is turned for one that is wide."""
    _, pages, out = await made(desk, picture(kind, (400, 200)), Conversion((PDF,)))
    page = looks(out)
    assert (pages, page.size) == (1, (842, 596))
    assert [page.getpixel((x, 298)) > 128 for x in (5, 30, 400, 440, 800)] == [True, False, False, True, True]


@pytest_twisted.ensureDeferred
async def test_photos_stand_as_they_were_taken(desk) -> None:
    """What EXIF says of the camera's turn holds, and the octets of a JPEG are not packed anew."""
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6  # the top of the scene is on the right
    photo = picture("JPEG", (400, 200), exif=turned)
    _, _, out = await made(desk, photo, Conversion((PDF,)))
    assert photo in out
    page = looks(out)
    assert page.size == (596, 842)
    assert page.getpixel((298, 100)) < 128 < page.getpixel((298, 700))


@pytest_twisted.ensureDeferred
async def test_every_frame_of_a_tiff_is_a_page(desk) -> None:
    """A fax of three pages is three pages, also in black and white."""
    from PIL import Image

    frames, out = [Image.new("1", (1728, 1000), 1) for _ in range(3)], io.BytesIO()
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:], compression="group4", dpi=(204, 98))
    assert (await made(desk, out.getvalue(), Conversion((PDF,))))[1] == 3


@pytest_twisted.ensureDeferred
async def test_heic_of_a_telephone_is_a_page(desk) -> None:
    """By its own library, in the same confined process."""
    import pillow_heif
    from PIL import Image

    out = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), "red")).save(out)
    assert (await desk.facts(octets(out.getvalue()))).format == "image/heic"
    assert (await made(desk, out.getvalue(), Conversion((PDF,))))[1] == 1


@pytest.mark.parametrize(
    ("text", "seen"),
    [("Grüße (und) \\ mehr\n", "Grüße (und) \\ mehr"), ("Ελληνικά и русский\n", "Ελληνικά и русский")],
    ids=["latin", "greek"],
)
@pytest_twisted.ensureDeferred
async def test_text_is_set_line_by_line(desk, text: str, seen: str) -> None:
    """Letters stay what they are; those beyond Latin come from a font that has them."""
    _, pages, out = await made(desk, text.encode(), Conversion((PDF,)))
    assert (pages, words_of(out)) == (1, [seen])


@pytest_twisted.ensureDeferred
async def test_html_is_read_and_nothing_is_fetched(desk) -> None:
    """Words in their order, no script, no style, pictures by what they are called."""
    page = (
        "<html><head><style>p{}</style><title>no</title><body><h1>Head &amp; foot</h1><p>One   <b>two</b>"
        '<script>x()</script><ul><li>first<li>second</ul><img src="http://192.0.2.1/x.png" alt="logo"></html>'
    )
    _, _, out = await made(desk, page.encode(), Conversion((PDF,)), "text/html")
    said = [line.strip() for line in words_of(out)[0].split("\r\n") if line.strip()]
    assert said == ["Head & foot", "One two", "- first", "- second", "[logo]"]


@pytest_twisted.ensureDeferred
async def test_preview_is_a_small_jpeg_of_page_one(desk) -> None:
    """As wide as asked for, black where the page is."""
    from PIL import Image

    shown = Image.open(io.BytesIO(await desk.preview(octets(pdf(3)), width=300)))
    assert (shown.format, shown.size) == ("JPEG", (300, 424))
    assert shown.getpixel((10, 415))[0] < 40


@pytest_twisted.ensureDeferred
async def test_a_large_preview_comes_whole(desk) -> None:
    """More octets than are read at once: a page of noise."""
    from PIL import Image

    noise = io.BytesIO()
    Image.frombytes("L", (700, 700), os.urandom(490_000)).save(noise, "PNG")
    picture = await desk.preview(octets(noise.getvalue()), width=2_000)
    assert len(picture) > 256 * 1024
    Image.open(io.BytesIO(picture)).load()


@pytest.mark.parametrize(
    ("document", "formats", "cause"),
    [
        (b"\x78\x9f\x3e\x22winmail", (PDF,), Hindrance.NOT_TAKEN),
        (b"\0\1\2\3", (PDF,), Hindrance.UNKNOWN_FORMAT),
        (b"%!PS\nshowpage\n", (PDF,), Hindrance.TOOL_MISSING),
        (pdf(1), (POSTSCRIPT,), Hindrance.NOT_TAKEN),
        (pdf(1, user="x", owner="y"), (PDF,), Hindrance.ENCRYPTED),
    ],
    ids=["winmail", "unknown", "postscript", "no way there", "encrypted"],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_made_is_told(desk, document: bytes, formats: tuple[str, ...], cause: Hindrance) -> None:
    """In a word and a sentence; without tools nothing is made by them."""
    desk.bound(tools=())
    with pytest.raises(NotConvertible) as refused:
        await desk.convert(octets(document), Conversion(formats))
    assert refused.value.cause is cause


@pytest_twisted.ensureDeferred
async def test_routes_are_told_without_a_process(desk) -> None:
    """What a device would get is known beforehand."""
    desk.bound(tools=())
    assert desk.makes("image/png", (URF, PWG)) == PWG
    assert desk.makes("image/png", (URF, "image/png")) == "image/png"
    assert desk.makes("application/postscript", (PDF,)) == ""
    assert desk.makes(PDF, (POSTSCRIPT,)) == ""


@pytest_twisted.ensureDeferred
async def test_nobody_waits_for_a_service_that_has_stopped(desk) -> None:
    """Neither those who come later nor those whose process was at work; its folder is gone."""
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(2))))
    while not desk._running:
        await desk._aside(lambda: None)
    await desk.stop()
    for each in (slow, Deferred.fromCoroutine(desk.facts(octets(pdf(1))))):
        with pytest.raises(Unavailable):
            await each


@pytest_twisted.ensureDeferred
async def test_who_gives_up_ends_the_process(desk) -> None:
    """Cancelling a call ends what works for it."""
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(2))))
    while not desk._running:
        await desk._aside(lambda: None)
    (child,) = desk._running
    slow.cancel()
    with pytest.raises(CancelledError):
        await slow
    await child.gone
    assert not desk._running
