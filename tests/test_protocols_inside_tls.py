"""Clients that offer protocols inside TLS (RFC 7301) are served, whatever they offer."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import trustme
from OpenSSL import SSL

from mailshare.shell.certificates import read_certificates


@pytest.mark.parametrize(
    ("offer", "agreed"), [([b"h2", b"http/1.1"], b"http/1.1"), ([b"pop3"], b""), ([b"h2"], b""), ([], b"")]
)
def test_no_offer_ends_the_handshake(tmp_path: Path, offer: list[bytes], agreed: bytes) -> None:
    """HTTP is agreed to; of anything else nothing is said, and the handshake goes on."""
    made = trustme.CA().issue_cert("localhost")
    blobs = [made.private_key_pem, *made.cert_chain_pems]
    (tmp_path / "localhost.pem").write_bytes(b"".join(blob.bytes() for blob in blobs))
    server = SSL.Connection(read_certificates(str(tmp_path)).defaultContext)
    server.set_accept_state()
    context = SSL.Context(SSL.TLS_METHOD)
    if offer:
        context.set_alpn_protos(offer)
    client = SSL.Connection(context)
    client.set_tlsext_host_name(b"localhost")
    client.set_connect_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65_536))
    assert client.get_finished() is not None
    assert client.get_peer_certificate() is not None
    assert client.get_alpn_proto_negotiated() == agreed
