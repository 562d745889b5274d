"""Paper: sizes by their self-describing names, in hundredths of a millimetre. Source: PWG 5101.1 sections 5 and 6."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

Size = tuple[int, int]
"""Width and length, hundredths of a millimetre."""

COMMON = (
    "iso_a4_210x297mm",
    "na_letter_8.5x11in",
    "na_legal_8.5x14in",
    "iso_a3_297x420mm",
    "iso_a5_148x210mm",
    "iso_a6_105x148mm",
    "iso_b5_176x250mm",
    "jis_b5_182x257mm",
    "na_ledger_11x17in",
    "na_executive_7.25x10.5in",
    "na_invoice_5.5x8.5in",
    "na_index-4x6_4x6in",
    "na_5x7_5x7in",
    "na_number-10_4.125x9.5in",
    "iso_dl_110x220mm",
    "iso_c5_162x229mm",
)
_NAME = re.compile(r"[a-z][a-z0-9]*_[a-z0-9][-a-z0-9.]*_([0-9.]+)x([0-9.]+)(mm|in)\Z")
_UNIT = {"mm": Decimal(100), "in": Decimal(2540)}
CUSTOM_LEAST, CUSTOM_MOST = (7620, 12700), (29700, 43180)


def size_of(name: str) -> Size | None:
    """The size that a name tells, or ``None`` when it tells none."""
    match = _NAME.match(name)
    if match is None:
        return None
    try:
        wide, long = (int((Decimal(one) * _UNIT[match[3]]).to_integral_value()) for one in match.group(1, 2))
    except InvalidOperation:
        return None
    return (wide, long) if wide > 0 and long > 0 else None


def is_custom(name: str) -> bool:
    """A size of no standard, within what is taken."""
    size = size_of(name) if name.startswith("custom_") else None
    return size is not None and fits_custom(size)


def fits_custom(size: Size) -> bool:
    """Within the bounds of custom sizes."""
    return all(least <= one <= most for one, least, most in zip(size, CUSTOM_LEAST, CUSTOM_MOST, strict=True))


def name_of_size(size: Size, names: tuple[str, ...]) -> str:
    """That of the names which has this size, give or take half a millimetre, or empty."""
    for name in names:
        known = size_of(name)
        if known is not None and all(abs(one - other) <= 50 for one, other in zip(known, size, strict=True)):
            return name
    return ""
