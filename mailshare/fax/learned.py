"""What calls have taught about numbers, a small file for each."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

from mailshare.core.fax_profiles import NumberProfile
from mailshare.fax.files import Aside, write_durably

_KEPT = 400 * 86_400  # seconds after the last call


class Learned:
    """Profiles by number.

    :param directory: made when the first is written.
    """

    def __init__(self, directory: str, aside: Aside) -> None:
        self._directory = directory
        self._aside = aside

    async def read(self, number: str) -> NumberProfile:
        """What is known of a number; nothing where it was not called, or where the file cannot be read."""

        def read() -> NumberProfile:
            try:
                with open(self._path(number), "rb") as stream:
                    return NumberProfile.from_json(json.load(stream))
            except (OSError, ValueError, TypeError):
                return NumberProfile()

        found: NumberProfile = await self._aside(read)
        return found

    async def write(self, number: str, profile: NumberProfile) -> None:
        """Keep it.

        :raises StorageFull: the disk does not take it.
        """

        def write() -> None:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            write_durably(self._path(number), json.dumps(profile.as_json()).encode())

        await self._aside(write)

    async def forget(self, number: str) -> None:
        """Begin afresh with a number."""

        def drop() -> None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(number))

        await self._aside(drop)

    async def sweep(self, now: float) -> None:
        """Forget numbers that nobody has called for long."""

        def drop() -> None:
            for name in os.listdir(self._directory) if os.path.isdir(self._directory) else ():
                path = os.path.join(self._directory, name)
                if os.stat(path).st_mtime < now - _KEPT:
                    os.unlink(path)

        await self._aside(drop)

    def _path(self, number: str) -> str:
        return os.path.join(self._directory, f"{hashlib.sha256(number.encode()).hexdigest()[:32]}.json")
