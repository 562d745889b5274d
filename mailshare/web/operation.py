"""What one operation of an office is: its address, its arguments and who may do it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.levels import Level

_NEEDED = "this is needed"

_TELL_THEMSELVES = frozenset(
    {
        "send_receive",  # looks after mail and changes nothing that an administrator sets
        "verify",
        "steer",
        "look",
        "fetch_anyway",
        "import_uids",
        "admin_give",
        "admin_always",
        "admin_teach",
        "admin_sort",
        "admin_reset",
        "delete_rule",
        "steer_job",
        "find_servers",  # these two only look
        "test_login",
        "setup_step",  # keeps a place only
        "print_document",
        "preview_runs",
        "try_sorting",
        "set_users",
        "unlock_user",
        "unlock_login",
    }
)


_SECRET = frozenset(
    {
        "add_administrator",
        "change_administrator",
        "remove_administrator",
        "add_token",
        "add_app_password",
        "admin_reset",
        "delete_account",
        "export",
    }
)


@frozen
class Operation:
    """One thing to ask.

    :ivar name: method of the office.
    :ivar path: below ``/api/v1``; ``<name>`` parts are arguments.
    :ivar params: argument to kind: ``str``, ``int``, ``bool``, ``list`` or ``dict``.
    :ivar required: arguments that must be there.
    :ivar offline: possible on the store alone, while no server runs.
    :ivar needs: how far somebody's hand must reach; not given: looking for GET, else changing.
    :ivar remote: also for the manager and its API; else over the control socket alone.
    :ivar raw: the body is a document, given as the argument ``document``; all others stand in the query.
    """

    name: str
    method: str
    path: str
    params: Mapping[str, type] = field(factory=dict)
    required: tuple[str, ...] = ()
    offline: bool = True
    raw: bool = False
    needs: Level | None = None
    remote: bool = True

    @property
    def level(self) -> Level:
        """How far somebody's hand must reach to do this."""
        return self.needs or (Level.READ if self.method == "GET" else Level.ADMIN)

    @property
    def audited(self) -> bool:
        """It changes something, and writes no line of its own into the audit."""
        return self.method != "GET" and self.name not in _TELL_THEMSELVES

    def secret(self, given: Mapping[str, Any]) -> bool:
        """Whether it gives somebody a way in or lets much be seen, so that a browser left alone must not do it."""
        return self.name in _SECRET or (self.name in ("change_user", "change_account") and "password" in given)

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check arguments; texts of a query become numbers and truths.

        :raises PeerFault: 400, one is unknown, missing or of the wrong kind.
        """
        unknown = sorted(set(given) - set(self.params))
        if unknown:
            raise PeerFault(f"{self.name} does not know {', '.join(unknown)}", code=400)
        missing = [name for name in self.required if given.get(name) in (None, "")]
        if missing:
            raise PeerFault("; ".join(f"{name}: {_NEEDED}" for name in missing), code=400)
        return {name: _fitting(name, value, self.params[name]) for name, value in given.items()}


_MOST_INT = 2**53  # what JSON carries exactly (RFC 8259 section 6), and well within a column of the store
ELEMENTS: Mapping[str, type] = {"ids": int, "timetable": dict, "people": dict}
"""Kind of the elements of a list by its name; texts for the others."""

_WANTED: Mapping[type, str] = {
    int: "a whole number is needed here, e.g. 5",
    bool: "true or false is needed here",
    str: "a text is needed here",
    list: "a list is needed here",
    dict: "a JSON object is needed here",
}
_EACH: Mapping[type, str] = {
    int: "each of them must be a whole number",
    str: "each of them must be a text",
    dict: "each of them must be a JSON object",
}
_TOO_LARGE = "this number is too large"


def _fitting(name: str, value: Any, kind: type) -> Any:
    if kind is int and isinstance(value, str) and len(value) < 18 and value.isascii() and value.lstrip("-").isdigit():
        with contextlib.suppress(ValueError):
            value = int(value)
    if kind is bool and value in ("true", "false"):
        return value == "true"
    if kind is list and isinstance(value, str):
        value = [part for part in value.split(",") if part]
    if type(value) is not kind:
        raise PeerFault(f"{name}: {_WANTED[kind]}", code=400)
    elements: list[Any] = value if isinstance(value, list) else []
    element = ELEMENTS.get(name, str)
    if not all(type(each) is element for each in elements):
        raise PeerFault(f"{name}: {_EACH[element]}", code=400)
    if any(type(number) is int and abs(number) > _MOST_INT for number in (value, *elements)):
        raise PeerFault(f"{name}: {_TOO_LARGE}", code=400)
    return value
