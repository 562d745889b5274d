"""A pretended HylaFAX server: its protocol, its queues, and modems that do at once what a test says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from mailshare.wire.tiff_fax import read_tiff

_LETTERS = {"SUSPENDED": "T", "READY": "W", "ACTIVE": "R", "DONE": "D", "FAILED": "F"}
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@define(eq=False)
class PretendedJob:
    """A job; ``state`` in the words that ``JPARM STATE`` uses."""

    number: str
    state: str = "SUSPENDED"
    pages: int = 0
    total: int = 0
    status: str = ""
    document: bytes = b""
    parameters: dict[str, str] = field(factory=dict)


@define(eq=False)
class PretendedHylaFAX:
    """The server.

    :ivar ends: number that is dialled to how it ends: ``""`` = every page arrives, anything else is the status of the
        failure; a number that is not there rings for ever.
    :ivar replies: command to a whole reply that it gets in place of its own; ``""`` breaks the connection off.
    :ivar received: what lies in the receive queue: name to the fields of a listing and the file.
    :ivar journal: of its calls; ``None`` = we may not read it.
    :ivar said: every command, passwords left out.
    """

    user: str = "anna"
    password: str = ""
    admin: str = ""
    ends: dict[str, str] = field(factory=dict)
    replies: dict[str, str] = field(factory=dict)
    jobs: dict[str, PretendedJob] = field(factory=dict)
    received: dict[str, tuple[Mapping[str, str], bytes]] = field(factory=dict)
    said: list[str] = field(factory=list)
    greeting: str = "130 Warning, no inverse address mapping.\r\n220 pretended server ready.\r\n"
    sessions: list[_Session] = field(factory=list)
    files: dict[str, bytes] = field(factory=dict)
    journal: bytes | None = None
    _port: IListeningPort | None = None

    def listen(self, reactor: Any) -> int:
        """Answer on a port of 127.0.0.1 that is free."""
        factory = Factory.forProtocol(lambda: _Session(self, reactor))
        factory.noisy = False
        port = self._port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return int(port.getHost().port)

    async def close(self) -> None:
        """Answer no more."""
        for session in list(self.sessions):
            session.drop()
        if self._port is not None:
            await self._port.stopListening()  # type: ignore[misc]

    def dial(self) -> None:
        """Let the modems do what is to be done."""
        for job in self.jobs.values():
            end = self.ends.get(job.parameters.get("DIALSTRING", ""))
            if job.state == "READY" and end is not None:
                job.total = len(read_tiff(job.document))
                job.pages = 0 if end else job.total
                job.state, job.status = ("FAILED", end) if end else ("DONE", "")


class _Data(Protocol):
    """A connection for a transfer."""

    transport: Any

    def __init__(self, session: _Session) -> None:
        self._session = session
        self.octets = b""

    def connectionMade(self) -> None:
        """It stands."""
        self._session.data = self
        self._session.moved()

    def dataReceived(self, data: bytes) -> None:
        """A file comes."""
        self.octets += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is whole."""
        del reason
        self._session.ended(self.octets)


