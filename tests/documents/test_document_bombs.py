"""Documents that mean harm: each ends within its bounds, with a cause, and the next one is served."""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
import zlib

import pytest
import pytest_twisted
from made_papers import octets, pdf, picture
from twisted.internet import reactor

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.values import Conversion
from mailshare.shell.child_process import start_child

PDF, PWG = "application/pdf", "image/pwg-raster"


def objects(*bodies: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, numbered from 1, with a table of where they stand."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(bodies, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<</Size %d %b>>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, trailer, start))


def many_pages(count: int) -> bytes:
    """One page, named so often."""
    kids = b"3 0 R " * count
    return objects(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%b]>>" % (count, kids),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
    )


def stream_bomb() -> bytes:
    """A page whose content grows to 4 GB: zeros packed twice."""
    once = zlib.compress(b"0 0 m " * 700_000, 9)
    packer = zlib.compressobj(9)
    body = b"".join(packer.compress(once * 4) for _ in range(256)) + packer.flush()
    content = b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%b\nendstream" % (len(body), body)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>"
    return objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page, content)


def image_bomb() -> bytes:
    """A page with a picture of 40,000 x 40,000 pixels of zeros."""
    body = zlib.compress(bytes(10_000_000), 9)
    told = b"<</Type/XObject/Subtype/Image/Width 40000/Height 40000/BitsPerComponent 8/ColorSpace/DeviceRGB"
    image = told + b"/Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(body), body)
    content = b"<</Length 26>>stream\nq 100 0 0 100 0 0 cm /I Do Q\nendstream"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>"
    return objects(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page, content, image)


def looped_table() -> bytes:
    """A table of objects that names itself as the one before."""
    pages = b"<</Type/Pages/Count 1/Kids[2 0 R]>>"  # and pages that are their own child
    made = objects(b"<</Type/Catalog/Pages 2 0 R>>", pages, trailer=b"/Root 1 0 R/Prev 0")
    return made.replace(b"/Prev 0", b"/Prev %d" % made.index(b"xref\n"))


def png_bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in 200 octets."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks:
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out


def tiff_bomb() -> bytes:
    """A TIFF that says it is 60,000 x 60,000."""
    out = picture("TIFF", (50, 50))
    for tag in (256, 257):
        side = struct.pack("<HHIHH", tag, 4, 1, 50, 0), struct.pack("<HHII", tag, 4, 1, 60_000)
        out = out.replace(struct.pack("<HHII", tag, 3, 1, 50), side[1]).replace(*side)
    return out


