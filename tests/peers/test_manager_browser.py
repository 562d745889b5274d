"""The manager in a real browser: the first run, every screen for everybody, keys, no script, two browsers, a restart.

With ``MAILSHARE_SCREENSHOTS`` naming a folder the pictures of the documentation are written there.
"""

from __future__ import annotations

import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field

pytestmark = pytest.mark.peers
PASSWORD = "three small words"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3 = ["tcp:{pop3}:interface=127.0.0.1"]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
web = ["tcp:{web}:interface=127.0.0.1"]
[demonstration]
isp = true
every = 86400
pop3 = {isp_pop3}
smtp = {isp_smtp}
[[destination]]
name = "branch"
address = "printer@branch.example"
[[user]]
name = "declared"
password = "declared"
[fax]
country = "DE"
senders = ["andrew"]
area = "30"
station = "+49 30 5550100"
inbox = ["admin1"]
[[fax_line]]
name = "pretended"
kind = "loop"
numbers = ["+49305550100"]
[[fax_contact]]
name = "shop"
title = "The shop"
short = "7"
number = "+49305550100"
[[fax_box]]
name = "board"
to = ["andrew"]
"""
CHOSEN = {"pop3s": "pop3s", "submissions": "submissions", "web": "https"}
SCREENS = (
    "/", "/accounts", "/accounts/1", "/accounts/1/timer", "/accounts/new", "/accounts/1/delete", "/users",
    "/users?edit=greg",
    "/users/andrew", "/users/declared", "/users/andrew/handout", "/users/new", "/users/paste", "/users/andrew/delete",
    "/work", "/outbox", "/mailboxes", "/mailboxes/andrew", "/log", "/trace", "/printers", "/health", "/settings",
    "/setup/listen", "/setup/account", "/setup/probe", "/setup/users", "/setup/timer", "/setup/done", "/setup/restore",
    "/nowhere", "/print", "/fax", "/fax?all=true",
    "/fax/send", "/fax/received", "/book", "/book/new", "/book/entries/shop", "/book/keys", "/book/import",
    "/printers?all=true", "/fax/boxes", "/fax/covers", "/printers/branch", "/fax/boxes/board",
)  # fmt: skip
PICTURES = {
    "/": "dashboard", "/users/andrew/handout": "handout", "/accounts/1/timer": "timer",
    "/work": "work", "/book": "book",
}
UNLOCK = re.compile("/unlock")
AXE = Path(__file__).parent / "axe.min.js"
ALL = "['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']"
LOOKS = "{type: 'rule', values: ['color-contrast', 'target-size', 'link-in-text-block']}"
"""What another size and other colours change."""
GLANCES = (("light", 1100, ALL), ("dark", 1100, LOOKS), ("dark", 390, ALL), ("light", 390, LOOKS))


def violations(page: Any, rules: str = ALL) -> list[str]:
    """What axe-core objects to."""
    found: list[str] = page.evaluate(
        f"axe.run(document, {{runOnly: {rules}, resultTypes: ['violations']}}).then(found => found.violations.map("
        "one => one.id + ': ' + one.nodes[0].html.slice(0, 200)))"
    )
    return found


@define
class Daemon:
    """The server as its owner runs it."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['web']}"

    def start(self) -> None:
        command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--nodaemon", "--pidfile=", "mailshare", "-c", str(self.folder / "m.toml")],
                stdout=log, stderr=log,
            )  # fmt: skip
        for _ in range(1200):  # a start takes a second; on a machine with much else to do, many
            try:
                urllib.request.urlopen(f"{self.url}/static/mailshare.css", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def code(self) -> str:
        found = re.search(r"give the code ([a-z0-9-]+)", (self.folder / "log").read_text())
        assert found
        return found[1]


def served(folder: Path, free_port: Callable[[], int]) -> Iterator[Daemon]:
    """A server without administrator and account."""
    names = ("pop3", "smtp", "web", "isp_pop3", "isp_smtp", *CHOSEN.values())
    made = Daemon(folder, {name: free_port() for name in names})
    (made.folder / "m.toml").write_text(FILE.format(**made.ports))
    made.start()
    yield made
    made.stop()
    assert "Traceback" not in (made.folder / "log").read_text()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Daemon]:
    """One server for all."""
    yield from served(tmp_path_factory.mktemp("manager"), free_port)


