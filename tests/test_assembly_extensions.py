"""Public names, and parts of others found by entry points."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import pytest
from attrs import frozen
from zope.interface import implementer

import mailshare
from mailshare.core.errors import ConfigFault
from mailshare.extend import Surroundings, build_extension
from mailshare.interfaces import IFactory, IGate
from mailshare.store.memory import MemoryStore

NAMES = [
    "Agents", "BrokenConfig", "Collector", "Config", "Desk", "DirectoryChecker", "Doors", "Handout", "Intake", "Limits",
    "LocalSubmitter", "MailRealm", "MailshareError", "MemoryStore", "Office", "POP3Factory", "POP3Limits",
    "Passwords", "PretendISP", "QueueRunner", "Relay", "Reports", "Router", "SMTPFactory", "SMTPLimits",
    "SQLiteStore", "Secrets", "Timetable", "build", "build_service", "extend", "interfaces", "load_config",
    "parse_config", "status",
]


def test_the_public_names_are_these_and_each_is_there() -> None:
    """Taking one away breaks programs of others."""
    assert mailshare.__all__ == sorted(NAMES)
    for name in NAMES:
        assert getattr(mailshare, name) is not None
    assert set(NAMES) <= set(dir(mailshare))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        mailshare.Nothing  # noqa: B018


def test_importing_the_package_brings_nothing_along() -> None:
    """Neither Twisted nor the database is loaded before somebody asks."""
    code = "import mailshare, sys; print(sorted({n.partition('.')[0] for n in sys.modules} & {'twisted', 'attr'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@frozen
class Options:
    limit: int = 3


@implementer(IGate)
class Gate:
    def __init__(self, limit: int) -> None:
        self.limit = limit

    async def connect(self, session: object) -> None: ...

    async def sender(self, envelope: object, session: object, user: str) -> None: ...

    async def recipient(self, envelope: object, recipient: object, session: object, user: str) -> None: ...

    async def data(self, envelope: object, session: object, user: str) -> None: ...


@implementer(IFactory)
class GateFactory:
    kind = "narrow"
    options = Options

    def build(self, options: Options, surroundings: object) -> object:
        return Gate(options.limit) if options.limit else object()


class NoFactory:
    pass


def finder(**values: str) -> Callable[[str], Iterable[EntryPoint]]:
    """Entry points of a distribution called ``theirs``."""

    def find(group: str) -> Iterable[EntryPoint]:
        found = [EntryPoint(name, value, group) for name, value in values.items()]
        for one in found:
            vars(one)["dist"] = SimpleNamespace(name="theirs")
        return found

    return find


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    from twisted.internet.task import Clock

    monkeypatch.setitem(sys.modules, "theirs", sys.modules[__name__])
    return Surroundings(None, MemoryStore(clock=Clock()), "localhost", "/nowhere")


def test_a_gate_of_others_is_built_with_its_options(surroundings: Surroundings) -> None:
    """The options of the file reach the part."""
    gate = build_extension("gates", "narrow", {"limit": 7}, surroundings, finder(narrow="theirs:GateFactory"))
    assert gate.limit == 7


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("wide", {}, "no 'wide' is installed among the gates; known: absent, bad, narrow"),
        ("bad", {}, r"theirs:NoFactory of the distribution theirs is no factory"),
        ("absent", {}, r"of the distribution theirs cannot be loaded: AttributeError"),
        ("narrow", {"limt": 1}, "limt"),
        ("narrow", {"limit": 0}, "what 'narrow' of the gates builds is not right"),
    ],
)
def test_what_is_wrong_with_a_part_is_said(
    kind: str, options: dict[str, object], words: str, surroundings: Surroundings
) -> None:
    """The sentence names the part and whose it is."""
    found = finder(narrow="theirs:GateFactory", bad="theirs:NoFactory", absent="theirs:Nothing")
    with pytest.raises(ConfigFault, match=words):
        build_extension("gates", kind, options, surroundings, found)
