"""Tells systemd how the server is: datagrams to the socket named in NOTIFY_SOCKET, nothing when there is none.

Source: sd_notify(3), systemd.service(5) ``Type=notify-reload``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class SystemdNotifier:
    """The notifications of one server.

    :param environment: where ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` are looked up.
    :param monotonic: microseconds of the monotonic clock, which a reload must tell.
    """

    _log = Logger()

    def __init__(self, environment: Mapping[str, str], reactor: IReactorTime, monotonic: Callable[[], int]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # A leading @ names a socket without a file (unix(7), abstract sockets).
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self._monotonic = monotonic
        self._watchdog = LoopingCall(self._send, "WATCHDOG=1")
        self._watchdog.clock = reactor
        period = environment.get("WATCHDOG_USEC", "")
        self._period = int(period) / 2_000_000 if period.isascii() and period.isdigit() else 0.0

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.connect(self._address)
                out.sendall(text.encode("utf-8"))
        except OSError as error:
            self._log.warn("systemd cannot be told {text}: {error}", text=text, error=error)

    def ready(self, status: str) -> None:
        """Everything is open and listens."""
        self._send(f"READY=1\nSTATUS={status}")
        if self._period and self._address and not self._watchdog.running:
            self._watchdog.start(self._period, now=True)

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """The configuration is being read again; :meth:`ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={self._monotonic()}")

    def stopping(self) -> None:
        """The server goes down in good order."""
        if self._watchdog.running:
            self._watchdog.stop()
        self._send("STOPPING=1")
