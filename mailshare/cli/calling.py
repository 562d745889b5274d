"""How a command reaches the office: over the control socket, or by opening the store itself."""

from __future__ import annotations

import functools
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from mailshare.config import Config

_REFUSED, _MISUSED, _NOT_RUNNING = 1, 2, 3
_F = TypeVar("_F", bound=Callable[..., Any])


class Refused(click.ClickException):
    """The office said no; the text is its sentence."""

    exit_code = _REFUSED


class NotRunning(click.ClickException):
    """Only a running server can do this."""

    exit_code = _NOT_RUNNING


class Context:
    """What every command gets.

    :ivar path: of the configuration file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._config: Config | None = None

    @property
    def config(self) -> Config:
        """The configuration; a broken one ends the command with all its mistakes and code 2."""
        if self._config is None:
            from mailshare.config import BrokenConfig, load_config  # noqa: PLC0415 - keeps --help and status quick

            try:
                self._config = load_config(self.path)
            except BrokenConfig as fault:
                click.echo(str(fault), err=True)
                sys.exit(_MISUSED)
        return self._config

    @functools.cached_property
    def socket(self) -> str:
        """Where the server listens for commands, if there is one.

        To ask a server that runs, the file is looked at and not checked: that is done by whoever starts it, and takes
        longer than the answer. What cannot be found so is for the check to tell.
        """
        try:
            with open(self.path, "rb") as stream:
                data = tomllib.load(stream).get("server", {}).get("data", "var")
            path = os.path.join(os.path.dirname(os.path.abspath(self.path)), data, "control")
        except (OSError, ValueError, RecursionError, AttributeError, TypeError):
            return self.config.control_socket
        return path if os.path.exists(path) else self.config.control_socket

    def ask(self, name: str, /, **arguments: Any) -> Any:
        """Call one operation of the office; its answer as JSON values."""
        from mailshare.cli.control_socket import over_socket  # noqa: PLC0415 - keeps --help quick
        from mailshare.core.errors import MailshareError  # noqa: PLC0415 - as above
        from mailshare.web.operations import BY_NAME  # noqa: PLC0415 - as above

        operation = BY_NAME[name]
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            return over_socket(self.socket, operation, given)
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as error:
            raise Refused(f"The server cannot be reached at {self.socket}: {error.strerror}") from error
        if not operation.offline:
            raise NotRunning(f"No server runs on {self.path}; start it: twistd mailshare -c {self.path}")
        from mailshare.assembly.offline import act_offline  # noqa: PLC0415 - brings the store and Twisted

        try:
            return act_offline(self.config, name, operation.arguments(given))
        except MailshareError as error:
            raise Refused(error.public) from error

    def watch(self) -> Iterator[tuple[str, Any]]:
        """``(kind, JSON)`` of the running server's events, until it ends."""
        from mailshare.cli.control_socket import events  # noqa: PLC0415 - keeps --help quick

        try:
            yield from events(self.socket)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning(f"No server runs on {self.path}; start it: twistd mailshare -c {self.path}") from error


def with_json(command: _F) -> _F:
    """Give a command the option ``--json``; its result is printed so, or by what it returns beside it.

    The command returns ``(answer, lines)``. An answer that says ``ready: false`` ends it with code 1.
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
        if isinstance(answer, dict) and answer.get("ready") is False:
            sys.exit(_REFUSED)

    return wrapped  # type: ignore[return-value]


def fail(text: str) -> NoReturn:
    """End with a sentence and code 1."""
    raise Refused(text)
