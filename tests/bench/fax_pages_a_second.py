"""Pages of a fax a second, beside Ghostscript on the same documents, in turns in the same minutes.

    python tests/bench/fax_pages_a_second.py [rounds] [document ...]

Both are given the same file and make 1728 pixels a row in MMR. Ours is measured as an office does it: the service of
documents, a confined process for each document, split off the one that is ready; *first*: with nothing ready, Python's
start and all imports included; *one core*: in a process that runs already, drawing alone. Ghostscript's start is
included, as it is started for each document. Two figures: pages a second of the clock, and milliseconds of processor
time a page, children included. Of each the best of the rounds is told, since others use the machine.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from io import BytesIO
from pathlib import Path
from typing import Any

from fpdf import FPDF
from PIL import Image, ImageChops, ImageDraw
from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from mailshare.documents.bounds import Bounds
from mailshare.documents.fax_pages import fax_pages
from mailshare.documents.service import Documents

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "nobody", "looks", "quietly")
LINES = {"standard": 98, "fine": 196, "superfine": 391}


def text_pdf(pages: int) -> bytes:
    """Pages full of text."""
    chance, document = random.Random(1), FPDF(format="A4")
    document.set_font("helvetica", size=10)
    for _ in range(pages):
        document.add_page()
        document.multi_cell(0, 5, " ".join(chance.choice(WORDS) for _ in range(700)))
    return bytes(document.output())


def chart_pdf(pages: int) -> bytes:
    """Charts: axes, a grid, bars, curves of 200 pieces, words."""
    chance, document = random.Random(4), FPDF(format="A4")
    document.set_font("helvetica", size=9)
    for _ in range(pages):
        document.add_page()
        for top in (20, 110, 200):
            for number in range(11):
                document.line(20, top + 7 * number, 190, top + 7 * number)
                document.text(8, top + 7 * number, f"{100 - 10 * number}")
                document.rect(22 + 16 * number, top + 70 - number * 5, 8, number * 5, style="DF")
            for _ in range(3):
                level = chance.uniform(10, 60)
                places = [(20 + 0.85 * at, top + level + chance.uniform(-4, 4)) for at in range(200)]
                document.polyline(places)
    return bytes(document.output())


def drawing_pdf(pages: int) -> bytes:
    """Pages of 800 lines across the whole of it: as hard as lines can be."""
    chance, document = random.Random(2), FPDF(format="A4")
    for _ in range(pages):
        document.add_page()
        for _ in range(800):
            document.line(*(chance.uniform(5, 200) for _ in range(4)))
    return bytes(document.output())


def photo_pdf(pages: int) -> bytes:
    """Text with a photograph on each page."""
    chance, document = random.Random(3), FPDF(format="A4")
    document.set_font("helvetica", size=11)
    for number in range(pages):
        photo = Image.radial_gradient("L").rotate(number * 10).resize((900, 700))
        out = BytesIO()
        Image.blend(photo, Image.effect_noise((900, 700), 50), 0.2).save(out, "JPEG")
        document.add_page()
        document.multi_cell(0, 6, " ".join(chance.choice(WORDS) for _ in range(150)))
        document.image(BytesIO(out.getvalue()), x=30, w=150)
    return bytes(document.output())


def scan_pdf(pages: int) -> bytes:
    """Pages as a scanner makes them: one grey JPEG of 200 dots an inch on each, slightly askew and not quite white."""
    chance, document = random.Random(5), FPDF(format="A4")
    for _ in range(pages):
        page = Image.new("L", (1654, 2339), 246)
        draw = ImageDraw.Draw(page)
        for row in range(60):
            draw.text((150, 150 + 34 * row), " ".join(chance.choice(WORDS) for _ in range(16)), fill=30, font_size=28)
        dust = Image.effect_noise(page.size, 6).point([grey // 16 for grey in range(256)])
        page = ImageChops.subtract(page.rotate(0.4, fillcolor=246), dust)
        out = BytesIO()
        page.save(out, "JPEG", quality=75, dpi=(200, 200))
        document.add_page()
        document.image(BytesIO(out.getvalue()), x=0, y=0, w=210)
    return bytes(document.output())


CASES: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "text, 1 page": (text_pdf, 1, "fine"),
    "text, 10 pages": (text_pdf, 10, "fine"),
    "text, 10 pages, standard": (text_pdf, 10, "standard"),
    "text, 10 pages, superfine": (text_pdf, 10, "superfine"),
    "text, 200 pages": (text_pdf, 200, "fine"),
    "charts, 6 pages": (chart_pdf, 6, "fine"),
    "scans, 6 pages": (scan_pdf, 6, "fine"),
    "text and photographs, 6 pages": (photo_pdf, 6, "fine"),
    "text and photographs, 6 pages, standard": (photo_pdf, 6, "standard"),
    "800 long lines a page, 6 pages": (drawing_pdf, 6, "fine"),
}


def spent() -> float:
    """Processor time of this process and of those that have ended, seconds."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _aside(act: Callable[[], Any]) -> Any:
    return await deferToThread(act)


