"""What every driver of a printer must do.

Inherit :class:`PrinterDriverContract` in a test module and give the fixture ``device``: an object that provides
:class:`Device`. Tests are coroutines; pytest-twisted runs them, or any runner that awaits Deferreds.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol

import pytest
from attrs import define, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mailshare.core.errors import Doubtful, NotTaken
from mailshare.core.values import Capabilities, Certainty, DeviceRef, PrinterStatus, PrinterTask
from mailshare.interfaces import IPrintable, IPrinterDriver

TASK = PrinterTask("0190b3d0-0000-7000-8000-0000000000a1", "Report", "anna", {"copies": 1}, job=12)
OTHER = PrinterTask("0190b3d0-0000-7000-8000-0000000000b2", "Report", "anna", job=13)
_SURER = (Certainty.NONE, Certainty.UNKNOWN, Certainty.HANDED_OVER, Certainty.ACCEPTED, Certainty.COMPLETED)


@implementer(IPrintable)
@define
class Sheet:
    """A document in memory."""

    octets: bytes = b"%PDF-1.4\n" + bytes(range(256)) * 1000 + b"\n%%EOF\n"
    format: str = "application/pdf"
    reads: list[int] = field(factory=list)

    @property
    def length(self) -> int:
        """Octets."""
        return len(self.octets)

    @property
    def digest(self) -> bytes:
        """SHA-256 of them."""
        return sha256(self.octets).digest()

    async def read(self, position: int, length: int) -> bytes:
        """Octets from there."""
        self.reads.append(position)
        return self.octets[position : position + length]


class Device(Protocol):
    """A device that the driver reaches."""

    def driver(self) -> IPrinterDriver:
        """A new driver of it, as after a restart."""

    def printed(self) -> Sequence[bytes]:
        """The documents that it has printed, one for each copy."""

    def go_away(self) -> None:
        """It cannot be reached any more."""


async def submitted(device: Device, sheet: Sheet, task: PrinterTask = TASK) -> tuple[DeviceRef, list[DeviceRef]]:
    """Submit; the ref and what was named before."""
    before: list[DeviceRef] = []

    async def named(ref: DeviceRef) -> None:
        """Nothing of it has left before."""
        assert not sheet.reads, "named after the document had begun to leave"
        before.append(ref)

    return await device.driver().submit(task, sheet, named), before


class PrinterDriverContract:
    """The tests."""

    async def test_it_is_a_driver(self, device: Device) -> None:
        """It has all that the interface asks for, and says what it is."""
        driver = device.driver()
        assert verifyObject(IPrinterDriver, driver)
        assert (bool(driver.name), bool(driver.uri), driver.at_once >= 1) == (True, True, True)
        assert isinstance(await driver.capabilities(), Capabilities)
        assert isinstance(await driver.status(), PrinterStatus)

    async def test_a_document_comes_out_once_and_whole(self, device: Device) -> None:
        """Octet for octet; another driver object understands the ref, and is no surer than it can be."""
        sheet = Sheet()
        ref, before = await submitted(device, sheet)
        assert before in ([], [ref])
        assert len(ref.text) <= 1000
        found = await device.driver().poll(DeviceRef(ref.text))
        assert found.whole
        assert found.state.final
        assert _SURER.index(found.certainty) <= _SURER.index(device.driver().certainty)
        assert list(device.printed()) == [sheet.octets]

    async def test_what_was_printed_is_never_said_to_be_missing(self, device: Device) -> None:
        """After a crash: its ref, or that nobody knows; never that it may be sent again."""
        await submitted(device, Sheet())
        try:
            found = await device.driver().find(TASK)
        except Doubtful:
            return
        assert found is not None
        assert (await device.driver().poll(found)).whole

    async def test_what_never_came_is_not_found(self, device: Device) -> None:
        """Another task of the same name is another task."""
        await submitted(device, Sheet())
        try:
            assert await device.driver().find(OTHER) is None
        except Doubtful:
            return

    async def test_what_is_over_can_be_cancelled_and_is_not_undone(self, device: Device) -> None:
        """Cancelling too late is no error."""
        ref, _ = await submitted(device, Sheet())
        await device.driver().cancel(ref)
        assert len(device.printed()) == 1

    async def test_a_device_that_is_away_takes_nothing(self, device: Device) -> None:
        """It is said so before anything was sent, and its status says it, too."""
        device.go_away()
        with pytest.raises(NotTaken):
            await submitted(device, Sheet())
        assert not device.printed()
        standing = await device.driver().status()
        assert standing.reasons
        assert not standing.accepting
