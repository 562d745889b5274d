"""The authority of an office, bound to its names; and certificates that somebody brings along."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mailshare.config.endpoint_strings import check_endpoint
from mailshare.core.errors import ConfigFault
from mailshare.shell.certificates import read_certificates
from mailshare.shell.own_certificate import looked_at
from mailshare.shell.private_authority import covers, issue, lasts, make_root, read_root, stale

NOW = int(time.time()) * 1_000_000
DAY = 86_400 * 1_000_000


def test_an_authority_is_bound_to_its_names_and_to_private_addresses() -> None:
    """Its own names, those below them, private addresses; nobody else's."""
    root = make_root("mail.office.example", ["manager.lan", "192.0.2.9"], NOW)
    for name in ("mail.office.example", "a.mail.office.example", "manager.lan", "192.168.7.1", "::1", "192.0.2.9"):
        assert covers(root.certificate, name), name
    for name in ("office.example", "xmail.office.example", "www.bank.example", "198.51.100.1", "2001:db8::1"):
        assert not covers(root.certificate, name), name
    with pytest.raises(ConfigFault, match=r"may not vouch for www\.bank\.example"):
        issue(root, ["mail.office.example", "www.bank.example"], NOW)
    assert root.key not in repr(root)


def test_openssl_takes_the_chain_for_our_names_and_refuses_it_for_others(tmp_path: Path) -> None:
    """Also a certificate that a thief of the key has made for a bank."""
    root = make_root("mail.office.example", [], NOW)
    (tmp_path / "ca.pem").write_text(root.pem)
    thief = make_root("www.bank.example", [], NOW)
    stolen = type(root)(_signed_like(thief.certificate, root.certificate), root.key)
    for names, authority, good in (
        (["mail.office.example", "10.1.2.3"], root, True), (["www.bank.example"], stolen, False),
    ):  # fmt: skip
        (tmp_path / "leaf.pem").write_text(issue(authority, names, NOW))
        command = ["openssl", "verify", "-CAfile", "ca.pem", "-purpose", "sslserver", "leaf.pem"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is good, done
    assert "permitted subtree violation" in done.stderr


def _signed_like(thief: x509.Certificate, real: x509.Certificate) -> x509.Certificate:
    """A stand-in that lets our own code issue for the bank, under the real authority's name and key."""

    class Loose:
        subject = real.subject
        extensions = thief.extensions

        @staticmethod
        def public_key() -> object:
            return real.public_key()

        @staticmethod
        def public_bytes(encoding: Encoding) -> bytes:
            return real.public_bytes(encoding)

    return Loose()  # type: ignore[return-value]


def test_a_certificate_is_stale_when_it_ends_lacks_a_name_or_is_of_another_authority() -> None:
    """And damaged text is stale too; the authority itself lasts as long as what it signs."""
    root, other = (make_root("mail.office.example", [], NOW) for _ in range(2))
    names = ["mail.office.example", "192.168.1.5"]
    leaf = issue(root, names, NOW)
    assert not stale(leaf, root.certificate, names, NOW + 600 * DAY)
    assert stale(leaf, root.certificate, names, NOW + 680 * DAY)
    assert stale(leaf, root.certificate, [*names, "192.168.1.6"], NOW)
    assert stale(leaf, other.certificate, names, NOW)
    assert stale("", root.certificate, names, NOW)
    assert lasts(root.certificate, names, NOW)
    assert not lasts(root.certificate, names, NOW + 9 * 365 * DAY)
    with pytest.raises(ConfigFault, match="does not fit"):
        read_root(root.pem, other.key)


def _pem(certificate: trustme.LeafCert) -> tuple[str, str]:
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems).decode()
    return chain, certificate.private_key_pem.bytes().decode()


def test_what_is_brought_along_is_put_in_order_and_told_of() -> None:
    """Key, leaf and those above it, however they were pasted; a foreign name and a short life are said."""
    top = trustme.CA()
    middle = top.create_child_ca()
    chain, key = _pem(middle.issue_cert("mail.office.example"))
    between = middle.cert_pem.bytes().decode()
    found = looked_at(between + key.replace("\n", "\r\n") + chain, "mail.office.example", NOW)
    assert found.names == ("mail.office.example",)
    assert found.words == ()
    assert found.pem.count("BEGIN CERTIFICATE") == 2
    assert found.pem.startswith("-----BEGIN PRIVATE KEY-----")
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=5)
    short, short_key = _pem(top.issue_cert("www.office.example", not_after=soon))
    words = " ".join(looked_at(short + short_key, "mail.office.example", NOW).words)
    for part in ("not for mail.office.example", "are missing", "more days only"):
        assert part in words


def test_what_cannot_serve_is_refused_with_the_reason() -> None:
    """No certificate, no key, two, another's, one with a password, over, too early, nonsense between the lines."""
    ca = trustme.CA()
    chain, key = _pem(ca.issue_cert("mail.office.example"))
    _, other = _pem(ca.issue_cert("mail.office.example"))
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    over, over_key = _pem(ca.issue_cert("mail.office.example", not_after=past))
    locked = load_pem_private_key(key.encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    lines = chain.split("\n")
    damaged = "\n".join([lines[0], "AAAA", *lines[2:]])
    for text, words in (
        (key, "no certificate"), (chain, "there are 0"), (chain + key + other, "there are 2"),
        (chain + other, "none of the certificates"), (chain + locked.decode(), "has a password"),
        (over + over_key, "was valid until"), (damaged + key, "is damaged"), ("x" * 200_000, "more than any"),
        (chain + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "The key is damaged"),
    ):  # fmt: skip
        with pytest.raises(ConfigFault, match=words):
            looked_at(text, "mail.office.example", NOW)


def test_an_authority_in_the_file_does_not_hang_the_reader(tmp_path: Path) -> None:
    """Many bring the whole chain; Twisted's own search for it would go round for ever."""
    ca = trustme.CA()
    chain, key = _pem(ca.issue_cert("localhost"))
    (tmp_path / "whole.pem").write_text(key + chain + ca.cert_pem.bytes().decode())
    assert read_certificates(str(tmp_path)).defaultContext
    assert check_endpoint(f"tls:{tmp_path.name}:8995", str(tmp_path.parent)).endswith(":8995")
    assert ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
