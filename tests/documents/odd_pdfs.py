"""Hundreds of PDF files as nobody should write them, and somebody does; all made here, the same at each run."""

from __future__ import annotations

import base64
import random
import re
import zlib
from collections.abc import Iterator
from io import BytesIO

import pikepdf
from PIL import Image, ImageDraw

from mailshare.core.values.fax import Coding
from mailshare.documents.fax_strips import coded

PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources 5 0 R%b>>"
BAR = b"0 g 72 600 200 100 re f"
FONT = b"<</Font<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"


def objects(*bodies: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1, with a right table of where they stand."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<</Size %d %b>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, trailer, start))


def stream(data: bytes, told: bytes = b"") -> bytes:
    return b"<</Length %d%b>>stream\n%b\nendstream" % (len(data), told, data)


def one_page(content: bytes = BAR, page: bytes = b"", resources: bytes = FONT, *more: bytes) -> bytes:
    """A document of one page; ``more`` are objects from number 6 on."""
    return objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
        PAGE % page if not page.startswith(b"<<") else page,
        stream(content),
        resources,
        *more,
    )


def boxes() -> Iterator[tuple[str, bytes]]:
    """Sizes, crops, turns and units of every kind."""
    sizes = ("0 0 612 792", "0 0 842 1191", "0 0 1 1", "0 0 14400 14400", "0 0 3 14400", "0 0 14400 3", "0 0 0 0")
    sizes += ("595 842 0 0", "-300 -400 295 442", "0 0 5669290 5669290", "0 0 595", "/A /B /C /D", "0 0 1e9 1e9")
    sizes += ("0 0 NaN 842", "0 0 .00001 .00001", "100000 100000 100595 100842")
    for number, size in enumerate(sizes):
        for turn in (0, 90, 180, 270, 45, -90, 3600):
            yield (
                f"box {number} turned {turn}",
                one_page(
                    page=b"<</Type/Page/Parent 2 0 R/MediaBox[%b]/Rotate %d/Contents 4 0 R>>" % (size.encode(), turn)
                ),
            )
    crops = ("100 100 400 500", "-50 -50 700 900", "0 0 0 0", "1000 1000 2000 2000", "400 500 100 100", "0 0 1 1")
    for number, crop in enumerate(crops):
        for key in ("CropBox", "TrimBox", "BleedBox", "ArtBox"):
            yield f"crop {number} {key}", one_page(page=f"/{key}[{crop}]".encode())
    for unit in ("2", "0", "-1", "75000", "/x"):
        yield f"unit {unit}", one_page(page=b"/UserUnit " + unit.encode())
    yield "no box", one_page(page=b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>")


def _drawing() -> Image.Image:
    picture = Image.new("1", (400, 300), 1)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((50, 50, 350, 250), fill=0)
    draw.line((0, 0, 399, 299), fill=0, width=3)
    return picture


def _saved(picture: Image.Image, kind: str) -> bytes:
    out = BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def _jbig2(picture: Image.Image) -> bytes:
    """Page information, an immediate generic region in MMR, end of page (ITU-T T.88 section 7)."""
    width, height = picture.size
    size = width.to_bytes(4) + height.to_bytes(4)
    page = size + bytes(8) + b"\0" + bytes(2)
    strip = coded(picture, 204, 196).data
    region = size + bytes(8) + b"\0" + b"\1" + strip
    out = b""
    for number, (kind, data) in enumerate(((48, page), (38, region), (49, b""))):
        out += number.to_bytes(4) + bytes([kind, 0, 1]) + len(data).to_bytes(4) + data
    return out


def pictures() -> Iterator[tuple[str, bytes]]:
    """Pictures of all codings and colours, right and wrong."""
    ink, grey = _drawing(), _drawing().convert("L")
    plain, wide, high = b"/BitsPerComponent 8/ColorSpace/DeviceGray", *ink.size
    one = b"/BitsPerComponent 1/ColorSpace/DeviceGray"
    strips = {coding: coded(ink, 204, 196, coding).data for coding in Coding}
    fax = b"/Filter/CCITTFaxDecode/DecodeParms<</K %d/Columns 400/Rows 300>>"
    kinds = {
        "mmr": (one + fax % -1, strips[Coding.MMR]),
        "mh": (one + fax % 0, strips[Coding.MH]),
        "mr": (one + fax % 4, strips[Coding.MR]),
        "mmr with wrong columns": (one + fax.replace(b"400", b"99999") % -1, strips[Coding.MMR]),
        "jbig2": (one + b"/Filter/JBIG2Decode", _jbig2(ink)),
        "jbig2 cut": (one + b"/Filter/JBIG2Decode", _jbig2(ink)[:60]),
        "jpeg": (plain + b"/Filter/DCTDecode", _saved(grey, "JPEG")),
        "jpeg cut": (plain + b"/Filter/DCTDecode", _saved(grey, "JPEG")[:900]),
        "jpeg 2000": (plain + b"/Filter/JPXDecode", _saved(grey, "JPEG2000")),
        "jpeg 2000 cut": (plain + b"/Filter/JPXDecode", _saved(grey, "JPEG2000")[:300]),
        "flate": (plain + b"/Filter/FlateDecode", zlib.compress(grey.tobytes())),
        "flate cut": (plain + b"/Filter/FlateDecode", zlib.compress(grey.tobytes())[:100]),
        "turned": (one + b"/Decode[1 0]", ink.tobytes()),
        "mask": (b"/ImageMask true/BitsPerComponent 1", ink.tobytes()),
        "16 bits": (b"/BitsPerComponent 16/ColorSpace/DeviceGray", bytes(400 * 300 * 2)),
        "indexed": (b"/BitsPerComponent 8/ColorSpace[/Indexed/DeviceRGB 1<000000FFFFFF>]", bytes(400 * 300)),
        "lab": (b"/BitsPerComponent 8/ColorSpace[/Lab<</WhitePoint[1 1 1]>>]", bytes(400 * 300 * 3)),
        "cmyk": (b"/BitsPerComponent 8/ColorSpace/DeviceCMYK", bytes(400 * 300 * 4)),
        "broken profile": (b"/BitsPerComponent 8/ColorSpace[/ICCBased 4 0 R]", bytes(400 * 300 * 3)),
        "too short": (plain, b"\0" * 100),
        "unknown filter": (plain + b"/Filter/Nothing", b"x"),
        "filters upon filters": (plain + b"/Filter[" + b"/FlateDecode" * 500 + b"]", b"x"),
        "predictor": (
            plain + b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 9999999>>",
            zlib.compress(bytes(999)),
        ),
    }
    for name, (told, data) in kinds.items():
        ways = {"": b"300 0 0 200 100 400", " askew": b"200 90 -70 200 200 300", " flat": b"0 0 0 0 0 0"}
        for how, matrix in ways.items():
            image = b"/Type/XObject/Subtype/Image/Width %d/Height %d" % (wide, high) + told
            resources = b"<</XObject<</I 6 0 R>>>>"
            yield name + how, one_page(b"q %b cm /I Do Q" % matrix, b"", resources, stream(data, image))


def locks() -> Iterator[tuple[str, bytes]]:
    """With passwords of every age."""
    for revision in (2, 3, 4, 6):
        for user in ("", "geheim"):
            out = BytesIO()
            with pikepdf.open(BytesIO(one_page())) as document:
                lock = pikepdf.Encryption(owner="x", user=user, R=revision, aes=revision > 3, metadata=revision > 3)
                document.save(out, encryption=lock)
            yield f"locked {revision} {user}", out.getvalue()


def contents() -> Iterator[tuple[str, bytes]]:
    """What stands on the page, from nothing to rubbish."""
    chance = random.Random(8)
    told = {
        "nothing": b"",
        "rubbish": chance.randbytes(3000),
        "open": b"q " * 50_000 + BAR,
        "closed": b"Q " * 50_000 + BAR,
        "no numbers": b"re f m l S cm Tj TJ Do sh",
        "huge numbers": b"1e38 0 0 1e38 0 0 cm 0 0 1e38 1e38 re f 9" + b"9" * 400 + b" 0 m S",
        "dashes": b"[.0001 .0001] 0 d 0 0 m 595 842 l S",
        "width 0": b"0 w 0 0 m 595 842 l S",
        "wide": b"100000 w 0 0 m 595 842 l S",
        "words": b"BT /F 12 Tf 72 700 Td (Words) Tj ET",
        "no font": b"BT /G 12 Tf 72 700 Td (Words) Tj ET",
        "font of 0": b"BT /F 0 Tf (Words) Tj ET BT /F 1e9 Tf (W) Tj ET",
        "clipped away": b"0 0 0 0 re W n " + BAR,
        "picture in it": b"BI /W 8 /H 8 /BPC 1 /CS /G ID " + bytes(8) + b" EI " + BAR,
        "picture in it, open": b"BI /W 8000 /H 8000 /BPC 8 /CS /G ID x",
        "unseen words": b"BT 3 Tr /F 12 Tf (Words) Tj ET",
        "long": b"0 0 m " + b"".join(b"%d %d l " % (n % 595, n % 842) for n in range(100_000)) + b"S",
    }
    for name, content in told.items():
        yield name, one_page(content)
    again = stream(b"/X Do " + BAR, b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X 6 0 R>>>>")
    yield "a group in itself", one_page(b"/X Do", b"", b"<</XObject<</X 6 0 R>>>>", again)
    shading = b"<</ShadingType 2/ColorSpace/DeviceGray/Coords[0 0 595 842]"
    shading += b"/Function<</FunctionType 2/Domain[0 1]/N 1>>>>"
    yield "shading", one_page(b"/S sh", b"", b"<</Shading<</S 6 0 R>>>>", shading)
    for name, array in (("array", b"[4 0 R 4 0 R]"), ("null", b"null"), ("itself", b"3 0 R"), ("gone", b"99 0 R")):
        page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %b>>" % array
        yield f"contents {name}", one_page(page=page)


def _scan(told: bytes, data: bytes) -> bytes:
    """A page that is one picture of 1700 by 2200 pixels in grey."""
    told = b"/Type/XObject/Subtype/Image/Width 1700/Height 2200/BitsPerComponent 8/ColorSpace/DeviceGray" + told
    return one_page(b"q 595 0 0 842 0 0 cm /I Do Q", b"", b"<</XObject<</I 6 0 R>>>>", stream(data, told))


def lost() -> Iterator[tuple[str, str, bytes]]:
    """Pages that PDFium draws white or black without a word: name, a word of the refusal, the document."""
    for name, word in ((b"DCTDecode", "decoded"), (b"JPXDecode", "cut off")):
        yield name.decode(), word, _scan(b"/Filter/" + name, b"rubbish")
    yield "packed rubbish", "picture of it", _scan(b"/Filter/FlateDecode", b"rubbish")
    yield "packed, cut", "cut off", _scan(b"/Filter/FlateDecode", zlib.compress(bytes(1700 * 700)))
    yield "no picture there", "drawn on it", one_page(b"q 99 0 0 99 0 0 cm /I Do Q", b"", b"<</XObject<</I 99 0 R>>>>")
    packed = stream(b"xxxx" + zlib.compress(BAR * 50)[4:], b"/Filter/FlateDecode")
    catalogue, tree = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
    yield "contents", "drawn on it", objects(catalogue, tree, PAGE % b"", packed, FONT)
    chinese = b"<</Font<</F <</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts"
    chinese += b"[<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)"
    chinese += b"/Supplement 2>>>>]>>>>>>"
    yield "no font", "font", one_page(b"BT /F 40 Tf 72 700 Td <4E2D6587> Tj ET", b"", chinese)
    wait = stream(b"BT /F 12 Tf 72 700 Td (Please wait...) Tj ET")
    form = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</XFA 6 0 R/Fields[]>>/NeedsRendering true>>"
    yield "xfa", "XFA", objects(form, tree, PAGE % b"", wait, FONT, stream(b"<xdp:xdp/>"))
    cover = b"<</Type/Catalog/Pages 2 0 R/Collection<</View/D>>>>"
    yield "portfolio", "folder", objects(cover, tree, PAGE % b"", wait, FONT)


def cut() -> Iterator[tuple[str, str, bytes]]:
    """Pages of which the end is missing: name, a word of the refusal, the document."""
    catalogue, tree = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
    chance = random.Random(9)
    lines = b"".join(b"%d %d m %d %d l S " % tuple(chance.randrange(590) for _ in range(4)) for _ in range(500))
    packed = zlib.compress(lines)
    for share in (1, 2, 3):
        content = stream(packed[: len(packed) * share // 4], b"/Filter/FlateDecode")
        yield f"contents, {share}/4", "drawn on it", objects(catalogue, tree, PAGE % b"", content, FONT)
    photo = photograph()
    for share in (1, 2, 3):
        yield f"photograph, {share}/4", "picture of it", _scan(b"/Filter/DCTDecode", photo[: len(photo) * share // 4])


def _drawing_of(chance: random.Random) -> Image.Image:
    """A page of a fax, 1700 by 2200."""
    made = Image.new("1", (1700, 2200), 1)
    draw = ImageDraw.Draw(made)
    for _ in range(300):
        draw.line([chance.randrange(1700), chance.randrange(2200), chance.randrange(1700), chance.randrange(2200)], 0)
    return made


def coded_scans() -> dict[str, tuple[bytes, bytes]]:
    """The same page in every coding: what its dictionary says, and its octets."""
    page = _drawing_of(random.Random(7))
    grey = page.convert("L")
    fax = b"/Filter/CCITTFaxDecode/DecodeParms<</K %d/Columns 1700/Rows 2200>>"
    plain = grey.tobytes()
    return {
        "mmr": (fax % -1, coded(page, 204, 196, Coding.MMR).data),
        "mh": (fax % 0, coded(page, 204, 196, Coding.MH).data),
        "mr": (fax % 4, coded(page, 204, 196, Coding.MR).data),
        "mmr without rows": (fax.replace(b"/Rows 2200", b"") % -1, coded(page, 204, 196, Coding.MMR).data),
        "jbig2": (b"/Filter/JBIG2Decode", _jbig2(page)),
        "jpeg 2000": (b"/Filter/JPXDecode", _saved(grey, "JPEG2000")),
        "plain": (b"", plain),
        "packed": (b"/Filter/FlateDecode", zlib.compress(plain)),
        "letters": (b"/Filter/ASCII85Decode", base64.a85encode(plain) + b"~>"),
        "digits": (b"/Filter/ASCIIHexDecode", plain.hex().encode() + b">"),
        "runs": (b"/Filter/RunLengthDecode", _runs(plain) + b"\x80"),
        "packed twice": (b"/Filter[/ASCII85Decode/FlateDecode]", base64.a85encode(zlib.compress(plain)) + b"~>"),
        "packed jpeg": (b"/Filter[/FlateDecode/DCTDecode]", zlib.compress(_saved(grey, "JPEG"))),
    }


def _runs(data: bytes) -> bytes:
    return b"".join(bytes([257 - len(run), run[0]]) if len(run) > 1 else bytes([0, run[0]]) for run in _equal(data))


def _equal(data: bytes) -> Iterator[bytes]:
    for found in re.finditer(rb"(.)\1{0,127}", data, re.DOTALL):
        yield found[0]


def scan_of(name: str, told: bytes, octets: bytes) -> bytes:
    """A document of that scan."""
    if "jp" in name or name in ("plain", "packed", "letters", "digits", "runs", "packed twice"):
        return _scan(told, octets)
    head = b"/Type/XObject/Subtype/Image/Width 1700/Height 2200/BitsPerComponent 1/ColorSpace/DeviceGray" + told
    return one_page(b"q 595 0 0 842 0 0 cm /I Do Q", b"", b"<</XObject<</I 6 0 R>>>>", stream(octets, head))


def damaged_scans() -> Iterator[tuple[str, bytes]]:
    """Scans of which much is missing, in every coding; beside words, too, so that the page is not white."""
    chance = random.Random(10)
    for name, (told, octets) in coded_scans().items():
        for tenths in (2, 5, 8):
            yield f"{name}, {tenths}/10", scan_of(name, told, octets[: len(octets) * tenths // 10])
        if name not in ("plain", "runs"):  # of which all octets are pixels
            yield f"{name}, rubbish", scan_of(name, told, chance.randbytes(len(octets)))
            yield f"{name}, zeros", scan_of(name, told, bytes(len(octets)))
    told, octets = coded_scans()["mmr"]
    yield "mmr, ones", scan_of("mmr", told, b"\xff" * len(octets))
    image = b"/Type/XObject/Subtype/Image/Width 1700/Height 2200/BitsPerComponent 1/ColorSpace/DeviceGray"
    words = b"BT /F 12 Tf 72 800 Td (Words) Tj ET q 500 0 0 700 40 50 cm /I Do Q"
    both = b"<</XObject<</I 6 0 R>>" + FONT[2:]
    yield "mmr beside words", one_page(words, b"", both, stream(octets[:5000], image + told))
    group = stream(b"q 595 0 0 842 0 0 cm /I Do Q", b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<<"
                   b"/XObject<</I 7 0 R>>>>")  # fmt: skip
    told = b"<</XObject<</G 6 0 R>>>>"
    yield "mmr in a group", one_page(b"/G Do", b"", told, group, stream(octets[:5000], image + coded_scans()["mmr"][0]))
    inline = b"q 500 0 0 700 40 50 cm BI /W 1700 /H 2200 /BPC 1 /CS /G /F /CCF /DP <</K -1 /Columns 1700>> ID "
    yield "mmr within contents", one_page(inline + octets[:5000] + b" EI Q")
    yield "contents end in a picture", one_page(inline + octets[:5000])
    plain = b"q 500 0 0 700 40 50 cm BI /W 800 /H 800 /BPC 8 /CS /G ID " + b"\0\xff" * 4000 + b" EI Q"
    yield "pixels within contents", one_page(plain)
    mask = b"/SMask 7 0 R"
    soft = stream(
        zlib.compress(bytes(1700 * 300)), image.replace(b"Component 1", b"Component 8") + b"/Filter/FlateDecode"
    )
    told, octets = coded_scans()["packed"]
    yield "what can be seen through is cut off", one_page(
        b"q 595 0 0 842 0 0 cm /I Do Q", b"", b"<</XObject<</I 6 0 R>>>>",
        stream(octets, image.replace(b"Component 1", b"Component 8") + told + mask), soft,
    )  # fmt: skip


def ends_left_out() -> Iterator[tuple[str, bytes]]:
    """Pages of which nothing is missing but marks behind it."""
    catalogue, tree = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
    content = stream(zlib.compress(BAR)[:-4], b"/Filter/FlateDecode")
    yield "contents without a sum", objects(catalogue, tree, PAGE % b"", content, FONT)
    yield "photograph without an end", _scan(b"/Filter/DCTDecode", photograph()[:-2])
    yield "photograph with more behind it", _scan(b"/Filter/DCTDecode", photograph() + bytes(100))


def photograph() -> bytes:
    """A JPEG of 1700 by 2200 pixels in grey, darker from left to right."""
    row, out = bytes(255 - column * 255 // 1700 for column in range(1700)), BytesIO()
    Image.frombytes("L", (1700, 2200), row * 2200).save(out, "JPEG")
    return out.getvalue()


def white() -> Iterator[tuple[str, bytes]]:
    """Pages that are right to be white."""
    yield "nothing", one_page(b"")
    yield "a blank", one_page(b"BT /F 12 Tf 72 700 Td (  ) Tj ET")
    yield "white words", one_page(b"1 g BT /F 12 Tf 72 700 Td (Words) Tj ET")
    yield "unseen words", one_page(b"BT 3 Tr /F 12 Tf 72 700 Td (Words) Tj ET")
    yield "a white picture", _scan(b"/Filter/FlateDecode", zlib.compress(b"\xff" * 1700 * 2200))
    yield "grey paper", _scan(b"/Filter/FlateDecode", zlib.compress(b"\xd0" * 1700 * 2200))
    yield "states", one_page(b"q 1 0 0 1 5 5 cm Q")


def light() -> Iterator[tuple[str, bytes]]:
    """Pages on which everything is light, and something is to be read."""
    for colour in (b".6 g", b".8 g", b"1 1 0 rg", b".3 0 0 0 k"):
        yield colour.decode(), one_page(colour + b" " + BAR)


def tiles() -> bytes:
    """A page of some five thousand million tiles."""
    told = b"/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]/XStep .01/YStep .01/Resources<<>>"
    fill = b"/Pattern cs /P scn 0 0 595 842 re f"
    return one_page(fill, b"", b"<</Pattern<</P 6 0 R>>>>", stream(b"0 0 1 1 re f", told))


def forms() -> Iterator[tuple[str, bytes]]:
    """Fields and notes, with and without a look of their own."""
    look = stream(b"0 g 0 0 50 20 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 50 20]")
    for kind in ("Widget", "Stamp", "FreeText", "Link", "Popup", "FileAttachment", "Watermark", "Nothing"):
        for flags in (0, 2, 4, 32):
            for shown in (b"", b"/AP<</N 7 0 R>>", b"/AP<</N 99 0 R>>"):
                note = b"<</Type/Annot/Subtype/%b/Rect[100 100 200 140]/F %d/FT/Tx/T(a)/V(filled in)"
                note += b"/DA(/F 12 Tf 0 g)%b>>"
                body = note % (kind.encode(), flags, shown)
                data = one_page(BAR, b"/Annots[6 0 R 99 0 R null]", FONT, body, look)
                form = b"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]/DR 5 0 R>>>>"
                yield f"{kind} {flags} {shown.decode()}", data.replace(b"<</Type/Catalog/Pages 2 0 R>>", form)


def trees() -> Iterator[tuple[str, bytes]]:
    """Pages that are none, many, or their own parents."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"
    for name, kids, count in (
        ("no pages", b"", 0),
        ("no pages that say they are", b"", 5),
        ("a null", b"null 3 0 R", 2),
        ("one that is gone", b"3 0 R 99 0 R", 2),
        ("itself", b"2 0 R", 1),
        ("a thousand", b"3 0 R " * 1000, 1000),
        ("fewer than said", b"3 0 R", 100_000),
        ("more than said", b"3 0 R 3 0 R 3 0 R", 1),
        ("less than none", b"3 0 R", -1),
        ("the catalogue", b"1 0 R", 1),
    ):
        pages = b"<</Type/Pages/Count %d/Kids[%b]>>" % (count, kids)
        yield name, objects(b"<</Type/Catalog/Pages 2 0 R>>", pages, page)
    yield "no catalogue", objects(page, trailer=b"")
    yield "no root", objects(page, page, page, trailer=b"/Root 9 0 R")


def broken() -> Iterator[tuple[str, bytes]]:
    """A right one that was cut, damaged, or had something put before and behind it."""
    chance, whole = random.Random(9), one_page()
    for tenth in range(1, 20):
        yield f"cut at {tenth}", whole[: len(whole) * tenth // 20]
    for number in range(60):
        octets = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            octets[chance.randrange(9, len(octets))] = chance.randrange(256)
        yield f"damaged {number}", bytes(octets)
    yield "before", b"MIME rubbish\r\n" * 20 + whole
    yield "behind", whole + chance.randbytes(3000)
    yield "twice", whole + whole
    yield "wrong start", whole.replace(b"startxref\n", b"startxref\n9")
    yield "no table", whole[: whole.index(b"xref")]
    yield "other line ends", whole.replace(b"\n", b"\r")
    yield "only the mark", b"%PDF-"
    yield "old", whole.replace(b"%PDF-1.7", b"%PDF-0.1")


def all_of_them() -> Iterator[tuple[str, bytes]]:
    """Every one, with a name."""
    for family in (boxes, pictures, locks, contents, forms, trees, broken):
        for name, data in family():
            yield f"{family.__name__}: {name}", data
