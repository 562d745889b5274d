"""Orders about faxes by mail, and the addresses that take them."""

from __future__ import annotations

import pytest

from mailshare.core.fax_orders import (
    HOUR,
    MOST_ROWS,
    Order,
    again_trace,
    answer_address,
    box_of,
    proves_answer,
    read_answer_address,
    read_order,
)

KEY, NOW = b"k" * 32, 495_000 * HOUR


@pytest.mark.parametrize(
    ("lines", "subject", "order"),
    [
        (["STOP"], "", Order("stop")),
        (["", "  stop. ", "> RESEND"], "", Order("stop")),
        (["#cancel"], "", Order("stop")),
        (["Resend!"], "Re: x", Order("resend")),
        (["again"], "", Order("resend")),
        (["GET 4711"], "", Order("get", "4711")),
        (["put: s3cret"], "", Order("put", "s3cret")),
        ([], "GET 4711", Order("get", "4711")),
        (["> RESEND"], "", None),
        (["Please stop sending this"], "", None),
        (["STOP it now please"], "", None),
        (["x" * 10_000], "", None),
    ],
)
def test_only_a_line_of_its_own_is_an_order(lines: list[str], subject: str, order: Order | None) -> None:
    """Quoted lines and prose order nothing."""
    assert read_order(lines, subject) == order


def test_an_answer_is_bound_to_rows_user_and_time() -> None:
    """Nobody makes one without the key, changes a row or the time in it, or uses one that went to somebody else."""
    local = answer_address(KEY, [12, 13], 7, NOW)
    one = read_answer_address(local.upper())
    assert one is not None
    assert (one.rows, one.until * HOUR) == ((12, 13), NOW)
    assert proves_answer(KEY, one, 7)
    assert not proves_answer(KEY, one, 8)
    assert not proves_answer(b"j" * 32, one, 7)
    for forged in (local.replace("12.13", "12.14"), local.replace("-495000-", "-495001-"), local[:-1] + "a"):
        other = read_answer_address(forged)
        assert other is None or forged == local or not proves_answer(KEY, other, 7)
    assert not one.over(NOW - 1)
    assert one.over(NOW)


def test_the_same_answer_makes_the_same_fax() -> None:
    """By its trace it is known that it was sent again already; another report makes another one."""
    one, other = (read_answer_address(answer_address(KEY, [12], 7, at)) for at in (NOW, NOW + HOUR))
    assert one is not None
    assert other is not None
    assert again_trace(KEY, one, 12) == again_trace(KEY, one, 12) != again_trace(KEY, other, 12)
    assert len(again_trace(KEY, one, 12)) == 16


def test_an_address_stays_one_local_part() -> None:
    """However many rows a report is about (RFC 5321 section 4.5.3.1.1: 64 octets)."""
    local = answer_address(KEY, [10**6 + n for n in range(200)], 7, NOW)
    one = read_answer_address(local)
    assert one is not None
    assert 1 < len(one.rows) <= MOST_ROWS
    assert len(local) <= 64


@pytest.mark.parametrize("local", ["fax", "fax-1", "fax-1-2-short", "FAX=+123", "fax-a-1-" + "a" * 16, "box", ""])
def test_other_addresses_are_none(local: str) -> None:
    """A name of the address book that looks alike is left alone."""
    assert read_answer_address(local) is None
    assert box_of(local) is None


def test_a_box_is_named_in_its_address() -> None:
    """In any case."""
    assert box_of("Box-Prices.2026") == "prices.2026"
