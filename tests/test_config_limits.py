"""Every limit of the configuration bounds something; a reload tells the truth about those that wait for a restart."""

from __future__ import annotations

import ast
import smtplib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from attrs import evolve, fields
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from mailshare.assembly.mail_room import collecting_limits, provider_doors
from mailshare.assembly.office import Office, read_again
from mailshare.assembly.opening import bound_reading
from mailshare.assembly.restart_keys import needs_restart
from mailshare.config import Limits, load_config, parse_config
from mailshare.config.limits import FIXED
from mailshare.core.headers import Headers
from mailshare.core.retry import MINUTE, STANDARD
from mailshare.isp import collect
from mailshare.isp.listing import QUARANTINE
from mailshare.portal.throttle import DELAYS, Throttle
from mailshare.shell.limits import ConnectionLimits
from mailshare.wire import mime
from mailshare.wire.mime import MIMEReader
from mailshare.wire.smtp_server_events import SMTPSettings

PACKAGE = Path(__file__).resolve().parent.parent / "mailshare"

OFFICE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3 = ["tcp:0:interface=127.0.0.1"]
smtp = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
mode = "domain"
domains = ["company.example"]
[[user]]
name = "andrew"
password = "andrew"
accounts = ["mail@company.example"]
[limits]
"""


def _limits_read(path: Path) -> Iterator[str]:
    """Attributes taken from something called ``limits``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            holder = node.value
            if getattr(holder, "id", getattr(holder, "attr", "")) == "limits":
                yield node.attr


def test_no_limit_is_accepted_that_nobody_reads() -> None:
    """The assembly takes every limit out of the configuration; who promises one must wire it."""
    read = {name for path in (PACKAGE / "assembly").glob("*.py") for name in _limits_read(path)}
    assert {one.name for one in fields(Limits)} <= read


