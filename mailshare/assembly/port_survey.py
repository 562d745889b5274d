"""Which ports of this computer are free, who has those that are not, and what its addresses are."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Collection, Iterator

from attrs import frozen

_LISTENING = "0A"  # of /proc/net/tcp
_INODE = re.compile(r"socket:\[(\d+)\]\Z")
# Addresses for documentation (RFC 5737, RFC 3849): nothing is sent, the system only says from where it would be.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


@frozen
class Port:
    """How a port is.

    :ivar state: ``free``, ``ours`` (this server listens there), ``taken`` or ``denied`` (this user may not).
    :ivar holder: the program that has it, e.g. ``dovecot (process 812)``; empty when that cannot be told.
    """

    number: int
    state: str
    holder: str = ""


def look(number: int, ours: Collection[int], interface: str = "") -> Port:
    """Try to bind a port for a moment.

    :param ours: ports that this server listens on.
    :param interface: an address; empty = all.
    """
    if number in ours:
        return Port(number, "ours")
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((interface, number))
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                return Port(number, "denied")
            return Port(number, "taken", holder_of(number))
    return Port(number, "free")


def holder_of(number: int) -> str:
    """Who listens there, as far as the system tells this user (Linux)."""
    inodes = set(_inodes(number))
    for process in filter(str.isdigit, _listed("/proc") if inodes else ()):
        for descriptor in _listed(f"/proc/{process}/fd"):
            with contextlib.suppress(OSError):
                found = _INODE.match(os.readlink(f"/proc/{process}/fd/{descriptor}"))
                if found and found[1] in inodes:
                    with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as stream:
                        return f"{stream.read().strip()} (process {process})"
    return ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _inodes(number: int) -> Iterator[str]:
    """Of the sockets that listen on a port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as stream:
            for line in stream:
                cells = line.split()
                if len(cells) > 9 and cells[3] == _LISTENING and cells[1].endswith(f":{number:04X}"):
                    yield cells[9]


def first_free(numbers: Collection[int], ours: Collection[int], interface: str = "") -> Port:
    """The first of these ports that can be had, or the first of all when none can."""
    looked = [look(number, ours, interface) for number in numbers]
    return next((one for one in looked if one.state in ("free", "ours")), looked[0])


def own_addresses() -> tuple[str, ...]:
    """The addresses that this computer sends from, and so is reached by; nobody's name is looked up for it."""
    found = []
    for family, elsewhere in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.connect((elsewhere, 9))
            found.append(str(trial.getsockname()[0]))
    return tuple(dict.fromkeys(one for one in found if _reaches(one)))


def _reaches(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def suggested_name() -> str:
    """What this computer might be called by others: its full name, else the one of multicast DNS."""
    own = socket.gethostname().rstrip(".").casefold()
    if "." in own and not own.startswith("localhost"):
        return own
    return f"{own}.local" if own and own != "localhost" else "mailshare.local"


def network_of(address: str) -> str:
    """The network that an address most likely lies in: /24, and /64 for IPv6."""
    prefix = 64 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
