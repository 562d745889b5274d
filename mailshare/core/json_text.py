"""JSON as it lies in the database and in the journal: made of values, or put together of pieces made before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_encoder = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=str)
# What encode() makes anew for each text, which costs more than these short texts do. Only Pythons with C have it.
_make: Any = getattr(json.encoder, "c_make_encoder", None)
_pieces = _make and _make(None, str, json.encoder.encode_basestring, None, ": ", ", ", False, False, True)


def as_json(value: object) -> str:
    """JSON with ``", "`` and ``": "`` between its parts. What is no JSON is written as its ``str``."""
    return "".join(_pieces(value, 0)) if _pieces else _encoder.encode(value)


class JSONObject(Mapping[str, object]):
    """An object of which the text is known already; whoever looks into it has it read.

    :ivar text: as :func:`as_json` would write it.
    """

    __slots__ = ("_read", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._read: dict[str, object] | None = None

    @property
    def _values(self) -> dict[str, object]:
        if self._read is None:
            self._read = json.loads(self.text)
        return self._read

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return self.text


def object_text(value: Mapping[str, object]) -> str:
    """The JSON of an object, made of its values only where nobody has done so before."""
    return value.text if isinstance(value, JSONObject) else as_json(dict(value))