def test_what_cannot_be_set_is_told_as_it_is() -> None:
    """The second table of ``check --defaults`` says what the code does."""
    unit_file = (PACKAGE.parent / "examples" / "mailshare.service").read_text()
    found = {
        "mime_boundary": mime._MAX_BOUNDARY,
        "unknown_recipients": SMTPSettings("x").unknown_recipients,
        "errors_pause": f"{ConnectionLimits().penalty:g}",
        "data_rate_over": ConnectionLimits().rate_over,
        "auth_delays": ", ".join(f"{one:g}" for one in DELAYS),
        "login_refusals": collect._REFUSALS,
        "fetch_tries": QUARANTINE,
        "retry_first": ", ".join(str(one // MINUTE) for one in STANDARD.first),
        "tls_least": "1.2",  # tests/toughness/test_rude_smtp_sessions.py speaks older ones
        "memory": unit_file.partition("MemoryMax=")[2].partition("M")[0],
    }
    assert {name: str(value) for name, value in found.items()} == {name: value for name, value, _, _ in FIXED}


def test_a_changed_limit_is_named_when_it_waits_for_a_restart() -> None:
    """Each limit alone: named exactly when it is read at start."""
    old = parse_config("", "m.toml")
    assert {"threads", "client_run", "disk_reserve"} <= set(Limits.read_at_start())
    assert not {"command_line", "auth_forget", "recipients"} & set(Limits.read_at_start())
    for one in fields(Limits):
        limits = evolve(old.tables.limits, **{one.name: one.default + 1})
        new = evolve(old, tables=evolve(old.tables, limits=limits))
        expected = (f"limits.{one.name}",) if one.name in Limits.read_at_start() else ()
        assert needs_restart(old, new) == expected


def test_wrong_passwords_are_forgotten_when_the_file_says() -> None:
    """``auth_forget`` is the throttle's; it may change while the server runs."""
    throttle = Throttle(60)
    throttle.failed("192.0.2.1", "greg", b"x", 0.0)
    assert throttle.wait("192.0.2.1", "greg", 59.0) == 0.5
    assert throttle.wait("192.0.2.1", "greg", 60.0) == 0.0
    throttle.failed("192.0.2.1", "greg", b"y", 60.0)
    throttle.forget = 10
    assert throttle.wait("192.0.2.1", "greg", 70.0) == 0.0


class Bench:
    """An office over one file of which the limits change."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "m.toml"
        self.office: Office | None = None

    def write(self, limits: str) -> None:
        self.path.write_text(OFFICE + limits)

    async def start(self, limits: str) -> Office:
        self.write(limits)
        config = load_config(str(self.path))
        self.office = office = Office(config, reactor, reload_config=read_again(config, None))
        office.startService()
        assert office.started is not None
        await office.started
        assert not office.trouble
        return office

    def smtp(self) -> int:
        assert self.office is not None
        (place,) = (one["address"] for one in self.office.places() if one["service"] == "smtp")
        return int(str(place).rpartition(":")[2])


@pytest_twisted.async_yield_fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    if made.office is not None and made.office.up:
        await made.office.stopService()


def _line(port: int, text: str) -> int:
    """The answer to one command of a session of its own."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo("client.example")
        return client.docmd(text)[0]


def _hand_in(port: int, body: str, times: int = 1) -> int:
    with smtplib.SMTP("127.0.0.1", port) as client:
        for _ in range(times):
            client.ehlo("client.example")
            client.mail("a@far.example")
            client.rcpt("andrew@company.example")
            code = client.data(f"From: a@far.example\r\nMessage-ID: <1@far.example>\r\n\r\n{body}\r\n")[0]
        return code


@pytest_twisted.ensureDeferred
async def test_lines_are_as_long_as_the_file_says_and_a_reload_changes_them(bench: Bench) -> None:
    """``command_line``, ``auth_line`` and ``body_line``; listeners take new ones over without a restart."""
    office = await bench.start("command_line = 512\nauth_line = 2000\nbody_line = 1000\n")
    assert await deferToThread(_line, bench.smtp(), "NOOP " + "x" * 505) == 250
    assert await deferToThread(_line, bench.smtp(), "NOOP " + "x" * 506) == 500
    assert await deferToThread(_line, bench.smtp(), "AUTH PLAIN " + "A" * 1987) != 500
    assert await deferToThread(_line, bench.smtp(), "AUTH PLAIN " + "A" * 1988) == 500
    assert await deferToThread(_hand_in, bench.smtp(), "x" * 998) == 250
    assert await deferToThread(_hand_in, bench.smtp(), "x" * 999) == 554
    bench.write("command_line = 2048\nauth_line = 512\nbody_line = 2000\nthreads = 3\n")
    answer = await office.reload()
    assert answer["needs_restart"] == "limits.threads"
    assert await deferToThread(_line, bench.smtp(), "NOOP " + "x" * 506) == 250
    assert await deferToThread(_line, bench.smtp(), "AUTH PLAIN " + "A" * 600) == 500
    assert await deferToThread(_hand_in, bench.smtp(), "x" * 999) == 250


@pytest_twisted.ensureDeferred
async def test_what_may_be_handed_in_changes_with_a_reload(bench: Bench) -> None:
    """Size, hops and the From policy are looked at for each message, not once at start."""
    office = await bench.start("message_size = 70000\nreceived_hops = 10\n")
    assert await deferToThread(_hand_in, bench.smtp(), "\r\n".join(["x" * 70] * 1000)) == 552
    bench.write("message_size = 90000\nreceived_hops = 10\n")
    answer = await office.reload()
    assert answer["needs_restart"] == ""
    assert await deferToThread(_hand_in, bench.smtp(), "\r\n".join(["x" * 70] * 1000)) == 250


@pytest.mark.parametrize(("days", "kept"), [("14", 1), ("0", 2)])
@pytest_twisted.ensureDeferred
async def test_the_window_of_duplicates_is_the_files(days: str, kept: int, bench: Bench) -> None:
    """``duplicate_window`` in days; 0 takes every copy."""
    office = await bench.start(f"duplicate_window = {days}\n")
    assert await deferToThread(_hand_in, bench.smtp(), "the same", 2) == 250
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert counts["andrew"] == kept


@pytest_twisted.ensureDeferred
async def test_mail_is_refused_for_a_time_when_the_reserve_would_be_touched(bench: Bench) -> None:
    """``disk_reserve``: below it the answer is 452, and the sender keeps the mail."""
    await bench.start(f"disk_reserve = {2**53}\n")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        await deferToThread(_hand_in, bench.smtp(), "hello")
    assert refused.value.smtp_code == 452


@pytest.fixture
def _standard_bounds() -> Iterator[None]:
    """What is read is bounded for the whole process."""
    yield
    bound_reading(Limits())


@pytest.mark.usefixtures("_standard_bounds")
@pytest.mark.parametrize("limit", ["header_lines = 100", "header_field = 2000", "header_addresses = 10"])
@pytest_twisted.ensureDeferred
async def test_headers_are_read_as_far_as_the_file_says(limit: str, bench: Bench) -> None:
    """A header past one of the limits is for ADMIN, whoever reads it; with the usual ones this is a person's."""
    many = b"".join(b"Cc: Somebody <s%d@far.example>\r\n" % number for number in range(120))
    header = b"From: a@far.example\r\nTo: andrew@company.example\r\n" + many + b"X: " + b"y" * 2500 + b"\r\n"
    assert not Headers.parse(header).oversize
    await bench.start(f"{limit}\nmime_depth = 3\nmime_parts = 11\n")
    assert Headers.parse(header).oversize
    reader = MIMEReader()
    assert (reader._max_depth, reader._parts_left) == (3, 11)


def test_what_a_provider_may_send_is_the_files() -> None:
    """``relay_reply_line``, ``relay_reply_lines`` and ``capabilities`` reach the engines."""
    config = parse_config("[limits]\nrelay_reply_line = 600\nrelay_reply_lines = 7\ncapabilities = 30\n", "m.toml")
    replies = provider_doors(config, reactor, None).replies  # type: ignore[arg-type]
    assert (replies.line, replies.lines, collecting_limits(config).capabilities) == (600, 7, 30)


def test_the_reference_names_the_limits_that_wait_for_a_restart() -> None:
    """The page and the answer to a reload say the same."""
    text = (PACKAGE.parent / "docs" / "reference" / "configuration.md").read_text()
    told = " ".join(text.partition("all `client_` keys")[2].partition("needs restart")[0].split())
    for name in Limits.read_at_start():
        assert name.startswith("client_") or f"`{name}`" in told
    for one in fields(Limits):
        assert one.metadata["at_start"] or f"`{one.name}`" not in told
