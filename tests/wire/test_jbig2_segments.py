"""JBIG2 pictures as they stand in PDF files: whole ones are whole, at each cut something is missing."""

from __future__ import annotations

import pytest

from mailshare.wire.jbig2_segments import JBIG2Wrong, check_jbig2, segments

EXAMPLE = bytes.fromhex(
    "000000000001000000001800010000000100000001e9cbf40026af04bff0782fe00040000000013000010000001300000040"
    "000000380000000000000000010000000000020001010000001c00010000000200000002e5cdf80079e0841081f082108610"
    "79f000800000000307420002010000003100000025000000080000000400000001000c090010000000050110000000000000"
    "0000000000000000000c4007087041d0000000042700010000002c000000360000002c000000040000000b000126a071cea7"
    "fffffffffffffffffffffffffffffffffffffff8f0000000051001010000002d0104040000000f20d184611845f2f97c8f11"
    "c39e45f2f97d42850aaa84622feeec446222352a0a83b9dcee77800000000617200501000000570000002000000024000000"
    "100000000f00010000000800000009000000000000000004000000aaaaaaaa8008008036d5556b5ad40040042ee952d2d2d2"
    "8aa54a00200223e09524b4928a4a925492d24a292a49400400400000000731000100000000"
)
"""The first page of the example of ITU-T T.88 annex H.1: dictionaries, text, patterns, a region in MMR."""
ROWS = 56


def test_the_example_of_the_standard_is_whole() -> None:
    """Its segments, as the standard counts them; the first dictionary may be one that pages share."""
    found = list(segments(EXAMPLE))
    assert [one.kind for one in found] == [0, 48, 0, 7, 39, 16, 23, 49]
    assert [one.needs for one in found] == [(), (), (), (0, 2), (), (), (5,), ()]
    check_jbig2(EXAMPLE, b"", ROWS)
    shared = 11 + 24
    check_jbig2(EXAMPLE[shared:], EXAMPLE[:shared], ROWS)
    check_jbig2(EXAMPLE[:-11], b"", ROWS)  # the end of the page is left out in PDF files
    check_jbig2(EXAMPLE + b"\r\n", b"", ROWS)


def test_what_is_cut_off_is_missing() -> None:
    """At each octet; where a whole segment is missing, the stream is as right as one that never had it."""
    ends, at = [], 0
    for one in segments(EXAMPLE):
        at = EXAMPLE.index(one.data, at) + len(one.data)
        ends.append(at)
    for length in range(1, len(EXAMPLE) - 11):
        cut = EXAMPLE[:length]
        last = max((end for end in ends[1:] if end <= length), default=0)
        if last and not cut[last:].strip(b"\0"):
            continue
        with pytest.raises(JBIG2Wrong):
            check_jbig2(cut, b"", ROWS)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (EXAMPLE[35:], "refers"),
        (EXAMPLE[:35], "how large"),
        (b"rubbish that is no picture at all", "none"),
        (b"\0\0\0\1\x30\0\1\xff\xff\xff\xff", "none"),
        (b"\0\0\0\1\x30\xa0\1\0\0\0\0", "none"),
        (b"\0\0\0\1\x30\xe0\0\xff\xff", "cut off"),
    ],
)
def test_rubbish_is_told(data: bytes, word: str) -> None:
    """With what is wrong."""
    with pytest.raises(JBIG2Wrong, match=word):
        check_jbig2(data, b"", ROWS)


def test_stripes_and_lengths_that_are_told_behind() -> None:
    """A page that does not say its height has as many rows as its last stripe; a region may end with a mark."""
    page = bytes.fromhex("00000001300001" + "00000013" + "00000040ffffffff" + "00" * 8 + "01" + "8020")
    region = bytes.fromhex("00000002260001" + "ffffffff" + "0000004000000038" + "00" * 9 + "00" + "03fffdff02fefefe")
    region += bytes.fromhex("0102030405ffac00000038")
    stripe = bytes.fromhex("00000003320001" + "00000004") + (ROWS - 1).to_bytes(4)
    check_jbig2(page + region + stripe, b"", ROWS)
    with pytest.raises(JBIG2Wrong, match="stripes"):
        check_jbig2(page + region + stripe, b"", ROWS + 1)
    with pytest.raises(JBIG2Wrong, match="cut off"):
        check_jbig2(page + region[:-6], b"", ROWS)
