"""JBIG pictures of one layer, as fax machines send them: ITU-T T.85, and of T.82 what is as simple; planes for colours.

Rows are taken apart by the QM coder: for each pixel its ten neighbours that are known choose an estimate, by which the
interval of the coded number is divided. A whole stretch of white below white rows is taken at once, since all of its
pixels have the same neighbours.

Source: ITU-T T.82 sections 6.2 (headers, markers, the order of stripes and planes), 6.7 (templates, typical
prediction), 6.8 (the decoder, table 24).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import frozen

from mailshare.core.errors import PeerFault
from mailshare.wire.qm_states import RIGHT, SIZES, WRONG

_STUFF, _ABORT, _NEWLEN, _ATMOVE, _COMMENT = 0x00, 0x04, 0x05, 0x06, 0x07
_NORMAL, _RESET = 0x02, 0x03
_TWO_ROWS, _NEW_LENGTH, _TYPICAL, _PREDICTED, _OWN_TABLE, _LAST_TABLE = 0x40, 0x20, 0x08, 0x04, 0x02, 0x01
_TYPICAL_STATE = (0x0E5, 0x195)  # of three rows, of two
_UNKNOWN = 0xFFFFFFFF
_MOST_MOVED = 127
_PLANES_BY_STRIPE = (3, 4, 6)  # of the order's SEQ, ILEAVE and SMID, where one stripe of all planes comes after another
_HALF = 0x8000 << 16  # an interval is kept at least so large
_PLACES = {place: bytes([0, 1 << place]) + bytes(254) for place in (2, 4, 7)}


def _broken(text: str) -> PeerFault:
    return PeerFault(f"The JBIG picture is damaged: {text}", code=554, enhanced=(5, 6, 1))


class OtherJBIG(PeerFault):
    """A picture of a kind that faxes do not have."""


@frozen
class JBIGHead:
    """The first twenty octets of a picture.

    :ivar width, rows: pixels; ``rows`` as the last length marker has it.
    :ivar each: rows of a stripe.
    :ivar start: where the first stripe begins.
    :ivar planes: pictures of one bit that it is made of.
    :ivar by_stripe: the first stripe of all planes comes before the second of any.
    """

    width: int
    rows: int
    each: int
    options: int
    start: int
    planes: int = 1
    by_stripe: bool = False


@frozen
class _Stripe:
    """The coded octets of some rows.

    :ivar resets: the next one begins with estimates, and rows above, as if it were the first.
    :ivar moves: ``(row of the stripe, columns)``: from there on the moving neighbour is so far to the left.
    """

    data: bytes
    resets: bool
    moves: tuple[tuple[int, int], ...]


def read_head(data: bytes) -> JBIGHead:
    """What a picture says of itself, looked at before anything is taken apart.

    :raises PeerFault: it is none. :raises OtherJBIG: it has several layers.
    """
    if len(data) < 20:
        raise _broken("it is too short")
    lowest, layers, planes, fill, width, rows, each, _, _, order, options = struct.unpack_from(">BBBBIIIBBBB", data)
    if fill or lowest > layers or not width or not each or not planes or options & 0x80:
        raise _broken("it does not begin as one")
    if layers or lowest:
        raise OtherJBIG("JBIG pictures of several layers are not read here", code=554, enhanced=(5, 6, 1))
    own = options & (_PREDICTED | _OWN_TABLE | _LAST_TABLE) == _PREDICTED | _OWN_TABLE
    start = 20 + (1728 if own else 0)
    if options & _NEW_LENGTH:
        for marker, at in _markers(data, start):
            if marker == _NEWLEN:
                rows = min(rows, struct.unpack_from(">I", data, at + 2)[0])
    if rows == _UNKNOWN or not rows:
        raise _broken("nobody knows how long it is")
    return JBIGHead(width, rows, each, options, start, planes, order & 7 in _PLANES_BY_STRIPE)


def _markers(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """Markers and their places; octets of a comment, and of a marker itself, are none."""
    lengths = {_ATMOVE: 8, _NEWLEN: 6}
    at = start
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        marker = data[at + 1]
        length = lengths.get(marker, 2)
        if marker == _COMMENT and at + 6 <= len(data):
            length = 6 + struct.unpack_from(">I", data, at + 2)[0]
        if at + length > len(data):
            return
        if marker != _STUFF:
            yield marker, at
        at += length


def _stripes(data: bytes, start: int) -> Iterator[_Stripe]:
    begins = start
    moves: list[tuple[int, int]] = []
    for marker, at in _markers(data, start):
        if marker in (_NORMAL, _RESET):
            coded = data[begins:at].replace(b"\xff\0", b"\xff")
            yield _Stripe(coded, marker == _RESET, tuple(sorted(moves)))
            begins, moves = at + 2, []
        elif marker == _ATMOVE:
            row, columns, up = struct.unpack_from(">IBB", data, at + 2)
            if up or columns > _MOST_MOVED:
                raise OtherJBIG("JBIG pictures with such templates are not read here", code=554, enhanced=(5, 6, 1))
            moves.append((row, columns))
            begins = at + 8
        elif marker == _NEWLEN:
            begins = at + 6
        elif marker == _COMMENT:
            begins = at + 6 + struct.unpack_from(">I", data, at + 2)[0]
        elif marker == _ABORT:
            raise _broken("whoever made it gave up")


def decode_jbig(data: bytes) -> tuple[int, int, bytes]:
    """Width, rows and pixels of a picture of one plane, an octet for each: 1 = black.

    :raises PeerFault: it is none, or is cut off. :raises OtherJBIG: faxes have no such ones.
    """
    if read_head(data).planes != 1:
        raise OtherJBIG("JBIG pictures of several planes have no black and white", code=554, enhanced=(5, 6, 1))
    width, rows, [pixels] = decode_planes(data, 1)
    return width, rows, pixels


def decode_planes(data: bytes, wanted: int) -> tuple[int, int, list[bytes]]:
    """Width, rows and the first planes of a picture, an octet for each pixel.

    :raises PeerFault: it is none, is cut off, or has fewer planes. :raises OtherJBIG: faxes have no such ones.
    """
    head = read_head(data)
    if head.planes < wanted:
        raise _broken(f"of its {wanted} planes there are {head.planes}")
    two, typical = bool(head.options & _TWO_ROWS), bool(head.options & _TYPICAL)
    planes = [_Rows(head.width, two=two, typical=typical) for _ in range(wanted)]
    out: list[list[bytes]] = [[] for _ in planes]
    stripes = -(-head.rows // head.each)  # of each plane
    for number, stripe in enumerate(_stripes(data, head.start)):
        plane = number % head.planes if head.by_stripe else number // stripes
        if plane < wanted:
            done = out[plane]
            done += planes[plane].of_stripe(stripe, min(head.each, head.rows - len(done)))
        if number == stripes * (head.planes if head.by_stripe else wanted) - 1:
            break
    for done in out:
        if len(done) < head.rows:
            raise _broken(f"of its {head.rows} rows there are {len(done)}")
    return head.width, head.rows, [b"".join(done) for done in out]


class _Rows:
    """Takes stripes apart, with what one leaves to the next."""

    def __init__(self, width: int, *, two: bool, typical: bool) -> None:
        self._width = width
        self._two = two
        self._typical = typical
        self._forget()

    def _forget(self) -> None:
        self._states = [0] * 1024  # of an estimate its number times two, plus the likelier pixel
        self._above = self._second = bytes(self._width)
        self._other = True  # the row above is not the same as the one above it
        self._moved = 0

    def of_stripe(self, stripe: _Stripe, count: int) -> list[bytes]:
        """Its rows."""
        coder = _QM(stripe.data, self._states)
        moves, out = dict(stripe.moves), []
        for number in range(count):
            self._moved = moves.get(number, self._moved)
            row = self._above
            if not self._typical or self._differs(coder):
                second = bytes(self._width) if self._two else self._second
                row = coder.row(self._above, second, 4 if self._two else 2, self._moved)
            self._second, self._above = self._above, row
            out.append(row)
        if stripe.resets:
            self._forget()
        return out

    def _differs(self, coder: _QM) -> bool:
        """Whether a row is not just the one above; what is coded is whether that is so as it was before."""
        turned = coder.decide(_TYPICAL_STATE[self._two])
        self._other = not turned ^ self._other
        return self._other


class _QM:
    """The decoder of one stripe (T.82 section 6.8.3); behind its octets there are zeros without end."""

    def __init__(self, data: bytes, states: list[int]) -> None:
        start = data[:3] + bytes(3 - len(data[:3]))
        self._states = states
        self._data = data
        self._at = 3
        self._left = 8  # digits until the next octet is taken in
        self._size = 0x10000 << 16  # of the interval; all times 65536
        self._code = int.from_bytes(start, "big") << 8

    def decide(self, state: int) -> int:
        """One value by itself."""
        states, known = self._states, self._states[state]
        small = SIZES[known]
        self._size -= small
        value = known & 1
        if self._code < self._size:
            if self._size >= _HALF:
                return value
            right = self._size >= small
        else:
            self._code -= self._size
            right, self._size = self._size < small, small
        states[state] = (RIGHT if right else WRONG)[known]
        size, code, left = self._size, self._code, self._left
        while size < _HALF:
            if not left:
                code += self._next()
            left = (left or 8) - 1
            size <<= 1
            code <<= 1
        self._size, self._code, self._left = size, code, left
        return value if right else value ^ 1

    def _next(self) -> int:
        self._at += 1
        return self._data[self._at - 1] << 8 if self._at <= len(self._data) else 0

    def row(self, above: bytes, second: bytes, near: int, moved: int) -> bytes:
        """A row.

        :param above: the row above, ``second`` the one above it; white where the template does not have it.
        :param near: the binary place of the moving neighbour in a state, which is that of the pixels above.
        :param moved: how far to the left it stands in this row; 0 = above.
        """
        states, sizes, width = self._states, SIZES, len(above)
        kept = 0x3FE & ~(1 << near) & (~0x80 if near == 2 else -1)
        state, sight = _sight(above, second, near)
        row = bytearray(width)
        x = pixel = white_until = 0
        size, code, left, half = self._size, self._code, self._left, _HALF
        while x < width:
            state = state << 1 & kept | sight[x] | pixel
            if state == 0 and not moved:
                if x >= white_until:
                    white_until = _white_until(above, second, x, width)
                self._size, self._code = size, code
                x = self._skipped(x, white_until)
                size = self._size
                if x == width:
                    break
                state |= sight[x]
            place = state
            if moved:
                place = state & ~(1 << near) | (row[x - moved] << near if x >= moved else 0)
            known = states[place]
            small = sizes[known]
            size -= small
            pixel = known & 1
            if code >= size or size < half:  # as in decide(), which is not called: this is done for each pixel
                if code < size:
                    right = size >= small
                else:
                    code -= size
                    right, size = size < small, small
                states[place] = (RIGHT if right else WRONG)[known]
                pixel ^= not right
                while size < half:
                    if not left:
                        code += self._next()
                        left = 8
                    left -= 1
                    size <<= 1
                    code <<= 1
            if pixel:
                row[x] = 1
            x += 1
        self._size, self._code, self._left = size, code, left
        return bytes(row)

    def _skipped(self, x: int, until: int) -> int:
        """Where the next pixel is whose value is not plain: white pixels among white ones, while white is likelier."""
        known = self._states[0]
        small = SIZES[known]
        count = min(until - x, (self._size - max(_HALF, self._code + 1)) // small)
        if known & 1 or count <= 0:
            return x
        self._size -= count * small
        return x + count


def _sight(above: bytes, second: bytes, near: int) -> tuple[int, bytes]:
    """The state before a row, and what comes into sight with each pixel of it, of both rows above."""
    size = len(above) + 1
    top, far = above.translate(_PLACES[near]) + bytes(3), second.translate(_PLACES[7]) + bytes(2)
    both = int.from_bytes(top[2:]) | int.from_bytes(far[1:])  # all at once, as one long number
    return top[0] << 1 | top[1] | far[0], both.to_bytes(size)


def _white_until(above: bytes, second: bytes, x: int, width: int) -> int:
    """The first pixel behind x above whose neighbours there is a black one."""
    places = (above.find(1, x + 3) - 2, second.find(1, x + 2) - 1)
    return min([place for place in places if place > 0], default=width)
