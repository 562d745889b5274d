"""Pages of a fax a second, beside Ghostscript on the same documents, in turns in the same minutes.

    python tests/bench/fax_pages_a_second.py [rounds]

Ours is measured as an office does it: a confined process for each document, its start included; and inside a process
that runs already. Ghostscript's start is included as well. One figure a document: the best of the rounds.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from fpdf import FPDF
from PIL import Image

from mailshare.documents.fax_pages import fax_pages

WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "nobody", "looks", "quietly")
OURS = """
import sys
from mailshare.documents.fax_pages import fax_pages
tiff, facts = fax_pages(open(sys.argv[1], "rb").read(), {}, "application/pdf")
open(sys.argv[2], "wb").write(tiff)
"""


def text_pdf(pages: int) -> bytes:
    """Pages full of text."""
    chance, document = random.Random(1), FPDF(format="A4")
    document.set_font("helvetica", size=10)
    for _ in range(pages):
        document.add_page()
        document.multi_cell(0, 5, " ".join(chance.choice(WORDS) for _ in range(700)))
    return bytes(document.output())


def drawing_pdf(pages: int) -> bytes:
    """Pages of lines and boxes."""
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


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main() -> None:
    """Print a line for each document."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    made = {"text": text_pdf(10), "drawing": drawing_pdf(5), "photographs": photo_pdf(5), "one page": text_pdf(1)}
    sys.stdout.write(f"{'document':14} {'ours, running':>14} {'ours, started':>14} {'gs tiffg4':>10}   pages/s\n")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.pdf"), Path(folder, "a.tif")
        ghost = ["gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-sDEVICE=tiffg4", "-r204x196", "-sPAPERSIZE=a4"]
        ghost += [f"-sOutputFile={target}", str(source)]
        for name, data in made.items():
            source.write_bytes(data)
            pages = int(str(fax_pages(data, {}, "application/pdf")[1]["pages"]))
            best = [1e9, 1e9, 1e9]
            for _ in range(rounds):
                for place, act in enumerate(
                    (
                        lambda data=data: fax_pages(data, {}, "application/pdf"),
                        lambda: subprocess.run([sys.executable, "-c", OURS, source, target], check=True),
                        lambda: subprocess.run(ghost, check=True),
                    )
                ):
                    best[place] = min(best[place], seconds(act))
            sys.stdout.write(f"{name:14} {pages / best[0]:14.1f} {pages / best[1]:14.1f} {pages / best[2]:10.1f}\n")


if __name__ == "__main__":
    main()