class _Session(LineOnlyReceiver):
    """One client."""

    transport: Any
    MAX_LENGTH = 512

    def __init__(self, server: PretendedHylaFAX, reactor: Any) -> None:
        self.server = server
        self.data: _Data | None = None
        self._reactor = reactor
        self._port: Any = None
        self._sends: bytes | None = None
        self._takes: Callable[[bytes], None] | None = None
        self._whole: bytes | None = None
        self._job: PretendedJob | None = None
        self._own: list[PretendedJob] = []
        self._from = 0
        self._in = False
        self._forms: dict[str, str] = {}

    def connectionMade(self) -> None:
        """Greet."""
        self.server.sessions.append(self)
        self.transport.write(self.server.greeting.encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Jobs that were not submitted go with it."""
        del reason
        self.server.sessions.remove(self)
        self._close_port()
        for job in self._own:
            if job.state == "SUSPENDED":
                self.server.jobs.pop(job.number, None)

    def drop(self) -> None:
        """Cut it."""
        self._close_port()
        self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        """A command."""
        text = line.decode()
        name = text.split(" ", 1)[0]
        self.server.said.append(name if name in ("PASS", "ADMIN") else text)
        words = [plain or _unescaped(quoted) for quoted, plain in _WORD.findall(text)][1:]
        known = " ".join((name, *words[:1])) if name == "JPARM" else name
        if known in self.server.replies:
            reply = self.server.replies[known]
            if reply:
                self.transport.write(reply.encode())
            else:
                self.drop()
        elif name not in ("USER", "PASS", "QUIT") and not self._in:
            self._say(530, "Please login with USER and PASS.")
        else:
            getattr(self, f"on_{name.lower()}", self._unknown)(*words)

    def _say(self, code: int, text: str) -> None:
        self.transport.write(f"{code} {text}\r\n".encode())

    def _unknown(self, *_: str) -> None:
        self._say(500, "Command not recognized.")

    # ------------------------------------------------------------------ login

    def on_user(self, name: str) -> None:
        """Who."""
        self._in = name == self.server.user and not self.server.password
        code = 230 if self._in else 331 if name == self.server.user else 530
        self._say(code, {230: "logged in.", 331: "Password required.", 530: "access denied."}[code])

    def on_pass(self, password: str) -> None:
        """And by what."""
        self._in = password.removeprefix("-") == self.server.password  # a dash in front is a wish, as hfaxd has it
        self._say(230 if self._in else 530, "User logged in." if self._in else "Login incorrect.")

    def on_admin(self, password: str) -> None:
        """More rights."""
        right = bool(self.server.admin) and password == self.server.admin
        self._say(230 if right else 530, "Privileges established." if right else "Password incorrect.")

    def on_quit(self) -> None:
        """Goodbye."""
        self._say(221, "Goodbye.")
        self.transport.loseConnection()

    def on_type(self, kind: str) -> None:
        """As octets."""
        self._say(200, f"Type set to {kind}.")

    def on_jobfmt(self, form: str) -> None:
        """How jobs are listed."""
        self._forms["jobs"] = form
        self._say(200, "JOBFMT command successful.")

    def on_rcvfmt(self, form: str) -> None:
        """How faxes are listed."""
        self._forms["recvq"] = form
        self._say(200, "RCVFMT command successful.")

    # ------------------------------------------------------------------ transfers

    def on_epsv(self) -> None:
        """Listen for a transfer."""
        factory = Factory.forProtocol(lambda: _Data(self))
        factory.noisy = False
        self._close_port()
        self._port = self._reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.data = self._sends = self._takes = self._whole = None
        self._say(229, f"Entering Extended Passive Mode (|||{self._port.getHost().port}|)")

    def on_list(self, queue: str) -> None:
        """A queue."""
        if queue == "recvq":
            rows = [_filled(self._forms["recvq"], facts) for facts, _ in self.server.received.values()]
        else:
            over = queue == "doneq"
            jobs = [one for one in self.server.jobs.values() if (one.state in ("DONE", "FAILED")) is over]
            rows = [_filled(self._forms["jobs"], _facts(one)) for one in jobs]
        self._send("".join(f"{row}\r\n" for row in rows).encode())

    def on_retr(self, path: str) -> None:
        """A received fax."""
        fax = self.server.received.get(path.rpartition("/")[2])
        found = self.server.journal if path == "log/xferfaxlog" else None if fax is None else fax[1]
        if found is None:
            self._say(550, f"{path}: Permission denied.")
        else:
            self._send(found[self._from :])
            self._from = 0

    def on_size(self, path: str) -> None:
        """Of the journal."""
        there = path == "log/xferfaxlog" and self.server.journal is not None
        self._say(213 if there else 550, str(len(self.server.journal or b"")) if there else f"{path}: No such file.")

    def on_rest(self, start: str) -> None:
        """Where the next transfer begins."""
        self._from = int(start)
        self._say(350, f"Data transfer will restart at {start}, send transfer command.")

    def on_stot(self) -> None:
        """A document comes."""
        name = f"/tmp/doc{len(self.server.files) + 1}.tif"  # noqa: S108 - a name in the server's spool
        self._say(150, f"FILE: {name} (Opening new data connection).")

        def whole(octets: bytes) -> None:
            self.server.files[name] = octets
            self._say(226, f"Transfer complete (FILE: {name}).")

        self._takes = whole
        if self._whole is not None:
            whole(self._whole)

    def _send(self, octets: bytes) -> None:
        self._say(150, "Opening new data connection.")
        self._sends = octets
        self.moved()

    def moved(self) -> None:
        """The client is there, or there is something to send."""
        if self.data is not None and self._sends is not None:
            self.data.transport.write(self._sends)
            self.data.transport.loseConnection()
            self._sends = None
            self._say(226, "Transfer complete.")

    def ended(self, octets: bytes) -> None:
        """A transfer is over."""
        self._close_port()
        self._whole = octets
        if self._takes is not None:
            self._takes(octets)
            self._takes = None

    def _close_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()

    # ------------------------------------------------------------------ jobs

    def on_jnew(self) -> None:
        """A job that waits for its parameters."""
        number = str(len(self.server.jobs) + 1)
        self._job = self.server.jobs[number] = PretendedJob(number)
        self._own.append(self._job)
        self._say(200, f"New job created: jobid: {number} groupid: {number}.")

    def on_job(self, number: str) -> None:
        """Which one is meant."""
        self._job = self.server.jobs.get(number)
        self._say(200 if self._job else 500, "Current job." if self._job else "Cannot set job.")

    def on_jparm(self, key: str, *value: str) -> None:
        """Set or tell a parameter."""
        assert self._job is not None
        if not value:
            self._say(213, self._job.parameters.get(key, ""))
        elif key == "DOCUMENT":
            self._job.document = self.server.files[value[0]]
            self._say(200, "Added document.")
        else:
            self._job.parameters[key] = value[0]
            self._say(213, f"{key} set.")

    def on_jsubm(self, number: str) -> None:
        """To the modems."""
        self.server.jobs[number].state = "READY"
        self._say(200, f"Job {number} submitted.")

    def on_jdele(self, number: str) -> None:
        """Away with it, unless it was submitted."""
        job = self.server.jobs.get(number)
        gone = job is not None and job.state == "SUSPENDED"
        if gone:
            self.server.jobs.pop(number)
        self._say(200 if gone else 504, "Job deleted." if gone else "Job not deleted; use JSUSP first.")

    def on_jkill(self, number: str) -> None:
        """End it."""
        job = self.server.jobs[number]
        if job.state in ("DONE", "FAILED"):
            self._say(504, "Job not killed; already done.")
            return
        job.state, job.status = "FAILED", "Job aborted by request"
        self._say(200, "Job killed.")

    def on_dele(self, path: str) -> None:
        """Away with a received fax."""
        found = self.server.received.pop(path.rpartition("/")[2], None)
        self._say(250 if found else 550, "DELE command successful." if found else "No such file.")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3}|.)", lambda one: chr(int(one[1], 8)) if len(one[1]) == 3 else one[1], text)


def _filled(form: str, facts: Mapping[str, str]) -> str:
    return re.sub(r"%([A-Za-z])", lambda one: facts.get(one[1], ""), form)


def _facts(job: PretendedJob) -> Mapping[str, str]:
    tag, state = job.parameters.get("JOBINFO", ""), _LETTERS[job.state]
    return {
        "j": job.number, "a": state, "p": str(job.pages), "y": str(job.total), "d": "1", "J": tag, "s": job.status
    }  # fmt: skip
