"""What can be asked of an office, as one table: the API serves it, the commands call it.

Each operation is a method of the same name on the object behind the API; its arguments come from the path, the query
and the JSON body together, checked against ``params``.
"""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.levels import Level
from mailshare.web.fax_operations import FAX_OPERATIONS
from mailshare.web.operation import ELEMENTS, Operation

__all__ = ["BASE", "BY_NAME", "ELEMENTS", "OPERATIONS", "Operation"]

BASE = "/api/v1"
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
    *FAX_OPERATIONS,
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
