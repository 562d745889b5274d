"""Servers of providers that many people have, by the domain of the address; facts that the providers publish.

``{address}`` stands for the whole address. Whoever is not here is found by other ways.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen


@frozen
class Way:
    """How an account could be reached.

    :ivar collect, relay: server URLs as in the configuration.
    :ivar source: who says so, in words.
    :ivar note: what to know before trying, e.g. that the provider wants an app password.
    """

    collect: str
    relay: str
    source: str = "list of known providers"
    note: str = ""


_APP_PASSWORD = "this provider wants an app password in place of the usual one"  # noqa: S105 - a sentence
_TOKEN = "this provider wants a sign-in with tokens; an app password may still do"  # noqa: S105 - a sentence
_SERVERS: Mapping[str, tuple[str, str, str, str]] = {
    "gmail": ("pop.gmail.com", "imap.gmail.com", "smtp.gmail.com", _APP_PASSWORD),
    "outlook": ("outlook.office365.com", "outlook.office365.com", "smtp-mail.outlook.com:587", _TOKEN),
    "gmx": ("pop.gmx.net", "imap.gmx.net", "mail.gmx.net", ""),
    "web.de": ("pop3.web.de", "imap.web.de", "smtp.web.de", ""),
    "t-online": ("securepop.t-online.de", "secureimap.t-online.de", "securesmtp.t-online.de", ""),
    "yahoo": ("pop.mail.yahoo.com", "imap.mail.yahoo.com", "smtp.mail.yahoo.com", _APP_PASSWORD),
    "orange": ("pop.orange.fr", "imap.orange.fr", "smtp.orange.fr", ""),
    "free": ("pop.free.fr", "imap.free.fr", "smtp.free.fr", ""),
    "fastmail": ("pop.fastmail.com", "imap.fastmail.com", "smtp.fastmail.com", _APP_PASSWORD),
    "posteo": ("posteo.de", "posteo.de", "posteo.de", ""),
    "mailbox": ("pop3.mailbox.org", "imap.mailbox.org", "smtp.mailbox.org", ""),
    "zoho": ("pop.zoho.com", "imap.zoho.com", "smtp.zoho.com", _APP_PASSWORD),
}
_DOMAINS: Mapping[str, str] = {
    "gmail.com": "gmail",
    "googlemail.com": "gmail",
    "outlook.com": "outlook",
    "hotmail.com": "outlook",
    "live.com": "outlook",
    "gmx.de": "gmx",
    "gmx.net": "gmx",
    "gmx.at": "gmx",
    "gmx.ch": "gmx",
    "web.de": "web.de",
    "t-online.de": "t-online",
    "yahoo.com": "yahoo",
    "yahoo.de": "yahoo",
    "yahoo.fr": "yahoo",
    "orange.fr": "orange",
    "wanadoo.fr": "orange",
    "free.fr": "free",
    "fastmail.com": "fastmail",
    "posteo.de": "posteo",
    "mailbox.org": "mailbox",
    "zoho.com": "zoho",
}


def ways_of(address: str) -> tuple[Way, ...]:
    """The known ways for an address: POP3 first, for that is what most accounts are made for."""
    found = _SERVERS.get(_DOMAINS.get(address.rpartition("@")[2].casefold(), ""))
    if found is None:
        return ()
    pop, imap, smtp, note = found
    relay = f"{'submission' if smtp.endswith(':587') else 'submissions'}://{_login(address)}@{smtp}"
    return (
        Way(f"pop3s://{_login(address)}@{pop}", relay, note=note),
        Way(f"imaps://{_login(address)}@{imap}", relay, note=note),
    )


def _login(address: str) -> str:
    """An address as the user part of a URL (RFC 3986 section 3.2.1)."""
    return address.replace("%", "%25").replace("@", "%40").replace(":", "%3A").replace("/", "%2F")


def server_url(kind: str, login: str, host: str, port: int) -> str:
    """A server as the configuration writes it; the usual port is left out."""
    usual = {"pop3s": 995, "pop3": 110, "imaps": 993, "imap": 143, "submissions": 465, "submission": 587}
    return f"{kind}://{_login(login)}@{host}" + ("" if usual.get(kind) == port else f":{port}")
