"""Fax addresses in mail: ``FAX=+15551234567/T33S=42@gateway``, and the forms that other gateways made usual.

Source: RFC 3191 and RFC 3192 (minimal form), RFC 2846 (local numbers, further elements), RFC 4161 section 4.

Accepted beside it, each told apart by its form: ``FAX=0301234`` (a number in local form), bare digits as the whole
local part (``0301234@fax.example``, ``+49301234@fax.example``), a number as the domain or as a label before the fax
domain (``miller@0301234``, ``miller@0301234.fax.example``), and ``name=number`` never. What stands here knows no dial
rules; whether a number can exist is judged in the fax room.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from attrs import field, frozen

MAX_DIGITS = 40  # of a local form; E.164 has 15
_GLOBAL = re.compile(r"\+[0-9](?:[0-9.\-]{0,60})\Z")
_LOCAL = re.compile(r"[0-9A-D#*pw][0-9A-D#*pw.\-]{0,60}\Z")
_BARE = re.compile(r"\+?[0-9][0-9.\-]{2,40}\Z")
_IN_DOMAIN = re.compile(r"[0-9][0-9-]{2,40}\Z")
_SUBJECT = re.compile(r"(?:fax[ :]+)?(\+?[0-9(][0-9 ().\-/]{2,60})\Z", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", ".-")
_COVER = "COVER"  # ours: the name of a cover sheet
_ELEMENTS = frozenset(
    {"ATTN", "ORG", "OFNO", "OFNA", "STR", "ADDR", "ADDU", "ADDL", "POB", "ZIP", "CO"}
)  # RFC 2846 section 3


@frozen
class FaxAddress:
    """The number that an address holds, and what stands beside it.

    :ivar number: ``+`` and digits for a global number, else the local form: digits, ``# * A B C D``, ``p`` and ``w``.
    :ivar subaddresses: after ``/T33S=``; each is a recipient of its own (RFC 3192 section 4.1).
    :ivar isdn: ISDN subaddress (``/ISUB=``); ``post_dial`` tones after the call is up (``/POSTD=``).
    :ivar cover: what is meant for the cover page, by the names of RFC 2846: ``ATTN``, ``ORG`` ...
    :ivar sheet: name of the cover sheet that is wanted (``/COVER=``); empty = as for all.
    """

    number: str
    subaddresses: tuple[str, ...] = ()
    isdn: str = ""
    post_dial: str = ""
    cover: Mapping[str, str] = field(factory=dict, hash=False)
    sheet: str = ""

    @property
    def is_global(self) -> bool:
        """It is a number for the whole world, to be read with the dial rules."""
        return self.number.startswith("+")


def parse_fax_address(local: str, *, bare: bool = False) -> FaxAddress | None:
    """Read a local part.

    :param bare: also take a local part that is nothing but a number.
    :returns: ``None`` when it is no fax address at all.
    :raises ValueError: it says it is one and is not; the text says why.
    """
    text = local.removeprefix("/").removesuffix("/")
    label, equals, rest = text.partition("=")
    if not equals or label.casefold() != "fax":
        if bare and _BARE.match(text):
            return FaxAddress(_number(text))
        return None
    number, *elements = rest.split("/")
    if not (_GLOBAL.match(number) or _LOCAL.match(number)):
        raise ValueError("behind FAX= stands no number; write for example FAX=+15551234567")
    return _with_elements(_number(number), elements)


def format_fax_address(number: str, subaddress: str = "") -> str:
    """The local part for a number, without the optional slashes, which must not be generated (RFC 3192 section 3)."""
    return f"FAX={number}" + (f"/T33S={subaddress}" if subaddress else "")


def number_in_domain(domain: str, own: Collection[str]) -> str:
    """The number of an address as other fax servers have it: ``miller@0301234``, ``miller@0301234.fax.example``.

    :param own: the fax domains, casefolded.
    :returns: empty when it is no such domain. A number alone is the name of no host (RFC 1123 section 2.1).
    """
    label, _, rest = domain.partition(".")
    if not _IN_DOMAIN.match(label) or (rest and rest.casefold() not in own):
        return ""
    return _number(label)


def number_in_subject(subject: str) -> str:
    """The number that a subject is, and nothing else; empty when it is another subject.

    :raises ValueError: it has too many digits.
    """
    found = _SUBJECT.match(subject.strip())
    return _number("".join(char for char in found[1] if char in "+0123456789")) if found is not None else ""


def _number(text: str) -> str:
    digits = text.translate(_SEPARATORS)
    if len(digits) > MAX_DIGITS:
        raise ValueError("the number has too many digits")
    return digits


def _with_elements(number: str, elements: list[str]) -> FaxAddress:
    subaddresses: list[str] = []
    cover: dict[str, str] = {}
    found = {"ISUB": "", "POSTD": "", _COVER: ""}
    for element in elements:
        label, equals, value = element.partition("=")
        label = label.upper()
        if not equals or not value:
            raise ValueError(f"the element {element[:40]!r} says nothing")
        if label == "T33S":
            subaddresses += [_subaddress(one) for one in value.split("#") if one]
        elif label == _COVER:
            found[label] = value
        elif label in found:
            found[label] = _dialled(label, value)
        elif label in _ELEMENTS:
            cover[label] = value.replace("_", " ")
        else:
            # RFC 2846 section 1.2: an element that is not known must not be passed over if it may change the meaning.
            raise ValueError(f"the element {label[:20]!r} is not known here")
    return FaxAddress(number, tuple(subaddresses), found["ISUB"], found["POSTD"], cover, found[_COVER])


def _subaddress(text: str) -> str:
    digits = text.translate(_SEPARATORS)
    if not digits.isdecimal() or not digits.isascii() or len(digits) > 19:
        raise ValueError(f"{text[:40]!r} is no subaddress: it has 1 to 19 digits")
    return digits


def _dialled(label: str, text: str) -> str:
    value = text.translate(_SEPARATORS)
    if not re.fullmatch(r"[0-9A-D#*pw]{1,40}", value):
        raise ValueError(f"behind {label}= stand digits, # and *")
    return value
