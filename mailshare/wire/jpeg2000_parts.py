"""Walks the tiles of a JPEG 2000 picture and tells whether all of them are there.

A decoder draws what has come of a picture, coarsely or in part, and says nothing; but each part of a tile says how long
it is, and the head how many tiles there are.

Source: ITU-T T.800 annexes A.4 and A.5 (code stream), I.4 (boxes of a JP2 file).
"""

from __future__ import annotations

import struct

_SOC, _SIZ, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF90, 0xFF93, 0xFFD9
_SIZE = struct.Struct(">HHIIIIIIII")  # length, capabilities, size, place, and those of tiles
_TILE = struct.Struct(">HHHIBB")  # marker, length, number, length of the part, number of the part, how many parts
_MOST_TILES = 65_535


class JPEG2000Wrong(ValueError):
    """Part of the picture is missing, or it is none."""


def check_jpeg2000(data: bytes) -> None:
    """All of the picture is there.

    :param data: a JP2 file, or a code stream alone.
    :raises JPEG2000Wrong: what is missing.
    """
    try:
        _check_stream(data if data.startswith(b"\xff\x4f") else _code_stream(data))
    except struct.error as fault:
        raise JPEG2000Wrong("it is cut off") from fault


def _code_stream(data: bytes) -> bytes:
    """What stands in the box of that name; of one that is longer than the file, what there is."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if kind == b"jp2c":
            return data[at + head : at + size if size else len(data)]
        if size < head:
            break
        at += size
    raise JPEG2000Wrong("there is no picture in it")


def _check_stream(data: bytes) -> None:
    marker, following = struct.unpack_from(">HH", data)
    if (marker, following) != (_SOC, _SIZ):
        raise JPEG2000Wrong("there is no picture in it")
    wanted = _tiles(data)
    at = 2
    while struct.unpack_from(">H", data, at)[0] != _SOT:
        marker, size = struct.unpack_from(">HH", data, at)
        if marker < 0xFF00 or size < 2:
            raise JPEG2000Wrong("its head is damaged")
        at += 2 + size
    parts, told = _parts(data, at)
    if len(parts) < wanted or any(parts[tile] < count for tile, count in told.items()):
        raise JPEG2000Wrong("tiles of it are missing")


def _tiles(data: bytes) -> int:
    """How many there must be."""
    _, _, wide, high, left, top, across, down, tile_left, tile_top = _SIZE.unpack_from(data, 4)
    if not across or not down or wide <= left or high <= top:
        raise JPEG2000Wrong("its head is damaged")
    tiles: int = -(-(wide - tile_left) // across) * -(-(high - tile_top) // down)
    if not 0 < tiles <= _MOST_TILES:
        raise JPEG2000Wrong("its head is damaged")
    return tiles


def _parts(data: bytes, at: int) -> tuple[dict[int, int], dict[int, int]]:
    """How many parts of each tile are there, and how many there are to be, where they tell."""
    found: dict[int, int] = {}
    told: dict[int, int] = {}
    while at + 2 <= len(data) and struct.unpack_from(">H", data, at)[0] == _SOT:
        _, _, tile, length, _, parts = _TILE.unpack_from(data, at)
        if not length:  # to the end of the code stream
            if data.rfind(_EOC.to_bytes(2)) < at:
                raise JPEG2000Wrong("it is cut off")
            length = len(data) - at
        if length < _TILE.size or at + length > len(data):
            raise JPEG2000Wrong("it is cut off")
        found[tile] = found.get(tile, 0) + 1
        if parts:
            told[tile] = parts
        at += length
    return found, told
