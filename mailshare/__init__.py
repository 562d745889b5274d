"""One mailbox shared by many people, print by mail, fax by mail: the server and the Twisted library underneath it.

The public names are found here; each is imported when it is first asked for (PEP 562), so that ``import mailshare``
costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Agents": "mailshare.delivery.agents",
    "BrokenConfig": "mailshare.config",
    "Collector": "mailshare.isp.collect",
    "Config": "mailshare.config",
    "Desk": "mailshare.delivery.submission",
    "DirectoryChecker": "mailshare.portal.checkers",
    "Doors": "mailshare.isp.sign_on",
    "Handout": "mailshare.web.handout",
    "Intake": "mailshare.delivery.intake",
    "Limits": "mailshare.config",
    "LocalSubmitter": "mailshare.delivery.submission",
    "MailRealm": "mailshare.portal.realm",
    "MailshareError": "mailshare.core.errors",
    "MemoryStore": "mailshare.store.memory",
    "Office": "mailshare.assembly.office",
    "POP3Factory": "mailshare.pop3.factory",
    "POP3Limits": "mailshare.pop3.limits",
    "Passwords": "mailshare.portal.passwords",
    "PretendISP": "mailshare.testing.isp",
    "QueueRunner": "mailshare.delivery.queue",
    "Relay": "mailshare.isp.relay",
    "Reports": "mailshare.delivery.reports",
    "Router": "mailshare.delivery.router",
    "SMTPFactory": "mailshare.smtp.factory",
    "SMTPLimits": "mailshare.smtp.factory",
    "SQLiteStore": "mailshare.store.sqlite",
    "Secrets": "mailshare.isp.secrets",
    "Timetable": "mailshare.isp.timetable",
    "build": "mailshare.assembly",
    "build_service": "mailshare.assembly",
    "load_config": "mailshare.config",
    "parse_config": "mailshare.config",
}
_MODULES = frozenset({"interfaces", "status", "extend"})

__all__ = sorted([*_HOMES, *_MODULES])  # noqa: PLE0605 - a list of names all the same


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _MODULES:
        return importlib.import_module(f"mailshare.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'mailshare' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, for completion."""
    return sorted({*globals(), *__all__})
