"""Has imported the whole program, and forks a ``twistd`` or ``mailshare`` for each order that ``warm.py`` gives.

An order is one packet on the socket that is standard input: JSON (``argv``, ``environment``, ``folder``) with four
descriptors: the program's standard input, output and error, and a socket that hears its process id and its status.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import gc
import json
import os
import random
import select
import signal
import socket
import sys
import time
import types
from contextlib import suppress

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, prctl(2)
STAND_IN = "twisted.internet.reactor"
# Klein wants a reactor when it is imported. Each program makes its own, so this one only has to be there for a moment.
sys.modules[STAND_IN] = types.ModuleType(STAND_IN)
import klein  # noqa: E402, F401
import twisted.application.app  # noqa: E402
import twisted.internet.endpoints  # noqa: E402
from twisted.scripts import twistd  # noqa: E402

import mailshare.assembly.acts  # noqa: E402
import mailshare.assembly.handing_out  # noqa: E402
import mailshare.assembly.office  # noqa: E402
import mailshare.assembly.offline  # noqa: E402
import mailshare.assembly.print_room  # noqa: E402
import mailshare.config.export  # noqa: E402
import mailshare.isp.imap_session  # noqa: E402
import mailshare.isp.imap_watch  # noqa: E402
import mailshare.printing.http  # noqa: E402
import mailshare.store.sqlite  # noqa: E402
import mailshare.tap  # noqa: E402
import mailshare.web.control  # noqa: E402, F401
import twisted.plugins  # noqa: E402, F401
from mailshare.cli import main as mailshare_command  # noqa: E402
from mailshare.cli.control_socket import over_socket  # noqa: E402, F401

del sys.modules[STAND_IN]


def become(order: dict[str, object], descriptors: list[int]) -> None:
    """Be that program, in a session of its own; never comes back."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL if number is signal.SIGCHLD else signal.SIG_IGN)
    os.setsid()
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)  # nothing outlives tests that were cut off
    for place, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, place)
    os.closerange(3, 64)
    environment, argv = order["environment"], order["argv"]
    assert isinstance(environment, dict)
    assert isinstance(argv, list)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(order["folder"]))
    time.tzset()
    random.seed()
    sys.argv = argv
    sys.stdin, sys.stdout = open(0), open(1, "w", buffering=1)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    status = 0
    try:
        (twistd.run if os.path.basename(argv[0]) == "twistd" else mailshare_command)()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Programs:
    """Those that were forked."""

    def __init__(self) -> None:
        self.orders = socket.socket(fileno=0)
        self.ended, ended = socket.socketpair()
        ended.setblocking(False)
        self.wake = ended
        self.listeners: dict[int, socket.socket] = {}
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ended.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Fork for each order, until there can come no more."""
        while True:
            ready, _, _ = select.select([self.orders, self.ended], [], [])
            if self.ended in ready:
                self.ended.recv(4096)
                self.collect()
            if self.orders in ready and not self.order():
                return

    def order(self) -> bool:
        """Take one."""
        text, ancillary, _, _ = self.orders.recvmsg(1 << 18, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not text:
            return False
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        child = os.fork()
        if not child:
            become(json.loads(text), list(descriptors))
        listener = socket.socket(fileno=descriptors[3])
        for descriptor in descriptors[:3]:
            os.close(descriptor)
        self.listeners[child] = listener
        listener.send(f"{child}".encode())
        return True

    def collect(self) -> None:
        """Tell of those that ended."""
        while self.listeners:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                return
            listener = self.listeners.pop(child)
            with suppress(OSError):  # who started it does not want to know any more
                listener.send(f"{os.waitstatus_to_exitcode(status)}".encode())
            listener.close()


gc.freeze()
Programs().run()
