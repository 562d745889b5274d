"""PL23: a thousand destinations and three hundred printers in one process."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.values import PrintState

HEAD = """\
[server]
hostname = "print.example"
[listen]
ipp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
mode = "domain"
domains = ["company.example"]
"""
DESTINATION = '[[destination]]\nname = "d{0}"\naddress = "dir:out/d{0}"\n'
PRINTER = '[[printer]]\nname = "p{0}"\naddresses = ["p{0}@company.example"]\ndevice = "dir:out/p{0}"\nlevel = 3\n'


@pytest_twisted.ensureDeferred
async def test_a_thousand_destinations_and_three_hundred_printers(tmp_path: Path) -> None:
    """All are there, the last one prints, and they cost no more than some memory."""
    places = [DESTINATION.format(number) for number in range(1000)] + [PRINTER.format(number) for number in range(300)]
    (tmp_path / "m.toml").write_text(HEAD + "".join(places))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    config = load_config(str(tmp_path / "m.toml"))
    office = Office(config, reactor, reload_config=read_again(config, None))
    office.startService()
    assert office.started is not None
    await office.started
    try:
        room = office._parts.printing.print_room  # type: ignore[union-attr]
        assert (len(room.service.destinations), len(room.service.printers)) == (1000, 300)
        destination = room.service.destinations["d999"]
        ticket = room.service.ticket(destination, name="Last")
        intake = room.service.intake(ticket)
        intake.write(b"%PDF-1.4\n%%EOF\n")
        document, body = await intake.finish()
        job: Any = await room.service.store.print_jobs.take(ticket, [(document, body)], room.service.now())
        while job.state is not PrintState.COMPLETED:
            await deferLater(reactor, 0.02)  # type: ignore[arg-type]
            job = await room.service.store.print_jobs.job(job.id)
        assert [path.suffix for path in (tmp_path / "out" / "d999").iterdir()] == [".pdf"]
    finally:
        await office.stopService()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB
