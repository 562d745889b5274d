"""Several people made and changed at once: looked at before, and then all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from mailshare.assembly import shapes
from mailshare.assembly.audit import write_audit
from mailshare.assembly.changes import Changes
from mailshare.core.errors import Declared, MailshareError, PeerFault
from mailshare.core.values import User, UserKind

MOST = 500
"""People that are taken at once."""
_KINDS: Mapping[str, type] = {
    "name": str, "full_name": str, "password": str, "names": list, "accounts": list, "cc": list, "forward": list,
    "forward_keep": bool, "enabled": bool, "local_only": bool, "quota": int, "quota_messages": int,
}  # fmt: skip

_SHOWN = tuple(key for key in _KINDS if key not in ("name", "full_name", "password"))


@frozen
class _Planned:
    """What would become of one person.

    :ivar user: as he would be; of a new one the id is negative.
    :ivar before: as he is; ``None`` for a new one.
    """

    name: str
    user: User | None = None
    before: User | None = None
    password: str = field(default="", repr=False)
    trouble: str = ""

    @property
    def does(self) -> str:
        """``add``, ``change``, ``same`` or ``wrong``."""
        if self.trouble or self.user is None:
            return "wrong"
        if self.before is None:
            return "add"
        return "change" if self.password or self.user != self.before else "same"


class SeveralPeople(Changes):
    """Put together with the other acts."""

    async def set_users(
        self, *, people: Sequence[Mapping[str, Any]], check: bool = False, by: str = ""
    ) -> Mapping[str, object]:
        """Make the people that are not there yet and change the others, in one go.

        :param people: each with ``name`` and what is to be set; ``full_name`` is the first of the names, the others
            stay.
        :param check: only tell what would become of each; nothing is changed.
        :returns: ``done``, and ``people`` in the same order: ``name``, ``does`` (``add``, ``change``, ``same`` or
            ``wrong``), ``trouble``, and ``changes``: ``field``, ``old`` and ``new`` of each thing that changes.
        :raises PeerFault: 422, somebody is wrong and it is not only looked at; then nothing was changed.
        """
        if not 0 < len(people) <= MOST:
            raise PeerFault(f"From 1 to {MOST} people can be set at once", code=400)
        planned = self._planned(people)
        wrong = [one for one in planned if one.does == "wrong"]
        if wrong and not check:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise PeerFault(f"{wrong[0].name}: {wrong[0].trouble}{more}. Nothing was changed", code=422)
        if not check:
            await self._take(planned)
            names = [one.name for one in planned if one.does != "same"]
            await write_audit(self._store, self._clock(), "set_users", {"by": by, "people": names})
        logins = {one.id: one.name for one in self._directory().users}
        logins |= {-place: one.name for place, one in enumerate(planned, 1)}  # also who is wrong, but gets copies
        return {"done": not check, "people": [self._person_told(one, logins) for one in planned]}

    def _planned(self, people: Sequence[Mapping[str, Any]]) -> list[_Planned]:
        known = self._directory().user_by_name
        names = [str(one.get("name", "")).casefold() for one in people]
        fresh = {name: User(-place, name) for place, name in enumerate(names, 1) if name not in known}
        planned = []
        for place, (name, facts) in enumerate(zip(names, people, strict=True)):
            try:
                if name in names[:place]:
                    raise PeerFault("This login stands here twice", code=400)
                planned.append(self._plan(name, facts, known.get(name), fresh))
            except MailshareError as fault:
                planned.append(_Planned(name, trouble=fault.public))
        return planned

    def _plan(
        self, name: str, given: Mapping[str, Any], before: User | None, fresh: Mapping[str, User]
    ) -> _Planned:
        facts = checked_facts(given)
        password = str(facts.pop("password", ""))
        if full := facts.pop("full_name", ""):
            facts["names"] = [full, *facts.get("names", before.names[1:] if before else ())]
        elif before is not None and before.names and "names" in facts:
            facts["names"] = [before.names[0], *facts["names"]]
        copies = facts.pop("cc", None)
        own = before is not None and before.kind is not UserKind.PERSON
        user = self._with(before or fresh[name], {**facts, "name": name}, own=own)
        if copies is not None:
            user = evolve(user, cc=self._readers(user, copies, fresh))
        planned = _Planned(name, user, before, password)
        if before is not None and planned.does == "change":
            if before.managed_by:
                raise Declared(f"This user is declared at {before.managed_by}; change it there")
            if own and user.accounts != before.accounts:
                raise PeerFault("ADMIN and PUBLIC keep their account", code=400)
        return planned

    async def _take(self, planned: Sequence[_Planned]) -> None:
        added, changed = [], []
        for one in planned:
            if one.user is None or one.does == "same":
                continue
            like = await self._like(one.before) if one.before is not None and one.password else ""
            hashes = await self._hasher(one.password, like) if one.password else None
            if one.before is None:
                added.append((one.user, *(hashes or ("", ""))))
            else:
                changed.append((one.user, *(hashes or (None, None))))
        if added or changed:
            await self._store.directory.set_users(added, changed)

    def _person_told(self, one: _Planned, logins: Mapping[int, str]) -> Mapping[str, object]:
        changes = self._differences(one.before or User(0, one.name), one.user, logins) if one.user is not None else []
        if one.password:
            changes.append({"field": "password", "old": "", "new": ""})
        return {"name": one.name, "does": one.does, "trouble": one.trouble, "changes": changes}

    def _differences(self, before: User, after: User, logins: Mapping[int, str]) -> list[Mapping[str, object]]:
        """What is another one than before; of a new person what is another one than usual."""
        was, will = (
            {**shapes.user_json(evolve(one, cc=()), self._directory()), "cc": [logins[each] for each in one.cc]}
            for one in (before, after)
        )
        return [
            {"field": key, "old": was[key], "new": will[key]} for key in _SHOWN if was[key] != will[key]
        ]


def checked_facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be set of one person, without the login.

    :raises PeerFault: 400, something is unknown or of another kind.
    """
    for key, value in given.items():
        if key not in _KINDS:
            raise PeerFault(f"There is nothing called {key!r} to be set of a user", code=400)
        fits = type(value) is _KINDS[key] and (not isinstance(value, list) or all(type(one) is str for one in value))
        if not fits:
            raise PeerFault(f"{key}: {value!r} does not fit", code=400)
    if not given.get("name"):
        raise PeerFault("The login is missing", code=400)
    return {key: value for key, value in given.items() if key != "name"}
