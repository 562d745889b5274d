"""What one collected message shows of the provider that brought it: the few fields that detection looks at.

Sightings are kept, so they hold no more than trace fields, envelope fields and the office's own addresses.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from mailshare.core.evidence import ENVELOPE_FIELDS
from mailshare.core.headers import Field, Headers
from mailshare.core.ladder import addressed
from mailshare.core.people import Sharers
from mailshare.core.values import AccountMode

_HOPS = 6
_FIELDS = 24
_VALUE = 500
_WRITTEN_TO = 10
_LONG = 32_768  # octets of a header from which on its lists of addresses are not read for this
# Of a header of thousands of fields the names are asked as octets.
_KEPT = frozenset(one.encode("ascii") for one in ("received", "return-path", *ENVELOPE_FIELDS))


@frozen
class Sighting:
    """One message, as far as it tells of its provider.

    :ivar fields: ``(name, value)`` from the top down; a run of fields that do not matter is one with an empty name.
    :ivar written_to: the office's own addresses in To and Cc, casefolded.
    :ivar message_id: to know copies of one message; empty when it has none.
    """

    fields: tuple[tuple[str, str], ...]
    written_to: tuple[str, ...] = ()
    message_id: str = ""

    @classmethod
    def of(cls, headers: Headers, sharers: Sharers) -> Sighting:
        """Take what matters of a header block; cut where a message has more than any provider writes."""
        fields: list[tuple[str, str]] = []
        hops = 0
        for each in headers.fields:
            if each.title.lower() in _KEPT:
                fields.append((each.key, each.value[:_VALUE]))
                hops += each.key == "received"
            elif not fields or fields[-1][0]:
                fields.append(("", ""))
            if hops >= _HOPS or len(fields) >= _FIELDS:
                break
        regular = sharers.account.mode is AccountMode.REGULAR
        long = headers.cut or sum(len(each.raw) for each in headers.fields) > _LONG
        boxes = [] if long else [box.address for _, box in addressed(headers)]
        own = [one for one in boxes if (sharers.own_address(one)[0] if regular else sharers.in_own_domain(one))]
        names = tuple(dict.fromkeys(str(one).casefold() for one in own))[:_WRITTEN_TO]
        return cls(tuple(fields), names, headers.own_id[:200])

    def headers(self) -> Headers:
        """The fields as a header block again, to be judged by the same rules as the message itself."""
        return Headers(tuple(Field(name or "X", f"{name or 'X'}: {value}\r\n".encode()) for name, value in self.fields))

    def as_json(self) -> list[object]:
        """For keeping."""
        return [[list(one) for one in self.fields], list(self.written_to), self.message_id]

    @classmethod
    def from_json(cls, value: object) -> Sighting | None:
        """Read what was kept; ``None`` when it is nothing of ours."""
        if not isinstance(value, Sequence) or len(value) != 3:
            return None
        fields, written_to, message_id = value
        try:
            pairs = tuple((str(name), str(text)) for name, text in fields)
            return cls(pairs, tuple(map(str, written_to)), str(message_id))
        except (TypeError, ValueError):
            return None
