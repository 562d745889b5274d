"""Processes for documents are split off one that is ready: quick, apart from each other, and gone with the server."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import pytest_twisted
from made_papers import octets, pdf
from twisted.internet.defer import Deferred, gatherResults

from mailshare.core.documents import Hindrance, NotConvertible


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
print("begun", flush=True)
sys.stdin.read()
"""


def test_what_was_started_for_a_document_ends_with_the_server(tmp_path: Path, program) -> None:
    """Even when that is killed, and even a program that was started for it."""
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
        server.kill()
        server.communicate()
    wait_for(wanted=False)
