"""Every form of every screen, filled in wrongly and sent without a script: each says what is wrong; nothing breaks."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import unquote, urlencode, urlsplit

import pytest_twisted
from attrs import define, field
from typing_extensions import override

from mailshare.core.errors import NotAllowed
from mailshare.core.values import Role
from mailshare.web.pages import PAGES
from tests.web.conftest import Answer, Browser, House
from tests.web.test_manager_pages import SCREENS, letter

WRONG = {"number": "x\"'<b>", "email": "nobody", "date": "2026-13-45", "password": "1", "radio": "x"}
NONSENSE = "\x00 <b>\"' @@"
"""What a field of this kind cannot take."""
_LEAVING = ("/logout", "/lock", "/language", "/settings/password", "/settings/session")
_FILES = "multipart/form-data"
_REFUSALS = (NotAllowed.default_public, "not one of yours", "does not belong to your accounts", "by their numbers")
"""What somebody is told whose role does not reach so far."""


@define
class Form:
    """A form as a browser without scripts has it."""

    action: str
    method: str
    kind: str
    fields: list[tuple[str, str, str]] = field(factory=list)
    """Name, type and value."""
    buttons: int = 0

    def filled(self, *, wrong: bool) -> dict[str, list[str]]:
        """What a browser sends, or somebody who fills in nonsense."""
        sent: dict[str, list[str]] = {}
        for name, kind, value in self.fields:
            if kind in ("hidden", "submit") or not wrong:
                sent.setdefault(name, []).append(value)
            elif kind not in ("checkbox", "file"):
                sent[name] = [WRONG.get(kind, NONSENSE)]
        return sent


class _Forms(HTMLParser):
    """Finds forms, their fields, and controls that have no name to be read out."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self._labels = 0
        self.labelled: set[str] = set()
        self.unlabelled: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "label":
            self._labels += 1
            self.labelled.add(facts.get("for", ""))
        if tag == "form":
            kind = facts.get("enctype", "")
            self._form = Form(facts.get("action", ""), facts.get("method", "get"), kind)
            self.forms.append(self._form)
        if self._form is None or tag not in ("input", "textarea", "select", "option", "button"):
            return
        if tag == "option":
            if "selected" in facts or (self._select, "select", "") not in self._form.fields:
                self._form.fields = [one for one in self._form.fields if one[0] != self._select]
                self._form.fields.append((self._select, "select", facts.get("value", "")))
            return
        kind = facts.get("type", "submit" if tag == "button" else "text")
        self._form.buttons += tag == "button" and kind == "submit" and "disabled" not in facts
        if tag == "select":
            self._select = facts["name"]
        chosen = kind not in ("checkbox", "radio") or "checked" in facts
        if tag != "select" and chosen and facts.get("name") and "disabled" not in facts:
            self._form.fields.append((facts["name"], kind, facts.get("value", "")))
        silent = kind == "hidden" or tag == "button" or "aria-label" in facts  # a button is read out by its words
        if not silent and not self._labels and facts.get("id") not in self.labelled:
            self.unlabelled.append(str(facts))

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "label":
            self._labels -= 1


def read(page: str) -> _Forms:
    reader = _Forms()
    reader.feed(page)
    return reader


async def sent(browser: Browser, form: Form, where: str, *, wrong: bool) -> tuple[Answer, Answer]:
    """The answer to a form, and the page that a person sees then."""
    filled = form.filled(wrong=wrong)
    origin = {"Origin": f"http://127.0.0.1:{browser.port}", "Referer": f"http://127.0.0.1:{browser.port}{where}"}
    if form.method != "post":
        action = form.action or urlsplit(where).path
        answer = await browser.get(f"{action}?{urlencode(filled, doseq=True)}")
    elif form.kind == _FILES:
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, values in filled.items() for value in values
        ]  # fmt: skip
        body = ("".join(parts) + "--x--\r\n").encode()
        answer = await browser.ask("POST", form.action, body, Content_Type=f"{_FILES}; boundary=x", **origin)
    else:
        answer = await browser.post(form.action, filled, **origin)
    shown = await browser.get(answer.header("Location")) if answer.code == 303 else answer
    return answer, shown


def told(page: str) -> str:
    """The line that says what came of an act."""
    found = re.search(r'role="(?:alert|status)"[^>]*>(.*?)</(?:p|div)>', page, re.DOTALL)
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", found[1])).split()) if found else ""


async def forms_of_all_screens(browser: Browser, screens: tuple[str, ...]) -> dict[str, tuple[str, Form]]:
    """Each form once, by its action, with the screen that it stands on; every control in them has a name to be read."""
    found: dict[str, tuple[str, Form]] = {}
    for where in screens:
        page = await browser.get(where)
        assert page.code == 200, where
        reader = read(page.text)
        assert not reader.unlabelled, (where, reader.unlabelled)
        for form in reader.forms:
            if form.action not in _LEAVING:
                found.setdefault(f"{form.method} {form.action}", (where, form))
    return found


