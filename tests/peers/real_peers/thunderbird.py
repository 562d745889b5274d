"""A Thunderbird without a window, led over Marionette, the protocol that Mozilla's own tests lead it by."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

_PREFERENCES: Mapping[str, object] = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.provider.enabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
    # Whatever it would ask of the world ends at a port where nobody is.
    "services.settings.server": "http://127.0.0.1:9/",
    "mailnews.auto_config_url": "http://127.0.0.1:9/",
    "network.dns.forceResolve": "127.0.0.1",
}
_STARTED = 60.0  # seconds
_IN_MAIN_WINDOW = """
const main = document.documentElement.getAttribute("windowtype") == "mail:3pane";
return main && document.readyState == "complete";
"""


class Refused(Exception):
    """A script of ours failed inside Thunderbird."""


class Unanswered(Exception):
    """The window that a script ran in went away, as those of the start do."""


@define
class Thunderbird:
    """One profile of its own.

    :ivar proxy: port that all plain HTTP is asked of, so that no test needs port 80.
    """

    program: str
    folder: Path
    port: int
    proxy: int
    process: subprocess.Popen[bytes] | None = None
    link: socket.socket | None = None
    heard: bytes = b""
    sent: int = field(default=0)

    def start(self) -> None:
        """Begin, and wait until it can be led."""
        profile = self.folder / "profile"
        profile.mkdir(parents=True)
        wanted = {
            **_PREFERENCES,
            "marionette.port": self.port,
            "network.proxy.type": 1,
            "network.proxy.http": "127.0.0.1",
            "network.proxy.http_port": self.proxy,
            "network.proxy.no_proxies_on": "",
        }
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in wanted.items()]
        (profile / "user.js").write_text("\n".join(lines))
        command = [self.program, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--profile", str(profile)], stdout=log, stderr=log,
                env={**os.environ, "HOME": str(self.folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
            )  # fmt: skip
        self._connect()
        self._ask("WebDriver:NewSession", {})
        self._ask("Marionette:SetContext", {"value": "chrome"})
        self._wait_for_window()

    def _wait_for_window(self) -> None:
        until = time.monotonic() + _STARTED
        while not self._is_there():
            assert time.monotonic() < until, (self.folder / "log").read_text(errors="replace")[-4000:]
            time.sleep(0.1)

    def _connect(self) -> None:
        until = time.monotonic() + _STARTED
        while time.monotonic() < until:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            try:
                self.link = socket.create_connection(("127.0.0.1", self.port), 5)
            except OSError:
                time.sleep(0.1)
                continue
            self.link.settimeout(90)
            self._hear()
            return
        raise AssertionError((self.folder / "log").read_text(errors="replace")[-4000:])

    def _is_there(self) -> bool:
        """Its main window is open and loaded, and scripts run in it."""
        try:
            for handle in self._ask("WebDriver:GetWindowHandles", {}):
                self._ask("WebDriver:SwitchToWindow", {"handle": handle})
                if self.run(_IN_MAIN_WINDOW):
                    return True
        except (Refused, Unanswered):
            pass
        return False

    def _hear(self) -> Any:
        """One frame: its length, a colon, JSON."""
        assert self.link is not None
        while True:
            length, colon, rest = self.heard.partition(b":")
            if colon and len(rest) >= int(length):
                self.heard = rest[int(length) :]
                return json.loads(rest[: int(length)])
            more = self.link.recv(65_536)
            assert more, (self.folder / "log").read_text(errors="replace")[-4000:]
            self.heard += more

    def _ask(self, name: str, params: Mapping[str, object]) -> Any:
        assert self.link is not None
        self.sent += 1
        frame = json.dumps([0, self.sent, name, params]).encode()
        self.link.sendall(b"%d:%s" % (len(frame), frame))
        _, number, error, result = self._hear()
        assert number == self.sent
        if error:
            raise Refused(f"{error.get('error')}: {error.get('message')}")
        return result

    def run(self, script: str, *given: object) -> Any:
        """The result of the body of an asynchronous function, with the rights of the program itself."""
        body = (
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
            f"(async () => {{ {script} }})().then(value => done({{value}}), error => done({{error: String(error)}}));"
        )
        params = {"script": body, "args": list(given), "sandbox": "system", "newSandbox": True, "scriptTimeout": 60_000}
        value = self._ask("WebDriver:ExecuteAsyncScript", params)["value"]
        if value is None:
            raise Unanswered
        if "error" in value:
            raise Refused(value["error"])
        return value.get("value")

    def run_again(self, script: str) -> Any:
        """The result of a script that may run twice: a window of a slow start may still go away under the first."""
        until = time.monotonic() + _STARTED
        while time.monotonic() < until:
            try:
                return self.run(script)
            except Unanswered:
                self._wait_for_window()
        raise Unanswered

    def stop(self) -> None:
        """End it and those that it has started."""
        if self.link is not None:
            self.link.close()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
