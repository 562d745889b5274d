"""The pages of the first run: what a packager settles, what is kept, and a backup that is sent."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest
import pytest_twisted

from mailshare.assembly.restoring import unpacked
from mailshare.core.errors import ConfigFault
from tests.web import test_first_run
from tests.web.conftest import House
from tests.web.test_first_run import Place, back_again

place = test_first_run.place


@pytest.fixture
def office_file() -> str:
    """An office whose packager has settled where it listens and when mail is fetched."""
    return """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
web = ["tcp:0:interface=127.0.0.1"]
[web]
decided = ["listen", "timer"]
"""


@pytest_twisted.ensureDeferred
async def test_steps_that_the_file_has_settled_are_asked_of_nobody(house: House) -> None:
    """They are not counted, nothing leads to them, and their address says where they were settled."""
    browser = house.browser()
    first = await browser.get("/setup")
    assert "Step 1 of 5" in first.text
    code = (await house.office.acts.setup_code())["code"]
    begun = await browser.post("/setup", {"code": code, "name": "admin", "password": "three small words"})
    assert begun.header("Location") == "/setup/account"
    assert 'href="/setup/listen"' not in (await browser.get("/setup/account")).text
    assert (await browser.post("/setup/skip", {"step": "account"})).header("Location") == "/setup/users"
    assert (await browser.post("/setup/skip", {"step": "users"})).header("Location") == "/setup/done"
    refused = await browser.get("/setup/listen")
    assert refused.code != 200
    assert "decided under [web] names listen" in refused.text
    taken = await browser.post("/setup/listen", {"kind": "plain", "plain": "pop3", "port-pop3": "1"})
    assert taken.header("Location") == "/"
    assert "decided under [web] names listen" in (await browser.get("/")).text


@pytest_twisted.ensureDeferred
async def test_each_step_can_be_left_out_and_names_the_page_where_it_is_done_later(place: Place) -> None:
    """An exact link beside *Skip*, which leads to a page."""
    for number, step in enumerate(("listen", "account", "probe", "users", "timer"), 2):
        page = (await place.browser.get(f"/setup/{step}")).text
        assert f"Step {number} of 7" in page
        later = re.search(r'It can be done later: <a href="([^"]+)"', page.replace("&amp;", "&"))
        assert later, step
        assert (await place.browser.get(later[1])).code == 200, later[1]


@pytest_twisted.ensureDeferred
async def test_what_was_typed_stands_there_again(place: Place) -> None:
    """Ports and boxes beside a mistake; the hours and minutes that were chosen; how the address is shared."""
    answer = await place.listen({"pop3s": 4711, "submissions": 4711})
    assert answer.code == 422
    assert 'name="port-pop3s" type="number" min="1" max="65535" value="4711"' in answer.text
    assert re.search(r'value="pop3s" checked', answer.text)
    assert not re.search(r'name="tls" value="web" checked', answer.text)
    acts = place.office.acts
    await acts.add_account(address="two@firm.example", mode="regular", collect="pop3s://two@pop.firm.example")
    await place.browser.post("/setup/timer", {"preset": "office", "every": "17"})
    timer = (await place.browser.get("/setup/timer")).text
    assert re.search(r'value="office" checked', timer)
    assert 'value="17"' in timer
    given = {"address": "a@b.example", "mode": "domain", "password": "x"}
    page = (await place.browser.post("/setup/account", given)).text
    assert re.search(r'<option value="domain" selected', page)
    assert '<code data-shape="greg@{domain}">greg@b.example</code>' in page
    fixed = (await place.browser.get("/setup/users")).text
    assert "never deleted: admin1" in fixed


@pytest_twisted.ensureDeferred
async def test_a_saved_copy_that_is_sent_takes_the_place_of_everything(place: Place) -> None:
    """The file of *Save a copy of everything*, given back by a form; damaged ones change nothing and leave nothing."""
    acts = place.office.acts
    await acts.add_user(name="greg", names=["Greg Jones"], password="greg greg", accounts=["mail@company.example"])
    saved = await place.browser.raw("POST", "/settings/backup", b"")
    await acts.delete_user(name="greg")
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("holiday.jpg"))
    old = place.office._parts
    for octets in (saved[: len(saved) // 2], b"no such file", other.getvalue(), gzip.compress(bytes(100_000))):
        answer = await place.browser.upload("/setup/restore", {}, "copy.tar.gz", octets)
        assert answer.code == 422
        assert 'role="alert"' in answer.text
    assert place.office._parts is old
    assert not [one for one in place.data.iterdir() if "unpacked" in one.name or "restored" in one.name]
    answer = await place.browser.upload("/setup/restore", {}, "mailshare-backup.tar.gz", saved)
    assert "The backup is whole" in answer.text
    await back_again(place, old)
    assert "greg" in {one["name"] for one in await place.office.acts.users()}
    assert list(place.data.glob("store.before-*"))
    assert not list(place.data.glob("*.unpacked"))


@pytest_twisted.ensureDeferred
async def test_a_backup_larger_than_the_disk_takes_is_refused_before_it_is_read(house: House) -> None:
    """A terabyte, said in the headers; whoever is nobody may not send a document there at all."""
    browser = await house.admin()
    edge = {"Content_Type": "multipart/form-data; boundary=x", "Origin": f"http://127.0.0.1:{house.port}"}
    for one in (browser, house.browser()):
        body = b"x" * (2 << 20)
        if one is browser:
            rooms = house.office._parts.web._manager.rooms
            rooms.free = lambda: 1 << 20
        assert (await one.ask("POST", "/setup/restore", body, **edge)).code == 413


def test_nothing_of_a_sent_file_lies_outside_of_its_folder(tmp_path: Path) -> None:
    """Names that climb, links, devices and long names: left out or refused."""

    def packed(*members: tarfile.TarInfo) -> io.BytesIO:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
            for one in members:
                archive.addfile(one, io.BytesIO(bytes(one.size)))
        made.seek(0)
        return made

    def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, to: str = "") -> tarfile.TarInfo:
        made = tarfile.TarInfo(name)
        made.type, made.size, made.linkname = kind, size, to
        return made

    folder = f"{tmp_path}/in"
    good = member("mailshare-backup/store/mailshare.db", size=3)
    unpacked(packed(
        member("../../evil"), member("/etc/evil"), member("mailshare-backup/store/blobs/../../../evil"),
        member("mailshare-backup/store/blobs/20260101/x", tarfile.SYMTYPE, to="/etc/passwd"),
        member("mailshare-backup/store/blobs", tarfile.SYMTYPE, to="/etc"),
        member("mailshare-backup/store/blobs/20260101/y", tarfile.FIFOTYPE), good,
    ), folder)  # fmt: skip
    found = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*"))
    assert found == ["in", "in/mailshare.db"]
    with pytest.raises(ConfigFault, match="too long"):
        unpacked(packed(member("x" * 3_000_000), good), f"{tmp_path}/long")
