"""Paths and parameters of ``MAIL FROM`` and ``RCPT TO``, read strictly.

Source: RFC 5321 section 4.1.2, RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461 (RET, ENVID, NOTIFY,
ORCPT), RFC 4954 section 5 (AUTH).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MessageTooLarge, PeerFault
from mailshare.core.recipients import old_form

# Blanks before the path are against RFC 5321 section 3.3, unambiguous, and sent by many small devices.
_ARGUMENT = re.compile(rb' *<((?:"(?:[^"\\]|\\.)*")?[^<>" ]*)>(?: +(.*))?\Z')
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e\x80-\xff]*))?\Z")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*\Z")
_HEX = re.compile(rb"\+([0-9A-F]{2})")
_UTF8_HEX = re.compile(r"\\x\{([0-9A-F]{2,6})\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(rb"[0-9]{1,20}\Z")
_OF_MAIL = frozenset({"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID"})
_OF_RCPT = frozenset({"NOTIFY", "ORCPT"})
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_MAX_ENVID = 100
_MAX_ORCPT = 500
_MAX_PATH = 512

Parameters = Mapping[str, bytes | None]


def _bad(text: str) -> PeerFault:
    return PeerFault(text, code=501, enhanced=(5, 5, 4))


def split_argument(argument: bytes, keyword: bytes) -> tuple[bytes, Parameters]:
    """Split ``FROM:<path> A=1 B`` into the path without its brackets and its parameters.

    :param keyword: ``b"FROM:"`` or ``b"TO:"``.
    :raises PeerFault: 501 5.5.4 for what is not of this form or names a parameter twice.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise _bad(f"Say {keyword.decode()}<address>")
    match = _ARGUMENT.match(argument, len(keyword))
    if not match:
        raise PeerFault("The address must stand in angle brackets", code=501, enhanced=(5, 1, 3))
    parameters: dict[str, bytes | None] = {}
    for word in (match[2] or b"").split():
        parameter = _PARAMETER.match(word)
        if not parameter:
            raise _bad("A parameter is not of the form NAME or NAME=VALUE")
        name = parameter[1].decode().upper()
        if name in parameters:
            raise _bad(f"The parameter {name} stands there twice")
        parameters[name] = parameter[2]
    return match[1], parameters


@lru_cache(maxsize=1024)  # an office writes to and from the same few; a path has 512 octets at most
def read_path(path: bytes, *, utf8: bool) -> Address:
    """Read what stood between the brackets.

    :param utf8: the transaction allows non-ASCII addresses.
    :raises PeerFault: 501 5.1.3, 553 5.6.7 for non-ASCII without SMTPUTF8, 553 5.1.3 for a source route.
    """
    if path.startswith(b"@") and b":" in path:
        raise PeerFault("Source routes are not taken", code=553, enhanced=(5, 1, 3))
    if len(path) > _MAX_PATH:
        raise PeerFault("The address is too long", code=501, enhanced=(5, 1, 3))
    if not utf8 and not path.isascii():
        raise PeerFault("This address needs SMTPUTF8", code=553, enhanced=(5, 6, 7))
    try:
        return Address.parse(path.decode())
    except UnicodeDecodeError:
        raise PeerFault("The address is not UTF-8", code=501, enhanced=(5, 1, 3)) from None


@lru_cache(maxsize=256)  # a program says the same before each of its messages; a command has 2,048 octets at most
def read_mail(argument: bytes, extended: bool, max_size: int, auth: bool) -> Envelope:
    """The envelope that ``MAIL`` opens with this argument.

    :param extended: the client said EHLO.
    :param max_size: octets of the largest message taken.
    :param auth: the server offered AUTH.
    :raises PeerFault, MessageTooLarge: as :func:`split_argument`, :func:`read_path` and :func:`mail_parameters` do;
        555 5.5.4 for parameters without EHLO.
    """
    path, parameters = _argument(argument, b"FROM:", extended=extended)
    sender = read_path(path, utf8="SMTPUTF8" in parameters) if path else None
    return mail_parameters(sender, parameters, max_size=max_size, auth=auth)


@lru_cache(maxsize=1024)
def read_recipient(argument: bytes, extended: bool, utf8: bool, old: bool) -> Recipient:
    """The recipient that ``RCPT`` names with this argument.

    :param utf8: the transaction allows non-ASCII addresses.
    :param old: an address of the old form (two ``@``) is taken.
    :raises PeerFault: as :func:`read_mail`; 501 5.1.3 for no address at all.
    """
    path, parameters = _argument(argument, b"TO:", extended=extended)
    if not path:
        raise PeerFault("The recipient is empty", code=501, enhanced=(5, 1, 3))
    address = old_form(path.decode("ascii", "replace")) if old and path.count(b"@") == 2 else None
    return recipient_parameters(address or read_path(path, utf8=utf8), parameters)


