"""The sender of a collected message is read from its topmost Return-Path, without reading the other fields."""

from __future__ import annotations

import pytest

from mailshare.core.address import Address
from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.isp.arrival import return_path

HEADERS = [
    b"Return-Path: <ann@out.example>\r\nSubject: x\r\n",
    b"Subject: x\r\nRETURN-PATH :ann@out.example\r\nReturn-Path: <other@out.example>\r\n",
    b"Subject: x\r\nReturn-Path:\r\n <ann@out.example>\r\n\t\r\nTo: y\r\n",
    b"Subject: x\nReturn-Path: <ann@out.example>\nTo: y\n",
    b"Subject: x\rReturn-Path:\r <ann@out.example>\rTo: y\r",
    b"Subject: Return-Path: <ann@out.example>\r\n",
    b"Subject: x\r\n Return-Path: <ann@out.example>\r\n",
    b"X-Return-Path: <ann@out.example>\r\n",
    b"Return-Path: <>\r\nReturn-Path: <ann@out.example>\r\n",
    b"Return-Path: <ann at out.example>\r\n",
    b"Return-Path",
    b"",
]


def by_all_fields(header: bytes) -> Address | None:
    """The same from the whole header."""
    text = Headers.parse(header).first("Return-Path") or ""
    try:
        return Address.parse(text.strip().removeprefix("<").removesuffix(">").strip())
    except MailshareError:
        return None


@pytest.mark.parametrize("header", HEADERS)
def test_it_is_what_reading_every_field_would_give(header: bytes):
    """Folded, in odd line ends, twice, inside another field, empty, or no address."""
    assert return_path(header) == by_all_fields(header)


def test_there_are_addresses_among_them():
    """The comparison is not one of nothing with nothing."""
    assert [bool(return_path(header)) for header in HEADERS] == [True] * 5 + [False] * 7