@pytest.fixture(scope="module")
def chromium(program: Callable[[str], str]) -> Iterator[Any]:
    """Debian's browser without its windows, menus and profile: a page costs half of the processor time."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium-headless-shell"), args=list(FLAGS))
        yield browser
        browser.close()


@define
class Finger:
    """Somebody with a telephone: taps and types, and counts both.

    :ivar fields: filled in because the office needs it; what the test alone has to say is not counted.
    :ivar wide: steps that are wider than the screen.
    """

    page: Any
    fields: int = 0
    taps: int = 0
    wide: list[str] = field(factory=list)

    def type(self, label: str, text: str, *, counts: bool = True) -> None:
        self.page.get_by_label(label, exact=label.startswith("Port ")).fill(text)
        self.fields += counts

    def tap(self, name: str, then: str = "") -> None:
        with self.page.expect_navigation(timeout=60_000):
            self.page.get_by_role("button", name=name).first.tap()
        self.taps += 1
        if then:
            self.page.wait_for_url(f"**/setup/{then}")
            width = self.page.evaluate("document.documentElement.scrollWidth")
            self.wide += [f"{then}: {width}"] if width > 390 else []


@pytest.fixture(scope="module")
def first_run(daemon: Daemon, chromium: Any) -> dict[str, Any]:
    """The whole first run, by somebody with an ISP's letter and a telephone; what was seen, and the cookies."""
    seen: dict[str, Any] = {"console": []}
    context = chromium.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("console", lambda message: seen["console"].append(f"{message.type} {message.text}"))
    page.goto(daemon.url)
    seen["finger"] = finger = Finger(page)
    finger.type("Code", daemon.code())
    finger.type("A password for the manager", PASSWORD)
    finger.tap("Begin", "listen")
    seen["ports"] = page.locator("main table").first.inner_text()
    for service, port in CHOSEN.items():  # a test takes no usual port; a person leaves what is proposed
        finger.type(f"Port {service}", str(daemon.ports[port]), counts=False)
    finger.tap("Listen there", "account")
    finger.type("Its address", "mail@company.invalid")
    finger.tap("Find its servers")
    page.get_by_label("Password at the provider").wait_for(timeout=60_000)
    seen["preview"] = page.locator("main code").all_inner_texts()
    ways = {"Fetch from": "pop3://mail@127.0.0.1:{isp_pop3}", "Send through": "smtp://mail@127.0.0.1:{isp_smtp}"}
    for way, server in ways.items():
        finger.type(way, f"{server.format(**daemon.ports)}?tls=none", counts=False)
    finger.type("Password at the provider", "wrong", counts=False)
    finger.tap("Test the login and add it", "account")
    seen["refused"] = page.locator("#steps").inner_text()
    finger.type("Password at the provider", "isp")
    finger.tap("Test the login and add it", "probe")
    finger.tap("Look at the headers of")
    seen["probe"] = page.get_by_role("status").first.inner_text()
    finger.tap("Go on", "users")
    finger.type("One line each", "andrew, Andrew Smith\ngreg, Greg Jones")
    finger.tap("Add them")
    seen["slips"] = page.locator("main table").inner_text()
    finger.tap("Go on", "timer")
    finger.tap("Go on", "done")
    finger.tap("Send and receive now")
    page.get_by_text(re.compile("[0-9] (of [0-9]+ )?collected|collected [0-9n]")).first.wait_for()
    seen["state"] = context.storage_state()
    context.close()
    return seen


@pytest.fixture
def page(daemon: Daemon, chromium: Any, first_run: dict[str, Any]) -> Iterator[Any]:
    """A page of somebody who is logged in; no dialogue and no complaint of the browser may come up."""
    context = chromium.new_context(
        viewport={"width": 1100, "height": 800}, storage_state=first_run["state"], base_url=daemon.url,
        reduced_motion="reduce", permissions=["clipboard-write"],
    )  # fmt: skip
    made = context.new_page()
    made.set_default_timeout(60_000)
    trouble: list[str] = []
    made.on("dialog", lambda dialog: trouble.append(f"dialog {dialog.message}") or dialog.dismiss())
    made.on("pageerror", lambda error: trouble.append(str(error)))
    made.on("console", lambda one: trouble.append(one.text) if one.type in ("error", "warning") else None)
    yield made
    context.close()
    expected = (
        "404", "422", "ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "Failed to fetch", "network error",
    )  # fmt: skip
    assert not [one for one in trouble if not any(part in one for part in expected)], trouble


