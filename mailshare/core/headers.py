"""The forgiving reader of header blocks (skeleton of the seam; the sorting room fills it)."""

from __future__ import annotations

from attrs import frozen


@frozen
class Headers:
    """A header block as fields in order."""

    fields: tuple[tuple[str, str], ...] = ()
