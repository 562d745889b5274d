"""QR codes for pages."""

from __future__ import annotations

import io


def qr(text: str) -> str:
    """A QR code as SVG, black on white in every theme."""
    import segno  # noqa: PLC0415 - only a few pages need it

    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, border=2, dark="#000", light="#fff", omitsize=True, title="QR"
    )
    return out.getvalue().decode("utf-8")
