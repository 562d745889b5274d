"""The first run over a whole office: ports, certificates, a backup, and a server that is stopped in the middle."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
import trustme
from attrs import define
from cryptography import x509
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office, read_again
from mailshare.assembly.own_authority import OwnAuthority
from mailshare.assembly.port_survey import Port
from mailshare.config import load_config
from mailshare.core.values import Role
from tests.web.conftest import PASSWORD, Browser

FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
web = ["tcp:0:interface=127.0.0.1"]
[[account]]
address = "mail@company.example"
timetable = []
"""


@define
class Place:
    """An office that can be stopped and started."""

    folder: Path
    free_port: Callable[[], int]
    office: Any = None
    browser: Any = None

    async def start(self) -> None:
        config = load_config(str(self.folder / "m.toml"))
        self.office = Office(config, reactor, reload_config=read_again(config, None))
        self.office.startService()
        await self.office.started
        self.find_browser()

    def find_browser(self) -> None:
        """The browser keeps its cookie, whatever the port is."""
        place = next(one for one in self.office.places() if one["service"] == "web")
        cookie = self.browser.cookie if self.browser else ""
        self.browser = Browser(int(str(place["address"]).rpartition(":")[2]), cookie)

    async def begin(self) -> None:
        code = (await self.office.acts.setup_code())["code"]
        await self.browser.post("/setup", {"code": code, "name": "admin", "password": PASSWORD})

    async def listen(self, ports: dict[str, int], **form: Any) -> Any:
        given = {"hostname": "mail.office.example", "kind": "authority", **form}
        given["plain" if given["kind"] == "plain" else "tls"] = list(ports)
        return await self.browser.post("/setup/listen", {**given, **{f"port-{key}": one for key, one in ports.items()}})

    @property
    def data(self) -> Path:
        return self.folder / "var"


@pytest_twisted.async_yield_fixture
async def place(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Place]:
    (tmp_path / "m.toml").write_text(FILE)
    made = Place(tmp_path, free_port)
    await made.start()
    await made.begin()
    yield made
    if made.office.up:
        await made.office.stopService()


def greeting(port: int, ca: str, name: str = "mail.office.example") -> bytes:
    """What a client is told that trusts this authority alone."""
    context = ssl.create_default_context(cadata=ca)
    with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(
        plain, server_hostname=name
    ) as inside:
        return inside.recv(200)


@pytest_twisted.ensureDeferred
async def test_an_authority_of_its_own_is_trusted_by_its_download_and_outlives_restarts(place: Place) -> None:
    """One button: POP3S and the manager's HTTPS serve with a certificate that /ca.pem vouches for, before and after."""
    pop3s, submissions, web = place.free_port(), place.free_port(), place.free_port()
    answer = await place.listen({"pop3s": pop3s, "submissions": submissions, "web": web})
    assert answer.header("Location") == "/setup/account"
    ca = (await place.browser.get("/ca.pem")).text
    assert (await deferToThread(greeting, pop3s, ca)).startswith(b"+OK")
    assert (await deferToThread(greeting, submissions, ca)).startswith(b"220")
    assert (place.data / "chosen.json").stat().st_mode & 0o077 == 0
    assert (place.data / "tls/authority/mailshare.pem").stat().st_mode & 0o077 == 0
    assert "PRIVATE KEY" not in str(await place.office.store.settings.get("office", "authority"))
    assert place.office.handout("admin1").best("pop3").port == pop3s
    await place.office.stopService()
    shutil.rmtree(place.data / "tls")
    await place.start()
    assert (await deferToThread(greeting, pop3s, ca)).startswith(b"+OK")
    assert (await place.browser.get("/setup")).header("Location") == "/setup/account"


@pytest_twisted.ensureDeferred
async def test_a_certificate_is_renewed_in_time_and_served_without_a_restart(place: Place) -> None:
    """Nothing changes while it lasts; with less than two months left the next connection sees a new one."""
    pop3s = place.free_port()
    await place.listen({"pop3s": pop3s})
    ca = (await place.browser.get("/ca.pem")).text

    def serial() -> int:
        context = ssl.create_default_context(cadata=ca)
        with socket.create_connection(("127.0.0.1", pop3s), 10) as plain, context.wrap_socket(
            plain, server_hostname="mail.office.example"
        ) as inside:
            octets = inside.getpeercert(binary_form=True)
            assert octets is not None
            return x509.load_der_x509_certificate(octets).serial_number

    first = await deferToThread(serial)
    office = place.office

    class Later:
        """A clock of another day."""

        days = 0

        def seconds(self) -> float:
            return float(reactor.seconds()) + self.days * 86_400  # type: ignore[attr-defined]

    clock = Later()
    key = office._parts.web._own._key
    own = OwnAuthority(office.store.settings, key, clock, lambda: office.config)
    clock.days = 600
    await own.renew()
    assert await deferToThread(serial) == first
    clock.days = 680
    await own.renew()
    # What was made on that day is not valid yet today, and so refused: it is another one that is served.
    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        await deferToThread(serial)


