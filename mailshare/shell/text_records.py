"""TXT records of the DNS, as keys of domains stand there."""

from __future__ import annotations

from typing import Any

from mailshare.core.errors import Unavailable

_TIMEOUTS = (2, 5, 8)  # seconds for each try
_MOST = 8_192  # octets of a record


class TextRecords:
    """Asks the resolver of this machine.

    :param reactor: it asks by.
    :ivar resolver: made at the first question; tests put their own here.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.resolver: Any = None

    async def __call__(self, name: str) -> bytes | None:
        """The first TXT record of a name, its strings joined (RFC 6376 section 3.6.2.2); ``None`` when it has none.

        :raises Unavailable: the DNS gives no answer now.
        """
        # An office that looks at no signatures does without them.
        from twisted.internet.error import TimeoutError as AskedTooLong  # noqa: PLC0415
        from twisted.names import client, dns, error  # noqa: PLC0415

        if self.resolver is None:
            self.resolver = client.Resolver("/etc/resolv.conf", reactor=self._reactor)
        try:
            answers, _, _ = await self.resolver.lookupText(name, timeout=_TIMEOUTS)
        except (error.DNSNameError, error.DNSFormatError):
            return None
        except (error.DomainError, error.ResolverError, AskedTooLong, OSError) as fault:
            raise Unavailable(f"The DNS gives no answer about {name}") from fault
        for answer in answers:
            if answer.type == dns.TXT:
                return b"".join(answer.payload.data)[:_MOST]
        return None
