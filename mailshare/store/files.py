"""Every call of the operating system that the store makes on files, in one place, so that tests can let them fail."""

from __future__ import annotations

import errno
import os

from mailshare.core.errors import MailshareError, StorageFull, StoreReadOnly

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def storage_fault(fault: OSError) -> MailshareError:
    """Turn what the operating system says into the store's own errors."""
    detail = {"errno": errno.errorcode.get(fault.errno or 0, ""), "text": str(fault)}
    return StorageFull(detail=detail) if fault.errno in _FULL else StoreReadOnly(detail=detail)


class Files:
    """The operating system's files. All calls may raise OSError."""

    def make_directory(self, path: str) -> bool:
        """Make a directory for the owner alone; False when it is there already."""
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            return False
        return True

    def create(self, path: str) -> int:
        """Make a new file for the owner alone and give its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data; the number of octets that were taken."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Put a file's octets on stable storage."""
        os.fsync(descriptor)

    def sync_log(self, descriptor: int) -> None:
        """Put a database's log on stable storage: its octets, and its size where that has grown."""
        getattr(os, "fdatasync", os.fsync)(descriptor)

    def sync_segment(self, descriptor: int) -> None:
        """Put a file on stable storage that has grown: its octets, and what of the rest is needed to read them."""
        getattr(os, "fdatasync", os.fsync)(descriptor)

    def fill(self, descriptor: int, data: bytes, offset: int) -> int:
        """Write some of the data at that place; the number of octets that were taken."""
        return os.pwrite(descriptor, data, offset)

    def close(self, descriptor: int) -> None:
        """Let go of a file."""
        os.close(descriptor)

    def unlink(self, path: str) -> None:
        """Take a file away; one that is not there is no fault."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return

    def sync_directory(self, path: str) -> None:
        """Put a directory's names on stable storage."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def age_and_size(self, path: str) -> tuple[float, int]:
        """When a file was written last, seconds UTC, and its octets."""
        found = os.stat(path)
        return found.st_mtime, found.st_size

    def free_octets(self, path: str) -> int:
        """What an unprivileged process may still write there."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize


def write_all(files: Files, descriptor: int, data: bytes) -> None:
    """Write until all is taken.

    :raises OSError: also when the system takes nothing, so that a short write is never mistaken for a whole one.
    """
    view = memoryview(data)
    while view:
        view = view[_taken(files.write(descriptor, view)) :]


def fill_all(files: Files, descriptor: int, data: bytes, offset: int) -> None:
    """Write at that place until all is taken.

    :raises OSError: as :func:`write_all`.
    """
    done = _taken(files.fill(descriptor, data, offset))
    while done < len(data):
        done += _taken(files.fill(descriptor, data[done:], offset + done))


def _taken(octets: int) -> int:
    if octets <= 0:
        raise OSError(errno.EIO, "nothing was written")
    return octets
