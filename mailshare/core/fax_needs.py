"""What a fax asks of the line that carries it, and whether a line can do that."""

from __future__ import annotations

from attrs import frozen

from mailshare.core.values.fax import FaxCapabilities, FaxCause


@frozen
class FaxNeeds:
    """What a line has to be able to do.

    :ivar pages: that are to go in this call; ``width`` of the widest, pixels.
    :ivar subaddress, password: that the far machine has to be given (ITU-T T.30 SUB or SEP, and PWD).
    :ivar polls: its pages are fetched.
    """

    pages: int = 0
    width: int = 0
    subaddress: bool = False
    password: bool = False
    polls: bool = False


def lacking(line: FaxCapabilities, needs: FaxNeeds) -> tuple[FaxCause, str] | None:
    """What a line cannot do of it: the cause that this is, and words for people; ``None`` = it can.

    A subaddress that was given has to be used (RFC 4160 section 3.2.2): a line that passes it over in silence would
    ring another machine than was meant.
    """
    if needs.polls and not line.polls:
        return FaxCause.NOT_ALLOWED, "no line here can fetch from another machine (polling)"
    if needs.subaddress and not line.subaddress:
        return FaxCause.NOT_ALLOWED, "no line here can give a subaddress"
    if needs.password and not line.password:
        return FaxCause.NOT_ALLOWED, "no line here can give a password"
    if line.max_pages and needs.pages > line.max_pages:
        return FaxCause.BAD_DOCUMENT, f"the lines here take at most {line.max_pages} pages"
    if needs.width and line.widths and needs.width > max(line.widths):
        return FaxCause.BAD_DOCUMENT, f"the lines here take pages of at most {max(line.widths)} pixels across"
    return None
