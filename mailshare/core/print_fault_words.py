"""Mails about troubles of a printer: for each role a subject and a text of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from mailshare.core.json_fields import moment_text
from mailshare.core.print_faults import CONDITIONS, FaultNews, Role, parted
from mailshare.core.report_parts import printable

_FIELD = re.compile(r"\{([a-z_]+)\}")
_MOST = 2_000


@frozen
class Wording:
    """What a printer's owner wants a role to read; empty = our own words.

    :ivar subject, text: with ``{printer}``, ``{condition}``, ``{words}``, ``{to_do}``, ``{since}``, ``{count}``,
        ``{location}``, ``{message}``; an empty line in the text parts paragraphs.
    """

    subject: str = ""
    text: str = ""


FIELDS = ("printer", "condition", "words", "to_do", "since", "count", "location", "message")


@frozen
class FaultAt:
    """Where a trouble is: the printer's name and place, and what the device says in words."""

    printer: str
    location: str = ""
    message: str = ""


def fault_mail(role: Role, news: FaultNews, place: FaultAt, wording: Wording) -> tuple[str, tuple[str, ...]]:
    """Subject and paragraphs of one mail to one role."""
    name, _ = parted(news.keyword)
    known = CONDITIONS.get(name)
    facts = {
        "printer": place.printer,
        "condition": news.keyword,
        "words": known.what if known is not None else f"reports {news.keyword}",
        "to_do": known.to_do if known is not None else "",
        "since": moment_text(news.since),
        "count": str(news.count),
        "location": place.location,
        "message": printable(place.message, 300),
    }
    subject = _filled(wording.subject, facts) or _subject(role, facts)
    if news.over:
        subject = f"cleared: {subject}"
    text = _filled(wording.text, facts)
    paragraphs = tuple(one for one in text.split("\n\n") if one.strip()) if text else _texts(role, news, facts)
    return f"[print] {subject}", (*paragraphs, *_counted(news), f"Condition {news.keyword}")


def _subject(role: Role, facts: Mapping[str, str]) -> str:
    if role is Role.KEY:
        return f"{facts['printer']} {facts['words']}"
    if role is Role.SERVICE:
        return f"service: {facts['printer']} {facts['words']}"
    return f"fault: {facts['printer']}: {facts['condition']}"


def _texts(role: Role, news: FaultNews, facts: Mapping[str, str]) -> tuple[str, ...]:
    where = f" ({facts['location']})" if facts["location"] else ""
    happened = f"{facts['printer']}{where} {facts['words']}, since {facts['since']}."
    if news.over:
        happened = f"It is over: {facts['printer']}{where} {facts['words']}; that began at {facts['since']}."
    said = f"The printer says: {facts['message']}" if facts["message"] else ""
    jobs = "" if news.over else "Jobs wait meanwhile; none is lost, and nothing has to be sent again."
    what = "" if news.over else _ADVICE[role].format(to_do=facts["to_do"]).strip()
    return tuple(one for one in (happened, said, jobs, what) if one)


_ADVICE = {
    Role.KEY: "{to_do} It goes on by itself then.",
    Role.SERVICE: "If the people at the printer cannot help it, it needs to be seen by service.",
    Role.ADMIN: "Look at its address, its connection and its settings: mailshare printers",
}


def _counted(news: FaultNews) -> tuple[str, ...]:
    return (f"It came {news.count} times since the last mail about it.",) if news.count > 1 else ()


def _filled(template: str, facts: Mapping[str, str]) -> str:
    """Only known fields are filled in; all else stays as it was written."""
    return _FIELD.sub(lambda found: facts.get(found[1], found[0]), template)[:_MOST]


def fields_unknown(*templates: str) -> tuple[str, ...]:
    """Fields of templates that nothing would be filled in for."""
    return tuple(name for text in templates for name in _FIELD.findall(text) if name not in FIELDS)
