"""The manager in an office: the pages and the API introduced to the acts, to those who may log in, and to listeners."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from twisted.logger import Logger

from mailshare.assembly.doorkeeping import Doorkeeping
from mailshare.assembly.housekeeping import MANAGER, note_copy
from mailshare.assembly.opening import Threads, zone_of
from mailshare.assembly.own_authority import OwnAuthority
from mailshare.config import Config
from mailshare.core.errors import ConfigFault
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore
from mailshare.portal.passwords import generated
from mailshare.shell.limits import ConnectionLimits

if TYPE_CHECKING:
    from mailshare.assembly.acts import Acts
    from mailshare.assembly.first_run import FirstRun
    from mailshare.web.manager_service import Manager

_MINUTE = 60 * SECOND
_SHORTLY = 0.5  # seconds


class WebRoom:
    """Builds the manager when the first ``web`` listener is opened; an office without one imports nothing of it."""

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        acts: Callable[[], Acts],
        keeping: Doorkeeping,
        config: Callable[[], Config],
        threads: Threads,
        *,
        own: OwnAuthority,
        start_over: Callable[[Callable[[], Callable[[], None]]], None],
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._acts = acts
        self._keeping = keeping
        self._config = config
        self._threads = threads
        self._own = own
        self._start_over = start_over
        self._manager: Manager | None = None

    async def open(self, config: Config) -> None:
        """Begin, before any listener does: what it shows of itself is made anew where that is due."""
        self.follow(config)
        await self._own.open()

    def close(self) -> None:
        """End what goes by the clock."""
        self._own.close()

    def follow(self, config: Config) -> None:
        """Take over what a changed configuration says."""
        self._keeping.sessions.lock_after = config.tables.web.lock * _MINUTE

    def factory(self, limits: ConnectionLimits) -> Any:
        """The factory for a ``web`` listener.

        :raises ConfigFault: what pages are made with is not installed.
        """
        if self._manager is None:
            try:
                self._manager = self._made()
            except ModuleNotFoundError as error:
                words = f"the manager needs {error.name}; install mailshare with its extra: mailshare[web]"
                raise ConfigFault(words) from error
        return self._manager.site(limits)

    def tell_code(self) -> None:
        """Say where the first administrator is made, as long as there is none."""
        code = self._keeping.setup_code
        if self._manager is not None and code.needed():
            self._log.warn(
                "The manager waits for its first administrator: open /setup there and give the code {code}",
                code=code.code(),
            )

    def _made(self) -> Manager:
        from mailshare.assembly.administering import Administering  # noqa: PLC0415 - only where there is a manager
        from mailshare.assembly.served_handouts import ServedHandouts  # noqa: PLC0415 - as above
        from mailshare.web.manager_service import Manager  # noqa: PLC0415 - as above
        from mailshare.web.rendering import Rendering  # noqa: PLC0415 - as above
        from mailshare.web.rooms import Rooms  # noqa: PLC0415 - as above
        from mailshare.web.static_files import StaticFiles  # noqa: PLC0415 - as above

        keeping, static = self._keeping, StaticFiles()
        rooms = Rooms(
            office=Administering(self._acts(), self._store, self._now),
            administrators=keeping.administrators,
            sessions=keeping.sessions,
            tokens=keeping.tokens,
            setup_code=keeping.setup_code,
            rendering=Rendering(static, zone_of(self._config()), self._now),
            static=static,
            reactor=self._reactor,
            hosts=self._hosts,
            version=version("mailshare"),
            password=lambda: generated(os.urandom),
            new_file=self._new_file,
            copy=self._copy,
            free=self._free,
            first_run=self.first_run(),
            handouts=ServedHandouts(self._config, self._store.directory.current),
            links=keeping.links,
        )
        keeping.left = lambda name: rooms.end_streams([name])
        return Manager(rooms, self._threads.run)

    def first_run(self) -> FirstRun:
        """What the first run asks of this computer, for pages and for the command."""
        from mailshare.assembly.first_run import FirstRun  # noqa: PLC0415 - few ask

        return FirstRun(
            self._store,
            self._reactor,
            self._config,
            self._own,
            self._threads,
            reload=lambda: self._acts().reload(),
            exchange=self._exchange,
        )

    def _new_file(self) -> BinaryIO:
        """A file in a folder of the office's own. It has no name there, so even a kill leaves nothing."""
        folder = os.path.join(self._config().data, "uploads")
        os.makedirs(folder, 0o700, exist_ok=True)
        made: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - whoever asked for it closes it
        return cast("BinaryIO", made)

    def _free(self) -> int:
        """A third of what is free: a document lies there, is unpacked beside itself, and mail goes on coming."""
        room = os.statvfs(self._config().data)
        return room.f_bavail * room.f_frsize // 3

    async def _copy(self) -> BinaryIO:
        """A consistent copy of the store and the configuration file, packed; without the key of sealed passwords."""
        config = self._config()
        packed = self._new_file()
        place = os.path.join(config.data, "uploads", f"copy-{os.urandom(8).hex()}")
        try:
            await self._store.backup(place)
            await self._threads.run(lambda: pack(place, config.path, packed))
            await note_copy(self._store, self._now(), MANAGER)
        except BaseException:
            packed.close()
            raise
        finally:
            await self._threads.run(lambda: shutil.rmtree(place, ignore_errors=True))
        return packed

    def _exchange(self) -> None:
        """Start over with the store that was checked, when the answer to who asked for it is on its way."""
        from mailshare.assembly.restoring import put_in_place  # noqa: PLC0415 - few do

        self._reactor.callLater(_SHORTLY, self._start_over, lambda: put_in_place(self._config()))

    def _now(self) -> int:
        return int(self._reactor.seconds() * SECOND)

    def _hosts(self) -> frozenset[str]:
        tables = self._config().tables
        return frozenset(name.casefold().rstrip(".") for name in (tables.server.hostname, *tables.web.names))


def pack(copy: str, config: str, into: BinaryIO) -> None:
    """Put a copy of a store and a configuration file into one packed file, and go back to its beginning.

    ``mailshare restore`` takes the folder ``store`` of it.
    """
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=1) as archive:
        archive.add(copy, "mailshare-backup/store")
        if os.path.exists(config):
            archive.add(config, "mailshare-backup/mailshare.toml")
    into.seek(0)
