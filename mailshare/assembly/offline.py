"""Acts on the store while no server runs: for the commands."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from mailshare.assembly.acts import Acts
from mailshare.assembly.declared import DeclaredObjects
from mailshare.assembly.doorkeeping import Doorkeeping
from mailshare.assembly.mail_room import collecting_limits, provider_doors
from mailshare.assembly.opening import Threads, build_hasher, build_store, store_directory, zone_of
from mailshare.assembly.sealing import sealing_key
from mailshare.config import Config
from mailshare.core.errors import ConfigFault, Unavailable
from mailshare.interfaces import IStore
from mailshare.isp.probing import Probe
from mailshare.isp.secrets import Secrets
from mailshare.portal.last_seen import LastSeen
from mailshare.portal.passwords import Passwords
from mailshare.portal.throttle import Throttle
from mailshare.web.operations import BY_NAME

_DEADLINE = 600.0


def act_offline(config: Config, name: str, arguments: dict[str, Any]) -> Any:
    """Open the store, do one operation, close it.

    :raises MailshareError: what the operation or the store says; Unavailable when a server has the store open.
    """
    from twisted.internet import reactor as installed  # noqa: PLC0415 - a command has only this one

    reactor: Any = installed
    if not getattr(reactor, "running", False):
        # The reactor of a command lives in a thread, because it cannot be started twice and a command may ask twice.
        threading.Thread(target=reactor.run, args=(False,), daemon=True).start()
    return blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(_act(config, reactor, name, arguments)))


async def _act(config: Config, reactor: Any, name: str, arguments: dict[str, Any]) -> Any:
    store = build_store(config, reactor)
    threads = Threads(reactor, 1)
    await store.open()
    threads.start()
    try:
        # What the file declares counts for commands as it does for the server; nobody logs in, so no password is read.
        await DeclaredObjects(store, None, sealing_key(config), _micros).sync(config)
        acts = Acts(
            store,
            zone=zone_of(config),
            hasher=build_hasher(Passwords(threads.run, os.urandom)),
            seal=sealing_key(config).seal,
            clock=_micros,
            config=lambda: config,
            probe=_probe(config, reactor, store),
        )
        keeping = Doorkeeping(
            store, reactor, Passwords(threads.run, os.urandom), Throttle(), LastSeen(store.settings, _micros)
        )
        await keeping.load()
        acts.doorkeepers = keeping.for_acts(running=False)
        result = await getattr(acts, name)(**arguments)
        if BY_NAME[name].audited:
            await acts.audit(name, arguments)
        return result
    finally:
        threads.stop()
        await store.close()


def _micros() -> int:
    return time.time_ns() // 1000


def _probe(config: Config, reactor: Any, store: IStore) -> Probe:
    secrets = Secrets(
        store.directory, environment=os.environ, base=config.directory, key=sealing_key(config), reactor=reactor
    )
    return Probe(provider_doors(config, reactor, secrets), collecting_limits(config))


def restore_store(config: Config, copy: str) -> str:
    """Put a copy made by ``backup`` in the place of the store.

    :returns: where the old store lies now, or empty when there was none.
    :raises ConfigFault: the copy is none, or a server runs.
    """
    if not any(name.endswith((".db", ".sqlite", ".sqlite3")) for name in os.listdir(copy)):
        raise ConfigFault(f"{copy} holds no copy of a store; give the directory that mailshare backup made")
    place = store_directory(config)
    if os.path.exists(place):
        try:
            act_offline(config, "days", {})
        except Unavailable as error:
            raise ConfigFault(f"The store cannot be replaced now: {error.public}") from error
    fresh = f"{place}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(copy, fresh)
    os.chmod(fresh, 0o700)
    old = ""
    if os.path.exists(place):
        old = f"{place}.before-{time.strftime('%Y%m%dT%H%M%S')}"
        os.rename(place, old)
    os.rename(fresh, place)
    return old
