"""A reload takes over everything or nothing, and changed certificates serve the next connection."""

from __future__ import annotations

import hashlib
import os
import poplib
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_twisted
import trustme
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from mailshare.core.errors import ConfigFault

DEADLINE = 30.0


class Bench:
    """An office whose file and certificates change."""

    def __init__(self, folder: Path, free_port: Callable[[], int]) -> None:
        self.folder = folder
        self.pop3, self.pop3s = free_port(), free_port()
        self.authority = trustme.CA()
        self.office: Office | None = None
        (folder / "certs").mkdir()

    def certify(self) -> str:
        """Write a new certificate; returns its SHA-256."""
        issued = self.authority.issue_cert("mail.office.example")
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.folder / "certs" / "office.pem"))
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())).hexdigest()

    def write(self, listeners: str = "", users: str = "andrew", more: str = "") -> None:
        listeners = listeners or (
            f'pop3 = ["tcp:{self.pop3}:interface=127.0.0.1"]\n'
            f'pop3s = ["tls:certs:{self.pop3s}:interface=127.0.0.1"]\ncertificates = "certs"\n'
        )
        people = "".join(f'[[user]]\nname = "{name}"\npassword = "{name}"\n' for name in users.split())
        (self.folder / "m.toml").write_text(f"[server]\ngrace = 1\n[listen]\n{listeners}{people}{more}")

    async def start(self) -> Office:
        config = load_config(str(self.folder / "m.toml"))
        self.office = office = Office(config, reactor, reload_config=read_again(config, None))
        office.startService()
        assert office.started is not None
        await office.started
        assert not office.trouble
        return office


@pytest_twisted.async_yield_fixture
async def bench(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Bench]:
    made = Bench(tmp_path, free_port)
    yield made
    if made.office is not None and made.office.up:
        await made.office.stopService()


