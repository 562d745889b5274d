"""How much one document may ask for."""

from __future__ import annotations

from attrs import frozen

MIB = 1 << 20


@frozen
class Bounds:
    """What is allowed for each document.

    :ivar seconds: of time, and of processor time.
    :ivar memory: octets of address space.
    :ivar size: octets of the document, ``result`` of what comes of it.
    :ivar pages: of the document, and of what comes of it.
    :ivar pixels: of one picture, and of one page of raster.
    :ivar tools: names or paths of programs outside that may be used; nothing is made of those that are not there.
    """

    seconds: int = 60
    memory: int = 1024 * MIB
    size: int = 1024 * MIB
    result: int = 512 * MIB
    pages: int = 500
    pixels: int = 120_000_000
    tools: tuple[str, ...] = ("gs", "pdftops", "soffice", "jbgtopbm")
