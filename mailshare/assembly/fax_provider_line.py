"""A line of the kind http, from its options and what the office lends it."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from mailshare.config.fax_providers import fitted, load_provider
from mailshare.core.errors import ConfigFault
from mailshare.core.fax_lines import HttpOptions
from mailshare.core.values.fax import FaxPage
from mailshare.fax.lines.http import HttpLine
from mailshare.fax.lines.provider_hook import ProviderHook
from mailshare.fax.lines.provider_inbox import ProviderInbox
from mailshare.fax.lines.provider_requests import CONNECT, Asking
from mailshare.interfaces import IFaxLineSurroundings

ToPages = Callable[[bytes], Awaitable[Sequence[FaxPage]]]


def build_http_line(options: HttpOptions, own: IFaxLineSurroundings, station: str, to_pages: ToPages) -> HttpLine:
    """The line, not started.

    :param station: how the office calls itself to other machines.
    :param to_pages: the pages of a fax that came as a file.
    :raises ConfigFault: the description is not there any more, or is another.
    """
    try:
        provider, words = fitted(load_provider(options.provider, own.directory), options)
    except ValueError as fault:
        raise ConfigFault(f"The fax line {own.name}: {fault}") from fault
    reactor: Any = own.reactor
    number = next((one for one in own.numbers if one.removeprefix("+").isdecimal()), "")
    pool = HTTPConnectionPool(reactor, persistent=False)
    agent = Agent(reactor, BrowserLikePolicyForHTTPS(), connectTimeout=CONNECT, pool=pool)
    line_words = {**words, "from": number, "ident": station[:20]}
    asking = Asking(provider, line_words, partial(own.secret, "key"), agent, reactor)
    line = HttpLine(own.name, provider, asking, reactor, channels=own.channels, poll=options.poll)
    inbox = None
    if provider.inbox is not None and options.receive:
        path = os.path.join(own.data_directory, "fax", "fetched", f"{own.name}.json")
        every = float(options.fetch)
        inbox = ProviderInbox(own.name, provider.inbox, asking, to_pages, path, own.aside, reactor, every)
        line.beside.append(inbox)
    if provider.hook is not None and options.listen:

        def heard(fax: str) -> None:
            if not line.wake(fax) and inbox is not None:
                inbox.look_now()

        secret = partial(own.secret, "hook")
        line.beside.append(ProviderHook(own.name, provider.hook, secret, options.listen, reactor, heard))
    return line
