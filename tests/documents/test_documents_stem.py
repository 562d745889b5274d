"""Processes for documents are split off one that is ready: quick, apart from each other, and gone with the server."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from made_papers import octets, pdf
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.core.errors import Unavailable
from mailshare.documents.operations import WORK
from mailshare.documents.service import _append


def stem_of(desk) -> int:
    return int(desk._stem.transport.pid)


@pytest_twisted.ensureDeferred
async def test_one_process_is_ready_for_all_documents(desk) -> None:
    """The second document starts no Python; two at once do not disturb each other."""
    assert (await desk.facts(octets(pdf(1)))).pages == 1
    first = stem_of(desk)
    both = await gatherResults([Deferred.fromCoroutine(desk.facts(octets(pdf(count)))) for count in (2, 3)])
    assert [one.pages for one in both] == [2, 3]
    assert stem_of(desk) == first


async def at_work(desk) -> None:
    while not desk._running:
        await desk._aside(lambda: None)


@pytest_twisted.ensureDeferred
async def test_what_ends_the_ready_process_ends_no_more_than_that(desk) -> None:
    """A document that was at work is begun anew, once; after a pause another process is started."""
    await desk.facts(octets(pdf(1)))
    first = stem_of(desk)
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(2))))
    await at_work(desk)
    os.kill(first, signal.SIGKILL)
    assert (await slow).pages == 2
    second = stem_of(desk)
    assert second != first
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(3))))
    await at_work(desk)
    os.kill(second, signal.SIGKILL)
    while desk._stem.transport.pid in (second, None) or not desk._running:  # None: it has ended
        await desk._aside(lambda: None)
    os.kill(stem_of(desk), signal.SIGKILL)
    with pytest.raises(NotConvertible) as refused:
        await slow
    assert refused.value.cause is Hindrance.CRASHED
    assert (await desk.facts(octets(pdf(4)))).pages == 4
    last = stem_of(desk)
    desk._stem._close()  # as after two minutes without a document
    assert (await desk.facts(octets(pdf(5)))).pages == 5
    assert stem_of(desk) != last


async def until(condition: Callable[[], bool]) -> None:
    """Look until it is so, for a minute at most."""
    last = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < last
        await deferLater(reactor, 0.01)


@pytest_twisted.ensureDeferred
async def test_a_ready_process_that_answers_nobody_is_replaced(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs: what waits for it has a deadline, is begun anew by another one, and the slots are free again."""
    monkeypatch.setattr("mailshare.shell.stem_process._LAST", 0.2)
    await desk.facts(octets(pdf(1)))
    first = stem_of(desk)
    os.kill(first, signal.SIGSTOP)
    split = [Deferred.fromCoroutine(desk.facts(octets(pdf(count)))) for count in (2, 3)]
    await until(lambda: len(desk._running) == 2)
    for child in list(desk._running):
        child._too_late()  # as after its time
    assert [(await one).pages for one in split] == [2, 3]
    assert stem_of(desk) != first


