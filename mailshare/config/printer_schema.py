"""The ``[[printer]]`` table of the configuration file: printers of this office that print what is mailed to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from mailshare.config.written_keys import Secret, WindowTable
from mailshare.config.written_keys import key as _key


@frozen(kw_only=True)
class PrinterKeyTable:
    """``[[printer.keys]]``: a key by which senders sign jobs, and by which the printer signs what it tells them."""

    id: str = _key("the name that both sides have for the key; required")
    secret: Secret = _key("the shared secret (HS256): {env=}, {file=} ...; 32 octets at least", factory=Secret)
    public: str = _key("or the public key of an Ed25519 pair (EdDSA), 32 octets in base64")
    senders: tuple[str, ...] = _key("addresses or @domains that it may sign for; none = any", factory=tuple)


@frozen(kw_only=True)
class PrinterSenderTable:
    """``[[printer.senders]]``: what holds for some senders in place of the printer's own rules; the first that fits."""

    match: str = _key("an address, @domain, or *; required")
    level: int = _key("least proof, 0 to 3; 9 = they may not print at all; -1 = as the printer's", -1, least=-1, most=9)
    hold: Literal["", "yes", "no"] = _key("yes = their jobs wait to be released, no = not; empty = as the printer's")
    pages_day: int = _key("pages a day; 0 = no bound, -1 = as the printer's", -1, least=-1)
    pages_month: int = _key("pages a month; 0 = no bound, -1 = as the printer's", -1, least=-1)


@frozen(kw_only=True)
class PrinterGuestTable:
    """``[printer.guests]``: what holds for whoever has proved nothing, where ``level`` is 0."""

    hold: bool = _key("their jobs wait until somebody releases them", True)
    pages_day: int = _key("pages a day of one address; 0 = no bound", 10, least=0)
    mono: bool = _key("they get black only", True)


@frozen(kw_only=True)
class PrinterContactTable:
    """``[printer.contacts]``: who hears of troubles of the printer, by role."""

    admin: tuple[str, ...] = _key("addresses of whoever sees to settings and access", factory=tuple)
    service: tuple[str, ...] = _key("addresses of whoever repairs it", factory=tuple)
    key: tuple[str, ...] = _key("addresses of whoever fills in paper and takes out jams", factory=tuple)


@frozen(kw_only=True)
class PrinterTable:
    """``[[printer]]``: a printer of this office that prints what is mailed to it."""

    name: str = _key("what it is called; required")
    addresses: tuple[str, ...] = _key(
        "mail addresses of it: an account's own, a tag of one, one of its domain, or a bare name here", factory=tuple
    )
    device: str = _key("where its jobs go, as the address of a destination, e.g. dir:FOLDER; required")
    title: str = _key("a line for people; empty = the name")
    location: str = _key("where it stands")
    defaults: Mapping[str, object] = _key("options of jobs that set them not, by their IPP names", factory=dict)
    color: bool = _key("false = it prints black only", True)
    duplex: bool = _key("false = it prints on one side only", True)
    formats: tuple[str, ...] = _key("media types of documents that are taken; none = all that are known", factory=tuple)
    media: tuple[str, ...] = _key("names of paper sizes, the usual one first; none = the common ones", factory=tuple)
    resolutions: tuple[int, ...] = _key("dots per inch", (150, 300, 600))
    account: str = _key("address of the account that what it tells leaves by; empty = the first one")
    level: int = _key(
        "least proof of who sent a job: 0 none, 1 list and DKIM, 2 tag or PIN, 3 login or signature", 1, least=0, most=3
    )
    allow: tuple[str, ...] = _key("addresses, @domains or * that level 1 takes; none = nobody", factory=tuple)
    authserv: tuple[str, ...] = _key(
        "names of servers whose Authentication-Results count as much as our own look at DKIM", factory=tuple
    )
    tags: tuple[Secret, ...] = _key("secret tags of its address that prove level 2: {file=} ...", factory=tuple)
    pin: Secret = _key("a PIN in the subject, [pin=...], that proves level 2: {file=} ...", factory=Secret)
    strangers: bool = _key("mail for it is taken over SMTP from any network without a login", False)
    plain: bool = _key("false = only jobs of a mailshare are printed, no ordinary mails", True)
    postscript: bool = _key("PostScript and PCL of ordinary mails are printed, too", False)
    hold: bool = _key("jobs wait until somebody releases them", False)
    hours: tuple[WindowTable, ...] = _key("when it prints, e.g. { days, from, to }; none = always", factory=tuple)
    pages_day: int = _key("pages a day of one sender; 0 = no bound", 0, least=0)
    pages_month: int = _key("pages a month of one sender; 0 = no bound", 0, least=0)
    pages: int = _key("pages of one job with all copies", 500, least=1)
    size: int = _key("octets of one document", 200 << 20, least=1 << 16)
    attachments: int = _key("attachments of one mail that are printed", 10, least=1, most=100)
    pixels: int = _key("pixels of one picture", 200_000_000, least=1_000_000)
    gap: int = _key("minutes after the last part of a job before missing parts are asked for", 15, least=1, most=1440)
    signing_key: Secret = _key(
        "its private key (Ed25519), that signs what is told to senders with a key pair: {file=} ...", factory=Secret
    )
    keys: tuple[PrinterKeyTable, ...] = _key("keys of senders", factory=tuple)
    senders: tuple[PrinterSenderTable, ...] = _key("what holds for some senders alone", factory=tuple)
    guests: PrinterGuestTable = _key("what holds for guests", factory=PrinterGuestTable)
    contacts: PrinterContactTable = _key("who hears of its troubles", factory=PrinterContactTable)
    faults: Mapping[str, object] = _key(
        "conditions (media-empty, toner-low ...) or severities (error, warning, report) to lists of roles, "
        "in place of the usual ones",
        factory=dict,
    )
    wording: Mapping[str, object] = _key(
        "role to { subject, text } of its mails about troubles; {printer}, {words} ... are filled in", factory=dict
    )
    usage: tuple[str, ...] = _key("addresses that get a report of its use each month", factory=tuple)
