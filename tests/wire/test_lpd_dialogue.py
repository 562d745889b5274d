"""The LPD engine against dialogues as real clients have them, cut at every place."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mailshare.wire.lpd import (
    MOST_LINE,
    ControlFile,
    FileOffered,
    FilePiece,
    FileWhole,
    JobAborted,
    JobFile,
    JobOffered,
    LPDServer,
    RemovalWanted,
    StateWanted,
)

CONTROL = b"Hhost\nPanna\nJReport\nfdfA106host\nUdfA106host\nNreport.ps\n"
DATA = b"%!PS\nshowpage\n"


def sent(*, data_first: bool = False, size: int | None = len(DATA)) -> bytes:
    control = b"\x02%d cfA106host\n%s\0" % (len(CONTROL), CONTROL)
    data = b"\x03%d dfA106host\n%s" % (size or 0, DATA) + (b"\0" if size else b"")
    return b"\x02office\n" + (data + control if data_first else control + data)


def talk(stream: bytes, cuts: list[int] | None = None, *, end: bool = True) -> tuple[list[object], bytes, LPDServer]:
    """Feed a stream and say yes to everything; events with pieces joined, and what was answered."""
    engine = LPDServer()
    events: list[object] = []
    said = b""
    edges = [0, *(cuts if cuts is not None else []), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(edges) if b > a]
    for part in [*parts, *([b""] if end else [])]:
        engine.feed(part)
        while (event := engine.next_event()) is not None:
            if isinstance(event, FilePiece) and events and isinstance(events[-1], FilePiece):
                events[-1] = FilePiece(events[-1].data + event.data)
            else:
                events.append(event)
            if isinstance(event, JobOffered):
                engine.into(event.queue)
            if isinstance(event, (StateWanted, RemovalWanted)):
                engine.tell("words\n")
            elif engine.waiting:
                engine.accept()
            said += engine.take_output()
        said += engine.take_output()
    return events, said, engine


JOB = JobOffered("office")
FILES = {
    "control": [
        FileOffered(True, "cfA106host", len(CONTROL)),
        ControlFile(
            "cfA106host",
            (
                ("H", "host"),
                ("P", "anna"),
                ("J", "Report"),
                ("f", "dfA106host"),
                ("U", "dfA106host"),
                ("N", "report.ps"),
            ),
        ),
    ],
    "data": [FileOffered(False, "dfA106host", len(DATA)), FilePiece(DATA), FileWhole()],
}


@pytest.mark.parametrize("data_first", [False, True])
def test_both_orders_at_every_cut(data_first: bool) -> None:
    """Control file first or data first, the stream cut in two at each octet."""
    stream = sent(data_first=data_first)
    order = [*FILES["data"], *FILES["control"]] if data_first else [*FILES["control"], *FILES["data"]]
    for cut in range(1, len(stream)):
        events, said, engine = talk(stream, [cut])
        assert events == [JOB, *order]
        assert said == b"\0" * 5
        assert (engine.errors, engine.closing) == (0, True)


def test_octet_by_octet() -> None:
    """The slowest client of all."""
    stream = sent()
    events, said, _ = talk(stream, list(range(1, len(stream))))
    assert events == [JOB, *FILES["control"], *FILES["data"]]
    assert said == b"\0" * 5


@pytest.mark.parametrize("size", [0, 125_899_906_843_000])
def test_a_length_nobody_knows(size: int) -> None:
    """Length 0, and the enormous one that some clients write, mean: until the client closes."""
    stream = b"\x02office\n\x03%d dfA106host\n%s" % (size, DATA)
    events, said, _ = talk(stream)
    assert events[1:] == [FileOffered(False, "dfA106host", None), FilePiece(DATA), FileWhole()]
    assert said == b"\0\0\0"


def test_several_jobs_on_one_connection() -> None:
    """As rlpr does."""
    second = sent().replace(b"106", b"107").removeprefix(b"\x02office\n")
    events, said, _ = talk(sent() + second)
    assert [type(one).__name__ for one in events].count("ControlFile") == 2
    assert said == b"\0" * 9


def test_a_file_cut_off_is_not_whole() -> None:
    """The client goes in the middle: the connection ends without a yes."""
    events, said, engine = talk(sent()[:-3])
    assert not any(isinstance(one, FileWhole) for one in events)
    assert (said.count(b"\0"), engine.closing) == (4, True)


def test_the_last_octet_may_be_missing() -> None:
    """All octets that were announced are there; some clients close instead of sending the last zero."""
    events, said, _ = talk(sent()[:-1])
    assert (isinstance(events[-1], FileWhole), said) == (True, b"\0" * 5)


def test_a_wrong_length_is_a_fault() -> None:
    """More octets than announced: nobody knows what was meant."""
    _, said, engine = talk(sent(size=len(DATA) - 2))
    assert (said[-1:], engine.errors, engine.closing) == (b"\1", 1, True)


def test_abort_is_told() -> None:
    """Subcommand 01."""
    events, said, _ = talk(b"\x02office\n\x01\n")
    assert (events, said) == ([JOB, JobAborted()], b"\0\0")


def test_questions() -> None:
    """Short and long state, removal, and the command that wants printing to begin."""
    assert talk(b"\x03office\n")[:2] == ([StateWanted("office", (), False)], b"words\n")
    assert talk(b"\x04office anna 12\n")[:2] == ([StateWanted("office", ("anna", "12"), True)], b"words\n")
    assert talk(b"\x05office root 12\n")[:2] == ([RemovalWanted("office", "root", ("12",))], b"words\n")
    assert talk(b"\x01office\n")[:2] == ([], b"\0")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x09office\n",
        b"\n",
        b"\x02\n",
        b"\x02two words\n",
        b"\x05office\n",
        b"x" * (MOST_LINE + 10),
        b"\x02office\n\x02nonsense\n",
        b"\x02office\n\x02999999 cfA1host\n",
        b"\x02office\n\x020 cfA1host\n",
        b"\x02office\n\x07\n",
    ],
)
def test_what_is_wrong_ends_with_a_no(wrong: bytes) -> None:
    """One octet that is not zero, and the end."""
    _, said, engine = talk(wrong, end=False)
    assert (said[-1:], engine.closing, engine.errors) == (b"\1", True, 1)


def test_refusal_ends_the_connection() -> None:
    """A queue that is not there, or a file that is too large."""
    engine = LPDServer()
    engine.feed(b"\x02nowhere\n\x0210 dfA001x\n")
    assert engine.next_event() == JobOffered("nowhere")
    engine.refuse()
    assert (engine.take_output(), engine.next_event(), engine.closing) == (b"\1", None, True)


def test_copies_are_repeated_lines() -> None:
    """RFC 1179 section 7: each line prints the file once more."""
    control = ControlFile("cfA001h", (("P", "a"), ("f", "dfA001h"), ("f", "dfA001h"), ("o", "dfB001h")))
    assert control.printed() == {"dfA001h": 2, "dfB001h": 1}
    assert control.first("P") == "a"
    assert control.first("J") == ""


def test_names_of_files() -> None:
    """Number and host group the files of a job, whatever letter tells them apart."""
    assert JobFile.parse("cfA106host.example") == JobFile(True, "106", "host.example")
    assert JobFile.parse("dfB106host.example") == JobFile(False, "106", "host.example")
    assert JobFile.parse("nonsense") is None
