"""What can be asked of an office, as one table: the API serves it, the commands call it.

Each operation is a method of the same name on the object behind the API; its arguments come from the path, the query
and the JSON body together, checked against ``params``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from mailshare.core.errors import PeerFault
from mailshare.core.levels import Level

BASE = "/api/v1"
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
        "print_document",
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
ELEMENTS: Mapping[str, type] = {"ids": int, "timetable": dict}
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
        return [part for part in value.split(",") if part]
    if type(value) is not kind:
        raise PeerFault(f"{name}: {_WANTED[kind]}", code=400)
    elements: list[Any] = value if isinstance(value, list) else []
    element = ELEMENTS.get(name, str)
    if not all(type(each) is element for each in elements):
        raise PeerFault(f"{name}: {_EACH[element]}", code=400)
    if any(type(number) is int and abs(number) > _MOST_INT for number in (value, *elements)):
        raise PeerFault(f"{name}: {_TOO_LARGE}", code=400)
    return value


_USER: Mapping[str, type] = {
    "names": list,
    "accounts": list,
    "cc": list,
    "enabled": bool,
    "local_only": bool,
    "quota": int,
    "quota_messages": int,
    "forward": list,
    "forward_keep": bool,
    "password": str,
}
_ACCOUNT: Mapping[str, type] = {
    "mode": str,
    "enabled": bool,
    "domains": list,
    "aliases": list,
    "tag_delimiter": str,
    "collect": str,
    "relay": str,
    "password": str,
    "secret": dict,
    "timetable": list,
    "zone": str,
    "threshold": int,
    "hold_outside": bool,
    "leave_on_server_days": int,
    "ambiguous": str,
    "options": dict,
}
_CONTACT: Mapping[str, type] = {
    "title": str,
    "company": str,
    "mail": str,
    "number": str,
    "subaddress": str,
    "short": str,
    "printer": str,
    "members": list,
}
_PICTURE: Mapping[str, type] = {"page": int, "width": int, "by": str}
_KEEPER: Mapping[str, type] = {"password": str, "role": str, "accounts": list}
_ROWS: Mapping[str, type] = {"message": str, "account": str, "route": str, "all": bool}
OPERATIONS: tuple[Operation, ...] = (
    Operation("status", "GET", "/status"),
    Operation("send_receive", "POST", "/sendreceive", {"account": str}, offline=False, needs=Level.OPERATE),
    Operation("overview", "GET", "/overview"),
    Operation("look", "POST", "/messages/look", {"item": int, "name": str, "uid": int, "by": str}),
    Operation("mailboxes", "GET", "/mailboxes"),
    Operation("print_usage", "GET", "/printers/usage", {"month": str}),
    Operation("outbox", "GET", "/outbox", {"account": str, "all": bool, "before": int, "limit": int}),
    Operation(
        "steer", "POST", "/outbox/<act>", {"act": str, "ids": list, **_ROWS}, ("act",), needs=Level.OPERATE
    ),
    Operation("attempts", "GET", "/outbox/<item>/attempts", {"item": int}, ("item",)),
    Operation("why", "GET", "/why", {"id": str}, ("id",)),
    Operation("log", "GET", "/log", {"day": str, "kinds": list, "after": int, "limit": int, "run": str, "last": int}),
    Operation("days", "GET", "/log/days"),
    Operation("users", "GET", "/users"),
    Operation("add_user", "POST", "/users", {"name": str, **_USER}, ("name",)),
    Operation("change_user", "PATCH", "/users/<name>", {"name": str, **_USER}, ("name",)),
    Operation("delete_user", "DELETE", "/users/<name>", {"name": str}, ("name",)),
    Operation(
        "handout",
        "GET",
        "/users/<name>/handout",
        {"name": str, "format": str, "authority": str, "sign": bool},
        ("name",),
    ),
    Operation("show_user", "GET", "/users/<name>", {"name": str}, ("name",)),
    Operation("former_users", "GET", "/former-users"),
    Operation("restore_user", "POST", "/former-users/<name>/restore", {"name": str, "number": int}, ("name",)),
    Operation(
        "vacation",
        "POST",
        "/users/<name>/vacation",
        {"name": str, "text": str, "subject": str, "start": str, "end": str, "off": bool},
        ("name",),
    ),
    Operation("app_passwords", "GET", "/users/<name>/app-passwords", {"name": str}, ("name",)),
    Operation(
        "add_app_password", "POST", "/users/<name>/app-passwords", {"name": str, "label": str}, ("name", "label")
    ),
    Operation(
        "revoke_app_password",
        "DELETE",
        "/users/<name>/app-passwords/<label>",
        {"name": str, "label": str},
        ("name", "label"),
    ),
    Operation("fax_queue", "GET", "/fax", {"all": bool, "limit": int}),
    Operation("fax_lines", "GET", "/fax/lines", offline=False),
    Operation("fax_boxes", "GET", "/fax/boxes", offline=False),
    Operation("fax_book", "GET", "/fax/book"),
    Operation("fax_receive", "POST", "/fax/receive", offline=False, needs=Level.OPERATE),
    Operation(
        "fax_send",
        "POST",
        "/fax",
        {
            "file": str,
            "to": list,
            "user": str,
            "subject": str,
            "text": str,
            "at": str,
            "deadline": str,
            "priority": str,
            "forecast": bool,
        },
        ("file", "to"),
        offline=False,
        remote=False,  # it names a file of this machine
    ),
    Operation(
        "fax_document",
        "POST",
        "/fax/documents",
        {
            "to": list,
            "name": str,
            "user": str,
            "subject": str,
            "text": str,
            "at": str,
            "deadline": str,
            "priority": str,
            "forecast": bool,
        },
        ("to",),
        offline=False,
        raw=True,
        needs=Level.OPERATE,
    ),
    Operation("fax_show", "GET", "/fax/<id>", {"id": int}, ("id",)),
    Operation(
        "fax_page", "GET", "/fax/<id>/page", {"id": int, **_PICTURE}, ("id",), offline=False, needs=Level.OPERATE
    ),
    Operation("fax_report", "GET", "/fax/<id>/report", {"id": int}, ("id",), offline=False, needs=Level.OPERATE),
    Operation("fax_activity", "GET", "/fax/activity", {"days": int, "pdf": bool}, offline=False),
    Operation("fax_received", "GET", "/fax/received", {"days": int, "limit": int}),
    Operation(
        "fax_received_page",
        "GET",
        "/fax/received/<trace>/page",
        {"trace": str, **_PICTURE},
        ("trace",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation(
        "fax_cancel", "POST", "/fax/<id>/cancel", {"id": int}, ("id",), offline=False, needs=Level.OPERATE
    ),
    Operation(
        "fax_resend", "POST", "/fax/<id>/resend", {"id": int}, ("id",), offline=False, needs=Level.OPERATE
    ),
    Operation("book", "GET", "/book"),
    Operation("export_book", "GET", "/book/export", {"form": str}),
    Operation("check_number", "GET", "/book/number", {"number": str}, ("number",)),
    Operation("import_book", "POST", "/book/import", {"text": str}, ("text",)),
    Operation("set_keys", "POST", "/book/keys", {"keys": dict}, ("keys",)),
    Operation("add_contact", "POST", "/book", {"name": str, **_CONTACT}, ("name",)),
    Operation("book_entry", "GET", "/book/entries/<name>", {"name": str}, ("name",)),
    Operation("change_contact", "PATCH", "/book/entries/<name>", {"name": str, **_CONTACT}, ("name",)),
    Operation("delete_contact", "DELETE", "/book/entries/<name>", {"name": str}, ("name",)),
    Operation("accounts", "GET", "/accounts"),
    Operation("add_account", "POST", "/accounts", {"address": str, **_ACCOUNT}, ("address",)),
    Operation("change_account", "PATCH", "/accounts/<address>", {"address": str, **_ACCOUNT}, ("address",)),
    Operation(
        "resume",
        "POST",
        "/accounts/<address>/resume",
        {"address": str},
        ("address",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("delete_account", "DELETE", "/accounts/<address>", {"address": str}, ("address",)),
    Operation("probe_account", "POST", "/accounts/<address>/probe", {"address": str, "write": bool}, ("address",)),
    Operation("account_show", "GET", "/accounts/<address>/provider", {"address": str}, ("address",)),
    Operation(
        "import_uids",
        "POST",
        "/accounts/<address>/uids",
        {"address": str, "program": str, "uids": dict, "ours": bool},
        ("address", "program", "uids"),
    ),
    Operation("fetch_anyway", "POST", "/fetch", {"id": str, "account": str}, ("id",), needs=Level.OPERATE),
    Operation(
        "test_tag",
        "POST",
        "/accounts/<address>/test-tag",
        {"address": str, "look": bool},
        ("address",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("admin_list", "GET", "/admin/mail", {"account": str, "limit": int}),
    Operation("admin_show", "GET", "/admin/mail/<id>", {"id": str}, ("id",)),
    Operation(
        "admin_give",
        "POST",
        "/admin/mail/<id>/give",
        {"id": str, "users": list, "by": str},
        ("id", "users"),
        needs=Level.OPERATE,
    ),
    Operation(
        "admin_always",
        "POST",
        "/admin/mail/<id>/always",
        {"id": str, "users": list, "kind": str, "past": bool, "by": str},
        ("id", "users"),
        needs=Level.OPERATE,
    ),
    Operation(
        "admin_teach",
        "POST",
        "/admin/mail/<id>/teach",
        {"id": str, "user": str, "name": str, "past": bool, "by": str},
        ("id", "user"),
        needs=Level.OPERATE,
    ),
    Operation("admin_sort", "POST", "/admin/sort", {"account": str, "by": str}, needs=Level.OPERATE),
    Operation(
        "admin_reset", "POST", "/admin/password", {"account": str, "password": str, "by": str}, ("password",)
    ),
    Operation(
        "dry_run",
        "POST",
        "/route/dry-run",
        {
            "account": str,
            "last": int,
            "text": str,
            "path": str,
            "ambiguous": str,
            "aliases": list,
            "options": dict,
            "all": bool,
        },
        remote=False,
    ),
    Operation(
        "print_document",
        "POST",
        "/print",
        {
            "to": str,
            "name": str,
            "user": str,
            "declared": str,
            "options": str,
            "notify": list,
            "hold": bool,
            "pin": str,
            "keep": bool,
        },
        ("to",),
        offline=False,
        raw=True,
        needs=Level.OPERATE,
    ),
    Operation("print_job", "GET", "/print/jobs/<id>", {"id": int}, ("id",)),
    Operation("print_places", "GET", "/printers", offline=False),
    Operation(
        "test_printer",
        "POST",
        "/printers/<name>/test",
        {"name": str, "page": bool, "by": str},
        ("name",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("rules", "GET", "/rules", {"account": str}),
    Operation(
        "delete_rule",
        "POST",
        "/rules/delete",
        {"account": str, "kind": str, "match": str, "by": str},
        ("account", "kind", "match"),
    ),
    Operation("export", "GET", "/export", {"secrets": bool}, needs=Level.ADMIN),
    Operation("backup", "POST", "/backup", {"directory": str}, ("directory",), remote=False),
    Operation("verify", "POST", "/verify", {"deep": bool}, needs=Level.OPERATE),
    Operation("pause", "POST", "/pause", {"paused": bool}, ("paused",), offline=False, needs=Level.OPERATE),
    Operation("mailbox", "GET", "/mailboxes/<name>", {"name": str, "before": int, "limit": int}, ("name",)),
    Operation("next_runs", "GET", "/accounts/<address>/next-runs", {"address": str}, ("address",)),
    Operation("find_servers", "POST", "/find-servers", {"address": str}, ("address",), offline=False),
    Operation(
        "test_login",
        "POST",
        "/test-login",
        {"address": str, "password": str, "collect": str, "relay": str, "by": str},
        ("address", "password", "collect"),
        offline=False,
    ),
    Operation(
        "pause_queue",
        "POST",
        "/print/queues/<name>/pause",
        {"name": str, "paused": bool},
        ("name", "paused"),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("print_jobs", "GET", "/print/jobs", {"all": bool, "queue": str, "before": int, "limit": int}),
    Operation(
        "steer_job", "POST", "/print/jobs/<id>/<act>", {"id": int, "act": str}, ("id", "act"), needs=Level.OPERATE
    ),
    Operation("setup_code", "GET", "/manager/setup-code", offline=False, needs=Level.ADMIN, remote=False),
    Operation("administrators", "GET", "/manager/administrators", needs=Level.ADMIN),
    Operation("add_administrator", "POST", "/manager/administrators", {"name": str, **_KEEPER}, ("name", "password")),
    Operation("change_administrator", "PATCH", "/manager/administrators/<name>", {"name": str, **_KEEPER}, ("name",)),
    Operation("remove_administrator", "DELETE", "/manager/administrators/<name>", {"name": str}, ("name",)),
    Operation("tokens", "GET", "/manager/tokens", needs=Level.ADMIN),
    Operation(
        "add_token",
        "POST",
        "/manager/tokens",
        {"owner": str, "label": str, "level": str, "days": int},
        ("owner", "label", "level"),
    ),
    Operation("revoke_token", "DELETE", "/manager/tokens/<id>", {"id": str}, ("id",)),
    Operation("reload", "POST", "/reload", offline=False),
)

BY_NAME: Mapping[str, Operation] = {operation.name: operation for operation in OPERATIONS}
