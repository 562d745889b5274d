"""The manager's pages without any script: each screen, each act as a form, and hostile words that stay words."""

from __future__ import annotations

import html
import re
from io import BytesIO

import pytest
import pytest_twisted

from mailshare.config import parse_config
from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import MailshareError
from mailshare.core.values import Origin, Source, Target
from mailshare.web.pages.people import qr
from mailshare.web.pages.timetables import DAYS, hours_of, windows_of
from tests.web.conftest import FILE, House
from tests.web.gathered_words import TEMPLATES

SCREENS = (
    "/", "/accounts", "/accounts/mail@company.example", "/accounts/mail@company.example/timer", "/accounts/new",
    "/accounts/mail@company.example/delete", "/users", "/users/andrew", "/users/andrew/handout", "/users/admin1",
    "/users/public1", "/users/new", "/users/paste", "/users/andrew/delete", "/work", "/outbox", "/mailboxes",
    "/mailboxes/andrew", "/log", "/trace", "/printers", "/health", "/settings", "/setup/account", "/setup/users",
    "/setup/timer", "/setup/done", "/print", "/fax", "/fax/received", "/book", "/book/new", "/book/keys",
    "/book/import",
    "/setup/listen", "/setup/probe", "/setup/restore",
)  # fmt: skip
PICTURES = set(re.findall(r'id="([^"]+)"', (TEMPLATES.parent / "static/vendor/icons.svg").read_text("utf-8")))
_ICON = re.compile(r"icon\(((?:[^()]|\([^()]*\))*)\)")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}</textarea></title>"


async def letter(
    house: House, subject: str, sender: str = "bob@far.example", owner: str = "admin1", number: int = 0
) -> str:
    """A message in somebody's mailbox; its trace."""
    store = house.office.store
    user = store.directory.current().user_by_name[owner]
    account = store.directory.current().accounts[0]
    sink = store.new_body()
    sink.write(
        f"From: {sender}\r\nTo: mail@company.example\r\nSubject: {subject}\r\n"
        f"Message-ID: <{len(subject)}.{number}@far.example>\r\n\r\n{HOSTILE}\r\n".encode()
    )
    trace = f"0123456789abcde{15 - number:x}"
    envelope = Envelope(Address.parse("bob@far.example"), (Recipient(Address.parse("mail@company.example")),))
    prefix = b"X-Mailshare-Reason: no-name\r\n"
    await store.delivery.deliver(
        envelope, await sink.finish(), Origin(Source.COLLECT, trace, account_id=account.id),
        [Target(user.id, "no-name", prefix)], at=house.office.acts._clock(),
    )  # fmt: skip
    return trace


@pytest_twisted.ensureDeferred
async def test_every_screen_is_there_has_one_heading_and_is_for_who_is_logged_in(house: House) -> None:
    """200 for the owner with a title and one h1; nothing of it for a stranger."""
    browser, stranger = await house.admin(), house.browser()
    for path in SCREENS:
        answer = await browser.get(path)
        assert answer.code == 200, path
        assert len(re.findall("<h1", answer.text)) == 1, path
        assert "<title>" in answer.text
        assert (await stranger.get(path)).code == 303, path
        assert set(re.findall(r"icons\.svg#([^\"]*)", answer.text)) <= PICTURES, path


def test_every_picture_that_a_template_names_is_in_the_sprite() -> None:
    """A name that is not there would draw nothing, and nobody would be told."""
    calls = [call for path in TEMPLATES.rglob("*.html") for call in _ICON.findall(path.read_text("utf-8"))]
    texts = [found for call in calls for found in re.findall(r'"([^"]+)"(:?)', call)]
    named = {text for text, is_key in texts if not is_key}
    assert {"trash-2", "pause", "refresh-cw"} <= named
    assert named <= PICTURES


@pytest_twisted.ensureDeferred
async def test_hostile_words_never_become_markup(house: House) -> None:
    """Subjects, senders, names, queries and paths are shown as they are written, on every page that shows them."""
    browser = await house.admin()
    trace = await letter(house, HOSTILE, f'"{HOSTILE[:25]}" <bob@far.example>')
    await browser.post("/users/new", {"name": "eve", "names": 'Eve "><b>x</b>', "accounts": "mail@company.example"})
    case = (await house.office.acts.admin_list())[0]["id"]
    for path in (
        "/work", f"/work/{case}", "/mailboxes/admin1", f"/trace/{trace}", "/log", "/users", "/users/eve",
        "/users/eve/handout", "/users?q=%3Cscript%3E", "/log?q=%22%3E%3Cimg%20src=x%3E&kind=%22%3E", "/work?q=%3Cb%3E",
        "/trace/%3Cscript%3E", "/users/%3Cimg%20src=x%3E", "/outbox/%3Cscript%3E", "/%3Cscript%3Ealert(1)",
        "/login?next=%22%3E%3Cscript%3E", "/setup?code=%22%3E%3Cscript%3E",
    ):  # fmt: skip
        text = (await browser.get(path)).text
        for bad in ("<script>alert", "<img", "<b>x</b>", "onerror=alert(2)>", "</textarea></title>", ">49<"):
            assert bad not in text, (path, bad)
    shown = html.unescape((await browser.get(f"/work/{case}")).text)
    assert "<script>alert(1)</script>" in shown
    assert "{{7*7}}" in shown