@pytest_twisted.ensureDeferred
async def test_a_port_that_is_taken_is_told_with_its_holder_and_nothing_changes(place: Place) -> None:
    """The page names the program; the proposal is a port that can be had."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        answer = await place.listen({"pop3s": taken, "web": place.free_port()})
        assert answer.code == 422
        assert f"port {taken} is taken by" in answer.text
        assert "(process " in answer.text
    assert not (place.data / "chosen.json").exists()
    assert [one["service"] for one in place.office.places()] == ["web"]


@pytest_twisted.ensureDeferred
async def test_ports_that_do_not_open_leave_all_as_it_was(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that somebody takes between the look and the listening: the old choice stands, in the file too."""
    first = place.free_port()
    await place.listen({"pop3s": first})
    kept = json.loads((place.data / "chosen.json").read_text())
    monkeypatch.setattr("mailshare.assembly.first_run.look", lambda number, ours: Port(number, "free"))
    with socket.socket() as busy:
        busy.bind(("0.0.0.0", 0))
        busy.listen()
        answer = await place.listen({"pop3s": busy.getsockname()[1]})
    assert answer.code == 422
    assert "in use" in answer.text
    assert json.loads((place.data / "chosen.json").read_text()) == kept
    ca = (await place.browser.get("/ca.pem")).text
    assert (await deferToThread(greeting, first, ca)).startswith(b"+OK")


@pytest_twisted.ensureDeferred
async def test_plain_listening_is_warned_of_and_takes_passwords_from_named_networks_only(place: Place) -> None:
    """No TLS, no CA to download; what speaks TLS only is left out."""
    pop3 = place.free_port()
    answer = await place.listen({"pop3": pop3, "pop3s": place.free_port()}, kind="plain", trusted="192.0.2.7/24")
    assert answer.header("Location") == "/setup/account"
    assert "readable to everybody" in (await place.browser.get("/setup/account")).text
    assert (await place.browser.get("/ca.pem")).code == 404
    assert {one["service"] for one in place.office.places()} == {"web", "pop3"}
    assert "192.0.2.0/24" in [str(one) for one in place.office.config.trusted]
    refused = await place.listen({"pop3": pop3}, kind="plain", trusted="everywhere")
    assert "is not a network" in refused.text


@pytest_twisted.ensureDeferred
async def test_an_own_certificate_is_looked_at_before_it_serves(place: Place) -> None:
    """Pasted or in a folder; a foreign key is refused with the reason and never shown again; a wrong name is told."""
    ca = trustme.CA()
    good, other = ca.issue_cert("mail.office.example"), ca.issue_cert("www.company.example")
    chain = b"".join(one.bytes() for one in good.cert_chain_pems).decode()
    key, wrong = (one.private_key_pem.bytes().decode() for one in (good, other))
    root = ca.cert_pem.bytes().decode()
    pop3s = place.free_port()
    refused = await place.listen({"pop3s": pop3s}, kind="own", pem=chain + wrong)
    assert refused.code == 422
    assert "The key belongs to none" in refused.text
    assert wrong.splitlines()[1] not in refused.text
    taken = await place.listen({"pop3s": pop3s}, kind="own", pem=key + root + chain)
    assert taken.header("Location") == "/setup/account"
    assert (await deferToThread(greeting, pop3s, root)).startswith(b"+OK")
    folder = place.folder / "letsencrypt"
    folder.mkdir()
    parts = b"".join(one.bytes() for one in other.cert_chain_pems).decode() + wrong
    (folder / "both.pem").write_text(parts)
    named = await place.listen({"pop3s": pop3s}, kind="own", path=str(folder))
    assert named.header("Location") == "/setup/account"
    assert "not for mail.office.example" in (await place.browser.get("/setup/account")).text
    assert (await deferToThread(greeting, pop3s, root, "www.company.example")).startswith(b"+OK")


@pytest_twisted.ensureDeferred
async def test_only_owners_choose_where_the_server_listens(place: Place) -> None:
    """Viewers see neither page, and their forms do nothing."""
    await place.office.acts.doorkeepers.administrators.add("eve", PASSWORD, Role.VIEWER)
    eve = Browser(place.browser.port)
    await eve.log_in("eve")
    assert (await eve.get("/setup/listen")).code == 403
    await eve.post("/setup/listen", {"kind": "plain", "plain": "pop3", "port-pop3": place.free_port()})
    await eve.post("/setup/restore", {"directory": "/"})
    assert [one["service"] for one in place.office.places()] == ["web"]


