"""The administrator's view of a running office, left out of its start: it is a sixth of all that would be imported."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from mailshare.assembly.opening import zone_of
from mailshare.core.values import SECOND
from mailshare.interfaces import IStore

if TYPE_CHECKING:
    from mailshare.assembly.acts import Acts
    from mailshare.assembly.changes import Hasher
    from mailshare.assembly.mail_room import MailRoom
    from mailshare.assembly.office import Office


class ActsOnNeed:
    """Makes the acts once, for whichever thread asks first: the control API does not ask on the reactor's.

    :param hasher: password to ``(argon2 hash, SCRAM verifier)``.
    :param seal: seals a password for the provider.
    :ivar made: the acts, or ``None`` as long as nobody wanted them.
    :ivar further: what other rooms lend to the acts, by attribute.
    """

    def __init__(
        self, office: Office, store: IStore, reactor: Any, room: MailRoom, *, hasher: Hasher, seal: Callable[[str], str]
    ) -> None:
        self._office = office
        self._store = store
        self._reactor = reactor
        self._room = room
        self._hasher = hasher
        self._seal = seal
        self._making = Lock()
        self.made: Acts | None = None
        self.further: dict[str, Any] = {}

    def __call__(self) -> Acts:
        """The acts."""
        with self._making:
            if self.made is None:
                self.made = self._build()
            return self.made

    def _build(self) -> Acts:
        from mailshare.assembly.acts import Acts  # noqa: PLC0415 - see above
        from mailshare.assembly.looking_outside import Outside  # noqa: PLC0415 - as above
        from mailshare.isp.login_test import LoginTest  # noqa: PLC0415 - as above

        acts = Acts(
            self._store,
            zone=zone_of(self._office.config),
            hasher=self._hasher,
            seal=self._seal,
            clock=lambda: int(self._reactor.seconds() * SECOND),
            running=self._office,
            config=lambda: self._office.config,
            probe=self._room.probe,
        )
        acts.tags = self._room.tag_test
        outside = Outside(self._reactor)
        acts.finder = outside.finder()
        acts.addresses = outside.addresses
        acts.jump = lambda: self._room.clock_watch.last
        acts.login_test = LoginTest(self._room.doors, self._room.limits)
        acts.recorder = self._room.recorder
        acts.recorder.told = lambda _, run: acts.tell("run", run)
        for name, lent in self.further.items():
            setattr(acts, name, lent)
        return acts
