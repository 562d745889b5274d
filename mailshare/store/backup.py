"""Copies of a whole store: made while it serves, and put back where a store shall be."""

from __future__ import annotations

import os
import shutil
import sqlite3

from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.store.connections import BLOBS, DATABASE, Connect, plain_connect
from mailshare.store.file_database import DirectoryLock
from mailshare.store.files import Files
from mailshare.store.migrate import stored_version


def copy_store(source: str, target: str, connect: Connect = plain_connect) -> None:
    """Copy an open or closed store to a directory that does not exist yet. Runs in a thread.

    The database is copied in one step, which a busy writer cannot restart; then the content files are linked, which is
    safe because they never change: those that came in between are merely more than the rows refer to.

    :raises ConfigFault: the target exists.
    :raises Unavailable: the copy failed; nothing is left at the target.
    """
    target = os.path.abspath(target)
    if os.path.lexists(target):
        raise ConfigFault(f"{target} exists already; a backup is made into a new directory")
    unfinished = target + ".part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        os.makedirs(unfinished, 0o700)
        _copy_database(os.path.join(source, DATABASE), os.path.join(unfinished, DATABASE), connect)
        _link_files(os.path.join(source, BLOBS), os.path.join(unfinished, BLOBS))
        _sync_tree(unfinished)
        os.rename(unfinished, target)
        Files().sync_directory(os.path.dirname(target))
    except (OSError, sqlite3.Error) as fault:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise Unavailable(f"The backup failed: {fault}", detail={"target": target}) from fault


def restore(backup: str, data: str) -> None:
    """Put a backup where a store shall be opened. UIDLs, ids and queue rows are those of the backup.

    :param backup: a directory that :meth:`IStore.backup` made; it stays as it is.
    :param data: the data directory; it must hold no store, other files in it are left alone.
    :raises ConfigFault: there is no backup, or a store is there already.
    :raises Unavailable: a server has the directory open, or the copy failed.
    """
    database = os.path.join(backup, DATABASE)
    if not os.path.isfile(database):
        raise ConfigFault(f"{backup} holds no backup: {DATABASE} is missing")
    os.makedirs(data, 0o700, exist_ok=True)
    lock = DirectoryLock(data)
    lock.take()
    try:
        if os.path.exists(os.path.join(data, DATABASE)):
            raise ConfigFault(f"{data} holds a store already; move it away first")
        _check_backup(database)
        shutil.rmtree(os.path.join(data, BLOBS), ignore_errors=True)
        _link_files(os.path.join(backup, BLOBS), os.path.join(data, BLOBS))
        unfinished = os.path.join(data, DATABASE + ".part")
        shutil.copyfile(database, unfinished)
        os.chmod(unfinished, 0o600)
        _sync_tree(data)
        os.rename(unfinished, os.path.join(data, DATABASE))
        Files().sync_directory(data)
    except (OSError, sqlite3.Error) as fault:
        raise Unavailable(f"The restore failed: {fault}", detail={"data": data}) from fault
    finally:
        lock.release()


def _check_backup(database: str) -> None:
    connection = plain_connect(f"{database}")
    try:
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok" or not stored_version(connection):
            raise ConfigFault(f"{database} is damaged or is not a store")
    finally:
        connection.close()


def _copy_database(source: str, target: str, connect: Connect) -> None:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    origin = connect(source)
    try:
        origin.execute("PRAGMA query_only=1")
        copy = plain_connect(target)
        try:
            origin.backup(copy)
            # A copy rests in one file, without a log beside it; opening it turns the log on again.
            copy.execute("PRAGMA journal_mode=DELETE")
        finally:
            copy.close()
    finally:
        origin.close()


def _link_files(source: str, target: str) -> None:
    os.makedirs(target, 0o700, exist_ok=True)
    if not os.path.isdir(source):
        return
    for day in sorted(os.listdir(source)):
        os.makedirs(os.path.join(target, day), 0o700, exist_ok=True)
        for name in os.listdir(os.path.join(source, day)):
            place = os.path.join(target, day, name)
            original = os.path.join(source, day, name)
            try:
                os.link(original, place)
            except OSError:
                # Another file system, or one without links: a copy does as well.
                shutil.copyfile(original, place)
                os.chmod(place, 0o600)


def _sync_tree(top: str) -> None:
    files = Files()
    for directory, _, names in os.walk(top):
        for name in names:
            descriptor = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                files.sync(descriptor)
            finally:
                files.close(descriptor)
        files.sync_directory(directory)
