"""Bounds for machines that send without a login: whom they may write to, and how often.

The gate gives no permission: what a machine may send at all is said by the user it stands for. Whoever logs in from a
machine's address is that user with his own rights, and the gate is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from zope.interface import implementer

from mailshare.core.devices import Device, device_at
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import PolicyRefusal, Unavailable
from mailshare.core.printer_places import Printed
from mailshare.core.recipients import Local, Named, resolve_recipient
from mailshare.core.values import Directory
from mailshare.interfaces import IGate, ISession
from mailshare.smtp.device_rate import DeviceRate


@implementer(IGate)
class DeviceGate:
    """Asked before the avatar of each session.

    :param rate: the count, which all listeners share.
    :param only: nobody but these machines is served (the listener ``device``).
    """

    def __init__(
        self,
        devices: Sequence[Device],
        directory: Callable[[], Directory],
        rate: DeviceRate,
        *,
        only: bool = False,
    ) -> None:
        self._devices = tuple(devices)
        self._directory = directory
        self._rate = rate
        self._only = only

    async def connect(self, session: ISession) -> None:
        """Turn strangers away from a listener that is for machines.

        :raises PolicyRefusal: 554 5.7.1 instead of the greeting (RFC 5321 section 3.1).
        """
        if self._only and device_at(self._devices, session.peer) is None:
            raise PolicyRefusal("This address is not known here", code=554, enhanced=(5, 7, 1))

    async def sender(self, envelope: Envelope, session: ISession, user: str) -> None:
        """Count.

        :raises Unavailable: 450 4.7.1, the machine sent enough for an hour; it may try again.
        """
        del envelope, user
        device = self._device(session)
        if device is None or not device.per_hour:
            return
        if self._rate.count(device.name) >= device.per_hour:
            raise Unavailable(
                f"{device.name} may send {device.per_hour} messages an hour", code=450, enhanced=(4, 7, 1)
            )

    async def recipient(self, envelope: Envelope, recipient: Recipient, session: ISession, user: str) -> None:
        """Look whether the machine may write there.

        :raises PolicyRefusal: 550 5.7.1.
        """
        del envelope
        device = self._device(session)
        if device is None:
            return
        directory = self._directory()
        where = resolve_recipient(
            recipient.address, sender_user=directory.user_by_name.get(user), directory=directory, trusted=True
        )
        if not device.may_write_to(recipient.address, local=isinstance(where, Local | Named | Printed)):
            raise PolicyRefusal(f"{device.name} may not write to this address")

    async def data(self, envelope: Envelope, session: ISession, user: str) -> None:
        """One more message begins."""
        del envelope, user
        device = self._device(session)
        if device is not None and device.per_hour:
            self._rate.add(device.name)

    def _device(self, session: ISession) -> Device | None:
        """The machine behind a session that did not log in (``ESMTPA`` and the like did, RFC 3848)."""
        return None if session.protocol.endswith("A") else device_at(self._devices, session.peer)