class Best:
    """The best of the rounds."""

    def __init__(self) -> None:
        self.wall = self.cpu = 1e9

    def take(self, wall: float, cpu: float) -> None:
        """A round."""
        self.wall, self.cpu = min(self.wall, wall), min(self.cpu, cpu)


async def measured(best: Best, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Take the time of one."""
    began, used = time.perf_counter(), spent()
    await act()
    best.take(time.perf_counter() - began, spent() - used)


async def compare(name: str, rounds: int, folder: str) -> str:
    """A line of the table."""
    make, pages, resolution = CASES[name]
    data, options = make(pages), {"resolution": resolution}
    source = Path(folder, "a.pdf")
    source.write_bytes(data)
    ghost = ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=tiffg4", f"-r204x{LINES[resolution]}"]
    ghost += ["-sPAPERSIZE=a4", f"-sOutputFile={folder}/a.tif", str(source)]
    ready = Documents(reactor, f"{folder}/ready", _aside, Bounds(), lambda _: None)

    async def ours(documents: Documents) -> None:
        made = await documents.perform("fax-pages", _pieces(data), options, "application/pdf")
        assert made.pages == pages
        made.release()

    async def ours_first() -> None:
        documents = Documents(reactor, f"{folder}/first", _aside, Bounds(), lambda _: None)
        await ours(documents)
        await documents.stop()

    async def ours_alone() -> None:
        fax_pages(data, options, "application/pdf")

    async def theirs() -> None:
        await _aside(lambda: subprocess.run(ghost, check=True))

    await ours(ready)
    await ours(ready)
    best = [Best(), Best(), Best(), Best()]
    for _ in range(rounds):
        for one, act in zip(best, (lambda: ours(ready), ours_first, ours_alone, theirs), strict=True):
            await measured(one, act)
    await ready.stop()
    walls = [pages / one.wall for one in best]
    cpus = [1000 * one.cpu / pages for one in (best[2], best[3])]
    figures = "".join(f"{one:10.1f}" for one in walls), "".join(f"{one:10.1f}" for one in cpus)
    return f"{name:41}{figures[0]}{walls[0] / walls[3]:8.1f}{figures[1]}"


async def main(rounds: int, names: list[str]) -> None:
    """Print a line for each document."""
    head = ("ready", "first", "one core", "gs", "ratio", "ours ms", "gs ms")
    sys.stdout.write(f"{'document':41}" + "".join(f"{one:>{8 if one == 'ratio' else 10}}" for one in head) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CASES:
            sys.stdout.write(await compare(name, rounds, folder) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asked = sys.argv[1:]
    count = int(asked.pop(0)) if asked and asked[0].isdigit() else 5
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    task.react(lambda _: Deferred.fromCoroutine(main(count, asked)))