def test_a_first_run_on_a_telephone_takes_a_person_from_the_code_to_mail_that_flows(first_run: dict[str, Any]) -> None:
    """The preview, the provider's own words for a wrong password, the slips, and the first collection.

    Five fields are filled in and eleven buttons tapped, one of them twice for the wrong password; nothing is too wide.
    """
    assert first_run["finger"].fields <= 5
    assert first_run["finger"].taps <= 11
    assert first_run["finger"].wide == []
    assert first_run["preview"][0] == "Andrew Smith <mail@company.invalid>"
    assert "refuses the login" in first_run["refused"]
    assert "andrew" in first_run["slips"]
    assert "greg" in first_run["slips"]
    assert "declared in the configuration file" in first_run["ports"]
    assert "mail@company.invalid" in first_run["probe"]
    # When the server takes over other certificates, streams of before are ended and come back by themselves.
    expected = ("422", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING", "htmx:sse:error")
    bad = [line for line in first_run["console"] if line.startswith(("error", "warning"))]
    assert not [line for line in bad if not any(part in line for part in expected)]


def test_a_link_opens_a_hand_out_on_a_telephone_that_knows_nobody_here(
    page: Any, daemon: Daemon, chromium: Any, first_run: dict[str, Any]
) -> None:
    """Made by a button, opened without a login; its certificate is the one that the server shows; nothing for axe."""
    del first_run
    page.goto("/setup/done")
    page.get_by_role("button", name="Make a link for everybody").click()
    url = page.locator("article a.mono").first.inner_text()
    context = chromium.new_context(viewport={"width": 390, "height": 800}, base_url=daemon.url)
    phone = context.new_page()
    phone.goto(url[url.index("/u/") :])
    assert phone.get_by_role("heading", name="Mail for Andrew Smith").is_visible()
    phone.evaluate(AXE.read_text())
    assert violations(phone) == []
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    with phone.expect_download() as saving:
        phone.get_by_role("link", name="Certificate for Linux and programs (.pem)").click()
    trusting = ssl.create_default_context(cadata=Path(saving.value.path()).read_text())
    with (
        socket.create_connection(("127.0.0.1", daemon.ports["pop3s"]), 10) as plain,
        trusting.wrap_socket(plain, server_hostname="mail.office.example") as inside,
    ):
        assert inside.recv(100).startswith(b"+OK")
    context.close()


def sent_by_form(page: Any) -> dict[str, str]:
    """A print job, and a fax to the office itself, sent as a person does; their pages, with the names of pictures."""
    page.goto("/print?to=branch")
    page.get_by_label("Document").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"Hello"})
    page.get_by_role("button", name="Print", exact=True).click()
    page.wait_for_url("**/printers/jobs/*")
    job = urlsplit(page.url).path
    page.goto("/fax/send")
    page.get_by_label("The shop").check()
    page.get_by_label("Document").set_input_files({"name": "a.txt", "mimeType": "text/plain", "buffer": b"1\f 2\f 3"})
    page.get_by_role("button", name="Send", exact=True).click()
    page.wait_for_url("**/fax/*")
    fax = urlsplit(page.url).path
    page.goto("/fax/received")
    for _ in range(100):
        if page.locator("tbody th a").count():
            break
        page.wait_for_timeout(200)
        page.reload()
    came = page.locator("tbody th a").first.get_attribute("href")
    page.goto(fax)
    for _ in range(100):
        if page.evaluate("document.querySelector('.sheets img')?.naturalWidth") == 200:
            break
        page.wait_for_timeout(200)
    else:
        raise AssertionError(page.content())
    page.goto("/outbox?all=true")
    return {job: "print", fax: "fax", came: "fax-received"}


def test_every_screen_is_for_everybody(page: Any, daemon: Daemon) -> None:
    """Light and dark, desk and telephone: nothing that WCAG 2.2 AA forbids, nothing wider than the screen."""
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        for name in ("andrew", "admin1"):
            client.sendmail("scanner@mail.office.example", [name], f"Subject: Scan for {name}\r\n\r\n.\r\n".encode())
    script, pictures = AXE.read_text(), os.environ.get("MAILSHARE_SCREENSHOTS", "")
    names = {**PICTURES, **(sent := sent_by_form(page))}
    found = []
    for path in (*SCREENS, *sent):
        page.goto(path)
        page.evaluate(script)
        for theme, width, rules in GLANCES:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": 800})
            found += [f"{path} {theme} {width}: {one}" for one in violations(page, rules)]
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{path} {width}: {wide} wide"] if wide > width else []
            if pictures and path in names and (theme, width) in (("light", 1100), ("dark", 390)):
                page.screenshot(path=f"{pictures}/manager-{names[path]}-{theme}.png")
    assert not found, "\n".join(found)


