"""What a process gives up before it opens a document that a stranger sent. Linux takes it at its word; each step that
a system does not know is left out, and :func:`confine` says which hold.

- no network: a seccomp filter lets no socket be made (seccomp(2)); ``io_uring``, which could make one, neither. An
  office suite does not begin without a local socket of its own, nor beside one that was left there: where a suite is
  installed, such sockets can be made and taken away in that folder, and nobody can be spoken to through them
- no files but those of its own folder, and the system's programs, libraries and fonts for reading (landlock(7))
- bounds on processor time, memory, file size and open files (setrlimit(2)); no core
- no new privileges; it ends with the process that started it (prctl(2)), in a session of its own
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same numbers on every architecture
_ADDED_IN = ((1, 13), (2, 14), (3, 15), (5, 16))  # (version of landlock, how many rights on files it knows from then)
_READING = 0b1101  # execute, read a file, read a folder
_FILE_ONLY = 0b111  # execute, write, read: what can be done with a single file
_MACHINES = {"x86_64": (0xC000003E, 41, (42, 44, 46, 307)), "aarch64": (0xC00000B7, 198, (203, 206, 211, 269))}
"""The audit's number, that of socket, and those of connect, sendto, sendmsg and sendmmsg."""
_IO_URING_SETUP = 425
_AF_UNIX = 1
_OWN_SOCKET = 1 << 9 | 1 << 5  # Landlock's rights to make a local socket in a folder, and to take away what lies there
_FOLDERS: tuple[str, ...] = ("/usr", "/lib", "/lib64", "/bin", "/etc/fonts", "/etc/ghostscript", "/etc/papersize")
_FOLDERS += ("/etc/paperspecs", "/etc/ld.so.cache", "/etc/libreoffice", "/var/lib/ghostscript", "/var/cache/fontconfig")
_FOLDERS += ("/var/lib/libreoffice", "/var/spool/libreoffice")
_FOLDERS += ("/dev/urandom",)
_DEVICES = ("/dev/null", "/dev/zero")


def confine(
    folder: str,
    *,
    seconds: int,
    memory: int,
    octets: int,
    parent: int,
    readable: Sequence[str] = (),
    sockets: str = "",
) -> tuple[str, ...]:
    """Give up everything that working out a document does not need.

    :param folder: the only one that is written to.
    :param seconds: of processor time, for each process.
    :param memory: octets of address space, for each process.
    :param octets: of the largest file.
    :param parent: id of the process that asked for this one.
    :param readable: further files and folders to read, e.g. where Python's packages lie.
    :param sockets: a folder where local sockets may be made and taken away, with them other files of the same user;
        empty = nowhere, nor any other socket.
    :returns: which of ``death``, ``files``, ``network`` hold.
    """
    os.setsid()
    os.umask(0o077)
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, octets, octets),
        (resource.RLIMIT_NOFILE, 128, 128),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(kind, (soft, hard))
    libc = ctypes.CDLL(None, use_errno=True)
    held = []
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
        held.append("death")
        if os.getppid() != parent:  # it died before
            os.kill(os.getpid(), signal.SIGKILL)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        if _only_files_of(libc, folder, (*_FOLDERS, sys.prefix, sys.base_prefix, *readable), sockets):
            held.append("files")
        if _no_network(libc, local=bool(sockets)):
            held.append("network")
    return tuple(held)


def end_with(parent: int) -> None:
    """From now on this process ends when the one that started it does: told to no child, so each says it for itself."""
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0 and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _only_files_of(libc: ctypes.CDLL, folder: str, readable: Sequence[str], sockets: str) -> bool:
    version = libc.syscall(_LANDLOCK_CREATE, None, 0, 1)
    rights = max((count for known, count in _ADDED_IN if version >= known), default=0)
    if not rights:
        return False
    every = (1 << rights) - 1
    # From version 6 on a process can be kept from signalling those outside, and from their abstract sockets.
    asked = struct.pack("QQQ", every, 0, 3) if version >= 6 else struct.pack("Q", every)
    ruleset = libc.syscall(_LANDLOCK_CREATE, asked, len(asked), 0)
    if ruleset < 0:
        return False
    try:
        _allow(libc, ruleset, folder, every)
        for path in _DEVICES:
            _allow(libc, ruleset, path, 0b110)
        if sockets:
            _allow(libc, ruleset, sockets, _OWN_SOCKET)
        for path in readable:
            _allow(libc, ruleset, path, _READING)
        return bool(libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there: nothing to allow
    try:
        if not os.path.isdir(path):
            rights &= _FILE_ONLY
        libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _no_network(libc: ctypes.CDLL, *, local: bool) -> bool:
    """A filter of a few questions in the machine language of classic BPF: whose call, and which.

    :param local: local sockets can be made and listened at.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    audit, socket_call, speaking = machine
    kill, refuse, allow = 0x80000000, 0x00050000 | 13, 0x7FFF0000  # 13 = EACCES
    family = _AF_UNIX if local else 0xFFFFFFFF  # no family is that
    lines = [
        (0x20, 0, 0, 4),  # load the architecture
        (0x15, 1, 0, audit),  # ours: go on
        (0x06, 0, 0, kill),
        (0x20, 0, 0, 0),  # load the number of the call
    ]
    refused = (_IO_URING_SETUP, *(speaking if local else ()))
    lines += [(0x35, len(refused) + 3, 0, 0x40000000)]  # the x32 twins of all calls
    lines += [(0x15, len(refused) + 2 - place, 0, one) for place, one in enumerate(refused)]
    lines += [
        (0x15, 0, 3, socket_call),  # another call: allowed
        (0x20, 0, 0, 16),  # load its family
        (0x15, 1, 0, family),
        (0x06, 0, 0, refuse),
        (0x06, 0, 0, allow),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in lines)
    code = ctypes.create_string_buffer(program, len(program))
    filled = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(_PR_SET_SECCOMP, 2, ctypes.create_string_buffer(filled, len(filled)), 0, 0) == 0)
