"""Faxes: the HylaFAX engine, its listings, and TIFF files as they are fetched."""

from __future__ import annotations

from mutants.of_the_wire import pieces
from mutants.subject import Subject

from mailshare.core.errors import PeerFault
from mailshare.wire.hylafax import HylaFAXClient, new_job, passive_port, stored_name
from mailshare.wire.hylafax_queues import cause_of, read_jobs, read_received
from mailshare.wire.tiff_fax import first_text, read_tiff


def hylafax_client(data: bytes) -> None:
    """A whole errand is asked for, and what comes back is anything."""
    engine = HylaFAXClient()
    engine.user("anna")
    engine.password("secret")
    for words in (("EPSV",), ("STOT",), ("JNEW",), ("JSUBM", "1")):
        engine.ask(*words)
    engine.quit()
    for piece in pieces(data):
        engine.feed(piece)
        while (reply := engine.next_event()) is not None:
            engine.take_output()
            for read in (passive_port, stored_name, new_job):
                try:
                    read(reply)
                except PeerFault:
                    continue


def hylafax_listings(data: bytes) -> None:
    """Lines of queues."""
    for job in read_jobs(data):
        cause_of(job.status)
    read_received(data)


def fetched_fax(data: bytes) -> None:
    """A file of a receive queue."""
    first_text(data, 270)
    read_tiff(data)


_SAID = (
    b"\x05220 hello\r\n331 password\r\n230-x\r\n230 in\r\n229 (|||4560|)\r\n150 FILE: /tmp/doc1.tif\r\n"
    b"226 done (FILE: /tmp/doc1.tif).\r\n200 jobid: 1 groupid: 1.\r\n200 submitted.\r\n221 bye\r\n"
)
_JOBS = b"12\x1fF\x1f1\x1f3\x1f1\x1fkey\x1fBusy signal detected\r\n"
_RECEIVED = b"fax1.tif\x1f \x1f3\x1f12345\x1f42\x1f14400\x1f1:02\x1f+49 30 1\x1f0301\x1fSmith\r\n"
_TIFF = (
    b"II*\0\x08\0\0\0\x06\0\0\x01\x04\0\x01\0\0\0\xc0\x06\0\0\x01\x01\x04\0\x01\0\0\0\x01\0\0\0\x03\x01\x03\0\x01\0\0\0\x04\0\0\0"
    b"\x0e\x01\x02\0\x03\0\0\0a\nb\0\x11\x01\x04\0\x01\0\0\0\x56\0\0\0\x17\x01\x04\0\x01\0\0\0\x04\0\0\0\0\0\0\0\x80\x08\0\x80"
)
FAXES = (
    Subject("hylafax_client", hylafax_client, (_SAID,), (b"220 ", b"230-", b"421 ", b"(|||", b"jobid: ", b"FILE: /")),
    Subject("hylafax_listings", hylafax_listings, (_JOBS, _RECEIVED), (b"\x1f", b"\r\n", b"D", b"fax")),
    Subject("fetched_fax", fetched_fax, (_TIFF,), (b"II*\0", b"MM\0*", b"\x0e\x01\x02\0", b"\x11\x01\x04\0")),
)
