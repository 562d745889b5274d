"""Python's own POP3 client against our server on real sockets, in a thread: plain, STLS, and a maildrop of size."""

import poplib
import ssl

import pytest_twisted
import trustme
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.interfaces import IMailboxOpener
from mailshare.pop3.factory import POP3Factory
from mailshare.shell.tls import server_context

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost")


async def serve(kit, act, **options):
    """Run ``act(port)`` in a thread against a server for the kit's box."""
    realm_type, opener, checker = kit
    factory = POP3Factory(
        Portal(realm_type(IMailboxOpener, opener, opener._box.log), [checker]),
        reactor=reactor,
        hostname="localhost",
        tls=server_context(CERTIFICATE.cert_chain_pems[0].bytes(), CERTIFICATE.private_key_pem.bytes()),
        **options,
    )
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    try:
        return await deferToThread(act, port.getHost().port)
    finally:
        await port.stopListening()
        await factory.drain(5)


@pytest_twisted.ensureDeferred
async def test_poplib_reads_and_deletes(pop3_kit):
    """Everything poplib can do, in clear from a trusted network."""
    box = pop3_kit[1]._box
    messages = list(box.messages.values())

    def act(port):
        client = poplib.POP3("127.0.0.1", port, timeout=90)
        client.user("joe")
        client.pass_("secret")
        assert client.stat() == (3, sum(map(len, messages)))
        for number, message in enumerate(messages, 1):
            _, lines, _ = client.retr(number)
            assert b"".join(line + b"\r\n" for line in lines) == message
        assert client.uidl()[1] == [b"1 u11", b"2 u12", b"3 u13"]
        assert client.top(1, 1)[1] == [b"Subject: one", b"", b"first"]
        assert "PIPELINING" in client.capa()
        client.dele(2)
        assert client.list()[1] == [b"1 %d" % len(messages[0]), b"3 %d" % len(messages[2])]
        return client.quit()

    assert await serve(pop3_kit, act, trusted_networks=("127.0.0.0/8",)) == b"+OK 1 messages deleted"
    assert list(box.messages) == [11, 13]


@pytest_twisted.ensureDeferred
async def test_poplib_inside_tls(pop3_kit):
    """STLS with a verified certificate, then the password, which was refused before."""

    def act(port):
        context = ssl.create_default_context()
        CA.configure_trust(context)
        client = poplib.POP3("localhost", port, timeout=90)
        refused = None
        try:
            client.user("joe")
        except poplib.error_proto as error:
            refused = str(error)
        client.stls(context=context)
        client.user("joe")
        client.pass_("secret")
        count = client.stat()[0]
        client.quit()
        return refused, count

    refused, count = await serve(pop3_kit, act)
    assert "[AUTH]" in refused
    assert count == 3


@pytest_twisted.ensureDeferred
async def test_poplib_reads_much(pop3_kit):
    """A message of megabytes full of dots, and a listing of thousands, come whole."""
    box = pop3_kit[1]._box
    big = b"Subject: dots\r\n\r\n" + b"".join(b"." * (n % 5) + b"x" * (n % 61) + b"\r\n" for n in range(120_000))
    box.messages = dict.fromkeys(range(1, 5000), b"Subject: small\r\n\r\n") | {5000: big}

    def act(port):
        client = poplib.POP3("127.0.0.1", port, timeout=30)
        client.user("joe")
        client.pass_("secret")
        listed = client.list()[1]
        _, lines, _ = client.retr(5000)
        client.quit()
        return len(listed), b"".join(line + b"\r\n" for line in lines)

    count, got = await serve(pop3_kit, act, trusted_networks=("127.0.0.0/8",))
    assert count == 5000
    assert got == big