@pytest_twisted.ensureDeferred
async def test_the_first_run_from_the_code_to_an_office_that_serves(house: House) -> None:
    """Code, account, pasted users, timer, summary: each step is kept when it is done."""
    browser = house.browser()
    code = (await house.office.acts.setup_code())["code"]
    await browser.post("/setup", {"name": "boss", "password": "three small words", "code": code.upper()})
    house.office.acts.finder = None
    page = await browser.post("/setup/account/find", {"address": "new@isp.example", "mode": "regular"})
    assert page.code == 422
    form = {
        "address": "new@isp.example", "password": "isp", "collect": "pop3s://new%40isp.example@pop.isp.example",
        "relay": "submissions://new%40isp.example@smtp.isp.example",
    }  # fmt: skip
    refused = await browser.post("/setup/account", {**form, "collect": "nonsense", "untested": "on"})
    assert refused.code == 422
    assert "nonsense" in html.unescape(refused.text)
    assert (await browser.post("/setup/account", {**form, "untested": "on"})).header("Location") == "/setup/probe"
    table = "login; name; copies\ngreg; Greg Jones; lisa\nadmin1; Not He\nlisa; Lisa\neve; Eve; nobody"
    users = await browser.post("/setup/users", {"text": table})
    assert users.code == 422
    assert "greg" in users.text
    assert "login; name; copies\nadmin1; Not He\neve; Eve; nobody</textarea>" in users.text.replace("\r", "")
    assert "There is a user admin1 already" in users.text
    again = await browser.post("/setup/users", {"text": "login; copies\nadam; eve\neve; nobody"})
    assert (again.code, "login; copies\nadam; eve\neve; nobody</textarea>" in again.text) == (422, True)
    assert (await browser.post("/setup/timer", {"preset": "office", "every": "10"})).header("Location") == "/setup/done"
    made = {one["address"]: one for one in await house.office.acts.accounts()}["new@isp.example"]
    assert made["timetable"] == [{"days": "mon-fri", "from": "07:00", "to": "19:00", "every": 10}]
    greg = await house.office.acts.show_user(name="greg")
    assert "new@isp.example" in greg["accounts"]
    assert (greg["names"], greg["cc"]) == (["Greg Jones"], ["lisa"])
    with pytest.raises(MailshareError):
        await house.office.acts.show_user(name="adam")
    assert "/users/greg/handout" in (await browser.get("/setup/done")).text


@pytest_twisted.ensureDeferred
async def test_a_person_is_made_handed_out_changed_deleted_and_brought_back(house: House) -> None:
    """The password is shown once; every act leads back and says what it did."""
    browser = await house.admin()
    slip = await browser.post("/users/new", {"name": "eve", "names": "Eve Adams", "accounts": "mail@company.example"})
    password = re.search(r"<code>([a-z0-9-]{19})</code>", slip.text)
    assert password
    assert await house.office._running().keeping.administrators._passwords.verify(
        (await house.office.store.directory.credentials("eve"))[1], password[1].encode()
    )
    sheet = await browser.get("/users/eve/handout")
    assert "<svg" in sheet.text
    assert password[1] not in sheet.text
    assert (await browser.get("/users/eve/handout/text")).header("Content-Type").startswith("text/plain")
    app = await browser.post("/users/eve/app-password", {"label": "telephone"})
    assert "shown this once" in app.text
    await browser.post("/users/eve/revoke", {"label": "telephone"})
    assert await house.office.acts.app_passwords(name="eve") == []
    await browser.post("/users/eve/vacation", {"text": "I am away", "start": "2026-12-01"})
    assert (await house.office.acts.show_user(name="eve"))["vacation"]["text"] == "I am away"
    await browser.post("/users/eve/delete", {})
    assert "eve was deleted" in (await browser.get("/users")).text
    await browser.post("/users/eve/restore", {})
    assert "eve is back" in (await browser.get("/users/eve")).text


