"""HTML as it is meant to look, by WeasyPrint where that is installed. Nothing outside the document is ever fetched."""

from __future__ import annotations

import mimetypes
from typing import Any

from mailshare.documents.looking import check_pages
from mailshare.documents.operations import Work
from mailshare.documents.text_pages import source_text


def to_pdf(work: Work, target: str, paper: tuple[float, float]) -> bool:
    """Write it; False when there is no WeasyPrint, and the words of the page have to do."""
    # It asks for types of files as soon as it is imported, and these stand where a confined process may not read.
    mimetypes.knownfiles.clear()
    try:
        import weasyprint  # noqa: PLC0415 - optional
    except (ImportError, OSError):  # OSError: it is there, and the libraries that it loads are not
        return False

    def refuse(url: str, *rest: Any, **more: Any) -> dict[str, Any]:
        """Pictures inside the page (``data:``) are all that is loaded."""
        if url.startswith("data:"):
            fetched: dict[str, Any] = weasyprint.default_url_fetcher(url, *rest, **more)
            return fetched
        raise ValueError("nothing is fetched")

    wide, high = paper
    style = weasyprint.CSS(string=f"@page {{ size: {wide}pt {high}pt; margin: 36pt }}")
    page = weasyprint.HTML(string=source_text(work), url_fetcher=refuse)
    laid = page.render(stylesheets=[style])
    check_pages(len(laid.pages), work.bounds.pages)
    laid.write_pdf(target)
    return True