def zip_bomb() -> bytes:
    """What calls itself an office document and grows to half a gigabyte."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"")
        with archive.open("word/document.xml", "w", force_zip64=True) as file:
            for _ in range(500):
                file.write(bytes(1 << 20))
    return out.getvalue()


BOMBS = {
    "pages": (many_pages(100_000), {Hindrance.TOO_MANY_PAGES}),
    "png": (png_bomb(), {Hindrance.TOO_MANY_PIXELS}),
    "tiff": (tiff_bomb(), {Hindrance.TOO_MANY_PIXELS}),
    "zip": (zip_bomb(), {Hindrance.TOO_LARGE}),
    "table": (looped_table(), {Hindrance.DAMAGED, Hindrance.EMPTY}),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest_twisted.ensureDeferred
async def test_bombs_are_refused_when_they_are_looked_at(desk, name: str) -> None:
    """Before anything is unpacked; a document after it is served."""
    bomb, causes = BOMBS[name]
    with pytest.raises(NotConvertible) as refused:
        await desk.facts(octets(bomb))
    assert refused.value.cause in causes
    assert (await desk.facts(octets(pdf(1)))).pages == 1


@pytest.mark.parametrize("bomb", [stream_bomb, image_bomb], ids=["stream", "image"])
@pytest_twisted.ensureDeferred
async def test_what_inflates_ends_within_its_bounds(desk, bomb) -> None:
    """Either PDFium gives up on the part and draws the rest, or memory or time end it; nothing else suffers."""
    desk.bound(seconds=3)
    wanted = Conversion((PWG,), {"media": "iso_a6_105x148mm"}, resolutions=(72,))
    size, cause = 0, None
    try:
        size = (await desk.convert(octets(bomb()), wanted)).size
    except NotConvertible as refusal:
        cause = refusal.cause
    assert size < 1 << 20
    assert cause in {None, Hindrance.TOO_LONG, Hindrance.TOO_MUCH_MEMORY, Hindrance.CRASHED}
    assert (await desk.facts(octets(pdf(1)))).pages == 1


@pytest_twisted.ensureDeferred
async def test_a_huge_page_is_drawn_as_large_as_the_paper(desk) -> None:
    """A page of 200 by 200 metres costs what its paper costs."""
    wanted = Conversion((PWG,), {"media": "iso_a6_105x148mm"}, resolutions=(72,))
    huge = pdf(1, (10_000.0, 10_000.0)).replace(b"[ 0 0 10000 10000 ]", b"[0 0 566929 566929]")
    assert (await desk.facts(octets(huge))).size == (19_999_995, 19_999_995)
    made = await desk.convert(octets(huge), wanted)
    assert made.size < 1 << 20
    made.release()


@pytest.mark.peers
@pytest.mark.parametrize(
    ("text", "seconds", "cause"),
    [
        (b"{} loop", 2, {Hindrance.TOO_LONG}),
        (b"(/etc/passwd) (r) file 10000 string readstring pop ==", 60, {Hindrance.DAMAGED}),
        (b"(%pipe%id) (r) file", 60, {Hindrance.DAMAGED}),
        (b"[ { 10000000 string } loop ]", 2, {Hindrance.DAMAGED, Hindrance.TOO_MUCH_MEMORY, Hindrance.TOO_LONG}),
    ],
    ids=["loop", "file", "pipe", "memory"],
)
@pytest_twisted.ensureDeferred
async def test_postscript_gets_no_files_and_no_time(
    desk, program, text: bytes, seconds: int, cause: set[Hindrance]
) -> None:
    """A program that wants what a page has no use for ends with a refusal."""
    program("gs")
    desk.bound(seconds=seconds)
    with pytest.raises(NotConvertible) as refused:
        await desk.convert(octets(b"%!PS\n" + text + b"\nshowpage\n"), Conversion((PDF,)))
    assert refused.value.cause in cause


CONFINED = """
import os, socket, sys
sys.path[:] = eval(sys.argv[2])
from mailshare.documents.confinement import confine
bounds = {"seconds": 5, "memory": 1 << 29, "octets": 1 << 20}
held = confine(os.getcwd(), **bounds, parent=int(sys.argv[1]), readable=sys.path, sockets=sys.argv[3])
told = []
for act in (
    lambda: open("/etc/passwd"), lambda: open("../outside", "w"), lambda: socket.socket(),
    lambda: os.kill(int(sys.argv[1]), 0), lambda: open("big", "wb", 0).write(bytes(2 << 20)) == 2 << 20 or 1 / 0,
    lambda: bytearray(1 << 30), *(
        lambda: socket.socket(socket.AF_UNIX).bind(sys.argv[3] + "/own"),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", sys.argv[3] + "/own"),
        lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[3] + "/own"),
        lambda: open(sys.argv[3] + "/file", "w"), lambda: socket.socketpair()[0].sendmsg([b"x"]),
    ) * bool(sys.argv[3]),
):
    try:
        act()
        told.append("done")
    except (OSError, MemoryError, ZeroDivisionError) as fault:
        told.append(type(fault).__name__)
open("inside", "w").close()
print(held, told)
"""


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("suite", [False, True])
async def test_a_confined_process_can_do_next_to_nothing(tmp_path, suite: bool) -> None:
    """No file outside, no socket, no signal, no large file, no memory beyond its bounds; where an office suite needs a
    local socket it can be made, and nobody be spoken to.
    """
    sockets = tmp_path / "sockets"
    sockets.mkdir()
    folder = tmp_path / "inside"
    folder.mkdir()
    argv = [sys.executable, "-I", "-c", CONFINED, str(os.getpid()), repr(sys.path), str(sockets) if suite else ""]
    ended = await start_child(reactor, argv, folder=str(folder), seconds=20).done
    assert (ended.status, ended.signal, ended.late) == (0, 0, False), ended.said
    told = ended.said.decode().strip()
    held, _, acts = told.partition(") ")
    if "files" in held and "network" in held:  # what the kernel of this machine knows
        local = ["done"] + ["PermissionError"] * 4 if suite else []
        assert acts == str(["PermissionError"] * 4 + ["ZeroDivisionError", "MemoryError", *local]), told
    else:
        assert "'MemoryError'" in acts, told


@pytest_twisted.ensureDeferred
async def test_a_process_that_does_not_end_is_ended_with_its_children(tmp_path) -> None:
    """The deadline takes the group, and what it says is not kept whole."""
    text = "import os, time; os.setsid(); os.fork(); os.write(1, b'x' * 50_000); time.sleep(60)"
    for seconds in (0.7, 6.0, 40.0):  # a busy machine may not have come to the writing
        child = start_child(reactor, [sys.executable, "-I", "-c", text], folder=str(tmp_path), seconds=seconds)
        ended = await child.done
        if ended.octets == 100_000:
            break
    assert (ended.status, ended.signal, ended.late, len(ended.said), ended.octets) == (None, 9, True, 2_000, 100_000)