@pytest_twisted.ensureDeferred
async def test_mail_of_admin_is_given_and_taught_by_forms(house: House) -> None:
    """Give, always, teach and forget: the rule stands, the message has moved, and the audit says who."""
    browser = await house.admin()
    await letter(house, "one")
    case = (await house.office.acts.admin_list())[0]["id"]
    nobody = await browser.post(f"/work/{case}/give", {}, Referer=f"http://127.0.0.1:{house.port}/work/{case}")
    assert nobody.header("Location") == f"/work/{case}"
    assert "No user was named" in (await browser.get("/work")).text
    await browser.post(f"/work/{case}/always", {"users": "andrew", "kind": "from"})
    page = (await browser.get("/work")).text
    assert "bob@far.example goes to andrew" in page
    assert (await house.office.acts.admin_list()) == []
    await browser.post("/work/forget", {"account": "mail@company.example", "kind": "from", "match": "bob@far.example"})
    assert (await house.office.acts.rules()) == []
    log = await house.office.acts.log(kinds=["admin.gave"])
    assert log["events"][0]["data"]["by"] == "admin"


@pytest_twisted.ensureDeferred
async def test_print_jobs_are_seen_kept_back_and_cancelled_and_a_queue_is_paused(house: House) -> None:
    """Names of jobs and printers stay words; what is over is listed when it is asked for."""
    browser = await house.admin()
    name = HOSTILE[:30]
    made = await house.office.acts.print_document(document=BytesIO(b"hello\n"), to="branch", name=name, hold=True)
    page = await browser.get("/printers")
    assert "<b>office</b>" not in page.text
    assert "<script>alert" not in page.text
    assert name in html.unescape(page.text)
    assert (await browser.get(f"/printers/jobs/{made['id']}")).code == 200
    way = f"/printers/jobs/{made['id']}"
    await browser.post(way, {"act": "release"})
    assert "goes on" in (await browser.get("/printers")).text
    await browser.post("/printers/branch/pause", {"paused": "true"})
    assert "is paused" in (await browser.get("/printers")).text
    await browser.post(way, {"act": "cancel"})
    assert f'href="{way}"' not in (await browser.get("/printers")).text
    assert f'href="{way}"' in (await browser.get("/printers?all=true")).text
    await browser.post(way, {"act": "nonsense"})
    assert "is none of" in (await browser.get("/printers")).text


@pytest_twisted.ensureDeferred
async def test_the_service_is_paused_and_goes_on_over_a_button(house: House) -> None:
    """Paused is a state of the office, shown on the dashboard and on the page of health."""
    browser = await house.admin()
    await browser.post("/act/pause", {})
    assert (await house.office.acts.status())["paused"] is True
    assert "The service is paused" in (await browser.get("/")).text
    await browser.post("/act/resume", {})
    assert (await house.office.acts.status())["paused"] is False


@pytest_twisted.ensureDeferred
async def test_the_last_owner_stays_and_a_new_password_ends_the_other_browsers(house: House) -> None:
    """Nobody locks himself out by a button; the browser that changed it stays logged in."""
    browser = await house.admin()
    other = house.browser()
    await other.log_in()
    await browser.post("/settings/administrator/remove", {"name": "admin"})
    assert "last owner" in (await browser.get("/settings")).text
    new = {"own_password": "three small words", "password": "four other small words"}
    await browser.post("/settings/password", new)
    assert (await browser.get("/settings")).code == 200
    assert (await other.get("/")).header("Location") == "/login"
    assert (await other.log_in("admin", "four other small words")).code == 303


def test_a_grid_of_hours_becomes_the_fewest_windows_and_comes_back_from_them() -> None:
    """Days with the same hours share a line; windows over midnight fill the next day."""
    table = [{"days": "mon-fri", "from": "07:00", "to": "19:00"}, {"days": "fri", "from": "22:00", "to": "02:00"}]
    hours = hours_of(table)
    assert hours["fri"] == {*range(7, 19), 22, 23}
    assert hours["sat"] == {0, 1}
    back = windows_of(hours, 5)
    assert back[0] == {"days": "mon,tue,wed,thu,fri", "from": "07:00", "to": "19:00", "every": 5}
    assert hours_of(back) == hours
    assert hours_of(windows_of({day: set(range(24)) for day in DAYS}, 5))["sun"] == set(range(24))
    assert windows_of({}, 5) == []


def test_a_qr_code_is_black_on_white_whatever_the_theme() -> None:
    """And holds no script."""
    drawn = qr("Your name: Eve\n" * 10)
    assert "#000" in drawn
    assert "#fff" in drawn
    assert "script" not in drawn


@pytest_twisted.ensureDeferred
async def test_mail_programs_find_their_settings_without_a_login(house: House) -> None:
    """For the server's own domain; nothing is told of anybody, and not of the provider's domain."""
    browser, before = house.browser(), house.office.config
    house.office.config = parse_config(FILE.replace('smtp = ["tcp:0:', 'smtp = ["tcp:2525:'), before.path)
    for path in ("/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"):
        found = await browser.get(f"{path}?emailaddress=andrew@office.example", Host="autoconfig.mail.office.example")
        assert found.code == 200
        assert "clientConfig" in found.text
        assert "andrew" not in found.text
        assert (await browser.get(f"{path}?emailaddress=mail@company.example")).code == 404
