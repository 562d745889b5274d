"""What the kinds of fax lines can be told in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import AttrsInstance, field, fields, frozen


def _key(meaning: str, default: Any = "", *, factory: Any = None) -> Any:
    metadata = {"meaning": meaning}
    if factory is not None:
        return field(factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


@frozen
class LoopOptions:
    """``kind = "loop"``: a telephone network inside the process, and to processes beside it."""

    speed: float = _key("how much faster than a telephone calls go; 0 = at once", 0.0)
    numbers: Mapping[str, str] = _key("number to what happens there, e.g. busy, answers, drop:1", factory=dict)
    listen: str = _key("endpoint at which loop lines of other processes call, on this machine; empty = none do")
    trunks: Mapping[str, str] = _key("number to the endpoint of the process where it rings", factory=dict)


@frozen
class DirectoryOptions:
    """``kind = "directory"``: folders that other software reads and fills."""

    folder: str = _key("where out, done and in lie; required")
    poll: int = _key("seconds between two looks into done and in", 5)


@frozen
class HylaFAXOptions:
    """``kind = "hylafax"``: the modems of a HylaFAX server."""

    host: str = _key("the server's name or address; required")
    port: int = _key("where it answers", 4559)
    user: str = _key("who we are there, as its hosts.hfaxd has it", "mailshare")
    modem: str = _key("a modem or a class of them; any = whichever is free", "any")
    poll: int = _key("seconds between two looks at its queues", 10)
    receive: bool = _key("false = faxes that came in stay there", True)
    called: int = _key("which text that the network gives with a call is the number called, from 1; 0 = none", 0)


@frozen
class MailOptions:
    """``kind = "mail"``: mail to another Internet fax gateway."""

    gateway: str = _key("domain of its fax addresses; required")
    receipt: bool = _key("true = ask for a disposition notification beside the delivery status", default=False)


@frozen
class HttpOptions:
    """``kind = "http"``: the account at a fax provider."""

    provider: str = _key("sinch, phaxio, interfax, telnyx, srfax, or the path of a description; required")
    user: str = _key("name, key id or account number that the provider gave")
    settings: Mapping[str, str] = _key("what else the provider asks for, see its description", factory=dict)
    base: str = _key("another address of the provider's API, e.g. of a region; empty = that of the description")
    poll: int = _key("seconds between two looks at a fax; 0 = as the description says", 0)
    receive: bool = _key("false = faxes that came in stay with the provider", default=True)
    fetch: int = _key("seconds between two looks for faxes that came in", 60)
    listen: str = _key("endpoint at which the provider may call; empty = none")
    callback: str = _key("https address under which the provider reaches it, for providers that are told with each fax")


KINDS: Mapping[str, type[AttrsInstance]] = {
    "loop": LoopOptions,
    "directory": DirectoryOptions,
    "hylafax": HylaFAXOptions,
    "mail": MailOptions,
    "http": HttpOptions,
}
SECRETS: Mapping[str, frozenset[str]] = {
    "loop": frozenset(),
    "directory": frozenset(),
    "hylafax": frozenset({"password", "admin"}),
    "mail": frozenset(),
    "http": frozenset({"key", "hook"}),
}
"""The names that each kind knows in the table ``secrets``."""


def read_options(kind: str, given: Mapping[str, object]) -> Any:
    """The options of a line.

    :param kind: one of :data:`KINDS`; those of extensions have options of their own.
    :raises ValueError: an option is unknown, missing or of the wrong form; in words.
    """
    table = KINDS[kind]
    known = {one.name: one for one in fields(table)}
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{name!r} is no option of the kind {kind}; known are {', '.join(known)}")
        default = known[name].default
        usual: Any = default.factory() if hasattr(default, "factory") else default
        fitting = isinstance(value, (int, float)) if isinstance(usual, float) else isinstance(value, type(usual))
        if not fitting or isinstance(value, bool) is not isinstance(usual, bool):
            raise ValueError(f"{name} has the wrong form: {value!r}")
    for name, one in known.items():
        if str(one.metadata["meaning"]).endswith("; required") and not given.get(name):
            raise ValueError(f"{name} is missing")
    return table(**given)
