"""How far down a header block the provider's word goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.evidence import TrustedBlock, came_from_outside, read_received
from mailshare.core.headers import Headers
from mailshare.core.returned_parts import references, returned_ids

OURS = frozenset({"mx1.isp.example", "store.isp.example"})


@pytest.mark.parametrize(
    ("value", "by", "helo", "recipients"),
    [
        (
            "from a.example (a.example [192.0.2.1]) by MX.isp.example. (Postfix) with SMTP id 1 for <a@b>; date",
            "mx.isp.example",
            "a.example",
            ["a@b"],
        ),
        ("by 2001:db8::1 with SMTP id x; date", "2001:db8::1", "", []),
        ("(qmail 17 invoked by uid 0); date", "", "", []),
        ("from by by mx.example for a@b; date", "mx.example", "by", ["a@b"]),
        ("from x (for <evil@b>) by mx.example for <a@b>; date", "mx.example", "x", ["a@b"]),
        ("from x by mx.example for <a@b> for <c@d>; date", "mx.example", "x", []),
        ("from x by mx.example for <a@b>, <c@d>; date", "mx.example", "x", ["a@b", "c@d"]),
        ("from x (unclosed by mx.example for <a@b>", "", "x", []),
        ("from (127.0.0.1) by mx.example id 7 for <a@b>; date", "mx.example", "", ["a@b"]),
        ("from unknown (HELO y.example) (192.0.2.1) by mx.example; date", "mx.example", "y.example", []),
        ("from [192.0.2.1] (port=7 helo=y.example) by mx.example; date", "mx.example", "y.example", []),
        ("", "", "", []),
    ],
)
def test_received_fields(value: str, by: str, helo: str, recipients: list[str]):
    """Clauses are read outside comments; a second ``for`` takes both away."""
    hop = read_received(value)
    assert (hop.by, hop.helo, [str(each) for each in hop.recipients]) == (by, helo, recipients)


@pytest.mark.parametrize(
    ("clause", "outside"),
    [
        ("", False),
        ("from localhost (localhost [127.0.0.1]) ", False),
        ("from filter (unknown [10.0.0.3]) ", False),
        ("from filter ", False),
        ("from mx2.isp.example (mx2.isp.example [203.0.113.1]) ", False),
        ("from mx2.isp.example ", False),
        ("from a.example (a.example [198.51.100.1]) ", True),
        ("from mx1.isp.example (a.example [198.51.100.1]) ", True),
        ("from mx1.isp.example (unknown [198.51.100.1]) ", True),
        ("from mx1.isp.example ([IPv6:2001:db8::7]) ", True),
        ("from a.example ", True),
        # what the client called itself, in a comment
        ("from unknown (HELO mx1.isp.example) (198.51.100.1) ", True),
        ("from a.example (HELO mx1.isp.example) (198.51.100.1) ", True),
        ("from a.example (EHLO [10.0.0.3]) (198.51.100.1) ", True),
        ("from mx2.isp.example (HELO a.example) (203.0.113.1) ", False),
        ("from [198.51.100.1] (helo=mx1.isp.example) ", True),
        ("from [198.51.100.1] (port=4711 helo=[10.0.0.3]) ", True),
        ("from a.example ([198.51.100.1] helo=mx1.isp.example) ", True),
        ("from mx2.isp.example ([203.0.113.1] helo=filter) ", False),
        ("from mx1.isp.example (helo=x@a.example [198.51.100.1]) ", True),
        ("from (mx1.isp.example) (a.example [198.51.100.1]) ", True),
        ("from (198.51.100.1) ", True),
        ("from (127.0.0.1) ", False),
        # names that strangers give to their own addresses
        ("from x (localhost.a.example [198.51.100.1]) ", True),
        ("from x (localhost [198.51.100.1]) ", True),
        ("from x (ip10.0.0.1-x.a.example [198.51.100.1]) ", True),
        ("from x (mx1.isp.example [198.51.100.1] (may be forged)) ", True),
        ("from x (root@localhost) ", False),
        ("from x (localhost.localdomain [127.0.0.1]) ", False),
    ],
)
def test_where_the_house_ends(clause: str, outside: bool):
    """What the server saw counts, what the client called itself only without that."""
    assert came_from_outside(read_received(clause + "by mx1.isp.example; x"), OURS) is outside


def test_a_shared_registry_is_no_house():
    """Hosts under co.uk have nothing in common."""
    hop = read_received("from evil.co.uk (evil.co.uk [198.51.100.1]) by isp.co.uk; x")
    assert came_from_outside(hop, {"isp.co.uk"})


@given(st.text("()\\<>@;:, \tfrombyitha.example[]0123456789", max_size=200))
def test_reading_trace_fields_never_raises(text: str):
    """Any text is a Received field to somebody."""
    block = Headers.parse(b"Received: " + text.encode() + b"\r\nDelivered-To: " + text.encode() + b"\r\n")
    assert len(TrustedBlock.of(block, OURS).hops) <= 1
    assert references(block) == ()


@given(st.binary(max_size=300))
def test_looking_for_returned_ids_never_raises(body: bytes):
    """Any body may be asked; what comes out are ids in angle brackets."""
    assert all(each.startswith("<") and each.endswith(">") for each in returned_ids(b"\nMessage-ID: <" + body))