def test_a_button_under_the_pointer_keeps_its_contrast(page: Any) -> None:
    """In both themes, for each colour of buttons."""
    page.goto("/")
    page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for name in ("Send and receive now", "Pause the service", "Log out admin"):
            page.get_by_role("button", name=name).hover()
            assert violations(page, LOOKS) == [], (theme, name)


def test_keys_alone_lead_everywhere_and_can_be_switched_off(page: Any) -> None:
    """Skip link, two-letter ways, search, sheet of keys; letters do nothing while somebody types or when off."""
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url("**/users")
    page.keyboard.press("/")
    page.keyboard.type("greg")
    page.keyboard.press("Enter")
    page.wait_for_url("**/users?q=greg")
    assert page.locator("tbody tr").count() == 1
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/users/greg")
    page.keyboard.press("?")
    page.locator("#keys").wait_for()
    page.keyboard.press("Escape")
    page.locator("#keys").wait_for(state="hidden")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Switch these keys off").check()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_timeout(200)
    assert page.url.endswith("/users/greg")


def test_everything_works_without_a_script(daemon: Daemon, chromium: Any, first_run: dict[str, Any]) -> None:
    """Log in, make a user, see the slip, set the timer by its grid, pause and go on."""
    del first_run
    context = chromium.new_context(java_script_enabled=False, base_url=daemon.url)
    page = context.new_page()
    page.goto("/users/new")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Login").fill("carolyn")
    page.get_by_label("Full name").fill("Carolyn Brown")
    page.get_by_role("button", name="Add", exact=True).click()
    assert page.get_by_text("carolyn", exact=True).is_visible()
    page.goto("/accounts/1/timer")
    page.get_by_label("mon 03:00").uncheck()
    page.get_by_role("button", name="Save the grid").click()
    assert page.get_by_role("status").inner_text().strip() == "Saved"
    assert not page.get_by_label("mon 03:00").is_checked()
    assert page.get_by_label("tue 03:00").is_checked()
    page.goto("/")
    page.get_by_role("button", name="Pause the service").click()
    assert page.get_by_text("The service is paused:").is_visible()
    page.get_by_role("button", name="Start the service").click()
    assert page.get_by_text("The service runs").is_visible()
    context.close()


def grows(page: Any, before: int) -> bool:
    """Whether the number of new messages becomes greater by itself; the provider may have sent some as well."""
    for _ in range(100):
        if int(page.locator("#lamp-inbox output").inner_text()) > before:
            return True
        page.wait_for_timeout(100)
    return False


def test_what_one_browser_does_the_other_sees_without_a_reload(
    page: Any, daemon: Daemon, chromium: Any, first_run: dict[str, Any]
) -> None:
    """The pause, the number of waiting messages and the lines of the journal come by themselves."""
    page.goto("/")
    page.locator("#live-chip").get_by_text("live").wait_for()
    context = chromium.new_context(storage_state=first_run["state"], base_url=daemon.url)
    other = context.new_page()
    other.goto("/")
    before = int(page.locator("#lamp-inbox output").inner_text())
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        client.sendmail("x@mail.office.example", ["greg"], b"Subject: <img src=x onerror=alert(1)>\r\n\r\n.\r\n")
    assert grows(page, before)
    other.get_by_role("button", name="Pause the service").click()
    page.get_by_text("The service is paused:").wait_for()
    page.get_by_role("button", name="Start the service").wait_for()
    page.locator("#health").get_by_text("to look at").wait_for()
    other.get_by_role("button", name="Start the service").click()
    page.get_by_text("The service is paused:").wait_for(state="detached")
    page.locator("#lines tr").filter(has_text="pause").first.wait_for()
    page.goto("/mailboxes/greg")
    assert page.get_by_text("<img src=x onerror=alert(1)>").is_visible()
    context.close()


