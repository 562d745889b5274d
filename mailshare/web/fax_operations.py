"""What can be asked about faxes; part of the table of operations."""

from __future__ import annotations

from collections.abc import Mapping

from mailshare.core.levels import Level
from mailshare.web.operation import Operation

_PICTURE: Mapping[str, type] = {"page": int, "width": int, "by": str}
_WISHES: Mapping[str, type] = {
    "user": str,
    "subject": str,
    "text": str,
    "at": str,
    "deadline": str,
    "priority": str,
    "cover": str,
    "receipt": bool,
    "forecast": bool,
}
"""What may be said of a fax that is sent, whether its document is a file here or comes with the request."""

FAX_OPERATIONS: tuple[Operation, ...] = (
    Operation("fax_queue", "GET", "/fax", {"all": bool, "limit": int}),
    Operation("fax_lines", "GET", "/fax/lines", offline=False),
    Operation("fax_number", "GET", "/fax/numbers/<number>", {"number": str}, ("number",), offline=False),
    Operation(
        "forget_fax_number",
        "DELETE",
        "/fax/numbers/<number>",
        {"number": str},
        ("number",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("fax_boxes", "GET", "/fax/boxes", offline=False),
    Operation("fax_box", "GET", "/fax/boxes/<name>", {"name": str}, ("name",), offline=False),
    Operation(
        "steer_fax_box",
        "POST",
        "/fax/boxes/<name>/faxes/<id>/<act>",
        {"name": str, "id": int, "act": str, "to": list, "by": str},
        ("name", "id", "act"),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("fax_covers", "GET", "/fax/covers", offline=False),
    Operation(
        "fax_cover",
        "GET",
        "/fax/covers/<name>",
        {"name": str, "to": str, "subject": str, "text": str, "user": str, "width": int},
        ("name",),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("fax_book", "GET", "/fax/book"),
    Operation("fax_receive", "POST", "/fax/receive", offline=False, needs=Level.OPERATE),
    Operation(
        "fax_send",
        "POST",
        "/fax",
        {"file": str, "to": list, "password": str, **_WISHES},  # a password stands in no address of a request
        ("file", "to"),
        offline=False,
        remote=False,  # it names a file of this machine
    ),
    Operation(
        "fax_document",
        "POST",
        "/fax/documents",
        {"to": list, "name": str, **_WISHES},
        ("to",),
        offline=False,
        raw=True,
        needs=Level.OPERATE,
    ),
    Operation(
        "fax_poll",
        "POST",
        "/fax/polls",
        {
            "number": str,
            "to": list,
            "sep": str,
            "pwd": str,
            "user": str,
            "at": str,
            "deadline": str,
            "priority": str,
        },
        ("number", "to"),
        offline=False,
        needs=Level.OPERATE,
    ),
    Operation("fax_show", "GET", "/fax/<id>", {"id": int}, ("id",)),
    Operation(
        "fax_page", "GET", "/fax/<id>/page", {"id": int, **_PICTURE}, ("id",), offline=False, needs=Level.OPERATE
    ),
    Operation("fax_report", "GET", "/fax/<id>/report", {"id": int}, ("id",), offline=False, needs=Level.OPERATE),
    Operation("fax_activity", "GET", "/fax/activity", {"days": int, "pdf": bool}, offline=False),
    Operation("fax_received", "GET", "/fax/received", {"days": int, "limit": int}),
    Operation("fax_received_show", "GET", "/fax/received/<trace>", {"trace": str}, ("trace",)),
    Operation(
        "fax_give",
        "POST",
        "/fax/received/<trace>/give",
        {"trace": str, "to": list, "mailbox": str, "keep": bool, "by": str},
        ("trace", "to"),
        offline=False,
        needs=Level.OPERATE,
    ),
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
)
