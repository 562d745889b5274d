"""Keeps an eye on how each provider marks mail: learns it at first, follows it when it changes, and says so.

What is looked at is the mail that is collected anyway. Only when an account is new and its mailbox is full are the
newest headers asked for before the first message is sorted, because that first lot would be sorted blindly otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from attrs import frozen
from twisted.logger import Logger

from mailshare.core.errors import MailshareError
from mailshare.core.headers import Headers
from mailshare.core.people import Sharers, people_of
from mailshare.core.provider_style import ENOUGH, OFTEN, WINDOW, Style, detect, share_of
from mailshare.core.sightings import Sighting
from mailshare.core.values import SECOND, Account, Event
from mailshare.interfaces import IStore
from mailshare.isp.listing import Upstream
from mailshare.isp.notices import Notices
from mailshare.isp.probing import newest_sightings
from mailshare.isp.provider_session import ProviderSession

_SCOPE = "sightings"
_WEEK = 7 * 24 * 3600 * SECOND
_SOME = 5  # new messages that make another detection worth its while
_LONG = 16_384  # octets of a header that is kept whole until the run is over
_NOTED = 0.02  # a change of the share that is worth writing down
_LEARNED = frozenset({"trusted_by", "envelope_headers", "box_names", "prefix_map"})


@frozen
class _Verdict:
    """What is kept of a detection: settings, how sure they are, and what ADMIN has to be told."""

    found: Mapping[str, object]
    alarm: str = ""


class ProviderWatch:
    """Learns from collected mail.

    :param now: microseconds UTC.
    """

    _log = Logger()

    def __init__(self, store: IStore, notices: Notices, now: Callable[[], int]) -> None:
        self._store = store
        self._notices = notices
        self._now = now
        self._fresh: dict[int, deque[Headers | Sighting]] = {}
        self._since: dict[int, int] = {}  # messages since the last detection

    def seen(self, account_id: int, headers: Headers) -> None:
        """A message of that account was stored; it counts at the end of the run."""
        sharers = people_of(self._store.directory.current()).sharers.get(account_id)
        # One that passed the limits was sorted by none of its fields; reading them here would hold everybody up.
        if sharers is None or headers.cut or not headers.fields:
            return
        # Only the newest are looked at in the end, and which these are is not known before. Long ones are not kept.
        fresh = self._fresh.setdefault(account_id, deque(maxlen=WINDOW))
        long = sum([len(each.raw) for each in headers.fields]) > _LONG
        fresh.append(Sighting.of(headers, sharers) if long else headers)

    async def first_look(
        self, account: Account, session: ProviderSession, messages: Sequence[Upstream]
    ) -> None:
        """Before the first lot of a new account is sorted: learn from the headers of what waits, if it is enough."""
        known = "at" in account.found or "trusted_by" in account.options
        if known or len(messages) < ENOUGH or not session.gives_headers:
            return
        sharers = people_of(self._store.directory.current()).sharers.get(account.id)
        try:
            if sharers is None or await self._store.settings.get(_SCOPE, str(account.id)) is not None:
                return
            await self._learn(account, await newest_sightings(session, messages, sharers))
        except MailshareError as fault:
            self._log.warn("{address}: no first look: {fault}", address=str(account.address), fault=fault.public)

    async def settle(self, account_id: int) -> None:
        """After a run: keep what was seen, and learn from it. Trouble is logged; the mail is stored already."""
        fresh = self._fresh.pop(account_id, ())
        directory = self._store.directory.current()
        account = directory.account_by_id.get(account_id)
        sharers = people_of(directory).sharers.get(account_id)
        if account is None or sharers is None or not fresh:
            return
        try:
            kept = [*await self._kept(account_id), *(_sighting(one, sharers) for one in fresh)][-WINDOW:]
            await self._store.settings.put(_SCOPE, str(account_id), [one.as_json() for one in kept])
            self._since[account_id] = self._since.get(account_id, 0) + len(fresh)
            at = account.found.get("at")
            if self._since[account_id] >= _SOME or not isinstance(at, int) or self._now() - at >= _WEEK:
                self._since[account_id] = 0
                await self._learn(account, kept)
        except MailshareError as fault:
            self._log.warn("{address}: not learned: {fault}", address=str(account.address), fault=fault.public)

    async def look_again(self, account: Account, lying: Sequence[Sighting]) -> None:
        """Judge once more, also when nothing came: by what lies at the provider, else by what came last.

        ADMIN is reminded of what is not in order as long as it lasts.
        """
        sightings = lying if len(lying) >= ENOUGH else await self._kept(account.id)
        if sightings:
            await self._learn(account, sightings)

    async def _kept(self, account_id: int) -> list[Sighting]:
        row = await self._store.settings.get(_SCOPE, str(account_id))
        values = row[0] if row is not None and isinstance(row[0], list) else []
        return [one for one in map(Sighting.from_json, values) if one is not None]

    # ------------------------------------------------------------------ learning

    async def _learn(self, account: Account, sightings: Sequence[Sighting]) -> None:
        style = detect(sightings, account, self._store.directory.current())
        if not style.enough:
            return
        now = self._now()
        verdict = _verdict(account, style, now)
        if _differs(account.found, verdict.found, now):
            learned = {name: value for name, value in verdict.found.items() if name in _LEARNED}
            event = Event(now, "collect.style", account_id=account.id, data={"found": learned, **_facts(style)})
            changed = {name: value for name, value in account.found.items() if name in _LEARNED} != learned
            await self._store.directory.learn(account.id, verdict.found, [event] if changed else [])
        if verdict.alarm:
            await self._tell(account, verdict.alarm, now)

    async def _tell(self, account: Account, alarm: str, now: int) -> None:
        """Once a week as long as it lasts, also over a restart."""
        told = await self._store.settings.get("style-alarm", str(account.id))
        if told is not None and isinstance(told[0], int) and now - told[0] < _WEEK:
            return
        subject = f"The mail of {account.address} is marked otherwise than before"
        text = f"{alarm}\r\n\r\nLook with: mailshare account probe {account.address}"
        if await self._notices.tell(account, "style", subject, text):
            await self._store.settings.put("style-alarm", str(account.id), now)


def _sighting(one: Headers | Sighting, sharers: Sharers) -> Sighting:
    return one if isinstance(one, Sighting) else Sighting.of(one, sharers)


def _facts(style: Style) -> dict[str, object]:
    return {
        "evidence": style.evidence,
        "share": round(style.share, 2),
        "mails": style.mails,
        "bcc_safe": style.bcc_safe,
        "one_copy_each": style.one_copy_each,
    }


def _verdict(account: Account, style: Style, now: int) -> _Verdict:
    """What is known now; an alarm when what was relied on has become rare."""
    before = str(account.found.get("relied_on", ""))
    relied_on = style.evidence if share_of(style, style.evidence) >= OFTEN and style.evidence != "to/cc" else ""
    alarm = ""
    if before and share_of(style, before) < OFTEN:
        percent = round(100 * share_of(style, before))
        mails = f"the newest {style.mails} messages of {account.address}"
        alarm = f"{before} names the recipient in {percent} % of {mails}."
        if relied_on:
            alarm += f" It is sorted by {relied_on} now."
        elif style.share < OFTEN:
            alarm += f" Only {round(100 * style.share)} % say at all whom they are for; blind copies may go to ADMIN."
        else:
            alarm += " Other fields name him instead, so sorting goes on."
    found: dict[str, object] = {**style.settings(), **_facts(style), "at": now, "alarm": alarm}
    found["relied_on"] = relied_on or before
    if "tags_work" in account.found:
        found["tags_work"] = account.found["tags_work"]
    return _Verdict(found, alarm)


def _differs(old: Mapping[str, object], new: Mapping[str, object], now: int) -> bool:
    """Worth writing: a setting, the alarm or the share has changed, or the last look is a week old."""
    at, share = old.get("at"), old.get("share")
    if not isinstance(at, int) or now - at >= _WEEK or not isinstance(share, int | float):
        return True
    if abs(share - float(str(new["share"]))) >= _NOTED:
        return True
    quiet = {"at", "share", "mails"}
    return {k: v for k, v in old.items() if k not in quiet} != {k: v for k, v in new.items() if k not in quiet}
