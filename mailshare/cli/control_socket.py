"""The way to a server that runs: HTTP over its control socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mailshare.cli.calling import Refused

if TYPE_CHECKING:
    from mailshare.web.operations import Operation


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=600)
        self._path = path

    def connect(self) -> None:
        """Open the socket instead of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def events(path: str) -> Iterator[tuple[str, Any]]:
    """``(kind, JSON)`` of the running server's events, until it ends.

    :raises OSError: nobody listens.
    """
    connection = _UnixConnection(path)
    connection.request("GET", "/api/v1/events")
    response = connection.getresponse()
    kind = ""
    while line := response.readline():
        text = line.decode("utf-8").rstrip("\r\n")
        if text.startswith("event: "):
            kind = text.removeprefix("event: ")
        elif text.startswith("data: "):
            yield kind, json.loads(text.removeprefix("data: "))


def over_socket(path: str, operation: Operation, given: dict[str, Any]) -> Any:
    """One operation of the office; its answer as JSON values.

    :raises Refused: the office said no.
    :raises OSError: nobody listens.
    """
    url = "/api/v1" + operation.path
    rest = dict(given)
    for name in operation.params:
        if f"<{name}>" in url:
            url = url.replace(f"<{name}>", quote(str(rest.pop(name)), safe=""))
    body: Any = rest.pop("document") if operation.raw else None
    if operation.method == "GET" or operation.raw:
        query = "&".join(f"{key}={quote(_query(value), safe='')}" for key, value in rest.items())
        url += f"?{query}" if query else ""
    elif rest:
        body = json.dumps(rest)
    connection = _UnixConnection(path)
    try:
        connection.request(operation.method, url, body=body, headers={"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read() or b"null")
    except (http.client.HTTPException, ValueError) as error:
        raise Refused("The server broke off its answer; its log says why") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise Refused(str(answer.get("detail", "refused")))
    return answer


def _query(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
