"""The demonstration office: a pretend provider in the same process, and plain words about what happens."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from mailshare.assembly.office import Office
from mailshare.config import Config
from mailshare.core.errors import MailshareError
from mailshare.testing.isp import PretendISP

OFFICE_TOML = """\
# The demonstration office: three people share one mailbox at a provider that is only pretended, in the same process.
# Start it with `make run`, or: twistd --nodaemon --pidfile= mailshare -c office.toml

[server]
hostname = "mail.office.example"
data = "var"                                   # beside this file; delete it to begin afresh

[listen]
pop3 = ["tcp:8110:interface=127.0.0.1"]
smtp = ["tcp:8025:interface=127.0.0.1"]

[demonstration]
isp = true
every = 5                                      # seconds between mails from outside
pop3 = 9110
smtp = 9025

[[account]]
address = "mail@company.example"
collect = "pop3://mail@127.0.0.1:9110?tls=none"
relay = "smtp://mail@127.0.0.1:9025?tls=none"
password = "isp"
timetable = [{ every = 1 }]                    # minutes; the demonstration presses Send/Receive more often

[[user]]
name = "andrew"
names = ["Andrew Smith"]
password = "andrew"
accounts = ["mail@company.example"]

[[user]]
name = "greg"
names = ["Greg Jones"]
password = "greg"
accounts = ["mail@company.example"]

[[user]]
name = "carolyn"
names = ["Carolyn Brown"]
password = "carolyn"
accounts = ["mail@company.example"]
cc = ["greg"]
"""


_QUIET = 1  # for a third of the seconds between two presses of the button, where no mail comes by itself


class Demonstration(MultiService):
    """The office and its provider.

    :param say: takes a line.
    """

    def __init__(self, config: Config, reactor: Any, office: Office, say: Callable[[str], None]) -> None:
        super().__init__()
        self.setName("mailshare")
        table = config.tables.demonstration
        account = config.accounts[0].account if config.accounts else None
        self.office = office
        self.isp = PretendISP(
            reactor,
            os.urandom,
            address=str(account.address) if account else "mail@company.example",
            others=table.mailboxes,
            people=[user.name.capitalize() for user in config.users] or ["Andrew"],
            every=table.every,
            pop3=table.pop3,
            smtp=table.smtp,
            tell=say,
        )
        self.isp.setServiceParent(self)
        self.office.setServiceParent(self)
        self._config = config
        self._say = say
        self._presses = LoopingCall(self._press)
        self._presses.clock = reactor

    def startService(self) -> None:
        """Start the provider, then the office, and say where to look."""
        super().startService()
        assert self.office.started is not None
        self.office.started.addCallback(lambda _: self._welcome())

    def stopService(self) -> Deferred[None]:
        """The office first, so that what it has under way with the provider can end well."""
        self.running = 0
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._presses.running:
            self._presses.stop()
        await self.office.stopService()
        await self.isp.stopService()

    async def _press(self) -> None:
        """The button Send/Receive, after every third letter."""
        try:
            await self.office.acts.send_receive()
        except MailshareError as error:
            self._say(f"office:   {error.public}")

    def _welcome(self) -> None:
        if not self.office.up:
            return
        places = self.office.places()
        lines = ["", "The demonstration office is open. Point a mail program here:"]
        lines += [f"  {place['service']}  {place['address']}" for place in places]
        for user in self._config.users:
            password = user.password.value if user.password.kind == "literal" else "(see the file)"
            lines.append(f"  user name {user.name}, password {password}")
        pop3 = [place["address"] for place in places if place["service"] == "pop3"]
        if self._config.users and pop3:
            first = self._config.users[0]
            lines.append(f"  for example: curl pop3://{first.name}:{first.password.value}@{pop3[0]}/1")
        lines.append(f"  and: {_command()} -c {os.path.relpath(self._config.path)} status --watch")
        lines += ["Ctrl-C ends it; the next start goes on with the same mail.", ""]
        self._say("\n".join(lines))
        self._presses.start((self._config.tables.demonstration.every or _QUIET) * 3, now=False)


def say_on_screen(text: str) -> None:
    """A line on the real standard output, at once; twistd makes log lines of what goes to ``sys.stdout``."""
    if sys.__stdout__ is not None and not sys.__stdout__.closed:
        sys.__stdout__.write(text + "\n")
        sys.__stdout__.flush()


def _command() -> str:
    """How to type the command here: by its name, or by its place when the shell would not find it."""
    place = os.path.join(os.path.dirname(sys.executable), "mailshare")
    return "mailshare" if shutil.which("mailshare") or not os.path.exists(place) else os.path.relpath(place)
