"""A backup takes the place of the store of an office that runs, and gives it back when it does not open."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable

from mailshare.assembly.opening import store_directory
from mailshare.config import Config
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.store.backup import restore
from mailshare.store.connections import DATABASE, plain_connect


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
        words = f"{reason}. Give the folder that mailshare backup made; nothing was changed"
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
