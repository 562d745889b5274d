"""SMTP through real sockets: a stock client, TLS, and what an attacker puts behind STARTTLS."""

from __future__ import annotations

import smtplib
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator

import pytest
import pytest_twisted
import trustme
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.threads import deferToThread

from mailshare.core.errors import ConfigFault
from mailshare.shell.prompt_endpoint import PromptEndpoint
from mailshare.shell.tls import server_context
from mailshare.smtp.factory import SMTPFactory

BIG = b"Subject: big\r\n\r\n" + b"0123456789\r\n.dot\r\n" * 200_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Signs the server's certificate."""
    return trustme.CA()


@pytest.fixture(params=["Twisted's", "ours"])
def served(
    request: pytest.FixtureRequest, authority: trustme.CA, make_factory: Callable[..., SMTPFactory]
) -> Iterator[tuple[SMTPFactory, int]]:
    """A server with STARTTLS on the real reactor, and its port."""
    from twisted.internet import reactor

    certificate = authority.issue_cert("localhost")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    context = server_context(chain, certificate.private_key_pem.bytes())
    factory = make_factory(reactor=reactor, tls=context)
    endpoint: IStreamServerEndpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")  # type: ignore[arg-type]
    if request.param == "ours":
        endpoint = PromptEndpoint(endpoint)
    listening = pytest_twisted.blockon(endpoint.listen(factory))
    yield factory, int(listening.getHost().port)
    pytest_twisted.blockon(listening.stopListening())
    pytest_twisted.blockon(Deferred.fromCoroutine(factory.drain(5)))


@pytest.fixture
def port(served: tuple[SMTPFactory, int]) -> int:
    """Its port alone."""
    return served[1]


@pytest_twisted.ensureDeferred
async def test_stock_client_over_starttls(port: int, authority: trustme.CA, book) -> None:
    """A stock client checks the certificate, logs in inside TLS, relays, and a big message arrives octet for octet."""

    def talk() -> dict[str, object]:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with smtplib.SMTP("localhost", port, timeout=30) as client:
            client.ehlo("client.test")
            assert not client.has_extn("auth")
            client.starttls(context=context)
            client.ehlo("client.test")
            assert not client.has_extn("starttls")
            client.login("joe", "secret")
            return client.sendmail("a@b.test", ["joe@test.local", "x@outside.test", "who@test.local"], BIG)

    refused = await deferToThread(talk)
    assert {name: code for name, (code, _) in refused.items()} == {"who@test.local": 550}
    ((user, envelope, body),) = book.taken
    assert (user, len(envelope.recipients), body) == ("joe", 2, BIG)


@pytest_twisted.ensureDeferred
async def test_starttls_of_a_connection_that_stayed(
    served: tuple[SMTPFactory, int], authority: trustme.CA, book
) -> None:
    """It was read for together with others; what TLS makes of it goes on through the same descriptor."""
    factory, number = served
    client = await deferToThread(smtplib.SMTP, "localhost", number, timeout=30)
    await deferToThread(client.ehlo, "client.test")
    (connection,) = factory._connections
    connection.tick(factory.reactor.seconds())
    assert connection.transport.reactor is factory.reader

    def talk() -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        client.starttls(context=context)
        client.ehlo("client.test")
        for _ in range(3):
            client.sendmail("a@b.test", ["joe@test.local"], BIG)
        client.quit()

    await deferToThread(talk)
    assert [body for _, _, body in book.taken] == [BIG] * 3


@pytest.mark.parametrize("extra", [b"RSET\r\n", b"NOO", b"EHLO x\r\nMAIL FROM:<a@b>\r\n"])
@pytest_twisted.ensureDeferred
async def test_plaintext_behind_starttls(port: int, extra: bytes, book) -> None:
    """Octets in the packet of STARTTLS end the connection; nothing of them is run inside TLS (CVE-2011-0411)."""

    def talk() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.recv(1000)
            sock.sendall(b"EHLO client.test\r\n")
            sock.recv(1000)
            sock.sendall(b"STARTTLS\r\n" + extra)
            got = b""
            while more := sock.recv(1000):
                got += more
            return got

    assert (await deferToThread(talk)).startswith(b"554 5.5.0 ")
    assert book.logins == []


@pytest_twisted.ensureDeferred
async def test_old_tls_is_refused(port: int) -> None:
    """Nothing below TLS 1.2 is spoken."""

    def talk() -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        client = smtplib.SMTP("localhost", port, timeout=30)
        with pytest.raises((ssl.SSLError, OSError)):
            client.starttls(context=context)
        client.close()

    await deferToThread(talk)


def test_certificates_that_cannot_serve(authority: trustme.CA) -> None:
    """What cannot be read, or does not belong together, is said before anybody connects."""
    one, other = authority.issue_cert("localhost"), authority.issue_cert("localhost")
    certificate, key = one.cert_chain_pems[0].bytes(), one.private_key_pem.bytes()
    for bad in ((b"", key), (certificate, b""), (certificate, other.private_key_pem.bytes())):
        with pytest.raises(ConfigFault):
            server_context(*bad)
