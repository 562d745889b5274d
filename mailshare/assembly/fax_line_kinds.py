"""From the ``[[fax_line]]`` tables of a configuration to lines, each kind imported when there is such a one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from zope.interface import implementer

from mailshare.assembly.randomness import TOKENS
from mailshare.config import Config, Secret
from mailshare.config.fax_schema import FaxLineTable
from mailshare.core.envelope import Envelope
from mailshare.core.errors import PolicyRefusal
from mailshare.core.fax_lines import (
    DirectoryOptions,
    HttpOptions,
    HylaFAXOptions,
    LoopOptions,
    MailOptions,
    read_options,
)
from mailshare.core.sorting import Unknown, resolve_recipient
from mailshare.core.trace import TOKEN, trace_id
from mailshare.core.values import Origin, Server, Source
from mailshare.core.values.fax import FaxPage
from mailshare.extend import Finder, build_extension, installed
from mailshare.fax.pool import PooledLine
from mailshare.interfaces import IFaxLine, IFaxLineSurroundings, IIntake, IStore
from mailshare.shell.new_body import new_body

Resolve = Callable[[object], Awaitable[str]]
"""Follows the reference of a secret."""
ToPages = Callable[[bytes], Awaitable[Sequence[FaxPage]]]
"""The pages of a fax that came as a file."""


@implementer(IFaxLineSurroundings)
@frozen
class LineSurroundings:
    """What one line is built with."""

    reactor: Any
    store: IStore
    hostname: str
    data_directory: str
    directory: str
    name: str
    numbers: tuple[str, ...]
    channels: int
    secrets: Mapping[str, Secret]
    resolve: Resolve
    run_aside: Callable[[Callable[[], Any]], Awaitable[Any]]
    door: Callable[[], IIntake]
    station: str
    to_pages: ToPages

    def aside(self, act: Callable[[], Any]) -> Awaitable[Any]:
        """Run what waits for a disk."""
        return self.run_aside(act)

    async def secret(self, name: str) -> str:
        """A password or key; empty when the table does not name it."""
        reference = self.secrets.get(name)
        return await self.resolve(reference.reference()) if reference else ""


class LineKinds:
    """Builds the lines of an office.

    :param resolve: follows the references of secrets.
    :param aside: what waits for a disk runs there.
    :param door: gives the one door, for lines that go by mail.
    :param to_pages: the pages of a fax that came as a file.
    """

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        *,
        aside: Any,
        resolve: Resolve,
        door: Callable[[], IIntake],
        to_pages: ToPages,
        finder: Finder = installed,
    ) -> None:
        self._store = store
        self._reactor = reactor
        self._aside = aside
        self._resolve = resolve
        self._door = door
        self._to_pages = to_pages
        self._finder = finder

    def lines(self, config: Config) -> Sequence[PooledLine]:
        """The lines of a configuration, not started.

        :raises ConfigFault: one of an extension is not what it says.
        """
        return [PooledLine(self._line(one, config), one.calls) for one in config.tables.fax_line]

    def _line(self, table: FaxLineTable, config: Config) -> IFaxLine:
        own = LineSurroundings(
            self._reactor,
            self._store,
            config.tables.server.hostname,
            config.data,
            config.directory,
            table.name,
            table.numbers,
            table.channels,
            table.secrets,
            self._resolve,
            self._aside,
            self._door,
            config.tables.fax.station,
            self._to_pages,
        )
        build = _KINDS.get(table.kind)
        if build is not None:
            return build(read_options(table.kind, table.options), own)
        return IFaxLine(build_extension("fax_lines", table.kind, table.options, own, self._finder))


def _loop(options: LoopOptions, own: LineSurroundings) -> IFaxLine:
    from mailshare.fax.lines.loop import LoopLine, LoopNetwork  # noqa: PLC0415

    network, trunk = LoopNetwork.of(own.reactor), None
    if options.listen or options.trunks:
        from mailshare.fax.lines.loop_trunk import LoopTrunk  # noqa: PLC0415

        trunk = LoopTrunk(
            own.name,
            own.reactor,
            network.answering,
            listen=options.listen,
            routes=options.trunks,
            channels=own.channels,
        )
    return LoopLine(own.name, network, own.numbers, options.numbers, own.channels, options.speed, trunk)


def _directory(options: DirectoryOptions, own: LineSurroundings) -> IFaxLine:
    from mailshare.fax.files import Ledgers  # noqa: PLC0415
    from mailshare.fax.lines.directory import DirectoryLine  # noqa: PLC0415

    ledgers = Ledgers(os.path.join(own.data_directory, "fax", "out"), own.aside)
    return DirectoryLine(
        own.name,
        os.path.join(own.directory, options.folder),
        own.reactor,
        own.aside,
        poll=options.poll,
        channels=own.channels,
        under_way=ledgers.under_way,
        to_pages=own.to_pages,
    )


def _hylafax(options: HylaFAXOptions, own: LineSurroundings) -> IFaxLine:
    from mailshare.fax.lines.hylafax import HylaFAXLine  # noqa: PLC0415
    from mailshare.fax.lines.hylafax_session import HylaFAXAccount  # noqa: PLC0415

    server = Server("hylafax", options.host, options.port, "none", options.user)
    account = HylaFAXAccount(server, own.secret)
    return HylaFAXLine(
        own.name, account, options, own.reactor, channels=own.channels, to_pages=own.to_pages
    )


def _mail(options: MailOptions, own: LineSurroundings) -> IFaxLine:
    from mailshare.fax.lines.mail import MailLine  # noqa: PLC0415

    async def hand_in(envelope: Envelope, octets: bytes, user: int) -> None:
        directory = own.store.directory.current()
        author = directory.user_by_id.get(user)
        for one in envelope.recipients:
            where = resolve_recipient(one.address, sender_user=author, directory=directory, trusted=True)
            if isinstance(where, Unknown):  # the door would give it to ADMIN, and nothing would be passed on
                raise PolicyRefusal(where.public)
        trace = trace_id(int(own.reactor.seconds() * 1_000_000), TOKENS(TOKEN))
        body = await new_body(own.store, octets)
        await own.door().accept(envelope, body, Origin(Source.FAX, trace, user_id=user or None, peer=own.name))

    async def is_stored(message_id: str) -> bool:
        return bool(await own.store.find(message_id))

    return MailLine(
        own.name,
        options.gateway,
        own.reactor,
        hand_in,
        is_stored,
        host=own.hostname,
        receipt=options.receipt,
        channels=own.channels,
    )


def _http(options: HttpOptions, own: LineSurroundings) -> IFaxLine:
    from mailshare.assembly.fax_provider_line import build_http_line  # noqa: PLC0415

    return build_http_line(options, own, own.station, own.to_pages)


_KINDS: Mapping[str, Callable[[Any, LineSurroundings], IFaxLine]] = {
    "loop": _loop,
    "directory": _directory,
    "hylafax": _hylafax,
    "mail": _mail,
    "http": _http,
}
