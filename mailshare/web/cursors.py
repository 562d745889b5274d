"""Long lists piece by piece: an answer names where the next piece is, and what stands in that name is our business.

``Link: </api/v1/outbox?cursor=...>; rel="next"`` (RFC 8288); without it the list is at its end.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from mailshare.core.errors import PeerFault
from mailshare.web.operations import Operation

PLACES = ("before", "after")
"""Arguments of operations that say where to go on: of the control socket, where both ends are of one version."""
_FEW = 100  # a list that was not bounded and is shorter is whole
_MOST_DIGITS = 17


def place_of(operation: Operation) -> str:
    """The argument that says where to go on; empty for what comes whole."""
    return next((name for name in PLACES if name in operation.params), "")


def unfolded(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments with the place that a cursor stands for.

    :raises PeerFault: 400, the cursor is none, or of another list.
    """
    rest = dict(given)
    place = place_of(operation)
    if place in rest:
        raise PeerFault(f"{operation.name} does not know {place}; follow the link of the answer before", code=400)
    if not place or "cursor" not in rest:
        return rest
    try:
        name, number = base64.urlsafe_b64decode(str(rest.pop("cursor"))).decode("ascii").split(":")
    except ValueError:  # also what is no base64 and what is no ASCII
        name, number = "", ""
    if name != operation.name or not number.isdigit() or len(number) > _MOST_DIGITS:
        raise PeerFault("The cursor is none of this list; begin without one", code=400)
    return {**rest, place: int(number)}


def next_link(operation: Operation, path: str, given: Mapping[str, Any], result: Any) -> str:
    """The value of the field ``Link``; empty at the end of a list."""
    place = place_of(operation)
    if not place:
        return ""
    if isinstance(result, list):
        whole = len(result) < (int(given["limit"]) if "limit" in given else _FEW)
        number = 0 if whole or not result else result[-1]["id"]
    else:
        number = result["next"]
    if not number:
        return ""
    cursor = base64.urlsafe_b64encode(f"{operation.name}:{number}".encode()).decode("ascii")
    rest = {name: value for name, value in given.items() if name != "cursor" and f"<{name}>" not in operation.path}
    return f'<{path}?{urlencode({**rest, "cursor": cursor})}>; rel="next"'
