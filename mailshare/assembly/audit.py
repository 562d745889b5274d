"""The audit: each change that a command or the API made, as a line of the journal, without what is secret."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.report_parts import printable
from mailshare.core.values import Event
from mailshare.interfaces import IStore

_SECRET = frozenset({"password", "secret", "authority", "pin", "pwd"})
_log = Logger()


async def write_audit(store: IStore, at: int, act: str, arguments: Mapping[str, object]) -> None:
    """Write a line ``admin.did``. The act is done: a store that cannot take the line does not undo it."""
    told = {name: "(given)" if name in _SECRET else _plain(value) for name, value in arguments.items()}
    who = {"by": told.pop("by")} if "by" in told else {}
    try:
        await store.events.append([Event(at, "admin.did", data={"act": act, "with": told, **who})])
    except MailshareError as fault:
        _log.warn("{act} was done, but not written into the audit: {fault}", act=act, fault=fault.public)


def named(by: str) -> Mapping[str, str]:
    """Who did it, where that is known, for the facts of a line."""
    return {"by": by} if by else {}


def _plain(value: object) -> object:
    """Short: long texts are cut, of tables the keys are told, of long lists the beginning."""
    if isinstance(value, Mapping):
        return sorted(printable(str(key), 100) for key in list(value)[:50])
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value[:50]]
    return value if isinstance(value, int) else printable(str(value), 200)
