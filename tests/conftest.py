"""What every test gets: no logged failure and no leftover timer passes unseen, and a missing program is named."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from mailshare.store import file_database

# Program to Debian package, where the names differ.
PACKAGES = {
    "dovecot": "dovecot-core dovecot-pop3d",
    "cupsd": "cups",
    "gs": "ghostscript",
    "pdfinfo": "poppler-utils",
    "pdftops": "poppler-utils",
    "doveadm": "dovecot-core",
    "faxgetty": "hylafax-server",
    "faxq": "hylafax-server",
    "faxstat": "hylafax-client",
    "getmail": "getmail6",
    "hfaxd": "hylafax-server",
    "imap-login": "dovecot-imapd",
    "dbus-daemon": "dbus-daemon",
    "ippeveprinter": "cups-ipp-utils",
    "ipptool": "cups-ipp-utils",
    "lpadmin": "cups-client cups-filters",
    "lpstat": "cups-client",
    "openssl": "openssl",
    "runuser": "util-linux",
    "systemd-analyze": "systemd",
    "jbgtopbm": "jbigkit-bin",
    "tiffset": "libtiff-tools",
}
# What a program only recommends and our tests need: module of Perl, and its Debian package.
PERL_MODULES = {"swaks": ("Net::SSLeay", "libnet-ssleay-perl")}
# The modules that take longest, the longest first. Begun late, one of them would run on when all else is done.
LONGEST = (
    "tests/peers/test_manager_browser.py",
    "tests/peers/test_manager_walk.py",
    "tests/test_print_by_mail.py",
    "tests/test_print_by_mail_answers.py",
    "tests/peers/test_office_kills.py",
    "tests/peers/test_office_weight.py",
    "tests/web/test_api_fuzzed.py",
    "tests/test_packaging.py",
    "tests/web/test_manager_ground.py",
    "tests/peers/test_printers_in_trouble.py",
    "tests/web/test_manager_faxes.py",
    "tests/web/test_every_form.py",
    "tests/test_fax_two_processes.py",
    "tests/toughness/test_rude_smtp_sessions.py",
    "tests/web/test_manager_pages.py",
    "tests/test_print_between_offices.py",
)
LISTENING = (20_000, 32_000)
PORTS_AT_ONCE = 100
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin:/usr/lib/dovecot"

# No test depends on how fast the machine is: an example may take as long as it likes.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Nor does what a store writes depend on whether a test still runs a second after its start; tests of that say when.
file_database.LAY_OUT_AFTER = 3_600.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this suite."""
    parser.addoption(
        "--run-powercut",
        action="store_true",
        default=False,
        help="also run the power cut tests, which need root and a loop device",
    )
    parser.addoption(
        "--run-nightly",
        action="store_true",
        default=False,
        help="also run the tests that make calls in real time, which need root, hylafax-server and libspandsp2",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what takes longest first, and leave out what runs only when it is asked for."""
    turns = {name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.nodeid.partition("::")[0], len(turns)))
    for mark, why in (
        ("powercut", "power cuts need root and a loop device"),
        ("nightly", "it takes real time, or a large program"),
    ):
        if config.getoption(f"--run-{mark}"):
            continue
        skip = pytest.mark.skip(reason=f"{why}: give --run-{mark}")
        for item in items:
            if mark in item.keywords:
                item.add_marker(skip)


class LoggedFailures:
    """Collects the failures that the program logs while a test runs; those not flushed fail the test."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """Observe one log event."""
        if event.get("log_failure") is not None:
            self.events.append(event)

    def flush(self, *kinds: type[BaseException]) -> list[Failure]:
        """Take the failures of these exception types (all when none is named): the test expected them."""
        taken = [event for event in self.events if not kinds or event["log_failure"].check(*kinds)]
        self.events = [event for event in self.events if event not in taken]
        return [event["log_failure"] for event in taken]


@pytest.fixture(autouse=True)
def logged_failures(request: pytest.FixtureRequest) -> Iterator[LoggedFailures]:
    """Fail the test for each failure logged and not flushed. Trial's own test cases do this by themselves."""
    observer = LoggedFailures()
    globalLogPublisher.addObserver(observer)
    yield observer
    globalLogPublisher.removeObserver(observer)
    own = isinstance(request.cls, type) and issubclass(request.cls, SynchronousTestCase)
    if observer.events and not own:
        texts = "\n".join(event["log_failure"].getTraceback() for event in observer.events)
        pytest.fail(f"{len(observer.events)} failure(s) logged and not flushed:\n{texts}", pytrace=False)


def _timers() -> list[object]:
    """Delayed calls of the real reactor, if one is installed."""
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return []
    return [call for call in reactor.getDelayedCalls() if call.active()]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _clean_reactor() -> Iterator[None]:
    """Fail the test that leaves a delayed call of the real reactor behind, and cancel it to spare the next one."""
    before = {id(call) for call in _timers()}
    yield
    left = [call for call in _timers() if id(call) not in before]
    for call in left:
        call.cancel()  # type: ignore[attr-defined]
    if left:
        pytest.fail("delayed calls left behind:\n" + "\n".join(map(str, left)), pytrace=False)


@pytest.fixture(autouse=True)
def _running_reactor(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test that stops the real reactor, as an office does that cannot start; it runs on for the others."""
    reactor = sys.modules.get("twisted.internet.reactor")
    stops: list[str] = []
    if reactor is not None:
        monkeypatch.setattr(reactor, "stop", lambda: stops.extend(traceback.format_stack(limit=6)[:-1]))
    yield
    if stops:
        pytest.fail("the reactor was told to stop:\n" + "".join(stops), pytrace=False)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give a function that names a loopback port nobody listens on, a new one at each call.

    They lie below those that the system gives to outgoing connections (from 32768 on Linux): a server that is started
    again must find its port free, although a client may have been given any of those meanwhile. Tests that run at the
    same time, here or in another checkout, take theirs from other hundreds.
    """
    hundreds, ports = _hundreds(), list[int]()

    def pick() -> int:
        while True:
            if not ports:
                ports.extend(next(hundreds, ()) or pytest.fail("no port is free", pytrace=False))
            port = ports.pop()
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port

    return pick


def _hundreds() -> Iterator[range]:
    """Blocks of ports that are this process's alone until it ends: each is a file that it keeps locked."""
    folder = os.path.join(tempfile.gettempdir(), f"mailshare-test-ports-{os.geteuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    kept, starts = [], list(range(*LISTENING, PORTS_AT_ONCE))
    random.SystemRandom().shuffle(starts)
    for start in starts:
        file = os.open(os.path.join(folder, str(start)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        kept.append(file)
        yield range(start, start + PORTS_AT_ONCE)


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Give a function that finds a program, or skips the test naming the Debian package that has it.

    With ``MAILSHARE_PEERS=required`` in the environment, as in continuous integration, a missing one fails the test.
    """

    def find(name: str) -> str:
        path = shutil.which(name, path=SEARCH_PATH)
        module, package = PERL_MODULES.get(name, ("", ""))
        if path is None:
            missing, package = name, f"{PACKAGES.get(name, name)} {package}".strip()
        elif module and subprocess.run(["perl", f"-M{module}", "-e", "1"], capture_output=True, check=False).returncode:
            missing = f"{module}, which {name} needs,"
        else:
            missing = ""
        if missing:
            text = f"{missing} is not installed: apt-get install {package}"
            if os.environ.get("MAILSHARE_PEERS") == "required":
                pytest.fail(text, pytrace=False)
            pytest.skip(text)
        return path

    return find
