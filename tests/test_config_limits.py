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
from mailshare.config import BrokenConfig, Limits, load_config, parse_config
from mailshare.config.limits import FIXED
from mailshare.core.bounds import Bounds
from mailshare.core.headers import Headers
from mailshare.core.media_type import MediaType
from mailshare.core.retry import STANDARD
from mailshare.core.values import SECOND, LedgerKey, LedgerRow, LedgerState
from mailshare.isp.listing import Act, Upstream, decide
from mailshare.portal.throttle import DELAYS, Throttle
from mailshare.shell.limits import ConnectionLimits
from mailshare.wire.mime import EntityBegun, MIMEReader
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
        "tls_least": "1.2",  # tests/toughness/test_rude_smtp_sessions.py speaks older ones
        "memory": unit_file.partition("MemoryMax=")[2].partition("M")[0],
    }
    assert {name: str(value) for name, value in found.items()} == {name: value for name, value, _, _ in FIXED}


def test_parts_that_are_used_alone_have_the_same_defaults() -> None:
    """Whoever takes a part of this package as a library has what ``check --defaults`` says."""
    limits = Limits()
    assert tuple(one / 1000 for one in limits.auth_delays) == DELAYS
    assert tuple(one * SECOND for one in limits.retry_first) == STANDARD.first
    assert limits.retry_last * SECOND == STANDARD.late
    assert (limits.errors_pause, limits.data_rate_over) == (ConnectionLimits().penalty, ConnectionLimits().rate_over)
    assert limits.unknown_recipients == SMTPSettings("x").unknown_recipients
    for one in fields(Bounds):
        assert getattr(limits, one.name) == one.default


# rules of the house for a hostile world, section 6; what it gives for several things stands behind the first
WANTED = {
    "command_line": 2048, "auth_line": 12_288, "body_line": 65_536, "message_size": 50_000_000, "header_size": 262_144,
    "header_lines": 2000, "header_addresses": 2000, "header_field": 65_536, "mime_depth": 50, "mime_parts": 1000,
    "mime_parameters": 100, "mime_boundary": 200, "received_hops": 30, "recipients": 200, "connections": 200,
    "connections_per_peer": 20, "pop3_per_user": 10, "errors_slow": 5, "errors_close": 15, "idle_commands": 50,
    "greeting_timeout": 30, "smtp_idle": 300, "pop3_idle": 600, "data_block": 180, "data_whole": 1800, "data_rate": 200,
    "data_rate_over": 60, "tls_handshake": 20, "session": 7200, "client_connect": 30, "client_tls": 20,
    "client_greeting": 60, "client_command": 120, "client_message": 60, "client_rate": 2048, "client_run": 3600,
    "reply_line": 8192, "listing_rows": 100_000, "unique_id": 255, "collected_size": 100_000_000, "capabilities": 100,
    "relay_reply_lines": 100, "relay_reply_line": 4096, "auth_tries": 5, "auth_forget": 900, "login_refusals": 2,
    "login_refused_pause": 3600, "retry_first": [60, 300, 900, 3600], "retry_last": 3600, "delay_notice": 4 * 3600,
    "give_up": 5 * 86_400, "disk_reserve": 100_000_000, "fetch_tries": 3, "unknown_recipients": 20, "errors_pause": 1,
    "auth_delays": [500, 2000, 4000, 8000, 15_000],
}  # fmt: skip


def test_the_defaults_are_those_for_a_hostile_world() -> None:
    """What is meant to be so: a default that is changed is changed here too, with its reason in docs/why."""
    shown = {name: default for name, default, _, _ in Limits.table()}
    assert {name: shown[name] for name in WANTED} == WANTED
    assert set(shown) - set(WANTED) == {"duplicate_window", "former_mailbox", "threads"}


def test_a_list_is_checked_number_by_number() -> None:
    """Too small, too large, empty, or no list."""
    for text, words in (
        ("[0]", "0 is too small"), ("[60001]", "60001 is too large"), ("[]", "is empty"), ("5", "is not a list"),
    ):  # fmt: skip
        with pytest.raises(BrokenConfig) as wrong:
            parse_config(f"[limits]\nauth_delays = {text}\n", "m.toml")
        assert words in str(wrong.value.problems[0])


def test_a_changed_limit_is_named_when_it_waits_for_a_restart() -> None:
    """Each limit alone: named exactly when it is read at start."""
    old = parse_config("", "m.toml")
    assert {"threads", "client_run", "disk_reserve"} <= set(Limits.read_at_start())
    assert not {"command_line", "auth_forget", "recipients"} & set(Limits.read_at_start())
    for one in fields(Limits):
        limits = evolve(old.tables.limits, **{one.name: one.default + (1 if isinstance(one.default, int) else (1,))})
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


def test_wrong_passwords_cost_what_the_file_says() -> None:
    """``auth_delays``, the last one from then on."""
    throttle, seen = Throttle(), []
    throttle.delays = (1.0, 3.0)
    for number in range(4):
        throttle.failed("192.0.2.1", "greg", b"%d" % number, 0.0)
        seen.append(throttle.wait("192.0.2.2", "greg", 0.0))
    assert seen == [1.0, 3.0, 3.0, 3.0]


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


@pytest.mark.usefixtures("_standard_bounds")
def test_pieces_and_boundaries_are_bounded_by_the_file() -> None:
    """``mime_parameters`` and ``mime_boundary``."""
    bound_reading(Limits(mime_parameters=10, mime_boundary=70))
    value = "a/b" + "".join(f"; name*{number}=x" for number in range(30))
    assert MediaType.parse(value).parameters["name"] == "x" * 10
    for octets, parts in ((70, 2), (71, 1)):
        mark = b"b" * octets
        message = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n\r\nx\r\n--%s--\r\n" % (mark, mark, mark)
        reader = MIMEReader()
        assert sum(isinstance(event, EntityBegun) for event in (*reader.feed(message), *reader.end())) == parts


@pytest.mark.usefixtures("_standard_bounds")
def test_messages_that_do_not_come_are_tried_as_often_as_the_file_says() -> None:
    """``fetch_tries``."""
    bound_reading(Limits(fetch_tries=5))
    key = LedgerKey(1, "u1", 10, b"")
    for attempts, act in ((4, Act.FETCH), (5, Act.LEAVE)):
        row = LedgerRow(key, LedgerState.POISON, None, 0, attempts)
        (decision,) = decide([Upstream(1, "u1", 10, "u1")], {"u1": row}, leave_days=0, limit=1000, now=1)
        assert decision.act is act


@pytest_twisted.ensureDeferred
async def test_mistakes_cost_what_the_file_says(bench: Bench) -> None:
    """``unknown_recipients`` refused ones, then each is put off; ``errors_pause = 0`` has nobody wait."""
    await bench.start("unknown_recipients = 2\nerrors_slow = 1\nerrors_pause = 0\n")

    def harvest() -> list[int]:
        with smtplib.SMTP("127.0.0.1", bench.smtp()) as client:
            client.ehlo("client.example")
            client.mail("a@far.example")
            return [client.rcpt(f"nobody{number}@company.example")[0] for number in range(4)]

    assert await deferToThread(harvest) == [550, 550, 450, 450]


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
