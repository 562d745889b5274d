"""A process that has imported the whole server and forks a ``twistd`` for each line it reads; driven by ``warm.py``.

A server that is killed hundreds of times would else spend nearly all the time with importing. A line holds JSON:
``argv``, ``environment`` and ``log``. The answers are ``started PID`` and, in its time, ``ended STATUS``.
"""

from __future__ import annotations

import json
import os
import random
import sys
import types

STAND_IN = "twisted.internet.reactor"
# Klein wants a reactor when it is imported. Each twistd makes its own, so this one only has to be there for a moment.
sys.modules[STAND_IN] = types.ModuleType(STAND_IN)
import twisted.application.app  # noqa: E402
import twisted.internet.endpoints  # noqa: E402
from twisted.scripts import twistd  # noqa: E402

import mailshare.assembly.office  # noqa: E402 - after the stand-in
import mailshare.assembly.opening  # noqa: E402
import mailshare.store.sqlite  # noqa: E402
import mailshare.tap  # noqa: E402, F401
import twisted.plugins  # noqa: E402, F401

del sys.modules[STAND_IN]


def become(order: dict[str, object]) -> None:
    """Be that twistd, in a session of its own; never comes back."""
    os.setsid()
    log = os.open(str(order["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(descriptor, place)
    environment = order["environment"]
    assert isinstance(environment, dict)
    os.environ.update(environment)
    random.seed()
    sys.argv = list(order["argv"])  # type: ignore[call-overload]
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)  # noqa: SIM115
    status = 0
    try:
        twistd.run()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    sys.stdout.flush()
    os._exit(status)


def answer(word: str, number: int) -> None:
    """Say it on standard output."""
    os.write(1, f"{word} {number}\n".encode())


def main() -> None:
    """Fork for each line, one at a time."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(json.loads(line))
        answer("started", child)
        _, status = os.waitpid(child, 0)
        answer("ended", os.waitstatus_to_exitcode(status))


main()
