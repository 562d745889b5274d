"""The files of the journal: one for each local day, a line of JSON for each event.

``2026-11-21.jsonl`` holds the day, ``audit-2026-11-21.jsonl`` what administrators did on it, which is kept longer. The
event log of the store is the source; a file is written from it and can always be written again as far as the log goes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import date

from attrs import frozen

AUDIT = "admin."
"""What administrators did are the kinds that begin so."""

_NAME = re.compile(r"(?P<audit>audit-)?(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl\Z")
_TAIL = 1 << 20  # octets at the end of a file in which its last whole line is looked for; no line is that long


@frozen
class DayFile:
    """A file as its name says it."""

    day: date
    audit: bool = False

    @classmethod
    def read(cls, name: str) -> DayFile | None:
        """From a file name; ``None`` for a file that is not ours."""
        found = _NAME.match(name)
        if found is None:
            return None
        try:
            return cls(date.fromisoformat(found["day"]), found["audit"] is not None)
        except ValueError:
            return None

    @property
    def name(self) -> str:
        """``2026-11-21.jsonl`` or ``audit-2026-11-21.jsonl``."""
        return f"{'audit-' if self.audit else ''}{self.day.isoformat()}.jsonl"


class JournalFiles:
    """A directory of day files, readable by its owner alone. All methods touch the disk: call them aside.

    All raise OSError when the disk does not let them.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def found(self) -> list[DayFile]:
        """All files, oldest first."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        files = [each for each in map(DayFile.read, names) if each is not None]
        return sorted(files, key=lambda each: (each.day, each.audit))

    def last_id(self) -> int:
        """The greatest event id that stands on a last line; 0 when there is none.

        Every file is asked, because after the clock was set back the newest event is not in the newest file.
        """
        return max((self._last_id_of(each) for each in self.found()), default=0)

    def _last_id_of(self, file: DayFile) -> int:
        with open(os.path.join(self.directory, file.name), "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            lines = stream.read().split(b"\n")[:-1]
        for text in reversed(lines):
            try:
                number = json.loads(text)["id"]
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(number, int):
                return number
        return 0

    def append(self, lines: Mapping[DayFile, Iterable[str]]) -> None:
        """Write lines to the ends of their files. A line that a full disk or a crash has cut is taken away first."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        for file, texts in lines.items():
            path = os.path.join(self.directory, file.name)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with open(descriptor, "r+b") as stream:
                whole = _end_of_whole_lines(stream.fileno())
                stream.truncate(whole)
                stream.seek(whole)
                try:
                    stream.write(b"".join(text.encode("ascii") + b"\n" for text in texts))
                    stream.flush()
                except OSError:
                    os.ftruncate(descriptor, whole)  # half a batch would be written twice
                    raise

    def purge(self, first: date | None, first_audit: date | None) -> int:
        """Delete files of days before these, by the date in the name; ``None`` keeps all. Returns how many."""
        gone = 0
        for file in self.found():
            bound = first_audit if file.audit else first
            if bound is not None and file.day < bound:
                os.unlink(os.path.join(self.directory, file.name))
                gone += 1
        return gone


def _end_of_whole_lines(descriptor: int) -> int:
    """Octets up to and with the last line end."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL)
    return start + os.pread(descriptor, size - start, start).rfind(b"\n") + 1 if size else 0
