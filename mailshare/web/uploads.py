"""Documents that browsers and programs send: streamed to a file without a name, so that nothing is left of them.

Source: RFC 7578 (multipart/form-data).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, BinaryIO

from attrs import frozen

from mailshare.core.errors import PeerFault
from mailshare.core.report_parts import printable

LARGEST = 100 * 1024 * 1024
"""Octets of a document that is sent here."""
MOST_AT_ONCE = 8
"""Uploads that are taken at the same time."""
OVERHEAD = 256 * 1024
"""Octets that a form may have besides its document."""
_MOST_PARTS = 200
_MOST_TEXT = 200 * 1024

NewFile = Callable[[], BinaryIO]
"""Makes an empty file that goes away when it is closed, or its process ends."""


@frozen
class Upload:
    """A document of a form.

    :ivar name: as the browser says, without any folder; empty when none was chosen.
    """

    name: str
    file: BinaryIO


class FormBody:
    """The body of a form with a document, taken as it comes: a file to Twisted, its fields and its document to a page.

    :param boundary: as the Content-Type says.
    """

    def __init__(self, boundary: str, new_file: NewFile) -> None:
        from multipart import PushMultipartParser  # noqa: PLC0415 - only who sends documents needs it

        self._parser: Any = PushMultipartParser(boundary, max_segment_count=_MOST_PARTS)
        self._new_file = new_file
        self._taken = 0
        self._texts = 0
        self._part: Any = None
        self._first: Any = None  # the first part that has a document
        self._data = bytearray()
        self._fault = ""
        self._fields: dict[str, list[str]] = {}
        self._name = ""
        self._file: BinaryIO = BytesIO()

    # ------------------------------------------------------------------ what Twisted calls

    def write(self, data: bytes) -> None:
        """Some octets have come.

        :raises OSError: the disk does not take them.
        """
        from multipart import MultipartError  # noqa: PLC0415 - see above

        self._taken += len(data)
        if self._fault:
            return
        try:
            for event in self._parser.parse(data):
                self._take(event)
        except (MultipartError, ValueError) as fault:
            self._fault = str(fault) or "its parts cannot be told apart"

    def _take(self, event: Any) -> None:
        if event is None:
            self._ended()
        elif isinstance(event, bytes | bytearray):
            if self._part.filename is not None:
                if self._part is self._first:
                    self._file.write(event)
                return
            self._texts += len(event)
            if self._texts > _MOST_TEXT:
                raise ValueError("its texts are too long")
            self._data += event
        else:
            self._part, self._data = event, bytearray()
            if event.filename and self._first is None:
                self._first = event
                self._name = _last_part(event.filename)
                self._file = self._new_file()

    def _ended(self) -> None:
        if self._part.filename is None:
            self._fields.setdefault(self._part.name, []).append(self._data.decode("utf-8"))

    def tell(self) -> int:
        """Octets so far."""
        return self._taken

    def seek(self, position: int, whence: int = 0) -> int:
        """From its beginning again: all has come."""
        return self._file.seek(position, whence)

    def read(self, most: int = -1) -> bytes:
        """Nothing: what came stands in :attr:`fields` and :attr:`upload`."""
        del most
        return b""

    def close(self) -> None:
        """Let go of the document."""
        self._file.close()

    # ------------------------------------------------------------------ what a page asks

    @property
    def fields(self) -> Mapping[str, list[str]]:
        """The texts of the form, by name.

        :raises PeerFault: 400, it is no such form, or was cut off.
        """
        self._end()
        if self._fault:
            raise PeerFault(f"The form cannot be read: {self._fault}", code=400)
        return self._fields

    def _end(self) -> None:
        """All has come: see that it is whole."""
        from multipart import MultipartError  # noqa: PLC0415 - see above

        if not self._fault and not self._parser.closed:
            try:
                self._parser.close()
            except MultipartError as fault:
                self._fault = str(fault) or "its end is missing"

    @property
    def upload(self) -> Upload:
        """The first document of the form."""
        return Upload(self._name, self._file)


def _last_part(name: str) -> str:
    """Without folders, as some programs send them, and without anything that is no letter to a reader."""
    return printable(name.replace("\\", "/").rpartition("/")[2].strip(), 200) or "document"


def boundary_of(content_type: str) -> str:
    """The boundary of a form with documents; empty for any other body."""
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != "multipart/form-data":
        return ""
    for parameter in rest.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            return value.strip().strip('"')[:200]
    return ""
