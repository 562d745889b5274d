"""The private authority of this office, kept with the store and its key sealed, and the certificate it is for."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from mailshare.config import Config
from mailshare.core.errors import ConfigFault, MailshareError
from mailshare.core.values import SECOND
from mailshare.interfaces import ISettings
from mailshare.isp.secrets import SealingKey

if TYPE_CHECKING:
    from mailshare.shell.private_authority import Root

_LOOKS = 12 * 3600.0  # seconds between two looks at the certificate
_LEAF = "mailshare.pem"


def certificates_directory(config: Config, kind: str) -> str:
    """Where the certificates of a kind lie; all that lies there is served."""
    return os.path.join(config.data, "tls", kind)


def own_names(config: Config) -> tuple[str, ...]:
    """What the server's certificate is made out for: its names, and its addresses of now."""
    from mailshare.assembly.port_survey import own_addresses  # noqa: PLC0415 - no start needs it

    tables = config.tables
    hosts = (tables.server.hostname, *tables.web.names)
    return tuple(dict.fromkeys([*(one.casefold() for one in hosts), *own_addresses()]))


class OwnAuthority:
    """Makes the authority when it is wanted, and certificates as long as it is chosen.

    :param config: gives the configuration of now.
    """

    _log = Logger()

    def __init__(self, settings: ISettings, key: SealingKey, reactor: Any, config: Callable[[], Config]) -> None:
        self._settings = settings
        self._key = key
        self._reactor = reactor
        self._config = config
        self._looks = LoopingCall(self.renew)
        self._looks.clock = reactor

    async def open(self) -> None:
        """See to the certificate before anybody is shown one, and twice a day from then on."""
        await self.renew()
        self._looks.start(_LOOKS, now=False)

    def close(self) -> None:
        """Look no more."""
        if self._looks.running:
            self._looks.stop()

    async def renew(self) -> None:
        """Make a new certificate when the one in use is soon over, lost, or lacks a name; trouble is logged."""
        config = self._config()
        if config.chosen.kind != "authority":
            return
        try:
            await self._renewed(config)
        except (MailshareError, OSError) as error:
            reason = error.public if isinstance(error, MailshareError) else str(error)
            self._log.error("the server's certificate was not renewed: {reason}", reason=reason)

    async def _renewed(self, config: Config) -> None:
        from mailshare.shell import private_authority  # noqa: PLC0415 - only where this is chosen

        root = await self.root()
        if root is None:
            raise ConfigFault("The private authority is not there any more; choose certificates again in the manager")
        names = tuple(one for one in own_names(config) if private_authority.covers(root.certificate, one))
        if not private_authority.stale(self._served(config), root.certificate, names, self._now()):
            return
        self._write(config, private_authority.issue(root, names, self._now()))
        self._log.info("the server has a new certificate for {names}", names=", ".join(names))

    def _served(self, config: Config) -> str:
        """The PEM file in use; empty when there is none."""
        try:
            with open(os.path.join(certificates_directory(config, "authority"), _LEAF), encoding="ascii") as stream:
                return stream.read()
        except (OSError, ValueError):
            return ""

    def _write(self, config: Config, pem: str) -> None:
        write_pem(certificates_directory(config, "authority"), pem)

    async def prepare(self, config: Config) -> str:
        """An authority that may vouch for the names of a configuration, and a certificate of it.

        The authority of before is kept when it may; else whoever trusted it has to be told of the new one.

        :returns: the directory of the certificate.
        """
        from mailshare.shell import private_authority  # noqa: PLC0415 - as above

        names = own_names(config)
        try:
            root = await self.root()
        except ConfigFault:
            root = None  # sealed with a key that is gone: nothing can be made of it any more
        if root is None or not private_authority.lasts(root.certificate, names, self._now()):
            root = private_authority.make_root(config.tables.server.hostname, names, self._now())
            kept = {"certificate": root.pem, "key": self._key.seal(root.key)}
            await self._settings.put("office", "authority", kept)
        if private_authority.stale(self._served(config), root.certificate, names, self._now()):
            self._write(config, private_authority.issue(root, names, self._now()))
        return certificates_directory(config, "authority")

    async def root(self) -> Root | None:
        """The authority, if one was ever made.

        :raises ConfigFault: it cannot be read.
        """
        from mailshare.shell.private_authority import read_root  # noqa: PLC0415 - as above

        found = await self._settings.get("office", "authority")
        if found is None:
            return None
        kept: Any = found[0]
        return read_root(kept["certificate"], self._key.unseal(kept["key"]))

    def _now(self) -> int:
        return int(self._reactor.seconds() * SECOND)


def write_pem(directory: str, pem: str) -> None:
    """Put key and certificate where the server takes them from, whole or not at all."""
    os.makedirs(directory, 0o700, exist_ok=True)
    path = os.path.join(directory, _LEAF)
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(f"{path}.new", path)
