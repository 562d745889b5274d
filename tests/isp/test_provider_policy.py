"""LOGIN-DELAY and EXPIRE, honest, odd and lying."""

from __future__ import annotations

import pytest

from mailshare.isp.provider_policy import ProviderPolicy


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ((), -1),
        (("NEVER",), -1),
        (("0",), 0),
        (("30",), 30),
        (("30", "USER"), -1),
        (("0", "user"), -1),
        (("-5",), -1),
        (("99999999999999999999",), -1),
        (("٣",), -1),
        (("soon",), -1),
    ],
)
def test_expire(words: tuple[str, ...], days: int) -> None:
    """RFC 2449 section 6.7: a number of days, NEVER, and USER for a figure that may not be ours."""
    assert ProviderPolicy.read({"EXPIRE": words}).expire == days


@pytest.mark.parametrize(
    ("words", "seconds"), [((), 0), (("900",), 900), (("900", "USER"), 900), (("-1",), 0), (("x",), 0), (("",), 0)]
)
def test_login_delay(words: tuple[str, ...], seconds: int) -> None:
    """RFC 2449 section 6.4: seconds; what makes no sense is no delay."""
    assert ProviderPolicy.read({"LOGIN-DELAY": words}).login_delay == seconds


@pytest.mark.parametrize(
    ("expire", "wanted", "days"),
    [(-1, 30, 30), (-1, -1, -1), (7, 30, 7), (7, 3, 3), (0, 30, 0), (0, 0, 0), (7, -1, -1)],
)
def test_expire_caps_the_days(expire: int, wanted: int, days: int) -> None:
    """Never more than the provider's; "for ever" stays, for there is nothing that we would have to delete."""
    assert ProviderPolicy(expire=expire).days(wanted) == days
