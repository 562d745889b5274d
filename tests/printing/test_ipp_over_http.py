"""IPP over HTTP: bodies in every form, cut connections, floods, who may come in."""

from __future__ import annotations

import zlib
from ipaddress import ip_network
from typing import Any

import pytest
from counter import PDF, Counter, common, settled, value
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.testing import StringTransportWithDisconnection
from zope.interface import directlyProvides

from mailshare.printing.access import Access
from mailshare.printing.destinations import PrintRules
from mailshare.printing.http import PrintSite
from mailshare.shell.limits import ConnectionLimits
from mailshare.wire.ipp_codec import decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import Group, Message, Tag, keyword

LOCAL = Access((ip_network("127.0.0.0/8"),), (ip_network("127.0.0.1/32"),), {"ipp": 631})


class Client:
    """A connection to a site, over a transport in memory."""

    def __init__(self, site: PrintSite, peer: str = "127.0.0.1") -> None:
        address = IPv4Address("TCP", peer, 40_000)
        self.transport = StringTransportWithDisconnection(peerAddress=address)
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[attr-defined]
        self.channel: Any = site.buildProtocol(address)
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes, step: int = 0) -> None:
        for at in range(0, len(data), step or len(data)):
            if self.transport.connected:
                self.channel.dataReceived(data[at : at + (step or len(data))])

    def answer(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Status line, headers and body of what was said."""
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        self.transport.clear()
        first, *lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        return first, headers, body

    def message(self) -> Message:
        first, _, body = self.answer()
        assert first == b"HTTP/1.1 200 OK", first
        return decode(body)[0]


def site(counter: Counter, access: Access = LOCAL, **limits: int) -> PrintSite:
    return PrintSite(counter.service, access, ConnectionLimits(**limits), secure=False)


def request(code: int, data: bytes = b"", *attributes: Any) -> bytes:
    return encode(Message((2, 0), code, 1, (Group(Tag.OPERATION, (*common(), *attributes)),))) + data


def head(body: bytes | None, *more: bytes) -> bytes:
    length = [b"Content-Length: %d" % len(body)] if body is not None else [b"Transfer-Encoding: chunked"]
    lines = [b"POST /ipp/print HTTP/1.1", b"Host: office.example:631", b"Content-Type: application/ipp", *length, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize("step", [0, 1, 7])
def test_with_a_length_and_in_chunks(counter: Counter, step: int) -> None:
    """Both forms on one connection, one after the other, however the octets come."""
    client = Client(site(counter))
    body = request(Operation.PRINT_JOB, PDF)
    client.send(head(body) + body, step)
    assert client.message().code == Status.OK
    client.send(head(None) + chunked(body, 13), step)
    said = client.message()
    assert said.code == Status.OK
    assert value(said.group(Tag.JOB), "job-uri") == "ipp://print.example:631/ipp/print/office/2"
    assert [one.octets for one in settled(counter.service.store.print_jobs.jobs())] == [len(PDF)] * 2


def test_a_client_that_asks_first_is_told_to_go_on(counter: Counter) -> None:
    """Expect: 100-continue."""
    client = Client(site(counter))
    body = request(Operation.PRINT_JOB, PDF)
    client.send(head(body, b"Expect: 100-continue"))
    assert client.transport.value() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.transport.clear()
    client.send(body)
    assert client.message().code == Status.OK


def test_packed_bodies_and_answers(counter: Counter) -> None:
    """Content-Encoding is undone; a long answer comes packed when it is asked for so."""
    client = Client(site(counter))
    body = zlib.compress(request(Operation.GET_PRINTER_ATTRIBUTES), wbits=31)
    client.send(head(body, b"Content-Encoding: gzip", b"Accept-Encoding: gzip, deflate") + body)
    _, headers, packed = client.answer()
    assert headers[b"content-encoding"] == b"gzip"
    assert decode(zlib.decompress(packed, wbits=31))[0].code == Status.OK


def test_a_broken_connection_leaves_nothing(counter: Counter) -> None:
    """Half a document is no job; the same number of connections can come as before."""
    place = site(counter, total=1)
    for cut in range(0, 400, 23):
        client = Client(place)
        body = request(Operation.PRINT_JOB, PDF * 20)
        client.send((head(body) + body)[: 100 + cut])
        client.transport.loseConnection()
    assert settled(counter.service.store.print_jobs.jobs()) == []
    client = Client(place)
    client.send(head(body) + body)
    assert client.message().code == Status.OK


def test_a_request_that_is_cut_off_or_none(counter: Counter) -> None:
    """Whatever stands in the body, the answer is IPP's bad request."""
    client = Client(site(counter))
    for body in (b"", b"\x02\x00\x00\x0b", request(Operation.GET_PRINTER_ATTRIBUTES)[:-1], b"GET / nonsense" * 9):
        client.send(head(body) + body)
        assert client.message().code == Status.BAD_REQUEST


def test_floods_are_cut(counter: Counter) -> None:
    """Attributes without end, and a body far larger than a document may be."""
    counter.service.rules = PrintRules(most_octets=100_000)
    client = Client(site(counter))
    flood = request(Operation.GET_JOBS)[:-1] + keyword_flood()
    client.send(head(flood) + flood, 60_000)
    assert client.message().code == Status.TOO_LARGE
    client.send(head(None) + request(Operation.PRINT_JOB)[:0])
    piece = b"10000\r\n" + bytes(65_536) + b"\r\n"
    for _ in range(400):
        client.send(piece)
    assert not client.transport.connected
    too_large = request(Operation.PRINT_JOB, b"%PDF-" + bytes(200_000))
    client = Client(site(counter))
    client.send(head(too_large) + too_large)
    assert client.message().code == Status.TOO_LARGE


def keyword_flood() -> bytes:
    return (b"\x44\x00\x01a\xff\xf0" + b"x" * 65_520) * 20


def test_only_from_where_printing_is_allowed(counter: Counter) -> None:
    """Others get 403, and their documents are not even looked at; operators may be elsewhere."""
    place = site(counter)
    client = Client(place, "192.0.2.7")
    body = request(Operation.PRINT_JOB, PDF)
    client.send(head(body) + body)
    assert client.answer()[0] == b"HTTP/1.1 403 Forbidden"
    assert settled(counter.service.store.print_jobs.jobs()) == []
    near = Client(place, "127.0.0.9")
    body = request(Operation.PAUSE_PRINTER)
    near.send(head(body) + body)
    assert near.message().code == Status.NOT_AUTHORIZED


class Secret(Client):
    """A client whose connection can go on inside TLS: what is said there is seen apart."""

    def __init__(self, site: PrintSite) -> None:
        super().__init__(site)
        self.clear: list[bytes] = []
        self.transport.startTLS = self.inside  # type: ignore[attr-defined]

    def inside(self, context: object) -> None:
        assert context == "certificates"
        self.clear.append(self.transport.value())
        self.transport.clear()
        directlyProvides(self.transport, ISSLTransport)
        assert self.transport.value() == b""  # what is written before the handshake is done stops all reading
        self.channel.handshakeCompleted()


UPGRADE = b"Connection: Keep-Alive, Upgrade\r\nUpgrade: TLS/1.2,TLS/1.1\r\n"


def test_a_connection_goes_on_inside_tls_when_it_is_asked_to(counter: Counter) -> None:
    """RFC 2817 section 3, DNS-SD case B-5.1: 101 in the clear, the answer and all requests after it inside."""
    office = site(counter)
    office.tls = "certificates"
    client = Secret(office)
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: office.example\r\n" + UPGRADE + b"\r\n")
    (said,) = client.clear
    assert said.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n" in said
    first, headers, body = client.answer()
    assert (first, headers[b"allow"], body) == (b"HTTP/1.1 200 OK", b"GET, HEAD, OPTIONS, POST", b"")
    asked = request(Operation.GET_PRINTER_ATTRIBUTES)
    client.send(head(asked, UPGRADE[:-2]) + asked)
    assert client.message().code == Status.OK
    assert len(client.clear) == 1


def test_what_was_said_in_the_clear_is_not_taken_as_said_inside(counter: Counter) -> None:
    """Somebody in between puts a request behind the one that asks for TLS: the connection is cut."""
    office = site(counter)
    office.tls = "certificates"
    asked = request(Operation.PRINT_JOB, PDF)
    client = Secret(office)
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: office.example\r\n" + UPGRADE + b"\r\n" + head(asked) + asked)
    assert (client.clear, client.transport.connected) == ([], False)
    assert settled(counter.service.store.print_jobs.jobs()) == []


def test_tls_is_entered_only_where_it_can_be(counter: Counter) -> None:
    """Without certificates, with a document under way, or from a stranger the answer comes in the clear."""
    plain = b"OPTIONS * HTTP/1.1\r\nHost: office.example\r\n" + UPGRADE + b"\r\n"
    asked = request(Operation.GET_PRINTER_ATTRIBUTES)
    for tls, access, said, status in (
        (None, LOCAL, plain, b"200"),
        ("certificates", LOCAL, head(asked, UPGRADE[:-2]) + asked, b"200"),
        ("certificates", Access(), plain, b"403"),
        ("certificates", LOCAL, plain.replace(b", Upgrade", b""), b"200"),
        ("certificates", LOCAL, plain.replace(b"TLS/1", b"websocket/1"), b"200"),
    ):
        office = site(counter, access)
        office.tls = tls
        client = Secret(office)
        client.send(said)
        assert client.clear == []
        assert client.answer()[0].split()[1] == status


def test_pages_for_people(counter: Counter) -> None:
    """What the URIs of the attributes lead to; what a name holds is escaped; other methods are told."""
    counter.print(keyword("job-hold-until", "indefinite"))
    client = Client(site(counter))
    for path, kind in {
        "/": "text/html",
        "/ipp/print/office": "text/html",
        "/ipp/print/office/supplies": "text/html",
        "/ipp/print/office/jobs/1": "text/html",
        "/ipp/print/office/icon-128.png": "image/png",
    }.items():
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        first, headers, body = client.answer()
        assert (first, headers[b"content-type"].decode().partition(";")[0]) == (b"HTTP/1.1 200 OK", kind)
        assert len(body) == int(headers[b"content-length"])
    for path in ("/ipp/print/none", "/etc/passwd", "/ipp/print/office/jobs/9", "/ipp/print/office/x"):
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.answer()[0] == b"HTTP/1.1 404 Not Found"
    client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.answer()[2] == b""
    client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert client.answer()[0] == b"HTTP/1.1 405 Method Not Allowed"
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx")
    assert client.answer()[0] == b"HTTP/1.1 415 Unsupported Media Type"


@pytest.mark.parametrize("host", [b"a b", b"x<y>", b"evil\x7f", b"x:99999999", b"a/b"])
def test_a_host_that_is_none_is_not_repeated(counter: Counter, host: bytes) -> None:
    """The URIs that are told have our own address then."""
    client = Client(site(counter))
    body = encode(Message((2, 0), Operation.CUPS_GET_DEFAULT, 1, (Group(Tag.OPERATION, common(printer="")),)))
    client.send(head(body).replace(b"office.example:631", host) + body)
    found = client.message().group(Tag.PRINTER)
    assert str(value(found, "printer-uri-supported")).startswith("ipp://10.0.0.1:12345/")


def test_connections_are_bounded_and_drained(counter: Counter) -> None:
    """Too many are cut; when the server stops, idle ones go at once, others after the grace time."""
    place = site(counter, total=2)
    idle, busy = Client(place), Client(place)
    assert not Client(place).transport.connected
    body = request(Operation.PRINT_JOB, PDF)
    busy.send(head(body) + body[:-4])
    from twisted.internet.defer import Deferred

    done = Deferred.fromCoroutine(place.drain(10))
    assert (idle.transport.connected, busy.transport.connected) == (False, True)
    assert not Client(place).transport.connected
    counter.clock.advance(11)
    assert done.called
    assert not busy.transport.connected
    assert settled(counter.service.store.print_jobs.jobs()) == []
