"""The tables of the configuration file that are about faxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from mailshare.config.written_keys import Secret
from mailshare.config.written_keys import key as _key


@frozen(kw_only=True)
class FaxTable:
    """``[fax]``: what holds for all faxes."""

    domains: tuple[str, ...] = _key("domains of fax addresses; none = fax. and the server's hostname", factory=tuple)
    country: str = _key("two letters: whose plan numbers without a plus are read by, e.g. DE")
    area: str = _key("own area code, without the prefix; empty = it is always dialled, or there is none")
    exit_code: str = _key("dialled before the number of another country; + = the line takes +15551234567", "00")
    trunk: str = _key("dialled before the area code inside the country", "0")
    outside: str = _key("dialled before every number outside the own exchange")
    extension: int = _key("digits of the longest extension of the own exchange; 0 = there are none", 0, least=0, most=8)
    subject_address: str = _key(
        "what stands before the @ of an address that takes the number from the subject, e.g. sendfax; empty = none"
    )
    senders: tuple[str, ...] = _key(
        "login names that may send faxes, * for everybody who logs in; none = nobody but ADMIN", factory=tuple
    )
    tolls: tuple[str, ...] = _key(
        "kinds of numbers that may be called", ("internal", "local", "national", "mobile", "free", "international")
    )
    prices: Mapping[str, float] = _key("of a minute, by kind of number, e.g. {national = 0.02}", factory=dict)
    most_cost: float = _key("what one fax may cost by these prices; 0 = no bound", 0.0)
    pages: int = _key("pages of the longest fax", 200, least=1, most=5000)
    tries: int = _key("calls for one fax", 6, least=1, most=50)
    retry_minutes: Mapping[str, object] = _key(
        "minutes before the second, third ... call, by cause, e.g. {busy = [2, 5, 10]}; the last one for all others",
        factory=dict,
    )
    retry_calls: Mapping[str, object] = _key("calls in all that may end in one cause, e.g. {busy = 4}", factory=dict)
    lifetime: int = _key("hours after which a fax that could not be sent is given up", 12, least=1, most=120)
    cheap_hours: tuple[str, ...] = _key("when calls are cheap, e.g. 18:00-08:00 or sat-sun 00:00-24:00", factory=tuple)
    cheap_tolls: tuple[str, ...] = _key(
        "kinds of numbers that are called in cheap hours only, unless the fax is urgent", factory=tuple
    )
    station: str = _key("how this office calls itself to other machines: its number, at most 20 characters")
    owner: str = _key("who stands in the line on top of each page")
    head: bool = _key("false = no line on top; many countries want one", True)
    cover: bool = _key("true = a cover page with the text of the mail goes first", False)
    cover_sheet: str = _key("which cover sheet that is: standard, or the name of a [[fax_cover]]", "standard")
    text: bool = _key("false = the text of a mail with attachments is not sent", True)
    paper: Literal["A4", "Letter", "Legal", "B4", "A3"] = _key("size of the pages", "A4")
    resolution: Literal["standard", "fine", "superfine"] = _key("lines of a page: 98, 196 or 391 an inch", "fine")
    photos: Literal["auto", "threshold", "dither"] = _key(
        "what becomes of grey: dots where a photo is, nowhere, or everywhere", "auto"
    )
    report: Literal["dsn", "mdn", "both", "plain"] = _key("form of the reports to senders", "dsn")
    receipts: Literal["never", "asked", "always"] = _key("who is told at once that a fax was taken", "asked")
    tell_sent: tuple[str, ...] = _key("login names who get a copy of each report about what was sent", factory=tuple)
    tell_failed: tuple[str, ...] = _key("login names who get a copy of each report about what failed", factory=tuple)
    partners: tuple[str, ...] = _key(
        "login names of other gateways: reports go to the MAIL FROM of their mail, also when that is elsewhere",
        factory=tuple,
    )
    report_pdf: bool = _key("true = reports of the end of a fax carry the transmission report as a PDF", False)
    confirm: bool = _key("false = what was sent is told only to those who ask for it (NOTIFY=SUCCESS)", True)
    inbox: tuple[str, ...] = _key("who gets faxes that no [[fax_route]] fits; none = the first ADMIN", factory=tuple)
    formats: tuple[str, ...] = _key(
        "of received pages in mails: pdf; tiff, with the octets that came; profile-s, a TIFF for every Internet fax",
        ("pdf",),
    )
    split: bool = _key("true = a page whose barcode has a [[fax_route]] of its own begins another mail", False)
    returns: tuple[str, ...] = _key(
        "numbers of callers who get a fax back when theirs could not be delivered, e.g. +49*; none = nobody",
        factory=tuple,
    )
    unrouted: Literal["inbox", "refuse"] = _key(
        "what becomes of a fax that no [[fax_route]] fits: the inbox gets it, or its sender's machine is refused",
        "inbox",
    )
    passed_on: int = _key(
        "faxes of one caller that a [[fax_route]] passes on to one number in an hour; more go to the inbox", 20, least=1
    )
    refuse: tuple[str, ...] = _key("numbers of callers that are not answered; * for any digits", factory=tuple)


@frozen(kw_only=True)
class FaxLineTable:
    """``[[fax_line]]``: a way to the telephone network; calls take the first that is free."""

    name: str = _key("what it is called; required")
    kind: str = _key("loop, directory, hylafax, http (a provider), or that of an extension; required")
    numbers: tuple[str, ...] = _key("its own numbers, with plus; * for any digits", factory=tuple)
    calls: tuple[str, ...] = _key("numbers that it is used for, e.g. +49*; none = all", factory=tuple)
    channels: int = _key("calls at the same time", 1, least=1, most=500)
    options: Mapping[str, object] = _key("what its kind asks for, see the reference", factory=dict)
    secrets: Mapping[str, Secret] = _key("passwords and keys by the names that its kind gives them", factory=dict)


@frozen(kw_only=True)
class FaxContactTable:
    """``[[fax_contact]]``: a line of the address book; mail to its name at the fax domain reaches it."""

    name: str = _key("what stands before the @; required")
    number: str = _key("the fax number; empty for a group, and for whoever has none")
    short: str = _key("abbreviated number or one-touch key, digits")
    subaddress: str = _key("given to the far machine, digits")
    title: str = _key("who it is, for the cover page")
    company: str = _key("likewise")
    members: tuple[str, ...] = _key("names of the contacts of a group", factory=tuple)
    mail: str = _key("the mail address, for the people who look into the book")
    printer: str = _key("name of the [[destination]] that prints there, likewise")


@frozen(kw_only=True)
class FaxRouteTable:
    """``[[fax_route]]``: who gets faxes that come in; the first that fits counts."""

    to: tuple[str, ...] = _key(
        "login names, mail and fax addresses, fax numbers with plus, names of printers here, box:NAME of a [[fax_box]];"
        " for {called}, {subaddress} and {caller} the digits of the call; required"
    )
    called: str = _key("the number that was called; * for any digits, ? for one; empty = any")
    subaddress: str = _key("the subaddress that was asked for, likewise")
    station: str = _key("how the sending machine calls itself, likewise")
    caller: str = _key("the number of the caller, likewise")
    line: str = _key("name of the [[fax_line]] that it came over, likewise")
    barcode: str = _key("text of a barcode on one of its pages, * and ? likewise, e.g. INV-*")
    report: str = _key("login name that hears what became of what is passed on as a fax; empty = nobody")


@frozen(kw_only=True)
class FaxBoxTable:
    """``[[fax_box]]``: keeps faxes until somebody fetches them, or passes them on to many."""

    name: str = _key("what stands behind box- in its address; required")
    kind: Literal["confidential", "bulletin", "relay"] = _key(
        "confidential = handed out once; bulletin = as often as asked for, the newest replaces the one before; "
        "relay = passed on at once",
        "confidential",
    )
    to: tuple[str, ...] = _key(
        "login names that may fetch, everybody who logs in when there are none; of a relay box as to of [[fax_route]]",
        factory=tuple,
    )
    code: Secret = _key("what opens it: {file=} ..., or a text; of a relay box what callers must give", factory=Secret)
    report: str = _key("of a relay box: login name that hears what became of its faxes; empty = nobody")
    poll: str = _key(
        "what a fax machine names to fetch from it (polling, ITU-T T.30 SEP), digits; any = the box of machines that"
        " name none; empty = no machine can"
    )
    poll_from: tuple[str, ...] = _key(
        "numbers that may fetch so, e.g. +4930*; none = whoever gives the code", factory=tuple
    )


@frozen(kw_only=True)
class FaxCoverTable:
    """``[[fax_cover]]``: a cover sheet, chosen by its name for one fax, or for all by ``fax.cover_sheet``."""

    name: str = _key("what it is chosen by; required")
    title: str = _key("the large words on top", "FAX")
    note: str = _key("words at its foot, e.g. who may read it")
    text: bool = _key("false = the text of the mail is not on it, and goes as a page of its own", True)


@frozen(kw_only=True)
class FaxCallerTable:
    """``[[fax_caller]]``: who may send faxes here; without any table everybody may."""

    caller: str = _key("the number of the caller; * for any digits, ? for one; empty = any")
    station: str = _key("how the sending machine calls itself, likewise")
    code: Secret = _key("the password that the sending machine must give (ITU-T T.30): {file=} ...", factory=Secret)


@frozen(kw_only=True)
class FaxMailboxTable:
    """``[[fax_mailbox]]``: a mailbox whose mail may be faxes, by the envelope that its provider wrote down."""

    account: str = _key("address of the [[account]] it is; required")
    header: str = _key("field in which the provider writes the recipient, e.g. X-Original-To; required")
    user: str = _key("login in whose name they are sent, and who gets the reports; required")
    senders: tuple[str, ...] = _key("whose mail it may be, by From, e.g. *@company.example; required", factory=tuple)