def _argument(argument: bytes, keyword: bytes, *, extended: bool) -> tuple[bytes, Parameters]:
    path, parameters = split_argument(argument, keyword)
    if parameters and not extended:
        raise PeerFault("Parameters need EHLO", code=555, enhanced=(5, 5, 4))
    return path, parameters


def xtext(value: bytes) -> str:
    """Decode xtext (RFC 3461 section 4).

    :raises PeerFault: 501 5.5.4, it is none, or hides control characters.
    """
    if not _XTEXT.match(value):
        raise _bad("A value is not in the xtext form of RFC 3461")
    text = _HEX.sub(lambda match: bytes([int(match[1], 16)]), value).decode("utf-8", "replace")
    if _CONTROL.search(text):
        raise _bad("A value hides control characters")
    return text


def mail_parameters(sender: Address | None, parameters: Parameters, *, max_size: int, auth: bool) -> Envelope:
    """The envelope that ``MAIL FROM`` opens.

    :param max_size: octets of the largest message taken.
    :param auth: the server offered AUTH, so that the AUTH parameter is known (its claim is not relied upon).
    :raises PeerFault: 501 5.5.4 for a bad value, 555 5.5.4 for an unknown parameter.
    :raises MessageTooLarge: 552 5.3.4, the declared size is over the limit.
    """
    if not parameters:
        return Envelope(sender)
    _only(parameters, _OF_MAIL | {"AUTH"} if auth else _OF_MAIL)
    size = 0
    if "SIZE" in parameters:
        value = parameters["SIZE"] or b""
        if not _NUMBER.match(value):
            raise _bad("SIZE needs a number of octets")
        size = int(value)
        if size > max_size:
            raise MessageTooLarge
    body = _choice(parameters, "BODY", ("7BIT", "8BITMIME")) or "7BIT"
    if parameters.get("SMTPUTF8") is not None:
        raise _bad("SMTPUTF8 takes no value")
    if "AUTH" in parameters and not xtext(parameters["AUTH"] or b" "):
        raise _bad("AUTH needs an address or <>")
    envid = _text(parameters, "ENVID", _MAX_ENVID)
    ret = _choice(parameters, "RET", ("FULL", "HDRS"))
    return Envelope(sender, size=size, body=body, smtputf8="SMTPUTF8" in parameters, ret=ret, envid=envid)


def recipient_parameters(address: Address, parameters: Parameters) -> Recipient:
    """The recipient that ``RCPT TO`` names.

    :raises PeerFault: 501 5.5.4 for a bad value, 555 5.5.4 for an unknown parameter.
    """
    if not parameters:
        return Recipient(address)
    _only(parameters, _OF_RCPT)
    notify: frozenset[str] = frozenset()
    if "NOTIFY" in parameters:
        words = (parameters["NOTIFY"] or b"").decode("ascii", "replace").upper().split(",")
        notify = frozenset(words)
        if len(notify) != len(words) or not (notify == {"NEVER"} or notify <= _NOTIFY):
            raise _bad("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY")
    return Recipient(address, notify, _text(parameters, "ORCPT", _MAX_ORCPT, _original_recipient))


def _original_recipient(value: bytes) -> str:
    """``type;xtext``, or ``utf-8;`` with the encoding of RFC 6533 section 3."""
    kind, semicolon, rest = value.partition(b";")
    if not semicolon or not re.match(rb"[A-Za-z0-9-]+\Z", kind) or not rest:
        raise _bad("ORCPT is a type, a semicolon and an address")
    name = kind.decode().lower()
    if name != "utf-8":
        return f"{name};{xtext(rest)}"
    try:
        text = _UTF8_HEX.sub(lambda match: chr(int(match[1], 16)), rest.decode())
        text.encode()
    except (ValueError, OverflowError):
        raise _bad("ORCPT is not in the utf-8 form of RFC 6533") from None
    if _CONTROL.search(text):
        raise _bad("A value hides control characters")
    return f"{name};{text}"


def _only(parameters: Parameters, known: frozenset[str]) -> None:
    for name in parameters:
        if name not in known:
            raise PeerFault(f"The parameter {name[:40]} is not known here", code=555, enhanced=(5, 5, 4))


def _choice(parameters: Parameters, name: str, choices: tuple[str, ...]) -> str:
    if name not in parameters:
        return ""
    word = (parameters[name] or b"").decode("ascii", "replace").upper()
    if word not in choices:
        raise _bad(f"{name} is one of {', '.join(choices)}")
    return word


def _text(parameters: Parameters, name: str, most: int, read: Callable[[bytes], str] = xtext) -> str:
    if name not in parameters:
        return ""
    value = parameters[name]
    if not value or len(value) > most:
        raise _bad(f"{name} needs a value of at most {most} characters")
    return read(value)