@pytest_twisted.ensureDeferred
async def test_every_form_says_what_is_wrong_and_then_does_its_work(house: House) -> None:
    """Nonsense in every field is refused with a sentence on the page that it was typed on; no act needs a script."""
    browser = await house.admin()
    await letter(house, "one")
    await house.office.acts.print_document(document=BytesIO(b"hello\n"), to="branch", name="letter", hold=True)
    job = (await house.office.acts.print_jobs())[0]["id"]
    case = (await house.office.acts.admin_list())[0]["id"]
    screens = (*SCREENS, f"/work/{case}", f"/printers/jobs/{job}")
    found = await forms_of_all_screens(browser, screens)
    served = {page.path for page in PAGES if page.method == "POST"}
    assert len(found) > len(served) / 3
    for wrong in (True, False):
        for name, (where, form) in found.items():
            answer, shown = await sent(browser, form, where, wrong=wrong)
            assert answer.code in (200, 303, 400, 403, 404, 409, 412, 413, 422), (name, answer.code)
            assert "Something went wrong here" not in html.unescape(shown.text), name
            assert "<b>\"'" not in shown.text, name
            # A step of the first run that was done leads on to the next, which is word enough.
            if form.method == "post" and (answer.code >= 400 or not form.action.startswith("/setup")):
                words = told(shown.text)
                handed = answer.code == 200 or shown.header("Content-Disposition")
                assert handed or " " in words or words == "Saved", (name, words, answer.code)
    assert (await browser.get("/")).code == 200


@pytest_twisted.ensureDeferred
async def test_no_role_is_shown_a_button_that_it_may_not_press(house: House) -> None:
    """What stands on the pages of a viewer and of an account admin is theirs to do; other pages say whose it is."""
    await house.admin()
    await letter(house, "one")
    case = (await house.office.acts.admin_list())[0]["id"]
    refused = []
    for role, accounts in ((Role.VIEWER, ()), (Role.KEEPER, ("mail@company.example", "two@firm.example"))):
        browser = await house.admin(role.name.lower(), role, accounts)
        assert (await browser.get(f"/work/{case}")).code == (await browser.get("/work")).code == 200
        seen: set[str] = set()
        for where in (*SCREENS, "/fax/send", f"/work/{case}"):
            page = await browser.get(where)
            assert page.code in (200, 403), (role, where, page.code)
            for form in read(page.text).forms:
                if form.method != "post" or form.action in _LEAVING or not form.buttons or form.action in seen:
                    continue
                seen.add(form.action)
                answer, shown = await sent(browser, form, where, wrong=False)
                words = told(shown.text)
                silent = answer.code != 200 and not words
                if answer.code in (403, 500) or silent or any(one in words for one in _REFUSALS):
                    refused.append((role.value, where, form.action, answer.code, words))
        assert seen
    assert not refused, "\n".join(map(str, refused))


@pytest_twisted.ensureDeferred
async def test_a_page_that_is_for_others_says_for_whom_and_no_link_leads_there(house: House) -> None:
    """403 with the roles that may, in the language of the page; neither list nor menu leads to such a page."""
    viewer = await house.admin("viewer", Role.VIEWER)
    keeper = await house.admin("keeper", Role.KEEPER, ("mail@company.example",))
    closed = {page.path.replace("<address>", "mail@company.example").replace("<name>", "andrew"): page.needs
              for page in PAGES if page.needs and page.method == "GET"}  # fmt: skip
    assert len(closed) > 12
    for browser, may in ((viewer, ()), (keeper, ("add_user", "set_users", "delete_user"))):
        pages = {where: await browser.get(where) for where in (*SCREENS, "/fax", "/users/andrew", *closed)}
        for where, needs in closed.items():
            assert pages[where].code == (200 if needs in may else 403), where
            assert ("Who may do this:" in pages[where].text) == (needs not in may), where
        links = {unquote(link) for page in pages.values() for link in re.findall(r'href="(/[^"?#]*)', page.text)}
        assert "/users/andrew" in links
        assert not [link for link in links & set(closed) if closed[link] not in may]
    assert "Who may do this: owner<" in (await keeper.get("/accounts/new")).text
    assert "Who may do this: owner, account admin<" in (await viewer.get("/users/new")).text
    german = (await viewer.get("/users/new", Accept_Language="de")).text
    assert "Besitzer, Kontoverwalter<" in german


@pytest_twisted.ensureDeferred
async def test_only_an_owner_goes_through_the_first_run(house: House) -> None:
    """Others change no timer there, add nobody, and neither skip a step of it nor end it."""
    await house.office.acts.add_account(address="new@isp.example", collect="pop3s://new@pop.isp.example")
    before = (await house.office.acts.account_show(address="new@isp.example"))["timetable"]
    owner = await house.admin()
    await owner.post("/setup/skip", {"step": "probe"})
    assert (await owner.get("/setup")).header("Location") == "/setup/users"
    for role, accounts in ((Role.VIEWER, ()), (Role.KEEPER, ("new@isp.example",))):
        browser = await house.admin(role.name.lower(), role, accounts)
        for step, form in (
            ("timer", {"preset": "office", "every": "7"}), ("skip", {"step": "users"}), ("finish", {}),
            ("users", {"text": "eve, Eve Adams"}), ("links", {}), ("account/find", {"address": "x@isp.example"}),
        ):  # fmt: skip
            assert (await browser.post(f"/setup/{step}", form)).code == 403, (role, step)
    assert (await house.office.acts.account_show(address="new@isp.example"))["timetable"] == before
    assert "eve" not in {one["name"] for one in await house.office.acts.users()}
    assert (await owner.get("/setup")).header("Location") == "/setup/users"
    assert (await owner.post("/setup/timer", {"preset": "office", "every": "7"})).code == 303
    assert (await house.office.acts.account_show(address="new@isp.example"))["timetable"] != before