def test_lists_change_in_one_browser_when_another_or_the_command_changes_them(
    page: Any, daemon: Daemon, chromium: Any, first_run: dict[str, Any]
) -> None:
    """Users by the command, the address book and the work list by another browser; the filter and the focus stay."""
    context = chromium.new_context(storage_state=first_run["state"], base_url=daemon.url)
    other = context.new_page()
    other.set_default_timeout(60_000)
    page.goto("/users?q=eve")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    page.get_by_label("Find a user").focus()
    mailshare = [sys.executable, "-c", "from mailshare.cli import main; main()", "-c", str(daemon.folder / "m.toml")]
    subprocess.run([*mailshare, "user", "add", "eve", "--stdin"], input=b"geheim123\n", check=True, capture_output=True)
    page.get_by_role("link", name="eve", exact=True).wait_for()
    assert not page.get_by_role("link", name="andrew", exact=True).count()
    assert page.evaluate("document.activeElement.id") == "q"
    page.goto("/book")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    other.goto("/book/new")
    other.locator("#f-name").fill("bakery")
    other.get_by_label("Fax number").fill("+49305550199")
    other.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("link", name="bakery", exact=True).wait_for()
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        client.sendmail("x@mail.office.example", ["admin1"], b"Subject: for nobody known\r\n\r\n.\r\n")
    page.goto("/work")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    page.get_by_role("link", name="for nobody known").wait_for()
    other.goto("/work")
    other.locator("tr").filter(has_text="for nobody known").get_by_role("checkbox").check()
    other.get_by_role("button", name="Give", exact=True).click()
    page.get_by_role("link", name="for nobody known").wait_for(state="detached")
    context.close()


@pytest.mark.parametrize("late", ["hx-sse", "mailshare.js"])
def test_a_script_that_comes_late_is_waited_for(page: Any, late: str) -> None:
    """The page would begin before the extension of htmx is there, and never open an event stream."""

    def held_up(route: Any) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route(f"**/*{late}*", held_up)
    page.goto("/")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    assert page.locator("#live-chip").is_visible()


def test_a_page_that_is_open_goes_on_after_a_restart(page: Any, daemon: Daemon) -> None:
    """The chip says so, the session stands, numbers change again, and another version is told without a reload."""
    page.goto("/")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    daemon.stop()
    page.locator("#live-chip").get_by_text("reconnecting").wait_for()
    assert page.locator("#newer").is_hidden()
    page.evaluate("document.getElementById('newer').dataset.version = '0.0.1'")  # as if it came from an older server
    daemon.start()
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    page.get_by_text("The server has another version by now.").wait_for()
    before = int(page.locator("#lamp-inbox output").inner_text())
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        client.sendmail("x@mail.office.example", ["greg"], b"Subject: after\r\n\r\n.\r\n")
    assert grows(page, before)


def test_keys_are_dragged_onto_others_and_a_number_is_told_while_it_is_typed(page: Any) -> None:
    """Two keys exchange what they hold, one of the file stays; what a number costs, or why none of it is one."""
    for name, number in (("miller", "+49305550201"), ("jones", "+49305550202")):
        page.goto("/book/new")
        page.locator("#f-name").fill(name)
        page.locator("#f-number").press_sequentially(number)
        page.locator("#h-number").get_by_text(number).wait_for()
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_text(f"{name} is in the book").wait_for()
    page.goto("/book/new")
    page.locator("#f-number").press_sequentially("+4930x")
    page.locator("#h-number .bad-words").wait_for()
    page.goto("/book/keys")
    page.locator("#k-1").select_option("miller")
    page.locator("#k-2").select_option("jones")
    for source, target in ((1, 2), (2, 3), (1, 7)):
        page.drag_and_drop(f"[data-key='{source}'] b", f"[data-key='{target}']")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("2 keys are laid out").wait_for()
    assert [page.locator(f"#k-{key}").input_value() for key in (1, 2, 3, 7)] == ["jones", "", "miller", "shop"]


def test_a_lock_in_one_window_ends_what_the_other_shows(page: Any) -> None:
    """The open page asks for the password at once, and the password leads back."""
    page.goto("/")
    page.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    second = page.context.new_page()
    second.goto("/users")
    second.get_by_role("button", name="Lock").click()
    second.wait_for_url(UNLOCK)
    second.get_by_label("Password").fill(PASSWORD)
    page.wait_for_url(UNLOCK)
    second.get_by_role("button", name="Go on").click()
    second.wait_for_url("**/users")
    assert second.get_by_role("heading", name="Users").is_visible()


