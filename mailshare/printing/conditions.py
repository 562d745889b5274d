"""How printers stood when they were last heard of: kept in memory, told to whoever looks after faults."""

from __future__ import annotations

from collections.abc import Callable

from mailshare.core.values import PrinterStatus

Told = Callable[[str, PrinterStatus | None, PrinterStatus], None]


class Conditions:
    """The last known status of each printer.

    :ivar watching: is called with ``(printer, before, after)`` when one has changed; ``before`` is ``None`` at first.
    """

    def __init__(self) -> None:
        self._known: dict[str, PrinterStatus] = {}
        self.watching: list[Told] = []

    def of(self, printer: str) -> PrinterStatus | None:
        """How it stood, or ``None`` when nobody has asked it since the start."""
        return self._known.get(printer)

    def saw(self, printer: str, status: PrinterStatus) -> None:
        """A driver has heard this of its device."""
        before = self._known.get(printer)
        self._known[printer] = status
        if before != status:
            for call in tuple(self.watching):
                call(printer, before, status)
