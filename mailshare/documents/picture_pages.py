"""Pictures: JPEG, PNG, TIFF, GIF, BMP, WebP and, with its extra, HEIC; each picture becomes a page of a PDF."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.bounds import Bounds
from mailshare.documents.looking import check_pages

_OPENED = ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "HEIF", "MPO")
_TURNS = {3: 180, 6: 90, 8: 270}  # EXIF's orientation to degrees clockwise; mirrored ones are redrawn
_MARGIN = 18.0  # points
_LEAST_DOTS = 97  # in an inch; 72 and 96 are what programs write that do not know


def opened(path: str, bounds: Bounds) -> Any:
    """The picture, of which only the header is read.

    :raises NotConvertible: DAMAGED, TOO_MANY_PIXELS, TOOL_MISSING.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - optional, and never opened in the server

    with open(path, "rb") as file:
        heif = file.read(12)[4:8] == b"ftyp"
    if heif:
        try:
            from pillow_heif import register_heif_opener  # noqa: PLC0415
        except ImportError as fault:
            words = "Pictures of this kind (HEIC) need mailshare[print] to be installed whole"
            raise NotConvertible(Hindrance.TOOL_MISSING, words) from fault
        register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # ours is asked below, before anything is unpacked
    try:
        picture = Image.open(path, formats=_OPENED)
    except UnidentifiedImageError as fault:
        raise NotConvertible(Hindrance.DAMAGED, detail={"why": str(fault)}) from fault
    check_pixels(picture.size, bounds)
    return picture


def check_pixels(size: tuple[int, int], bounds: Bounds) -> None:
    """It is not too large.

    :raises NotConvertible: TOO_MANY_PIXELS.
    """
    width, height = size
    if width * height > bounds.pixels:
        words = f"A picture of {width:,} x {height:,} pixels is larger than is taken here"
        raise NotConvertible(Hindrance.TOO_MANY_PIXELS, words)


def look(path: str, bounds: Bounds) -> Mapping[str, object]:
    """How many pictures there are."""
    with opened(path, bounds) as picture:
        return {"pages": 1 if picture.format != "TIFF" else _frames(picture, bounds)}


def _frames(picture: Any, bounds: Bounds) -> int:
    count = 0
    try:
        while count <= bounds.pages:
            picture.seek(count)
            check_pixels(picture.size, bounds)
            count += 1
    except EOFError:
        pass
    return count


def to_pdf(source: str, target: str, paper: tuple[float, float], bounds: Bounds) -> int:
    """Write a PDF with a page for each picture, as large as the paper allows, turned as it lies best; returns how many.

    A picture that says how large it is, and is smaller than the paper, keeps its size.

    :param paper: points.
    """
    import pikepdf  # noqa: PLC0415

    with opened(source, bounds) as picture, pikepdf.new() as pdf:
        count = _frames(picture, bounds) if picture.format == "TIFF" else 1
        check_pages(count, bounds.pages)
        for index in range(count):
            if index or picture.format == "TIFF":
                picture.seek(index)
            turn, stream = _as_stream(pdf, picture, source)
            _place(pdf, stream, turn, _natural(picture), paper)
        pdf.save(target)
    return count


def _as_stream(pdf: Any, picture: Any, source: str) -> tuple[int, Any]:
    """``(degrees to turn it, the picture as PDF holds it)``; a JPEG as it is, others unpacked and packed again."""
    import pikepdf  # noqa: PLC0415
    from PIL import ImageOps  # noqa: PLC0415

    orientation = int(picture.getexif().get(0x0112, 1))
    plain = picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB")
    if plain and picture.info.get("adobe_transform") != 0 and orientation in (1, *_TURNS):
        with open(source, "rb") as file:
            stream = pikepdf.Stream(pdf, file.read())
        turn, drawn = _TURNS.get(orientation, 0), picture
        stream.Filter = pikepdf.Name.DCTDecode
    else:
        turn, drawn = 0, _flat(ImageOps.exif_transpose(picture))
        stream = pikepdf.Stream(pdf, drawn.tobytes())  # saving packs it
    stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    stream.Width, stream.Height = drawn.size
    stream.BitsPerComponent = 1 if drawn.mode == "1" else 8
    stream.ColorSpace = pikepdf.Name.DeviceRGB if drawn.mode == "RGB" else pikepdf.Name.DeviceGray
    return turn, stream


def _flat(picture: Any) -> Any:
    """Black and white, grey or RGB, on white where it can be seen through."""
    from PIL import Image  # noqa: PLC0415

    if picture.mode in ("1", "L", "RGB"):
        return picture
    if picture.mode.startswith("I;16"):
        return picture.point(lambda value: value / 257).convert("L")
    if picture.has_transparency_data:
        seen = picture.convert("RGBA")
        paper = Image.new("RGB", picture.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return picture.convert("L" if picture.mode == "LA" else "RGB")


def _natural(picture: Any) -> tuple[float, float] | None:
    """Its size in points, as it says; ``None`` = it says nothing that can be."""
    dots = picture.info.get("dpi")
    if not dots or min(dots) < _LEAST_DOTS:
        return None
    return picture.width * 72 / float(dots[0]), picture.height * 72 / float(dots[1])


def _place(
    pdf: Any, stream: Any, turn: int, natural: tuple[float, float] | None, paper: tuple[float, float]
) -> None:
    """One page with the picture in its middle."""
    import pikepdf  # noqa: PLC0415

    width, height = float(stream.Width), float(stream.Height)
    if natural is not None:
        width, height = natural
    if turn % 180:
        width, height = height, width
    page_wide, page_high = sorted(paper, reverse=width > height)
    most = min((page_wide - 2 * _MARGIN) / width, (page_high - 2 * _MARGIN) / height)
    scale = min(most, 1.0) if natural is not None else most
    width, height = width * scale, height * scale
    left, bottom = (page_wide - width) / 2, (page_high - height) / 2
    matrix = {
        0: (width, 0, 0, height, left, bottom),
        90: (0, -height, width, 0, left, bottom + height),
        180: (-width, 0, 0, -height, left + width, bottom + height),
        270: (0, height, -width, 0, left + width, bottom),
    }[turn]
    page = pdf.add_blank_page(page_size=(page_wide, page_high))
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=stream))
    words = " ".join(f"{number:.4f}" for number in matrix)
    page.Contents = pikepdf.Stream(pdf, f"q {words} cm /Im0 Do Q".encode())


def as_jpeg(picture: Any, quality: int = 70) -> bytes:
    """A picture as JPEG."""
    out = io.BytesIO()
    _flat(picture).save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
