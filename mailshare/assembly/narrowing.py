"""The office as somebody sees it who looks after some of its accounts: arguments are checked, answers are cut.

What stands not in :data:`KEEPERS` cannot be done by such a caller at all, so a new operation is closed until somebody
has thought about it here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mailshare.assembly.several_people import checked_facts
from mailshare.core.errors import NotAllowed
from mailshare.core.values import Directory, User, UserKind
from mailshare.interfaces import IStore

KEEPERS = frozenset(
    {
        "status", "runs", "health", "mailboxes", "mailbox", "outbox", "steer", "attempts", "why", "log", "days",
        "send_receive", "resume",
        "users", "add_user", "change_user", "delete_user", "show_user", "handout", "vacation", "app_passwords",
        "add_app_password", "revoke_app_password", "accounts", "account_show", "next_runs", "unlock_user", "admin_list",
        "admin_show", "preview_runs",
        "set_users", "try_sorting", "admin_give", "admin_always", "admin_teach", "rules", "fetch_anyway",
    }
)  # fmt: skip
_BY_ADDRESS = frozenset({"account_show", "resume", "next_runs", "preview_runs", "try_sorting"})
_PEOPLE = frozenset(
    {"show_user", "change_user", "delete_user", "handout", "vacation", "app_passwords", "add_app_password",
     "revoke_app_password", "unlock_user", "mailbox"}
)  # fmt: skip
_NEEDS_ACCOUNT = frozenset({"send_receive", "admin_list", "fetch_anyway"})
_CASES = frozenset({"admin_show", "admin_give", "admin_always", "admin_teach"})


class Narrowing:
    """What one caller sees.

    :param accounts: addresses, casefolded.
    """

    def __init__(self, accounts: frozenset[str], store: IStore) -> None:
        self._accounts = accounts
        self._store = store

    def _directory(self) -> Directory:
        return self._store.directory.current()

    @property
    def _ids(self) -> frozenset[int]:
        return frozenset(
            one.id for one in self._directory().accounts if str(one.address).casefold() in self._accounts
        )

    # ------------------------------------------------------------------ before

    async def arguments(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments, if the caller may name these things.

        :raises NotAllowed: it is somebody else's.
        """
        if name in _BY_ADDRESS:
            self._own(str(given.get("address", "")))
        if given.get("account"):
            self._own(str(given["account"]))
        elif name in _NEEDS_ACCOUNT:
            if len(self._accounts) != 1:
                raise NotAllowed("Name one of your accounts with this")
            given["account"] = next(iter(self._accounts))
        if name in _PEOPLE:
            self._person(str(given.get("name", "")))
        if name in ("add_user", "change_user"):
            self._changes(name, given)
        for person in given.get("people", ()):
            login = str(person.get("name", ""))
            self._person(login)
            known = login.casefold() in self._directory().user_by_name
            self._changes("change_user" if known else "add_user", checked_facts(person))
        for user in (*given.get("users", ()), *([given["user"]] if given.get("user") else ())):
            self._person(str(user))
        if name in _CASES:
            await self._case(str(given.get("id", "")))
        if name in ("steer", "attempts"):
            await self._rows(given)
        return given

    def _own(self, wanted: str) -> None:
        """By address, or by number."""
        numbers = {str(one.number): str(one.address).casefold() for one in self._directory().accounts}
        if numbers.get(wanted, wanted.casefold()) not in self._accounts:
            raise NotAllowed("That account is not one of yours")

    def _person(self, name: str) -> None:
        user = self._directory().user_by_name.get(name.casefold())
        if user is not None and not self._mine(user):
            raise NotAllowed("That user does not belong to your accounts alone")

    def _mine(self, user: User) -> bool:
        """All of the accounts that the user has are the caller's; ADMINn and PUBLICn belong to account n."""
        if user.kind is UserKind.PERSON:
            return bool(user.accounts) and set(user.accounts) <= self._ids
        own = [one for one in self._directory().accounts if user.name in (one.admin, one.public)]
        return bool(own) and all(one.id in self._ids for one in own)

    def _changes(self, name: str, given: Mapping[str, Any]) -> None:
        if name == "add_user" and not given.get("accounts"):
            raise NotAllowed("Name one of your accounts for the new user")
        if "accounts" in given and not given["accounts"]:
            raise NotAllowed("A user of yours needs one of your accounts")
        for account in given.get("accounts", ()):
            self._own(str(account))
        for reader in given.get("cc", ()):
            self._person(str(reader))

    async def _case(self, wanted: str) -> None:
        """``2.17`` names its account; a trace does not, so it is not taken."""
        number, dot, _ = wanted.partition(".")
        if not dot:
            raise NotAllowed("Name the message by its number in the list, e.g. 1.17")
        self._own(number)

    async def _rows(self, given: Mapping[str, Any]) -> None:
        """Only rows by number, and each of an own account."""
        if given.get("all") or given.get("message") or given.get("route"):
            raise NotAllowed("Choose the rows by their numbers")
        for number in given.get("ids", [given["item"]] if "item" in given else []):
            row = await self._store.queue.item(int(number))
            if row is not None and row.account_id not in self._ids:
                raise NotAllowed("That message does not go by one of your accounts")

    # ------------------------------------------------------------------ after

    def result(self, name: str, found: Any) -> Any:
        """The answer, without what is others'."""
        if name in ("outbox", "admin_list", "rules", "runs"):
            return self._rows_of(found, lambda row: [row["account"]])
        if name == "accounts":
            return self._rows_of(found, lambda row: [row["address"]])
        if name in ("users", "mailboxes"):
            return [row for row in found if self._named(str(row.get("name") or row.get("user")))]
        if name == "health":
            return [row for row in found if self._sees(row)]
        if name == "status":
            return {**found, "peers": {}, "accounts": self._rows_of(found["accounts"], lambda row: [row["address"]])}
        if name == "log":
            return {**found, "events": self._rows_of(found["events"], lambda row: [row["account"]])}
        if name == "why":
            return [chain for chain in found if self._rows_of(chain["events"], lambda row: [row["account"]])]
        return found

    def _sees(self, finding: Mapping[str, Any]) -> bool:
        return not finding["private"] and (not finding["account"] or finding["account"].casefold() in self._accounts)

    def _rows_of(
        self, rows: Iterable[Mapping[str, Any]], whose: Callable[[Mapping[str, Any]], Sequence[str]]
    ) -> list[Mapping[str, Any]]:
        return [row for row in rows if any(str(one).casefold() in self._accounts for one in whose(row))]

    def _named(self, name: str) -> bool:
        user = self._directory().user_by_name.get(name)
        return user is not None and self._mine(user)
