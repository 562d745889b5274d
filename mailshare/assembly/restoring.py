"""A backup takes the place of the store of an office that runs, and gives it back when it does not open."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sqlite3
import tarfile
import time
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

from mailshare.assembly.opening import store_directory
from mailshare.config import Config
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.store.backup import restore
from mailshare.store.connections import BLOBS, DATABASE, plain_connect

_PLACE = re.compile(
    rf"mailshare-backup/store/({re.escape(DATABASE)}|{BLOBS}/[0-9A-Za-z-]{{1,40}}/[0-9A-Za-z._-]{{1,200}})"
)
"""What of a saved copy is taken: the store. Folders are made as they are needed, everything else is left out."""
_RESERVE = 64 << 20  # octets of the disk that are left free
_PIECE = 1 << 18
_LONGEST = 1 << 20
_MOST_FILES = 20_000_000


def checked_file(config: Config, packed: BinaryIO) -> None:
    """Unpack a copy that the manager saved, and go on as :func:`checked_copy` does. Runs in a thread.

    No name of the file leads anywhere else than into an empty folder of ours; what it grows to is bounded by the disk.

    :raises ConfigFault: it is none, damaged, or too large; nothing of it is left then.
    """
    place = f"{store_directory(config)}.unpacked"
    shutil.rmtree(place, ignore_errors=True)
    try:
        unpacked(packed, place)
        checked_copy(config, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def unpacked(packed: BinaryIO, place: str) -> None:
    """The store of a saved copy as a folder.

    :raises ConfigFault: it is no such file, is damaged, or does not fit.
    """
    found = 0
    try:
        os.makedirs(place, 0o700)
        careful: Any = _Careful(packed)
        reading: Any = tarfile.open(fileobj=careful, mode="r:")  # noqa: SIM115 - closed below
        with reading as archive:
            for number, one in enumerate(archive):
                if number > _MOST_FILES:
                    raise ConfigFault("The file holds more than any store does; nothing was changed")
                named = _PLACE.fullmatch(one.name)
                if one.isreg() and named is not None:
                    _written(archive, one, os.path.join(place, named[1]))
                    found += 1
                archive.members = []  # or the list of all names would grow in memory
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        reason = str(error) or "it ends too early"
        raise ConfigFault(f"The file cannot be unpacked: {reason}. Nothing was changed") from error
    if not found:
        raise ConfigFault("The file holds no copy of a store; give one that was saved under Settings")


class _Careful:
    """The octets of a packed file; names and notes in it that are long enough to fill the memory are refused."""

    def __init__(self, packed: BinaryIO) -> None:
        self._stream = gzip.GzipFile(fileobj=packed)
        self.seek, self.tell = self._stream.seek, self._stream.tell

    def read(self, most: int) -> bytes:
        """So many octets; :mod:`tarfile` asks for the whole of what stands before a file."""
        if most > _LONGEST:
            raise tarfile.ReadError("it has a name that is too long")
        return self._stream.read(most)


def _written(archive: tarfile.TarFile, one: tarfile.TarInfo, path: str) -> None:
    """One file of it.

    :raises ConfigFault: the disk would be full.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    room = os.statvfs(os.path.dirname(path))
    if one.size > room.f_bavail * room.f_frsize - _RESERVE:
        raise ConfigFault("The backup does not fit on the disk of the server; nothing was changed")
    source = archive.extractfile(one)
    assert source is not None
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with source, open(descriptor, "wb") as target:
        shutil.copyfileobj(source, target, _PIECE)


def checked_copy(config: Config, directory: str) -> None:
    """Copy a backup beside the store, and look at the copy. Runs in a thread.

    :raises ConfigFault: it is none, or damaged; nothing of it is left then.
    """
    fresh = _fresh(config)
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        restore(directory, fresh)
        _looked_through(fresh)
    except (MailshareError, OSError, sqlite3.Error) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        reason = error.public if isinstance(error, MailshareError) else str(error)
        words = f"{reason}. Give a copy of mailshare backup, or one that was saved under Settings; nothing was changed"
        raise ConfigFault(words) from error


def _looked_through(fresh: str) -> None:
    """The whole database, which a look at its beginning does not tell.

    :raises ConfigFault: it is damaged somewhere.
    """
    connection = plain_connect(os.path.join(fresh, DATABASE))
    try:
        said = connection.execute("PRAGMA integrity_check(3)").fetchall()
        if said != [("ok",)]:
            raise ConfigFault(f"The backup is damaged: {said[0][0]}")
    finally:
        connection.close()


def _fresh(config: Config) -> str:
    return f"{store_directory(config)}.restored"


def put_in_place(config: Config) -> Callable[[], None]:
    """Let the checked copy be the store; the store must be closed.

    :returns: what takes that back.
    """
    place = store_directory(config)
    old = f"{place}.before-{time.strftime('%Y%m%dT%H%M%S')}"
    os.rename(place, old)
    os.rename(_fresh(config), place)

    def back() -> None:
        shutil.rmtree(place, ignore_errors=True)
        os.rename(old, place)

    return back
