"""What reports say about faxes.

Source: RFC 3249 section 4.4.2 (the subject tells the outcome and the kind of report), 4.4.1.2 (what a success means).
"""

from __future__ import annotations

from collections.abc import Mapping

RECEIPT = "X-Fax-Receipt"
"""Field of a mail whose sender wants to hear at once that its faxes were taken."""
FEATURES = (
    "(& (image-file-structure=TIFF-minimal) (MRC-mode=0) (color=Binary) (image-coding=[MH,MR,MMR])"
    " (| (& (dpi=204) (dpi-xyratio=[204/98,204/196,204/391])) (& (dpi=200) (dpi-xyratio=[200/100,200/200])))"
    " (paper-size=[A4,letter,legal,B4,A3]) (ua-media=stationery))"
)
"""What this gateway takes beside everything else that it turns into pages: the pages of faxes (RFC 2530, RFC 2879)."""
_TOLD = {
    "X-Fax-Pages": "Pages received",
    "X-Fax-Remote-Id": "Far machine",
    "X-Fax-Duration": "Seconds on the line",
    "X-Fax-Tries": "Calls",
}


def fax_subject(action: str, kind: str) -> str:
    """What stands before the subject of the message.

    :param action: as in a delivery report: ``delivered``, ``failed``, ``delayed``, ``relayed``.
    :param kind: ``DSN``, ``MDN``, or empty for a notice that is neither.
    """
    outcome = {
        "delivered": "Fax delivered successfully.",
        "failed": "Fax rejected." if kind == "MDN" else "Fax not delivered.",
        "delayed": "Fax delayed, still trying.",
    }.get(action, "Fax passed on.")
    return f"{outcome} ({kind}) " if kind else f"{outcome} "


def report_forms(form: str, action: str, *, asked: bool) -> tuple[str, ...]:
    """In which forms a report is written: ``dsn``, ``mdn``, ``plain``.

    A disposition about a success goes to those alone who asked for one (RFC 2532 section 2.2.1); there is none about a
    delay. Where delivery reports are not for this gateway to write (section 2.2.2), a plain notice takes their place.

    :param form: what the office says: ``dsn``, ``mdn``, ``both`` or ``plain``.
    :param asked: the message has the field ``Disposition-Notification-To``.
    """
    disposed = action == "failed" or (action == "delivered" and asked)
    if form == "mdn":
        return ("mdn",) if disposed else ("plain",)
    if form == "both":
        return ("mdn", "dsn") if disposed else ("dsn",)
    return ("plain",) if form == "plain" else ("dsn",)


def fax_words(reply: str, fields: Mapping[str, str]) -> list[str]:
    """What became of the calls, for people."""
    words = [f"{reply}." if reply else "The number was not called."]
    return words + [f"  {name}: {fields[key]}" for key, name in _TOLD.items() if fields.get(key)]


def disposition_of(action: str, cause: str, reply: str) -> tuple[str, list[str], dict[str, str]]:
    """Disposition, words and further fields of a disposition notification.

    Source: RFC 3249 section 4.4.1.2, RFC 4160 section 3.4: success is ``dispatched``, failure ``processed/error``.
    """
    automatic = "automatic-action/MDN-sent-automatically"
    if action == "delivered":
        words = ["Your message was dispatched: it may have been printed, faxed or saved. Nobody says that it was read."]
        return f"{automatic}; dispatched", words, {}
    words = ["Your message could not be sent as a fax."]
    return f"{automatic}; processed/error", words, {"Error": f"X-FAX; {cause} ({reply})"}
