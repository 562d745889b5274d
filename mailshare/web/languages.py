"""The languages of the manager: which one to speak, and how dates, times and numbers are written in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from attrs import field, frozen

from mailshare.web.catalogues import Catalogue, catalogue, unless_one

LANGUAGES: Mapping[str, str] = {"en": "English", "fr": "Français", "de": "Deutsch"}
"""Tag to the name that its speakers give it."""
FIELDS: Mapping[str, str] = {
    "address": "Address",
    "aliases": "Further addresses of the same mailbox",
    "ambiguous": "Mail whose name fits several people goes to",
    "cc": "Copies of everything to",
    "collect": "Fetch from",
    "days": "Days it is valid; 0 = for ever",
    "domains": "Domains, for a whole domain",
    "forward": "Sent on to the outside, to",
    "label": "What it is for",
    "level": "Level",
    "leave_on_server_days": "Days that fetched mail stays at the provider",
    "mode": "How it is shared",
    "name": "Login",
    "names": "Full name and other names",
    "password": "Password",
    "quota": "Octets the mailbox may hold; 0 = no bound",
    "quota_messages": "Messages it may hold; 0 = no bound",
    "relay": "Send through",
    "tag_delimiter": "What stands between name and tag",
    "role": "Role",
    "threshold": "Waiting mails that start a send and receive",
    "timetable": "Hours in which mail is fetched and sent",
    "zone": "Time zone",
}
"""What the rules call a setting, to the words beside its field: the rules' own word says nothing to who fills it in."""
_PLURALS: Mapping[str, Callable[[int], int]] = {"fr": lambda number: number > 1}  # nothing is one, in French
_DATES = {"en": "%Y-%m-%d", "fr": "%d/%m/%Y", "de": "%d.%m.%Y"}
_UNITS = {"fr": ("o", "ko", "Mo", "Go", "To")}
_SPANS = {
    "en": ("s", "min", "h", "d", "{} ago", "in {}"),
    "fr": ("s", "min", "h", "j", "il y a {}", "dans {}"),
    "de": ("s", "min", "h", "Tg.", "vor {}", "in {}"),
}
_SECONDS = (86_400, 3600, 60, 1)
_POINTS = {"en": (".", ","), "fr": (",", "\N{NARROW NO-BREAK SPACE}"), "de": (",", ".")}


def language_of(chosen: str, accepted: str) -> str:
    """The language to speak: as chosen, else the one of ``Accept-Language`` that is liked best (RFC 9110 12.5.4)."""
    if chosen in LANGUAGES:
        return chosen
    best, liked = "en", 0.0
    for part in accepted.split(",")[:20]:
        tag, _, weight = part.partition(";")
        tag = tag.strip().lower().partition("-")[0]
        quality = _quality(weight.strip())
        if tag in LANGUAGES and quality > liked:
            best, liked = tag, quality
    return best


def _quality(text: str) -> float:
    """``q=0.8`` as a number; 1 when it is not said, 0 when it is nothing of the kind."""
    number = text.removeprefix("q=").strip()
    if not text:
        return 1.0
    digits = number.replace(".", "", 1)
    return float(number) if len(number) <= 5 and digits.isascii() and digits.isdigit() else 0.0


@frozen
class Language:
    """How one language is written.

    :ivar zone: of the times that people read.
    :ivar now: microseconds UTC.
    """

    tag: str
    zone: tzinfo
    now: Callable[[], int]
    words: Catalogue = field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "words", catalogue(self.tag, _PLURALS.get(self.tag, unless_one), FIELDS))

    def told(self, text: object) -> str:
        """What another room says, in this language as far as it is known."""
        return self.words.sentence(str(text)) if text else ""

    def counted(self, one: str, many: str, number: int) -> str:
        """A sentence with a number in it, which stands there as ``%(n)s``."""
        return self.words.ngettext(one, many, number) % {"n": self.number(number)}

    def local(self, moment: object) -> str:
        """``2026-11-21T11:53:06Z`` as date and time in the server's zone; empty for never."""
        at = _read(moment)
        return at.astimezone(self.zone).strftime(f"{_DATES[self.tag]} %H:%M:%S") if at else ""

    def day(self, text: object) -> str:
        """``2026-11-21`` as a date; anything else as it is."""
        try:
            return datetime.strptime(str(text), "%Y-%m-%d").replace(tzinfo=UTC).strftime(_DATES[self.tag])
        except ValueError:
            return str(text)

    def ago(self, moment: object) -> str:
        """How long ago, or in how long, with the server's distance from UTC: ``3 min ago (UTC+01:00)``."""
        at = _read(moment)
        if at is None:
            return ""
        seconds = at.timestamp() - self.now() / 1_000_000
        *words, past, future = _SPANS[self.tag]
        far = abs(seconds)
        unit, word = next((one for one in zip(_SECONDS, reversed(words), strict=True) if far >= one[0]), (1, words[0]))
        span = f"{int(far // unit)}\N{NO-BREAK SPACE}{word}"
        offset = at.astimezone(self.zone).strftime("%z")
        return f"{(past if seconds <= 0 else future).format(span)} (UTC{offset[:3]}:{offset[3:5]})"

    def number(self, value: object) -> str:
        """A whole number with its thousands apart; anything else as it is."""
        return f"{value:,}".replace(",", _POINTS[self.tag][1]) if isinstance(value, int) else str(value)

    def size(self, octets: object) -> str:
        """Octets as people read them: ``3.4 MB``, ``3,4 Mo``."""
        amount, units = float(str(octets or 0)), _UNITS.get(self.tag, ("B", "kB", "MB", "GB", "TB"))
        place = 0
        while amount >= 1000 and place < len(units) - 1:
            amount, place = amount / 1000, place + 1
        digits = f"{amount:.0f}" if not place or amount >= 100 else f"{amount:.1f}".replace(".", _POINTS[self.tag][0])
        return f"{digits}\N{NO-BREAK SPACE}{units[place]}"


def _read(moment: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(moment)).astimezone(UTC) if moment else None
    except ValueError:
        return None
