"""Every form of a hand-out by its name: one table for the command and for the manager."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from attrs import frozen

from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.web.handout import mobileconfig as profile
from mailshare.web.handout.autoconfig import user_autoconfig
from mailshare.web.handout.autodiscover import autodiscover
from mailshare.web.handout.description import Handout
from mailshare.web.handout.dns_records import dns_records
from mailshare.web.handout.page import page, slip
from mailshare.web.handout.programs import AUTHORITY_FILE, fetchmail, getmail, mpop, msmtp, thunderbird


@frozen
class Rendered:
    """A form, made out.

    :ivar media_type: for HTTP.
    :ivar file_name: what to save it as.
    """

    text: str
    media_type: str
    file_name: str


@frozen
class Asked:
    """What the asker adds.

    :ivar password: put inside; only formats in :data:`WITH_PASSWORD` can hold one.
    :ivar authority: where the desk keeps a private authority's certificate; empty = the usual place.
    """

    password: str = ""
    authority: str = ""


@frozen
class _Format:
    make: Callable[[Handout, Asked], str]
    media_type: str
    file_name: str


def _page(handout: Handout, _: Asked) -> str:
    return json.dumps(page(handout), ensure_ascii=False, indent=2) + "\n"


def _authority(handout: Handout, _: Asked) -> str:
    if handout.authority is None:
        raise ConfigFault("No private authority is known, so there is no certificate to hand out")
    return handout.authority.pem


_PLAIN = "text/plain; charset=utf-8"
_XML = "application/xml; charset=utf-8"
_TABLE: Mapping[str, _Format] = {
    "text": _Format(lambda one, _: slip(one), _PLAIN, "mail.txt"),
    "page": _Format(_page, "application/json", "mail.json"),
    "autoconfig": _Format(lambda one, _: user_autoconfig(one), _XML, "config-v1.1.xml"),
    "autodiscover": _Format(lambda one, _: autodiscover(one), _XML, "autodiscover.xml"),
    "mobileconfig": _Format(
        lambda one, asked: profile.mobileconfig(one, password=asked.password), profile.MEDIA_TYPE, "mail.mobileconfig"
    ),
    "srv": _Format(lambda one, _: dns_records(one), _PLAIN, "mail.zone"),
    "certificate": _Format(_authority, "application/x-pem-file", "mailshare.crt"),
    "thunderbird": _Format(lambda one, _: thunderbird(one), _PLAIN, "user.js"),
    "msmtp": _Format(
        lambda one, asked: msmtp(one, password=asked.password, authority=asked.authority or AUTHORITY_FILE),
        _PLAIN,
        ".msmtprc",
    ),
    "mpop": _Format(
        lambda one, asked: mpop(one, password=asked.password, authority=asked.authority or AUTHORITY_FILE),
        _PLAIN,
        ".mpoprc",
    ),
    "fetchmail": _Format(
        lambda one, asked: fetchmail(one, password=asked.password, authority=asked.authority or AUTHORITY_FILE),
        _PLAIN,
        ".fetchmailrc",
    ),
    "getmail": _Format(
        lambda one, asked: getmail(one, password=asked.password, authority=asked.authority or AUTHORITY_FILE),
        _PLAIN,
        "getmailrc",
    ),
}
FORMATS = tuple(_TABLE)
WITH_PASSWORD = ("mobileconfig", "msmtp", "mpop", "fetchmail", "getmail")


def render(handout: Handout, form: str = "text", *, password: str = "", authority: str = "") -> Rendered:
    """Make a form out.

    :param form: one of :data:`FORMATS`.
    :param password: to be put inside.
    :param authority: file name of a private authority's certificate on the desk.
    :raises PeerFault: 400, no such form, or it cannot hold what was given.
    :raises ConfigFault: the server has no listener, certificate or name that the form needs.
    """
    if form not in _TABLE:
        raise PeerFault(f"{form!a} is none of {', '.join(FORMATS)}", code=400)
    if password and form not in WITH_PASSWORD:
        raise PeerFault(f"The form {form} holds no password", code=400)
    chosen = _TABLE[form]
    return Rendered(chosen.make(handout, Asked(password, authority)), chosen.media_type, chosen.file_name)
