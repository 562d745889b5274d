"""The machine's own secret, in a file that only the server may read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from mailshare.core.errors import ConfigFault

_OCTETS = 32


def data_directory(path: str) -> str:
    """Make the data directory when it is not there, for the owner alone.

    :raises ConfigFault: it cannot be.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigFault(f"the data directory {path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigFault(f"the data directory {path} cannot be written by this user")
    return path


def machine_key(directory: str, random: Callable[[int], bytes]) -> bytes:
    """32 octets that stay the same as long as the data directory does.

    :raises ConfigFault: the file is damaged.
    """
    path = os.path.join(directory, "machine.key")
    with contextlib.suppress(FileNotFoundError):
        with open(path, "rb") as stream:
            key = stream.read()
        if len(key) != _OCTETS:
            raise ConfigFault(f"{path} is damaged: delete it, a new one is made")
        return key
    key = random(_OCTETS)
    # Under its name only when it is whole: a kill in the midst must not keep the next start from going on.
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(f"{path}.new", path)
    return key
