"""What an administrator does for one person: look, bring back, app passwords, and the answer while somebody is away."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import date

from attrs import asdict, evolve

from mailshare.assembly import shapes
from mailshare.assembly.changes import Changes
from mailshare.core.errors import PeerFault, PolicyRefusal
from mailshare.core.people import usable_addresses
from mailshare.core.personal import Vacation
from mailshare.core.values import Account, AccountMode, User, UserKind
from mailshare.delivery.answers import SCOPE as ANSWERED
from mailshare.portal.app_passwords import AppPassword, AppPasswords, mark_of
from mailshare.portal.passwords import generated

_MOST_TEXT = 10_000  # characters of an answer
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,60}\Z")


class Personal(Changes):
    """Acts on one user at a time."""

    # ------------------------------------------------------------------ looking

    async def show_user(self, *, name: str) -> Mapping[str, object]:
        """A user with the addresses that reach him, where their mail comes from, and what his mailbox does itself."""
        user, directory = self._user(name), self._directory()
        counts = {count.user_id: count for count in await self._store.mailboxes.counts()}
        count = counts.get(user.id)
        accounts = [directory.account_by_id[one] for one in user.accounts if one in directory.account_by_id]
        owned = [one for one in directory.accounts if user.name in (one.admin, one.public)]
        return {
            **shapes.user_json(user, directory),
            "addresses": [
                {
                    "account": str(account.address),
                    "addresses": list(self._addresses(user, account)),
                    "comes_from": _source(account),
                    "leaves_by": account.relay.host if account.relay is not None else "",
                }
                for account in (*accounts, *owned)
            ],
            "inside": [f"{user.name}", f"{user.name}@{directory.hostname}"],
            "copies_from": sorted(one.name for one in directory.users if user.id in one.cc),
            "messages": count.messages if count is not None else 0,
            "octets": count.octets if count is not None else 0,
            "unread": count.unread if count is not None else 0,
            "quota_percent": user.quota.percent(count.messages, count.octets) if count is not None else 0,
            "vacation": asdict(user.vacation) if user.vacation is not None else {},
            "app_passwords": [row["label"] for row in await self.app_passwords(name=name)],
        }

    def _addresses(self, user: User, account: Account) -> tuple[str, ...]:
        if user.kind is UserKind.PERSON:
            return usable_addresses(user, account, self._directory())
        word = "ADMIN" if user.kind is UserKind.ADMIN else "PUBLIC"
        if account.mode is AccountMode.DOMAIN:
            return tuple(f"{user.name}@{domain}" for domain in account.domains)
        return (f"{word} <{account.address}>",)

    # ------------------------------------------------------------------ coming back

    async def restore_user(self, *, name: str, number: int = 0) -> Mapping[str, object]:
        """Bring back a deleted user with mail, passwords and copies."""
        back = await self._store.directory.restore_user(name, number)
        return shapes.user_json(back, self._directory())

    async def former_users(self) -> Sequence[Mapping[str, object]]:
        """Who was deleted and can come back, by name."""
        found = sorted(self._directory().former, key=lambda one: one.name)
        return [
            {"number": one.id, "name": one.name, "names": list(one.names), "deleted": shapes.moment(one.deleted),
             "kept_until": shapes.moment(one.until)}
            for one in found
        ]  # fmt: skip

    # ------------------------------------------------------------------ app passwords

    async def app_passwords(self, *, name: str) -> Sequence[Mapping[str, object]]:
        """Label, first letters, when made and last used; never the password."""
        return [
            {"label": one.label, "mark": one.mark, "made": shapes.moment(one.made), "used": shapes.moment(one.used)}
            for one in await AppPasswords(self._store.settings).of(self._user(name).id)
        ]

    async def add_app_password(self, *, name: str, label: str) -> Mapping[str, object]:
        """Make one up; the answer is the only place where it is ever shown."""
        user = self._user(name)
        if user.kind is UserKind.PUBLIC:
            raise PolicyRefusal("Nobody logs in as PUBLIC")
        if not _LABEL.match(label.strip()):
            raise PeerFault("The label needs 1 to 60 printable characters, e.g. telephone", code=400)
        apps = AppPasswords(self._store.settings)
        taken = {one.mark for one in await apps.of(user.id)}
        password = generated(os.urandom)
        while mark_of(password) in taken:
            password = generated(os.urandom)
        hashed, scram = await self._hasher(password, await self._like(user))
        made = AppPassword(mark_of(password), label.strip(), hashed, scram, self._clock())
        await apps.add(user.id, made)
        return {"user": user.name, "label": made.label, "mark": made.mark, "password": password}

    async def revoke_app_password(self, *, name: str, label: str) -> Mapping[str, object]:
        """Take one back; the others stay."""
        user = self._user(name)
        gone = await AppPasswords(self._store.settings).revoke(user.id, label)
        return {"user": user.name, "revoked": gone.label}

    # ------------------------------------------------------------------ away

    async def vacation(
        self, *, name: str, text: str = "", subject: str = "", start: str = "", end: str = "", off: bool = False
    ) -> Mapping[str, object]:
        """Set, end or show the answer of somebody who is away; setting it forgets who was answered before.

        It is a matter of the day and not of the configuration, so it may be set for declared users as well.
        """
        user = self._user(name)
        if not off and not text and (subject or start or end):
            raise PeerFault("An answer needs a text", code=400)
        if text or off:
            user = await self._set_vacation(user, None if off else _checked(Vacation(text, subject, start, end)))
        return {"user": user.name, **(asdict(user.vacation) if user.vacation is not None else {"text": ""})}

    async def _set_vacation(self, user: User, vacation: Vacation | None) -> User:
        if user.kind is not UserKind.PERSON:
            raise PolicyRefusal("ADMIN and PUBLIC never answer by themselves")
        await self._store.settings.put(ANSWERED, str(user.id), {})
        changed = evolve(user, vacation=vacation)
        return await self._store.directory.change_user(changed, declared=bool(user.managed_by))


def _checked(vacation: Vacation) -> Vacation:
    """The answer, if its days are days.

    :raises PeerFault: 400, what is wrong.
    """
    if len(vacation.text) > _MOST_TEXT:
        raise PeerFault(f"The text is longer than {_MOST_TEXT} characters", code=400)
    for day in (vacation.start, vacation.end):
        try:
            fine = not day or date.fromisoformat(day).isoformat() == day
        except ValueError:
            fine = False
        if not fine:
            raise PeerFault(f"{day!r} is not a day; write YYYY-MM-DD", code=400)
    if vacation.start and vacation.end and vacation.end < vacation.start:
        raise PeerFault(f"The last day {vacation.end} lies before the first, {vacation.start}", code=400)
    return vacation


def _source(account: Account) -> str:
    if account.collect is None:
        return "nowhere: the account has no server to collect from"
    server = account.collect
    return f"{server.protocol.upper()} {server.host}, login {server.login or account.address}"
