"""The room where documents are worked out, as an office has it: not there before somebody asks for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs
from twisted.logger import Logger

from mailshare.config import Config

if TYPE_CHECKING:
    from mailshare.documents.bounds import Bounds
    from mailshare.documents.service import Aside, Documents


class DocumentRoom:
    """Has the documents made when they are first asked for; an office that does not print imports nothing of them.

    :param aside: what touches files runs there.
    """

    _log = Logger()

    def __init__(self, config: Config, reactor: Any, aside: Aside) -> None:
        self._config = config
        self._reactor = reactor
        self._aside = aside
        self._made: Documents | None = None

    @property
    def documents(self) -> Documents:
        """Documents in a folder of the office's own."""
        if self._made is None:
            from mailshare.documents.service import Documents  # noqa: PLC0415 - see above

            folder = os.path.join(self._config.data, "documents")
            self._made = Documents(self._reactor, folder, self._aside, bounds_of(self._config), self._note)
        return self._made

    def _note(self, line: str) -> None:
        self._log.warn("{line}", line=line)

    def follow(self, config: Config) -> None:
        """Take over bounds, for the documents to come."""
        self._config = config
        if self._made is not None:
            self._made.follow(bounds_of(config))

    async def close(self) -> None:
        """End all processes."""
        if self._made is not None:
            await self._made.stop()


def bounds_of(config: Config) -> Bounds:
    """What a configuration allows for each document."""
    from mailshare.documents.bounds import Bounds  # noqa: PLC0415 - as above

    return Bounds(**attrs.asdict(config.tables.documents, recurse=False))
