"""By which servers mail may leave: the account's own, then its fallback; or what its ``routes`` say of a domain.

The choice is made anew at each try, so a changed setting holds for waiting mail too.
"""

from __future__ import annotations

from attrs import frozen

from mailshare.core.derived import once
from mailshare.core.provider_options import ProviderOptions
from mailshare.core.values import Account, Directory, Server


@frozen(slots=False)  # once() keeps its results in the object
class Way:
    """One server to send through, with the account whose login opens it."""

    account: Account
    server: Server

    @once
    def name(self) -> str:
        """``login@host:port``: what a person reads, and what is remembered of it is kept under."""
        return f"{self.server.login or self.account.address}@{self.server.host}:{self.server.port}"


def ways_out(account: Account, domain: str, directory: Directory) -> tuple[Way, ...]:
    """The ways for mail of an account to a recipient's domain, first choice first; empty when there is none.

    A route that names an account which is gone, switched off or has no server counts for nothing.
    """
    options = ProviderOptions.of(account)
    found = options.route_for(domain)
    if isinstance(found, Server):
        return (Way(account, found),)
    if found is not None:
        other = next((one for one in directory.accounts if one.enabled and one.address.key == found.key), None)
        if other is not None and other.relay is not None:
            return _own(other, ProviderOptions.of(other))
    return _own(account, options)


def _own(account: Account, options: ProviderOptions) -> tuple[Way, ...]:
    servers = (account.relay, *options.fallback) if account.relay is not None else options.fallback
    return tuple(Way(account, server) for server in servers)
