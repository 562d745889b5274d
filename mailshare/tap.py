"""What ``twistd mailshare`` reads from the command line, and the service it gets."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.python import usage

if TYPE_CHECKING:
    from mailshare.config import Config


_GARBAGE = 5_000
"""Objects that came to stay, after which circles of garbage are looked for.

While 64 clients hand in there are always so many on their way that Python's 700 had it look after every few messages,
and find nothing: 2 to 4 % of the time.
"""
_TURN = 0.0005
"""Seconds after which a thread that wants the interpreter gets it from the reactor's.

The store's thread wants it a dozen times for each message, and nobody is answered before it is done. With the usual
5 ms eight clients got 155, 152 and 119 messages a second, with this one 169, 158 and 151, for 3 to 15 % less
processor time (three pairs of runs, one after the other).
"""


class Options(usage.Options):
    """``twistd [twistd options] mailshare -c FILE``."""

    synopsis = "[-c FILE] [--data DIRECTORY] [--check]"
    longdesc = (
        "Runs a mailshare server. The file says where it listens and where it keeps its things; "
        "'mailshare check FILE' tells whether it is right. SIGTERM drains, SIGHUP reads the file again."
    )
    optParameters = [  # noqa: RUF012 - Twisted's name and form
        ["config", "c", "mailshare.toml", "The configuration file."],
        ["data", "d", None, "A data directory in place of the file's own."],
    ]
    optFlags = [["check", None, "Read the file, name all its mistakes, and stop."]]  # noqa: RUF012 - as above
    compData = usage.Completions(optActions={"config": usage.CompleteFiles("*.toml"), "data": usage.CompleteDirs()})

    config: Config

    def postOptions(self) -> None:
        """Read the file; all its mistakes come out as one usage error."""
        # Whatever a start makes stays: looking through all of it for garbage again and again was a tenth of the start.
        gc.disable()
        from mailshare.config import BrokenConfig, load_config  # noqa: PLC0415 - keeps twistd --help quick

        try:
            self.config = load_config(self["config"], data=self["data"])
        except BrokenConfig as fault:
            raise usage.UsageError(f"the configuration has mistakes\n\n{fault}") from fault
        if self["check"]:
            for warning in self.config.warnings:
                print(warning)  # noqa: T201 - the answer of --check
            print("The file is right.")  # noqa: T201 - as above
            sys.exit(0)


def makeService(options: Options) -> IService:
    """The office, as a service."""
    from twisted.internet import reactor  # noqa: PLC0415 - twistd has installed it by now

    from mailshare.assembly import build_service  # noqa: PLC0415 - keeps twistd --help quick
    from mailshare.assembly.freed_memory import give_back_large_blocks  # noqa: PLC0415 - as above

    give_back_large_blocks()
    sys.setswitchinterval(_TURN)
    installed: Any = reactor
    service = build_service(options.config, installed, data=options["data"])
    atexit.register(_tell_failure, service)
    # Nor is any of it looked through later, which would hold up everybody for tens of milliseconds.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()
    return service


def _tell_failure(service: IService) -> None:
    """End with code 1 when the office could not start: twistd itself ends with 0 then, and nobody would notice."""
    if getattr(getattr(service, "office", service), "trouble", ""):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
