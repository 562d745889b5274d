"""Parts of others: found by entry points, verified, and built from an ``[[extension]]`` of the configuration file.

A distribution says in its metadata::

    [options.entry_points]
    mailshare.gates =
        greylist = theirs.gates:GreylistFactory

and the factory is a class (or an object) that provides :class:`mailshare.interfaces.IFactory`. Names of groups:
``mailshare.`` and one of :data:`GROUPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import cattrs
from attrs import frozen, has
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyClass, verifyObject

from mailshare.core.errors import ConfigFault
from mailshare.interfaces import IAgent, IFactory, IFaxLine, IGate, IPrinterKind, IStore, ISurroundings

GROUPS: Mapping[str, type[Interface] | None] = {
    "realms": IRealm,
    "checkers": ICredentialsChecker,
    "stores": IStore,
    "agents": IAgent,
    "gates": IGate,
    "fax_lines": IFaxLine,
    "printers": IPrinterKind,
}
"""Group to the interface that its products provide; ``None`` while that interface is not settled."""

Finder = Callable[[str], Iterable[EntryPoint]]


def installed(group: str) -> Iterable[EntryPoint]:
    """The entry points of a group among the installed distributions."""
    return entry_points(group=group)


@implementer(ISurroundings)
@frozen
class Surroundings:
    """What factories build with."""

    reactor: object
    store: IStore
    hostname: str
    data_directory: str


def _from(entry: EntryPoint) -> str:
    distribution = getattr(entry, "dist", None)
    return f"{entry.value} of the distribution {distribution.name}" if distribution is not None else entry.value


def find_factory(group: str, kind: str, finder: Finder = installed) -> IFactory:
    """The factory of this kind.

    :param group: one of :data:`GROUPS`.
    :raises ConfigFault: there is none, or it is not what it says; with the distribution's name.
    """
    if group not in GROUPS:
        raise ConfigFault(f"{group!r} is none of {', '.join(GROUPS)}")
    entries = list(finder(f"mailshare.{group}"))
    entry = next((one for one in entries if one.name == kind), None)
    if entry is None:
        known = ", ".join(sorted(one.name for one in entries)) or "none"
        raise ConfigFault(f"no {kind!r} is installed among the {group}; known: {known}")
    try:
        loaded = entry.load()
        if isinstance(loaded, type):
            verifyClass(IFactory, loaded)
            loaded = loaded()
        verifyObject(IFactory, loaded)
    except Invalid as error:
        raise ConfigFault(f"{_from(entry)} is no factory of mailshare: {error}") from error
    except Exception as error:  # code of others may raise anything while it is imported
        raise ConfigFault(f"{_from(entry)} cannot be loaded: {type(error).__name__}: {error}") from error
    return IFactory(loaded)


def check_extension(group: str, kind: str, options: Mapping[str, Any], finder: Finder = installed) -> None:
    """See that there is such a kind, and that it takes these options; nothing is built.

    :raises ConfigFault: in words.
    """
    _options(find_factory(group, kind, finder).options, options, kind)


def build_extension(
    group: str, kind: str, options: Mapping[str, Any], surroundings: ISurroundings, finder: Finder = installed
) -> Any:
    """Build a part and see that it provides its interface.

    :raises ConfigFault: the options are wrong, or the part is not what its group promises.
    """
    factory = find_factory(group, kind, finder)
    made = factory.build(_options(factory.options, options, kind), surroundings)
    promised = GROUPS[group]
    if promised is not None:
        try:
            verifyObject(promised, made)
        except Invalid as error:
            raise ConfigFault(f"what {kind!r} of the {group} builds is not right: {error}") from error
    return made


def _options(kind_of: type, given: Mapping[str, Any], kind: str) -> object:
    if not has(kind_of):
        raise ConfigFault(f"the options of {kind!r} are no attrs class")
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    try:
        return converter.structure(dict(given), kind_of)
    except cattrs.BaseValidationError as error:
        raise ConfigFault(f"options of {kind!r}: {'; '.join(cattrs.transform_error(error, path='options'))}") from error
