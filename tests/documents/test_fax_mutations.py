"""Right files damaged by chance: all of their pages with ink on each, or a sentence; never a page in silence.

``MAILSHARE_MUTATIONS`` says how many are tried, ``MAILSHARE_MUTATION_SEED`` from which seed; a few by themselves.
"""

from __future__ import annotations

import os
from pathlib import Path

from odd_mutations import mutated

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.fax_pages import fax_pages, pages_of
from mailshare.documents.fax_strips import picture_of

COUNT = int(os.environ.get("MAILSHARE_MUTATIONS", "52"))
SEED = int(os.environ.get("MAILSHARE_MUTATION_SEED", "1"))


def test_damaged_files_lose_no_page_in_silence(tmp_path: Path) -> None:
    """S8: whatever is cut, overwritten, doubled or left out; many of them are whole all the same."""
    whole = 0
    for name, data, pages in mutated(COUNT, SEED):
        kind = "image/tiff" if "tiff" in name else "application/pdf"
        try:
            made = pages_of(fax_pages(data, {}, kind, folder=str(tmp_path))[0])
        except NotConvertible as refusal:
            told = (refusal.cause in Hindrance, refusal.status, len(refusal.public) > 20)
        else:
            whole += 1
            told = (len(made) == pages, "5.6.1", not any(picture_of(page).getextrema()[0] for page in made))
        assert told == (True, "5.6.1", True), name
    assert whole > COUNT // 5
