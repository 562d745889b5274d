"""Troubles of a printer: which of them concerns whom, and when somebody is told.

The conditions are keywords of IPP's ``printer-state-reasons`` (RFC 8011 section 5.4.12) with the severity that their
ending tells. Each of three roles hears of those that the printer's matrix gives to it: once when one begins, at most
once an hour with a count of how often it came back, and once when it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

from attrs import evolve, frozen

from mailshare.core.values import SECOND

HOUR = 3_600 * SECOND
MOST = 50  # conditions of one printer that are remembered


class Role(Enum):
    """Who looks after a printer."""

    ADMIN = "admin"
    SERVICE = "service"
    KEY = "key"


class Severity(Enum):
    """How grave a condition is; a keyword without an ending is an error."""

    ERROR = "error"
    WARNING = "warning"
    REPORT = "report"


_ADMIN, _SERVICE, _KEY = Role.ADMIN, Role.SERVICE, Role.KEY
SEVERITIES: Mapping[str, tuple[Role, ...]] = {"error": (_ADMIN, _KEY), "warning": (_KEY,), "report": ()}
"""Who hears of a condition that is not in :data:`CONDITIONS`."""


@frozen
class Condition:
    """A condition in words.

    :ivar what: after the name of the printer: "needs paper".
    :ivar to_do: what the key user can do about it at the printer.
    """

    roles: tuple[Role, ...]
    what: str
    to_do: str = ""


CONDITIONS: Mapping[str, Condition] = {
    "media-needed": Condition((_KEY,), "needs paper", "Fill in the paper that it asks for."),
    "media-empty": Condition((_KEY,), "is out of paper", "Fill in paper."),
    "media-low": Condition((_KEY,), "has little paper left", "Fill in paper soon."),
    "media-jam": Condition((_KEY, _SERVICE), "has a paper jam", "Open it and take the paper out."),
    "input-tray-missing": Condition((_KEY,), "has no paper tray", "Push the tray in."),
    "output-tray-missing": Condition((_KEY,), "has no output tray", "Put the tray in."),
    "output-area-full": Condition((_KEY,), "has a full output tray", "Take the printed pages away."),
    "output-area-almost-full": Condition((_KEY,), "has an almost full output tray", "Take the printed pages away."),
    "cover-open": Condition((_KEY,), "has an open cover", "Close the cover."),
    "door-open": Condition((_KEY,), "has an open door", "Close the door."),
    "interlock-open": Condition((_KEY,), "is open", "Close covers and doors."),
    "toner-low": Condition((_KEY,), "has little toner left", "Have a cartridge ready."),
    "toner-empty": Condition((_KEY, _SERVICE), "is out of toner", "Put a new cartridge in."),
    "marker-supply-low": Condition((_KEY,), "has little ink or toner left", "Have a cartridge ready."),
    "marker-supply-empty": Condition((_KEY, _SERVICE), "is out of ink or toner", "Put a new cartridge in."),
    "marker-waste-almost-full": Condition((_KEY, _SERVICE), "has an almost full waste container"),
    "marker-waste-full": Condition((_KEY, _SERVICE), "has a full waste container", "Put in an empty container."),
    "fuser-over-temp": Condition((_SERVICE,), "is too hot in its fuser"),
    "fuser-under-temp": Condition((_SERVICE,), "does not get warm in its fuser"),
    "opc-near-eol": Condition((_SERVICE,), "has a drum near the end of its life"),
    "opc-life-over": Condition((_SERVICE,), "has a drum at the end of its life"),
    "developer-low": Condition((_SERVICE,), "has little developer left"),
    "developer-empty": Condition((_SERVICE,), "is out of developer"),
    "interpreter-resource-unavailable": Condition((_ADMIN,), "lacks something that a document asks for"),
    "offline": Condition((_ADMIN, _KEY), "cannot be reached", "See whether it is switched on and connected."),
    "connecting-to-device": Condition((_ADMIN,), "does not answer", "See whether it is switched on and connected."),
    "timed-out": Condition((_ADMIN,), "stopped answering"),
    "shutdown": Condition((_ADMIN, _KEY), "is switched off", "Switch it on."),
    "stopped-partly": Condition((_ADMIN,), "is stopped in part"),
    "paused": Condition((_ADMIN,), "is paused", "Press its button to go on."),
    "spool-area-full": Condition((_ADMIN,), "has no room for more jobs"),
    "identify-printer-requested": Condition((), "was asked to show itself"),
    "moving-to-paused": Condition((), "is about to pause"),
}

_BY_HAND = frozenset({"paused", "moving-to-paused"})


def parted(keyword: str) -> tuple[str, Severity]:
    """A keyword without its ending, and the severity that the ending tells: ``media-empty-error``."""
    for severity in Severity:
        if keyword.endswith(f"-{severity.value}"):
            return keyword.removesuffix(f"-{severity.value}"), severity
    return keyword, Severity.ERROR


def of_the_printer(reason: str) -> bool:
    """Whether a reason of a job is a condition of the printer it went to, so that others who print there want to know.

    What says that a printer was paused by hand is left out: a queue is paused here or not.
    """
    word, _ = parted(reason)
    return word in CONDITIONS and word not in _BY_HAND


def roles_for(keyword: str, matrix: Mapping[str, Iterable[Role]]) -> tuple[Role, ...]:
    """Who hears of a condition.

    :param matrix: of the printer: conditions or severities to roles; what it names holds before what is usual.
    """
    name, severity = parted(keyword)
    for asked in (keyword, name, severity.value):
        if asked in matrix:
            return tuple(matrix[asked])
    if severity is Severity.REPORT and name != "offline":
        return ()
    known = CONDITIONS.get(name)
    return SEVERITIES[severity.value] if known is None else known.roles


# ---------------------------------------------------------------------- when


@frozen
class Trouble:
    """One condition of one printer.

    :ivar since: when it began, ``ended`` when it was over; 0 = it is there.
    :ivar told: when somebody was told of it, 0 = never; ``cleared`` = also that it is over.
    :ivar count: how often it has come since it was told.
    """

    since: int
    ended: int = 0
    told: int = 0
    cleared: bool = False
    count: int = 1


@frozen
class FaultNews:
    """What is to be told of one condition.

    :ivar over: it is not there any more.
    :ivar count: how often it came since the last mail.
    """

    keyword: str
    since: int
    over: bool = False
    count: int = 1


Troubles = Mapping[str, Trouble]


def observed(before: Troubles, reasons: Iterable[str], at: int) -> Troubles:
    """The troubles of a printer that shows these reasons now."""
    now = {one for one in reasons if one != "none"}
    after: dict[str, Trouble] = {}
    for keyword, trouble in before.items():
        if keyword in now and trouble.ended:
            after[keyword] = evolve(trouble, since=at, ended=0, count=trouble.count + 1)
        elif keyword not in now and not trouble.ended:
            after[keyword] = evolve(trouble, ended=at)
        else:
            after[keyword] = trouble
    for keyword in sorted(now - set(before))[: max(0, MOST - len(after))]:
        after[keyword] = Trouble(at)
    return {name: one for name, one in after.items() if not _forgotten(one, at)}


def _forgotten(trouble: Trouble, at: int) -> bool:
    """It is over, that was told, and so long ago that it would be new."""
    return trouble.cleared and trouble.count == 0 and max(trouble.ended, trouble.told) + HOUR <= at


def fault_news(troubles: Troubles, at: int) -> Sequence[FaultNews]:
    """What is to be told now: of each condition one mail in an hour, and one that it is over."""
    news = []
    for keyword, trouble in troubles.items():
        if trouble.told and trouble.told + HOUR > at and trouble.count:
            continue  # it came again within the hour: told with a count when the hour is over
        if trouble.count:
            news.append(FaultNews(keyword, trouble.since, over=bool(trouble.ended), count=trouble.count))
        elif trouble.ended and not trouble.cleared:
            news.append(FaultNews(keyword, trouble.since, over=True, count=0))
    return news


def after_telling(troubles: Troubles, news: Iterable[FaultNews], at: int) -> Troubles:
    """The troubles when that was told."""
    told = {one.keyword: one for one in news}
    after = {}
    for keyword, trouble in troubles.items():
        one = told.get(keyword)
        if one is None:
            after[keyword] = trouble
        else:
            moment = at if one.count else trouble.told
            after[keyword] = evolve(trouble, told=moment, count=0, cleared=one.over)
    return after
