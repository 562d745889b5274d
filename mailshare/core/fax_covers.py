"""Cover sheets: what can be chosen for a fax, and which one it gets."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

STANDARD = "standard"
NONE = "none"
"""The word that chooses no cover sheet where an office sends one."""


@frozen
class FaxCover:
    """A cover sheet.

    :ivar title: large words on top; ``note`` at the foot.
    :ivar text: the words of the mail stand on it; else they are a page of their own.
    """

    name: str = STANDARD
    title: str = "FAX"
    note: str = ""
    text: bool = True


def chosen_cover(wish: object, usual: str, known: Sequence[FaxCover]) -> FaxCover | None:
    """The cover sheet of one fax; ``None`` = it has none.

    A sheet that was chosen and is not declared any more is the standard one: a cover page was wanted.

    :param wish: the name that was chosen for it, or empty.
    :param usual: what holds for all, :data:`NONE` or a name.
    """
    name = (str(wish or "") or usual).casefold()
    if name == NONE:
        return None
    return next((one for one in known if one.name.casefold() == name), FaxCover())