@pytest_twisted.ensureDeferred
async def test_the_server_stops_although_the_ready_process_hangs(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither it nor those that it split off are waited for without end."""
    monkeypatch.setattr("mailshare.shell.stem_process._LAST", 0.2)
    await desk.facts(octets(pdf(1)))
    os.kill(stem_of(desk), signal.SIGSTOP)
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(2))))
    await until(lambda: bool(desk._running))
    await desk.stop()
    with pytest.raises(Unavailable):
        await slow
    assert desk._stem.transport.pid is None


@pytest_twisted.ensureDeferred
async def test_a_document_that_is_being_written_when_the_server_stops_starts_nothing(desk) -> None:
    """Its octets are there, its turn has come, and nobody may begin a process any more."""
    aside, closed = desk._aside, []

    async def stopping(act: Any) -> object:
        if not closed and getattr(act, "func", None) is _append and act.args[0].endswith(WORK):
            closed.append(True)
            await desk.stop()
        return await aside(act)

    desk._aside = stopping
    with pytest.raises(Unavailable):
        await desk.facts(octets(pdf(1)))
    assert closed
    assert desk._stem is None


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("nonsense", [b'{"id": 9}\n{}\n', b"x" * 70_000], ids=["words", "no-end"])
async def test_a_ready_process_that_talks_nonsense_is_replaced(
    desk, nonsense: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its documents are begun anew by another one."""
    monkeypatch.setattr("mailshare.shell.stem_process._LAST", 0.2)
    await desk.facts(octets(pdf(1)))
    first = stem_of(desk)
    os.kill(first, signal.SIGSTOP)  # or it may have read the document before anybody looks
    slow = Deferred.fromCoroutine(desk.facts(octets(pdf(2))))
    await until(lambda: bool(desk._running))
    desk._stem.outReceived(nonsense)
    assert (await slow).pages == 2
    assert stem_of(desk) != first


@pytest_twisted.ensureDeferred
async def test_many_documents_at_once_leave_nothing_open(desk) -> None:
    """Forty, some of them broken: as many processes and descriptors afterwards as before."""
    await desk.facts(octets(pdf(1)))
    stem = stem_of(desk)

    def open_there() -> int:
        return len(os.listdir(f"/proc/{stem}/fd"))

    before = open_there(), len(os.listdir("/proc/self/fd"))
    documents = [b"%PDF-1.4 broken" if number % 4 == 0 else pdf(number) for number in range(1, 41)]
    looked = [Deferred.fromCoroutine(desk.facts(octets(one))) for one in documents]
    found = await DeferredList(looked, consumeErrors=True)
    assert [one.pages if good else one.type for good, one in found] == [
        NotConvertible if number % 4 == 0 else number for number in range(1, 41)
    ]
    assert stem_of(desk) == stem
    # Fewer there may be: what tests before this one left to the garbage collector goes when it will.
    await until(lambda: open_there() <= before[0] and len(os.listdir("/proc/self/fd")) <= before[1])


@pytest_twisted.ensureDeferred
async def test_a_document_for_which_there_is_no_process_is_tried_again_later(desk) -> None:
    """The system makes no more of them: nothing is wrong with the document, and the next one is served."""
    await desk.facts(octets(pdf(1)))
    stem = stem_of(desk)
    usual = resource.prlimit(stem, resource.RLIMIT_NOFILE)
    resource.prlimit(stem, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{stem}/fd")), usual[1]))
    with pytest.raises(Unavailable) as refused:
        await desk.facts(octets(pdf(2)))
    assert "no process for a document" in refused.value.detail["why"]
    resource.prlimit(stem, resource.RLIMIT_NOFILE, usual)
    assert (await desk.facts(octets(pdf(3)))).pages == 3
    assert stem_of(desk) == stem


def test_one_that_ends_while_the_stem_is_busy_is_buried_after_it_was_heard(tmp_path: Path) -> None:
    """Its end and the end of its words are seen in the same look: its descriptor is closed but once."""
    (tmp_path / "work.json").write_text("no work")
    begin = "from mailshare.documents.stem import main; main()"
    stem = subprocess.Popen([sys.executable, "-c", begin], stdin=-1, stdout=-1)
    assert stem.stdin is not None
    assert stem.stdout is not None
    work = [{"id": number, "folder": str(tmp_path), "operation": "facts"} for number in range(1, 31)]
    for one in work:  # they come while the stem splits off the ones before
        stem.stdin.write(json.dumps(one).encode() + b"\n")
        stem.stdin.flush()
    told = [json.loads(stem.stdout.readline()) for _ in work]
    assert sorted(one["id"] for one in told) == list(range(1, 31))
    assert all(one["status"] == 1 and "JSONDecodeError" in one["said"] for one in told)
    stem.stdin.close()
    assert stem.wait(timeout=60) == 0
    stem.stdout.close()


KILLED = """
import json, subprocess, sys
begin = "from mailshare.documents.stem import main; main()"
stem = subprocess.Popen([sys.executable, "-c", begin], stdin=-1, stdout=-1)
stem.stdin.write(json.dumps({"id": 1, "folder": sys.argv[1], "operation": "convert"}).encode() + b"\\n")
stem.stdin.flush()
print(stem.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("stem_too", [False, True], ids=["server", "both"])
def test_what_was_started_for_a_document_ends_with_the_server(tmp_path: Path, program, *, stem_too: bool) -> None:
    """Even when that is killed, or the ready process, and even a program that was started for it."""
    program("gs")
    (tmp_path / "source").write_bytes(b"%!PS\n{} loop\n")
    (tmp_path / "work.json").write_text(
        '{"operation": "convert", "declared": "", "bounds": {"seconds": 60, "memory": 1073741824, "size": 1000, '
        '"result": 1000000, "pages": 5, "pixels": 1000000, "tools": ["gs"]}, "options": {"formats": '
        '["application/pdf"], "options": {}, "done_there": [], "resolutions": [], "raster_types": [], '
        '"sheet_back": "normal"}}'
    )
    server = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdin=-1, stdout=-1)

    def at_work() -> list[str]:
        found = subprocess.run(["ps", "-wweo", "args"], check=True, capture_output=True, text=True).stdout
        return [line for line in found.splitlines() if f"{tmp_path}/document-pages.pdf" in line]

    def wait_for(wanted: bool) -> None:
        until = time.monotonic() + 30
        while bool(at_work()) is not wanted and time.monotonic() < until:
            select.select([], [], [], 0.05)
        assert bool(at_work()) is wanted

    try:
        wait_for(wanted=True)
    finally:
        if stem_too:
            assert server.stdout is not None
            os.kill(int(server.stdout.readline()), signal.SIGKILL)
        server.kill()
        server.communicate()
    wait_for(wanted=False)
