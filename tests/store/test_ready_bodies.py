"""Messages that need nothing done to them for a POP3 wire are known as such, and their files are sent unread."""

from __future__ import annotations

import os
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor

from mailshare.core.errors import Unavailable
from mailshare.core.values import Target
from mailshare.interfaces import IReadyBody
from mailshare.store.measure import Measure, measured
from mailshare.store.ready_bodies import MOST_SENT, send_file
from mailshare.store.sqlite import SQLiteStore
from mailshare.testing.store_office import HEADER, NOW, office, whole

LARGE = HEADER + b"some text. It has dots.\r\n" * 8_000


def test_the_mark_does_not_depend_on_where_the_message_was_cut():
    """A dot that begins a line is found whole, octet by octet, and at every cut; so is a last line without its end."""
    for message, ready in (
        (HEADER + b"a.b\r\n", True),
        (HEADER + b".\r\n", False),
        (HEADER + b"a\r\n.b\r\n", False),
        (HEADER + b"a\r\n..\r\n", False),
        (HEADER + b"a\n.b\r\n", True),
        (HEADER + b"a\r.b\r\n", True),
        (HEADER + b"a", False),
        (HEADER + b"a\r", False),
        (HEADER + b"a\n", False),
        (b".a\r\n\r\n", False),
        (b"", True),
    ):
        assert measured(message).ready is ready, message
        for cut in range(len(message)):
            measure = Measure()
            measure.feed(message[:cut])
            measure.feed(message[cut:])
            assert measure.facts().ready is ready, (message, cut)
        drip = Measure()
        for octet in message:
            drip.feed(bytes([octet]))
        assert drip.facts().ready is ready, message


def test_a_file_is_sent_as_far_as_the_socket_takes_it(tmp_path):
    """A full socket ends the trip, and so does 1 MiB; what was sent is told, and is what the file holds."""
    path = tmp_path / "body"
    path.write_bytes(os.urandom(3 << 20))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        got, position = b"", 0
        while position < 3 << 20:
            sent = send_file(str(path), ours.fileno(), position, 3 << 20)
            assert sent <= MOST_SENT
            position += sent
            while len(got) < position:
                got += theirs.recv(1 << 20)
        assert got == path.read_bytes()
        while send_file(str(path), ours.fileno(), 0, 3 << 20):
            pass  # until the socket is full: then 0, and no error
        with pytest.raises(Unavailable):
            send_file(str(tmp_path / "none"), ours.fileno(), 0, 10)


def test_a_file_that_is_too_short_is_an_error(tmp_path):
    """Its row says more octets than there are."""
    path = tmp_path / "body"
    path.write_bytes(b"short")
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Unavailable):
        send_file(str(path), ours.fileno(), 0, 10)


@pytest.mark.parametrize("size", [0, 200_000])
@pytest_twisted.ensureDeferred
async def test_entries_know_whether_they_are_ready(tmp_path, size):
    """The body's dots count, and those of the lines in front; in the database and in a file; also when given away."""
    async with office(lambda: SQLiteStore(str(tmp_path / "store"), reactor=reactor)) as place:
        good = HEADER + b"x" * 70 + b"\r\n" + b"x" * size + b"\r\n"
        for trace, prefix, data, ready in (
            ("1", b"", good, True),
            ("2", b"X-Front: a\r\n", good, True),
            ("3", b"X-Front: a\r\n.b: c\r\n", good, False),
            ("4", b"X-Front: a\r\n", good + b".dot\r\n", False),
            ("5", b"X-Front: a\r\n", good + b"no end", False),
        ):
            result = await place.deliver(trace, [place.andrew], data=data, prefix=prefix)
            drop = await place.drop(place.andrew)
            body = await drop.body(result.uids[place.andrew.id])
            assert IReadyBody.providedBy(body) is ready, trace
            assert await whole(body) == prefix + data
            drop.release()
        first = result.uids[place.andrew.id]
        for uid, ready in ((first - 3, True), (first - 1, False)):
            given = await place.store.mailboxes.give(
                place.andrew.id, uid, [Target(place.greg.id, "given", b"X-Given: 1\r\n")], at=NOW
            )
            drop = await place.drop(place.greg)
            body = await drop.body(given[place.greg.id])
            assert IReadyBody.providedBy(body) is ready
            assert (await whole(body)).startswith(b"X-Given: 1\r\n" + HEADER)
            drop.release()
