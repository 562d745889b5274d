"""An office: everything that one configuration file starts, as one Twisted service."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from mailshare.assembly.acts_on_need import ActsOnNeed
from mailshare.assembly.causes import cause_of
from mailshare.assembly.control_door import ControlDoor
from mailshare.assembly.declared import DeclaredObjects, Synced
from mailshare.assembly.document_room import DocumentRoom
from mailshare.assembly.doorkeeping import Doorkeeping
from mailshare.assembly.early_ports import EarlyPorts
from mailshare.assembly.entrance import Entrance
from mailshare.assembly.extensions import Extensions
from mailshare.assembly.fax_room import FaxRoom
from mailshare.assembly.housekeeping import Housekeeping
from mailshare.assembly.journal_room import JournalRoom
from mailshare.assembly.keys import data_directory
from mailshare.assembly.listening import PATIENCE, Listeners
from mailshare.assembly.mail_room import MailRoom
from mailshare.assembly.notify import SystemdNotifier
from mailshare.assembly.office_parts import Parts
from mailshare.assembly.opening import Threads, build_hasher, build_store, zone_of
from mailshare.assembly.own_authority import OwnAuthority
from mailshare.assembly.print_door import PrintDoor
from mailshare.assembly.pulse import Pulse
from mailshare.assembly.reading_again import read_again
from mailshare.assembly.restart_keys import needs_restart
from mailshare.assembly.sealing import sealing_key
from mailshare.assembly.serving import factories
from mailshare.assembly.shapes import moment
from mailshare.assembly.signals import Hangup
from mailshare.assembly.web_room import WebRoom
from mailshare.config import Config
from mailshare.core.errors import ConfigFault, LocalFault, MailshareError, Unavailable
from mailshare.core.values import SECOND, Account, Event
from mailshare.extend import Surroundings
from mailshare.interfaces import IAgent, IGateway, IStore
from mailshare.isp.secrets import SealingKey
from mailshare.journal.counting import Watching
from mailshare.portal.passwords import Passwords
from mailshare.status import AccountStatus, Indicators

if TYPE_CHECKING:
    from mailshare.assembly.acts import Acts
    from mailshare.web.handout import Handout

__all__ = ["Office", "read_again"]
_SOCKET_PATH = 100  # octets; sun_path holds 108 on Linux and 104 on the BSDs


class Office(Service):
    """Runs a configuration.

    :param reload_config: gives the configuration of now, for SIGHUP and ``mailshare reload``.
    :param said: takes lines in plain words about what happens (the demonstration prints them).
    :ivar trouble: why it could not start, or empty.
    """

    name = "mailshare"
    _log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        *,
        reload_config: Callable[[], Config],
        said: Callable[[str], None] | None = None,
    ) -> None:
        self.config = config
        self._reactor = reactor
        self._reload_config = reload_config
        self._said = said
        self._parts: Parts | None = None
        self._since = 0
        self._reload_error = ""
        self._reloaded = 0
        self._one_reload = DeferredLock()
        self._early = EarlyPorts(reactor)
        self._early_fault: CannotListenError | None = None
        self._hangup = Hangup(reactor, self._reload_for_signal)
        self._systemd = SystemdNotifier(os.environ, reactor, lambda: time.monotonic_ns() // 1000)
        self.started: Deferred[None] | None = None
        self.trouble = ""

    # ------------------------------------------------------------------ start

    def privilegedStartService(self) -> None:
        """Bind ports below 1024; twistd calls this before it becomes the user of ``--uid``."""
        super().privilegedStartService()
        try:
            self._early.bind(self.config)
        except CannotListenError as fault:
            self._early_fault = fault

    def startService(self) -> None:
        """Begin to start; :attr:`started` fires when every listener is bound and the store is open.

        When that fails the sentence is logged and the reactor stops.
        """
        super().startService()
        self.started = Deferred.fromCoroutine(self._start())
        self.started.addErrback(self._failed)

    def _failed(self, failure: Any) -> None:
        self.trouble = cause_of(failure.value)
        if failure.check(MailshareError, CannotListenError) and not failure.check(LocalFault):
            self._log.critical("mailshare cannot start: {reason}", reason=self.trouble)
        else:
            self._log.failure("mailshare cannot start: {reason}", failure=failure, reason=self.trouble)
        self._reactor.callLater(0, self._give_up)

    def _give_up(self) -> None:
        if getattr(self._reactor, "running", False):
            self._reactor.stop()

    async def _start(self) -> None:
        try:
            await self._open()
        except BaseException:
            # Whoever embeds an office may go on without it: no port, socket, store or thread of it stays.
            await self._close(0)
            raise

    async def _open(self) -> None:
        config, reactor = self.config, self._reactor
        if self._early_fault is not None:
            raise self._early_fault
        for warning in config.warnings:
            self._log.warn("{warning}", warning=str(warning))
        data_directory(config.data)
        if len(os.fsencode(config.control_socket)) > _SOCKET_PATH:
            raise ConfigFault(f"the path {config.control_socket} is too long for a socket; choose a shorter data")
        store = build_store(config, reactor, patience=PATIENCE)
        await store.open()
        threads = Threads(reactor, config.tables.limits.threads)
        threads.start()
        try:
            self._parts = parts = self._build(store, threads)
        except BaseException:
            threads.stop()
            await store.close()
            raise
        synced = await parts.declared.sync(config)
        self._complain(synced)
        parts.control = parts.door.listen(config.control_socket)
        await parts.room.public_rate.recover(store.events)
        await parts.entrance.device_rate.recover(store.events)
        parts.entrance.follow(config)
        await parts.keeping.load()
        await parts.web.open(config)
        await parts.printing.open()
        await parts.listeners.keep(await parts.listeners.prepare(config, PATIENCE), 0)
        parts.printing.announce(config, parts.listeners.places())
        await parts.room.open()
        await parts.fax.open()
        self._since = int(reactor.seconds() * SECOND)
        parts.room.queue.startService()
        parts.room.timetable.startService()
        if (await store.settings.get("office", "paused") or (False, 0))[0]:
            parts.room.timetable.pause()
        parts.room.listening.startService()
        parts.room.weekly.startService()
        parts.room.clock_watch.start()
        parts.housekeeping.startService()
        parts.journal.start()
        parts.pulse.startService()
        self._hangup.install()
        await store.events.append([Event(self._since, "server.started", data={"version": version("mailshare")})])
        self._systemd.ready(self._summary(parts))
        self._log.info("mailshare is ready: {summary}", summary=self._summary(parts))
        parts.web.tell_code()

    def _build(self, store: IStore, threads: Threads) -> Parts:
        config, reactor = self.config, self._reactor
        key = sealing_key(config)
        passwords = Passwords(threads.run, os.urandom)
        extensions = Extensions(config, Surroundings(reactor, store, config.tables.server.hostname, config.data))
        zone = zone_of(config)
        journal = JournalRoom(store, reactor, config.data, zone=zone, days=config.tables.log.days, threads=threads)
        documents, drivers = DocumentRoom(config, reactor, threads.run), extensions.built("printers")
        printing = PrintDoor(
            store, reactor, config, note=journal.note, aside=threads.run, drivers=drivers, documents=documents
        )
        fax = FaxRoom(store, reactor, config, aside=threads.run, documents=documents)
        agents = [*printing.agents, *fax.agents, *extensions.built("agents")]
        room = self._mail_room(store, threads, key, agents, fax.gateways)
        fax.receive(room.intake, room.reports, room.secrets.resolve)
        printing.send_mail(room.intake, room.secrets.resolve, room.relay.largest)
        room.seen += [printing.mail_came, fax.mail_came]
        room.collected.append(fax.mail_collected)
        declared = DeclaredObjects(store, room.secrets.resolve, key, lambda: int(reactor.seconds() * SECOND))
        entrance = Entrance(
            store,
            reactor,
            passwords,
            desk=room.desk,
            declared=declared.password,
            counting=journal.counting,
            tell=journal.note,
            opened=room.mailbox_opened,
            data=config.data,
            extensions=extensions,
        )
        printing.check_logins(entrance.login)
        keeping = Doorkeeping(store, reactor, passwords, entrance.throttle, entrance.seen)
        acts = ActsOnNeed(self, store, reactor, room, hasher=build_hasher(passwords), seal=key.seal)
        keepers = keeping.for_acts(running=True)
        acts.further.update(queues=printing, printing=printing.opened, doorkeepers=keepers, fax=fax, aside=threads.run)
        fax.paper = lambda number: acts().fax_paper(number)
        own = OwnAuthority(store.settings, key, reactor, lambda: self.config)
        web = WebRoom(store, reactor, acts, keeping, lambda: self.config, threads, own=own, start_over=self._begin_anew)
        acts.further["first_run"] = web.first_run
        return Parts(
            store=store,
            threads=threads,
            room=room,
            printing=printing,
            documents=documents,
            fax=fax,
            declared=declared,
            entrance=entrance,
            listeners=Listeners(self._early, factories(entrance, printing, web)),
            housekeeping=Housekeeping(store, reactor, entrance.seen),
            journal=journal,
            acts=acts,
            pulse=Pulse(reactor, acts, journal.counting),
            door=ControlDoor(acts, reactor, threads.run),
            keeping=keeping,
            web=web,
        )

    def _mail_room(
        self, store: IStore, threads: Threads, key: SealingKey, agents: Sequence[IAgent], gateways: Sequence[IGateway]
    ) -> MailRoom:
        return MailRoom(
            store,
            self._reactor,
            self.config,
            key=key,
            aside=threads.run,
            changed=self._account_changed,
            tell=self._say,
            agents=agents,
            gateways=gateways,
        )

    def _complain(self, synced: Synced) -> None:
        for fault in synced.faults:
            self._log.error("{fault}", fault=fault)

    # ------------------------------------------------------------------ stop

    def stopService(self) -> Deferred[None]:
        """Drain: take nothing new, let sessions finish within the grace time, stop the queue, close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._systemd.stopping()
        # A reload under way ends first: what it has opened would not be closed.
        await self._one_reload.acquire()
        self._one_reload.release()
        if await self._close(self.config.tables.server.grace):
            self._log.info("mailshare has stopped")

    async def _close(self, grace: float) -> bool:
        """Take down what is up; tells whether anything was."""
        self._hangup.remove()
        self._early.close()
        parts, self._parts = self._parts, None
        if parts is None:
            return False
        await parts.pulse.stopService()
        parts.room.clock_watch.stop()
        await parts.printing.silence()
        await parts.listeners.stop_accepting()
        await parts.room.listening.stopService()
        await _quiet(parts.room.timetable.stopService())
        await _quiet(parts.room.weekly.stopService())
        parts.room.stop_collecting()
        await parts.listeners.drain(grace)
        await parts.room.queue.stopService()
        await parts.fax.close()
        await parts.printing.close()
        await parts.documents.close()
        parts.room.relay.close()
        await parts.housekeeping.stopService()
        await parts.journal.stop()
        parts.door.close()
        parts.web.close()
        if parts.control is not None:
            await parts.control.stopListening()
        await parts.store.close()
        parts.threads.stop()
        return True

    # ------------------------------------------------------------------ start over

    def _begin_anew(self, swap: Callable[[], Callable[[], None]]) -> None:
        starting = Deferred.fromCoroutine(self.start_over(swap))
        starting.addErrback(self._failed)

    async def start_over(self, swap: Callable[[], Callable[[], None]]) -> None:
        """Stop, put something else in the place of the store, and start; if that fails, with what was there before.

        :param swap: changes the store when it is closed, and returns what takes that back.
        """
        await self._one_reload.acquire()
        try:
            await self._close(self.config.tables.server.grace)
            back = swap()
            try:
                await self._open()
            except Exception as error:  # noqa: BLE001 - whatever a foreign store is lacking, the old one is to serve again
                reason = cause_of(error)
                await self._close(0)
                back()
                await self._open()
                self._log.error("the store of before is in use: {reason}", reason=reason)
                await self.store.settings.put("office", "restore failed", reason)
        finally:
            self._one_reload.release()

    # ------------------------------------------------------------------ what the commands ask

    @property
    def acts(self) -> Acts:
        """The administrator's view.

        :raises Unavailable: the office is not up.
        """
        return self._running().acts()

    @property
    def store(self) -> IStore:
        """The open store; for programs that embed an office."""
        return self._running().store

    @property
    def up(self) -> bool:
        """Started, and not stopping."""
        return self._parts is not None and self._since > 0 and not self.trouble

    def places(self) -> Sequence[Mapping[str, object]]:
        """``service`` and ``address`` of each open listener."""
        return self._running().listeners.places()

    def handout(self, name: str) -> Handout:
        """How a user connects, for :mod:`mailshare.web.handout` to make a form of."""
        from mailshare.assembly.handing_out import describe  # noqa: PLC0415 - keeps a start quick

        return describe(self.config, self._running().store.directory.current(), name)

    def _running(self) -> Parts:
        if self._parts is None:
            raise Unavailable("The server is starting or stopping")
        return self._parts

    async def indicators(self) -> Indicators:
        """The six indicators now."""
        parts = self._running()
        return await parts.journal.indicators(parts.room)

    def watch(self) -> Watching:
        """The indicators as they change, for ``async for``; close it in the end. Nothing piles up for a slow reader."""
        return self._running().journal.counting.follow()

    def account_statuses(self) -> Sequence[AccountStatus]:
        """What each account did last, and when it runs next."""
        return self._running().room.timetable.statuses()

    def facts(self) -> Mapping[str, object]:
        """Version, listeners, times and the last trouble with the file."""
        return {
            "version": version("mailshare"),
            "since": moment(self._since),
            "paused": self._running().room.timetable.paused,
            "reloaded": moment(self._reloaded),
            "reload_error": self._reload_error,
            "listeners": self.places(),
            "store_error": self.store.trouble,
            **self._running().journal.facts(),
        }

    async def send_receive(self, account: Account, by: str = "") -> Mapping[str, object]:
        """Collect and send one account's mail now."""
        return await self._running().room.send_receive(account, by)

    async def resume(self, account: Account) -> int:
        """Use an account's ways out again, whatever paused them, and send what waits now."""
        return await self._running().room.try_again(account.id)

    async def pause(self, *, paused: bool) -> None:
        """Start no runs by time or threshold until that is taken back."""
        parts = self._running()
        await parts.store.settings.put("office", "paused", paused)
        (parts.room.timetable.pause if paused else parts.room.timetable.resume)()
        parts.pulse.changed()

    def wake(self, *, urgent: bool) -> None:
        """Rows were steered: the timetable looks at the relay's, the queue at all others."""
        parts = self._running()
        parts.room.timetable.arrived(urgent=urgent)
        parts.room.queue.wake()

    # ------------------------------------------------------------------ reload

    def _reload_for_signal(self) -> None:
        Deferred.fromCoroutine(self._reload_quietly())

    async def _reload_quietly(self) -> None:
        try:
            await self.reload()
        except MailshareError as error:
            self._log.error("the configuration was not taken over: {error}", error=error.public)

    async def reload(self) -> Mapping[str, object]:
        """Read the file again and take over what changed; what cannot be taken over whole changes nothing.

        :raises ConfigFault: what is wrong with the file, a password it refers to or a listener; the old settings
            stay in force, in the store too.
        """
        await self._one_reload.acquire()
        self._systemd.reloading()
        try:
            return await self._reload()
        except MailshareError as error:
            self._reload_error = error.public
            raise
        finally:
            self._one_reload.release()
            self._systemd.ready("reloaded" if not self._reload_error else "running with the old configuration")

    async def _reload(self) -> Mapping[str, object]:
        parts = self._running()
        config = self._reload_config()
        await parts.declared.check(config)
        change = await parts.listeners.prepare(config)
        try:
            synced = await parts.declared.sync(config)
        except BaseException:
            await parts.listeners.drop(change)
            raise
        self._complain(synced)
        restart = needs_restart(self.config, config)
        self.config = config
        parts.journal.retention.keep(config.tables.log.days)
        parts.room.follow(config)
        parts.entrance.follow(config)
        await parts.printing.follow(config)
        parts.fax.follow(config)
        parts.web.follow(config)
        opened, closed = await parts.listeners.keep(change, config.tables.server.grace)
        parts.printing.announce(config, parts.listeners.places())
        self._reload_error = "; ".join(synced.faults)
        self._reloaded = int(self._reactor.seconds() * SECOND)
        return {
            "made": synced.made,
            "changed": synced.changed,
            "disabled": synced.disabled,
            "listeners_opened": opened,
            "listeners_closed": closed,
            "needs_restart": ", ".join(restart),
            "faults": "; ".join(synced.faults),
        }

    # ------------------------------------------------------------------ telling

    def _summary(self, parts: Parts) -> str:
        directory = parts.store.directory.current()
        places = ", ".join(f"{one['service']} on {one['address']}" for one in parts.listeners.places())
        return f"{len(directory.accounts)} accounts, {len(directory.users)} users; {places}"

    def _account_changed(self, _account_id: int) -> None:
        if self._parts is not None:
            self._parts.pulse.changed()
            self._parts.journal.look(self._parts.room)

    def _say(self, text: str) -> None:
        if self._said is not None:
            self._said(f"office:   {text}")


async def _quiet(result: Awaitable[object] | None) -> None:
    if result is not None:
        await result