def shown(port: int, *, stls: bool = False) -> str:
    """SHA-256 of the certificate that a client is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as plain:
        if stls:
            assert plain.recv(512).startswith(b"+OK")
            plain.sendall(b"STLS\r\n")
            assert plain.recv(512).startswith(b"+OK")
        with context.wrap_socket(plain, server_hostname="mail.office.example") as secure:
            return hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()


def logged_in(port: int, name: str) -> bytes:
    client = poplib.POP3("127.0.0.1", port, timeout=DEADLINE)
    try:
        client.user(name)
        return client.pass_(name)
    except poplib.error_proto as refusal:
        return bytes(refusal.args[0])
    finally:
        client.close()


async def names(office: Office) -> set[str]:
    return {str(one["name"]) for one in await office.acts.users() if one["enabled"]}


@pytest_twisted.ensureDeferred
async def test_a_new_certificate_serves_the_next_connection_after_a_hangup(bench: Bench) -> None:
    """SIGHUP, both for TLS from the first octet and for STLS; a session that is open goes on."""
    first = bench.certify()
    bench.write()
    office = await bench.start()
    assert await deferToThread(shown, bench.pop3s) == await deferToThread(shown, bench.pop3, stls=True) == first
    with socket.create_connection(("127.0.0.1", bench.pop3), DEADLINE) as before:
        assert (await deferToThread(before.recv, 512)).startswith(b"+OK")
        second = bench.certify()
        os.kill(os.getpid(), signal.SIGHUP)
        until = time.monotonic() + DEADLINE
        while not office.facts()["reloaded"]:
            assert time.monotonic() < until
            await deferLater(reactor, 0.01)
        assert await deferToThread(shown, bench.pop3s) == await deferToThread(shown, bench.pop3, stls=True) == second
        before.sendall(b"QUIT\r\n")
        assert (await deferToThread(before.recv, 512)).startswith(b"+OK")


@pytest_twisted.ensureDeferred
async def test_a_listener_behind_a_proxy_follows_its_certificates_too(bench: Bench) -> None:
    """``haproxy:tls:`` takes its directory from where the file lies and serves with the certificate of now."""
    first = bench.certify()
    bench.write(f'pop3s = ["haproxy:tls:certs:{bench.pop3s}:interface=127.0.0.1"]\n')
    await bench.start()
    assert await deferToThread(shown, bench.pop3s) == first
    second = bench.certify()
    assert await deferToThread(shown, bench.pop3s) == second


@pytest_twisted.ensureDeferred
async def test_a_damaged_certificate_leaves_the_one_before_in_use(bench: Bench) -> None:
    """The reload says which file it is and changes nothing, users neither; new connections get the old certificate."""
    first = bench.certify()
    bench.write()
    office = await bench.start()
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    (bench.folder / "certs" / "office.pem").write_text(damaged)
    bench.write(users="andrew greg")
    with pytest.raises(ConfigFault, match=r"office\.pem is damaged"):
        await office.reload()
    assert await names(office) == {"andrew"}
    assert await deferToThread(shown, bench.pop3s) == await deferToThread(shown, bench.pop3, stls=True) == first
    second = bench.certify()
    await office.reload()
    assert await names(office) == {"andrew", "greg"}
    assert await deferToThread(shown, bench.pop3s) == second


@pytest.mark.parametrize("content", ["", "key only"])
def test_certificates_that_cannot_serve_are_found_by_the_check(content: str, bench: Bench) -> None:
    """A directory without a certificate and its key is a mistake of the file, not of the first connection."""
    bench.certify()
    path = bench.folder / "certs" / "office.pem"
    text = path.read_text()
    path.write_text(text[: text.index("-----BEGIN CERTIFICATE")] if content else "")
    bench.write()
    with pytest.raises(Exception, match="no certificate to serve with"):
        load_config(str(bench.folder / "m.toml"))


@pytest_twisted.ensureDeferred
async def test_a_listener_that_cannot_open_leaves_all_as_it_was(bench: Bench) -> None:
    """Users, settings, the old listeners, and those new ones that could be opened: everything or nothing."""
    bench.certify()
    bench.write()
    office = await bench.start()
    before = office.places()
    with socket.socket() as taken, socket.socket() as free:
        for one in (taken, free):
            one.bind(("127.0.0.1", 0))
        taken.listen(1)
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        bench.write(
            f'smtp = ["tcp:{other}:interface=127.0.0.1", "tcp:{port}:interface=127.0.0.1"]\n',
            users="greg",
            more="[limits]\nmessage_size = 70000\n",
        )
        with pytest.raises(ConfigFault, match=f"listen.smtp tcp:{port}:interface=127.0.0.1: Address already in use"):
            await office.reload()
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(socket.create_connection, ("127.0.0.1", other), DEADLINE)
    assert await names(office) == {"andrew"}
    assert office.places() == before
    assert (await deferToThread(logged_in, bench.pop3, "andrew")).startswith(b"+OK")
    assert office.config.tables.limits.message_size > 70000
    assert "Address already in use" in str(office.facts()["reload_error"])


@pytest_twisted.ensureDeferred
async def test_a_port_can_pass_to_another_kind_of_listener_and_comes_back_when_that_fails(bench: Bench) -> None:
    """The same port for something else is no conflict; when another listener fails, the first one has it again."""
    bench.certify()
    bench.write()
    office = await bench.start()
    secure = f'pop3s = ["tls:certs:{bench.pop3}:interface=127.0.0.1"]\n'
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        bench.write(secure + f'smtp = ["tcp:{taken.getsockname()[1]}:interface=127.0.0.1"]\n')
        with pytest.raises(ConfigFault, match="in use"):
            await office.reload()
    assert (await deferToThread(logged_in, bench.pop3, "andrew")).startswith(b"+OK")
    bench.write(secure)
    answer = await office.reload()
    assert (answer["listeners_opened"], answer["listeners_closed"]) == (1, 2)
    assert await deferToThread(shown, bench.pop3)


@pytest_twisted.ensureDeferred
async def test_a_password_that_can_no_longer_be_read_stops_a_reload(bench: Bench) -> None:
    """Nobody is locked out by a reload: the line is named, and the password of before still opens."""
    secret = bench.folder / "andrew"
    secret.write_text("andrew\n")
    secret.chmod(0o600)
    bench.certify()
    more = '[[user]]\nname = "andrew"\npassword = { file = "andrew" }\n'
    bench.write(users="greg", more=more)
    office = await bench.start()
    secret.rename(bench.folder / "gone")
    bench.write(users="greg lisa", more=more)
    with pytest.raises(ConfigFault, match=r"m\.toml:\d+: .*andrew"):
        await office.reload()
    assert await names(office) == {"andrew", "greg"}
    assert (await deferToThread(logged_in, bench.pop3, "andrew")).startswith(b"+OK")


@pytest_twisted.ensureDeferred
async def test_changed_limits_keep_the_port_open(bench: Bench) -> None:
    """No moment without a listener: the port stays, only what answers behind it is another."""
    bench.certify()
    bench.write()
    office = await bench.start()
    bench.write(more="[limits]\npop3_per_user = 3\n")
    answer = await office.reload()
    assert (answer["listeners_opened"], answer["listeners_closed"]) == (0, 0)
    assert (await deferToThread(logged_in, bench.pop3, "andrew")).startswith(b"+OK")
