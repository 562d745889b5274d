"""The AUTH line: base64, initial responses, cancelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.errors import PeerFault
from mailshare.wire.sasl.exchange import (
    AuthRequest,
    Cancelled,
    decode_response,
    encode,
    encode_initial,
    parse_auth,
)


@pytest.mark.parametrize(
    ("argument", "request_"),
    [
        (b"PLAIN", AuthRequest("PLAIN")),
        (b"plain", AuthRequest("PLAIN")),
        (b"SCRAM-SHA-256 =", AuthRequest("SCRAM-SHA-256", b"")),
        (b"PLAIN AGEAYg==", AuthRequest("PLAIN", b"\0a\0b")),
    ],
)
def test_arguments(argument, request_):
    """A mechanism, with or without an initial response."""
    assert parse_auth(argument) == request_


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b" PLAIN",
        b"PLAIN ",
        b"PLAIN  AGEAYg==",
        b"PLAIN AGEAYg== ",
        b"PLAIN !!!!",
        b"PLAIN AGEA!Yg==",
        b"PLAIN AGEAYg",
        b"PLAIN AGEAYh==",
        b"PLAIN AGEAYg==AGEA",
        b"PLAIN ==",
        b"A" * 21,
        b"PL\0AIN",
        b"\xff",
    ],
)
def test_bad_arguments(argument):
    """Anything else is a syntax error with words for the peer."""
    with pytest.raises(PeerFault) as caught:
        parse_auth(argument)
    assert caught.value.code == 501


def test_cancelling():
    """A star ends the exchange, in an answer and in place of an initial response."""
    with pytest.raises(Cancelled):
        decode_response(b"*")
    with pytest.raises(Cancelled):
        parse_auth(b"PLAIN *")


def test_empty_answers():
    """An empty line is an empty answer; an empty initial response is a sign of its own."""
    assert decode_response(b"") == b""
    assert encode(b"") == b""
    assert encode_initial(b"") == b"="
    assert encode_initial(b"\0a\0b") == b"AGEAYg=="


@given(st.binary(max_size=200))
def test_round_trip(octets):
    """What is encoded is decoded."""
    assert decode_response(encode(octets)) == octets


@given(st.binary(max_size=60))
def test_never_raises_anything_else(line):
    """Any line gives octets or a fault of the peer, and only one spelling is taken."""
    try:
        octets = decode_response(line)
    except PeerFault:
        return
    assert encode(octets) == line
