"""What can be done with a document in a confined process, by name.

An operation is a function that takes a :class:`Work` and returns its facts, JSON values: ``format`` and ``pages`` of
what it wrote to ``work.target``, and whatever else it tells. It runs in a process that has given up nearly everything
(:mod:`mailshare.documents.confinement`), raises :class:`~mailshare.core.documents.NotConvertible`, and may let escape
whatever its libraries raise: that is a damaged document. What it imports is imported there, never in the server.

A new one is a line of :data:`OPERATIONS` and a module of this room.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from mailshare.core.documents import Hindrance, NotConvertible
from mailshare.documents.bounds import Bounds

RESULT, WORK = "result.json", "work.json"  # what the process tells, and what it is told
OPERATIONS = {
    "facts": "mailshare.documents.looking:facts",
    "convert": "mailshare.documents.converting:convert",
    "preview": "mailshare.documents.converting:preview",
    "fax-pages": "mailshare.documents.fax_pages:make_pages",
    "fax-finish": "mailshare.documents.fax_pages:finish_pages",
    "page-pictures": "mailshare.documents.page_pictures:pictures",
    "fax-barcodes": "mailshare.documents.fax_barcodes:read_codes",
    "fax-damage": "mailshare.documents.fax_rows:count_rows",
}


@frozen
class Work:
    """One thing to do, in a folder of its own.

    :ivar folder: for whatever is needed on the way; it goes away with everything in it.
    :ivar source: path of the document, ``target`` where to write what comes of it.
    :ivar declared: the media type that the sender tells.
    :ivar options: what the operation is told, JSON values.
    """

    folder: str
    source: str
    target: str
    declared: str = ""
    options: Mapping[str, Any] = field(factory=dict)
    bounds: Bounds = field(factory=Bounds)


def perform(operation: str, work: Work) -> Mapping[str, object]:
    """Do it.

    :raises NotConvertible: and whatever libraries raise.
    """
    where = OPERATIONS.get(operation)
    if where is None:
        raise NotConvertible(Hindrance.NOT_TAKEN, f"Nothing here is called {operation!r}")
    module, _, name = where.partition(":")
    act: Callable[[Work], Mapping[str, object]] = getattr(importlib.import_module(module), name)
    return act(work)