STICKING_OUT = """() => [...document.querySelectorAll('body *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > innerWidth + 1 && !one.closest('.scroll, .far, .skip, thead, dialog');
}).map(one => one.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("language", ["fr", "de"])
def test_every_screen_speaks_french_and_german_on_a_telephone(
    daemon: Daemon, chromium: Any, first_run: dict[str, Any], language: str
) -> None:
    """As the browser asks for it; longer words stick out nowhere. Contrast and names are looked at in English."""
    context = chromium.new_context(
        locale=language, viewport={"width": 390, "height": 800}, storage_state=first_run["state"], base_url=daemon.url
    )
    page, found = context.new_page(), []
    for path in SCREENS:
        page.goto(path)
        assert page.evaluate("document.documentElement.lang") == language
        found += [f"{path} sticks out: {one}" for one in page.evaluate(STICKING_OUT)]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path}: {wide} wide"] if wide > 390 else []
    context.close()
    assert not found, "\n".join(found)


def test_the_language_is_chosen_at_the_foot_of_a_page_without_a_script(
    daemon: Daemon, chromium: Any, first_run: dict[str, Any]
) -> None:
    """Before anybody is logged in; the page comes back in it."""
    del first_run
    context = chromium.new_context(java_script_enabled=False, base_url=daemon.url)
    page = context.new_page()
    page.goto("/login?next=/users")
    page.get_by_role("button", name="Deutsch").click()
    assert page.get_by_role("button", name="Anmelden").is_visible()
    assert page.url.endswith("/login?next=/users")
    context.close()


def test_the_tabulator_reaches_everything_in_the_order_of_the_page(page: Any) -> None:
    """Nothing is left out, nothing keeps the focus, and what has it can be seen."""
    for path in ("/users", "/users/andrew", "/accounts/1", "/settings", "/docs/howto/manager"):
        page.goto(path)
        page.evaluate("document.activeElement.blur()")
        wanted = page.evaluate(
            "[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex=\"0\"]')]"
            ".filter(one => one.checkVisibility() && one.type !== 'hidden' && !one.closest('dialog, [disabled]'))"
            ".map((one, place) => { one.dataset.place = place; return place; })"
        )
        reached = []
        for _ in range(len(wanted) + 40):
            page.keyboard.press("Tab")
            place = page.evaluate("document.activeElement.dataset.place")
            if place is None or (len(reached) > 1 and int(place) == reached[0]):
                break
            if reached[-1:] != [int(place)]:  # a field for a date has several stops
                reached.append(int(place))
        assert reached == wanted, (path, reached)


def test_twelve_tabs_of_one_browser_stay_live(page: Any, daemon: Daemon) -> None:
    """More than the connections that a browser makes: none hangs, and each shows new mail by itself."""
    tabs = [page, *(page.context.new_page() for _ in range(11))]
    for tab in tabs:
        tab.set_default_timeout(60_000)
        tab.goto("/")
        tab.locator("#live-chip").get_by_text("live", exact=True).wait_for()
    before = [int(tab.locator("#lamp-inbox output").inner_text()) for tab in tabs]
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        client.sendmail("x@mail.office.example", ["greg"], b"Subject: for all tabs\r\n\r\n.\r\n")
    assert [grows(tab, number) for tab, number in zip(tabs, before, strict=True)] == [True] * 12
    tabs[-1].goto("/users")
    assert tabs[-1].get_by_role("heading", name="Users").is_visible()


def test_a_deletion_is_taken_back_after_the_server_was_killed(
    page: Any, daemon: Daemon, first_run: dict[str, Any]
) -> None:
    """*Undo* on the page that was open all the while; where a start takes half a minute there are more tries."""
    page.goto("/")
    page.get_by_role("button", name="Pause the service").click()
    password = next(line.split()[-1] for line in first_run["slips"].splitlines() if line.startswith("andrew"))
    with smtplib.SMTP("127.0.0.1", daemon.ports["smtp"]) as client:
        client.login("andrew", password)
        client.sendmail("mail@company.invalid", ["bob@far.example"], b"Subject: wanted\r\n\r\n.\r\n")
    row = page.locator("tbody tr").filter(has_text="bob@far.example").filter(has_text="queued")
    for _ in range(4):
        page.goto("/outbox")
        row.get_by_role("checkbox").check()
        page.get_by_role("button", name=re.compile("^Delete")).last.click()
        undo = page.get_by_role("button", name="Undo")
        undo.wait_for()
        assert not row.count()
        assert daemon.process is not None
        daemon.process.kill()
        daemon.process.wait(30)
        daemon.start()
        if undo.is_visible():
            undo.click()
            page.get_by_text(re.compile("is back, as it was|are back, as they were")).wait_for()
            break
    assert row.count() == 1
    page.goto("/")
    page.get_by_role("button", name="Start the service").click()
