"""How a command reaches the office: over the control socket, or by opening the store itself."""

from __future__ import annotations

import functools
import http.client
import json
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote

import click
from attrs import define, field

from mailshare.config import BrokenConfig, Config, load_config
from mailshare.core.errors import MailshareError

_REFUSED, _MISUSED, _NOT_RUNNING = 1, 2, 3
_F = TypeVar("_F", bound=Callable[..., Any])


class Refused(click.ClickException):
    """The office said no; the text is its sentence."""

    exit_code = _REFUSED


class NotRunning(click.ClickException):
    """Only a running server can do this."""

    exit_code = _NOT_RUNNING


@define
class Context:
    """What every command gets.

    :ivar path: of the configuration file.
    """

    path: str
    _config: Config | None = field(default=None, init=False)

    @property
    def config(self) -> Config:
        """The configuration; a broken one ends the command with all its mistakes and code 2."""
        if self._config is None:
            try:
                self._config = load_config(self.path)
            except BrokenConfig as fault:
                click.echo(str(fault), err=True)
                sys.exit(_MISUSED)
        return self._config

    def ask(self, name: str, /, **arguments: Any) -> Any:
        """Call one operation of the office; its answer as JSON values."""
        from mailshare.web.operations import BY_NAME  # noqa: PLC0415 - keeps --help quick

        operation = BY_NAME[name]
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            return _over_socket(self.config.control_socket, operation, given)
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as error:
            raise Refused(f"The server cannot be reached at {self.config.control_socket}: {error.strerror}") from error
        if not operation.offline:
            raise NotRunning(f"No server runs on {self.path}; start it: twistd mailshare -c {self.path}")
        from mailshare.assembly.offline import act_offline  # noqa: PLC0415 - brings the store and Twisted

        try:
            return act_offline(self.config, name, operation.arguments(given))
        except MailshareError as error:
            raise Refused(error.public) from error

    def watch(self) -> Iterator[tuple[str, Any]]:
        """``(kind, JSON)`` of the running server's events, until it ends."""
        connection = _UnixConnection(self.config.control_socket)
        try:
            connection.request("GET", "/api/v1/events")
            response = connection.getresponse()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"No server runs on {self.path}; start it: twistd mailshare -c {self.path}") from error
        kind = ""
        while line := response.readline():
            text = line.decode("utf-8").rstrip("\r\n")
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: "):
                yield kind, json.loads(text.removeprefix("data: "))


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


def _over_socket(path: str, operation: Any, given: dict[str, Any]) -> Any:
    url = "/api/v1" + operation.path
    rest = dict(given)
    for name in operation.params:
        if f"<{name}>" in url:
            url = url.replace(f"<{name}>", quote(str(rest.pop(name)), safe=""))
    body = None
    if operation.method == "GET":
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


def with_json(command: _F) -> _F:
    """Give a command the option ``--json``; its result is printed so, or by what it returns beside it.

    The command returns ``(answer, lines)``.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, **kwargs: Any) -> None:
        answer, lines = command(*args, **kwargs)
        if as_json:
            click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            for line in lines:
                click.echo(line)

    return wrapped  # type: ignore[return-value]


def fail(text: str) -> NoReturn:
    """End with a sentence and code 1."""
    raise Refused(text)