async def back_again(place: Place, old: object) -> None:
    """Wait until the office has started over."""
    for _ in range(400):
        await deferLater(reactor, 0.02)
        if place.office._parts is not None and place.office._parts is not old and place.office.places():
            break
    await _let_go(place.office)
    place.find_browser()


async def _let_go(office: Any) -> None:
    """The start is over when its lock is free."""
    await office._one_reload.acquire()
    office._one_reload.release()


@pytest_twisted.ensureDeferred
async def test_a_backup_takes_the_place_of_everything(place: Place) -> None:
    """Users and administrators are those of the backup; the store of before lies beside it."""
    acts = place.office.acts
    await acts.add_user(name="greg", names=["Greg Jones"], password="greg greg", accounts=["mail@company.example"])
    copy = place.folder / "copy"
    await acts.backup(directory=str(copy))
    await acts.delete_user(name="greg")
    assert "greg" not in {one["name"] for one in await acts.users()}
    old = place.office._parts
    answer = await place.browser.post("/setup/restore", {"directory": str(copy)})
    assert "The backup is whole" in answer.text
    await back_again(place, old)
    assert "greg" in {one["name"] for one in await place.office.acts.users()}
    assert list(place.data.glob("store.before-*"))
    assert (await place.browser.log_in()).code == 303


@pytest_twisted.ensureDeferred
async def test_a_damaged_backup_is_told_and_changes_nothing(place: Place) -> None:
    """No folder, an empty one, a database cut or overwritten: a sentence each, and the office serves on."""
    copy = place.folder / "copy"
    await place.office.acts.backup(directory=str(copy))
    whole = (copy / "mailshare.db").read_bytes()
    (place.folder / "empty").mkdir()
    parts = place.office._parts
    for folder, octets in (
        ("relative/path", None), ("/nowhere/at/all", None), (str(place.folder / "empty"), None),
        (str(copy), whole[: len(whole) // 2]), (str(copy), b"no database" * 5000),
        (str(copy), whole[:8192] + bytes(len(whole) - 8192)),
    ):  # fmt: skip
        if octets is not None:
            (copy / "mailshare.db").write_bytes(octets)
        answer = await place.browser.post("/setup/restore", {"directory": folder})
        assert answer.code == 422, folder
        assert 'role="alert"' in answer.text
    assert place.office._parts is parts
    assert not (place.data / "store.restored").exists()
    assert (await place.browser.get("/users")).code == 200


@pytest_twisted.ensureDeferred
async def test_a_store_that_does_not_open_gives_way_to_the_one_of_before(place: Place) -> None:
    """What passes every look and still does not start: the office serves again with what it had, and says why."""
    copy = place.folder / "copy"
    await place.office.acts.backup(directory=str(copy))
    with sqlite3.connect(copy / "mailshare.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    old = place.office._parts
    await place.browser.post("/setup/restore", {"directory": str(copy)})
    await back_again(place, old)
    assert (await place.browser.get("/users")).code == 200
    assert "9999" in (await place.browser.get("/setup/restore")).text


@pytest_twisted.ensureDeferred
async def test_a_restart_in_the_middle_loses_nothing(place: Place) -> None:
    """Whoever logs in again stands where it was broken off; skipping goes on; the end is the end."""
    browser = place.browser
    assert (await browser.post("/setup/skip", {"step": "listen"})).header("Location") == "/setup/account"
    assert (await browser.post("/setup/skip", {"step": "account"})).header("Location") == "/setup/probe"
    await place.office.stopService()
    await place.start()
    assert (await Browser(place.browser.port).log_in()).header("Location") == "/setup/probe"
    page = (await place.browser.get("/setup/probe")).text
    assert 'href="/setup/account"' in page
    for step in ("probe", "users", "timer"):
        await place.browser.post("/setup/skip", {"step": step})
    assert (await place.browser.get("/setup")).header("Location") == "/setup/done"
    assert (await place.browser.post("/setup/finish", {})).header("Location") == "/"
    assert (await Browser(place.browser.port).log_in()).header("Location") == "/"


@pytest_twisted.ensureDeferred
async def test_what_was_chosen_and_is_damaged_is_left_out_with_a_warning(place: Place) -> None:
    """The office starts by its file alone."""
    await place.listen({"pop3s": place.free_port()})
    await place.office.stopService()
    for text in ("{", "[]", '{"doors": [{"service": "x", "port": 1}], "trusted": []}', '{"doors": 3, "trusted": []}'):
        (place.data / "chosen.json").write_text(text)
        config = load_config(str(place.folder / "m.toml"))
        assert [one.service for one in config.listeners] == ["web"]
        assert "is damaged" in str(config.warnings[0])
