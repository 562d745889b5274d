"""Every link, button and form of the manager, found and pressed by itself, as an owner with a mouse would.

A page that is new is walked as soon as a link leads to it, a button that is new as soon as it stands on a page. Fields
are filled in by what they are called; what deletes comes after everything else, what ends the session comes last.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import define, field, frozen

from mailshare.web.pages import PAGES

_FIND = """() => {
  document.querySelectorAll('details').forEach((one) => { one.open = true; });
  window.walkable = [...document.querySelectorAll('a[href], button, input[data-all]')].filter((one) =>
    one.checkVisibility() && !one.disabled && !one.closest('fieldset[disabled], dialog'));
  return window.walkable.map((one, place) => {
    const form = one.form || null;
    return {
      place, tag: one.tagName, words: (one.innerText || one.getAttribute('aria-label') || '').trim(),
      href: one.getAttribute('href') || '', saves: one.hasAttribute('download'), name: one.name || '',
      value: one.value || '', danger: one.classList.contains('danger'),
      kind: Object.keys(one.dataset).filter((name) => name !== 'many' && name !== 'one' && name !== 'none').join(' '),
      inside: !form || one.type === 'button' || ['copy', 'toggle', 'tick', 'all'].some((name) => name in one.dataset),
      action: form ? one.getAttribute('formaction') || form.getAttribute('action') || location.pathname : '',
      hidden: form ? [...form.elements].filter((e) => e.type === 'hidden').map((e) => [e.name, e.value]) : [],
    };
  });
}"""
_FILL = """([place, texts, files]) => {
  const form = window.walkable[place].form;
  const boxes = {};
  for (const one of form.elements) {
    if (!one.name || one.disabled || one.type === 'hidden' || one.tagName === 'BUTTON') continue;
    if (one.type === 'checkbox' && ['id', 'users', 'to', 'send'].includes(one.name)) (boxes[one.name] ||= []).push(one);
    else if (one.type === 'file') { if (!one.files.length) files.push(one.name); }
    else if (one.name in texts && (!one.value || one.type === 'password')) one.value = texts[one.name];
    else if (one.required && !one.value) one.value = texts[`type ${one.type}`] ?? 'walked';
  }
  for (const group of Object.values(boxes)) if (!group.some((one) => one.checked)) group.at(-1).checked = true;
  const wrong = [...form.elements].filter((one) => one.type !== 'file' && !one.checkValidity());
  return [files, wrong.map((one) => `${one.name}: ${one.validationMessage}`)];
}"""
_SEEN = """() => ({
  heading: document.querySelector('h1')?.innerText || '',
  ways: document.querySelectorAll('main a[href], header a[href], main form').length,
  refused: [...document.querySelectorAll('[role=alert], p.said.bad[role=status]')].map((one) => one.innerText.trim()),
})"""
_TELLING = ("act", "step", "off", "everything", "paused", "what", "kind")
_LAST = re.compile(r"/(?:logout|lock|language|settings/(?:session|password|mine)|setup/restore.*)\Z")
_TAKES_AWAY = re.compile(r"delete|remove|revoke|forget|cancel|pause|listen")
_RULES = sorted(
    ((page.path, re.compile(re.sub(r"<[^>]+>", "[^/]+", page.path) + r"\Z")) for page in PAGES),
    key=lambda rule: rule[0].count("<"),
)
_MOST_ALIKE = 2
"""Pages of one kind, such as those of users, that are looked at."""


def kind_of(path: str) -> str:
    """What serves an address: one of the paths in ``PAGES``."""
    return next((rule for rule, fits in _RULES if fits.match(path)), path)


@frozen
class Control:
    """Something that can be pressed.

    :ivar where: the address of a page that it stands on.
    :ivar key: the same for all that do the same.
    :ivar inside: it asks the server for nothing.
    """

    where: str
    key: str
    inside: bool
    turn: int


def _control(where: str, one: Mapping[str, Any]) -> Control:
    action = kind_of(urlsplit(one["action"] or where).path)
    told = [f"{name}={value}" for name, value in one["hidden"] if name in _TELLING]
    value = re.sub(r"\d+", "N", one["value"]) if one["name"] else re.sub(r"\d+", "N", one["words"])
    if action == "/language":
        value = ""
    if one["inside"]:
        return Control(where, f"inside {one['kind'] or one['words'][:20]}", inside=True, turn=0)
    turn = 2 if _LAST.search(action) else int(bool(one["danger"] or _TAKES_AWAY.search(f"{action} {value}")))
    return Control(where, " ".join([action, one["name"], value, *told]), one["inside"], turn)


@define
class Walk:
    """One walk of an owner through everything.

    :ivar texts: what to write into fields by their names, in a form that goes to such a path.
    :ivar files: what to put into fields for files, by the path that a form goes to: name, kind, octets.
    :ivar refusals: words of refusals that are right, for what is not there on a computer that tests.
    :ivar stumbled: what was found, one sentence each.
    """

    page: Any
    texts: Callable[[str], Mapping[str, str]]
    files: Mapping[str, tuple[str, str, bytes]]
    refusals: Sequence[str]
    stumbled: list[str] = field(factory=list)
    pressed: list[str] = field(factory=list)
    seen: dict[str, list[str]] = field(factory=dict)
    _status: list[tuple[int, str]] = field(factory=list)
    _console: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.page.on("response", lambda answer: self._status.append((answer.status, answer.url)))
        self.page.on("console", lambda one: self._console.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda error: self._console.append(str(error)))

    def go(self, start: Sequence[str]) -> None:
        """Look at all that can be reached, then press all that stands there; again, while new pages come up by it."""
        waiting, known = [(one, one) for one in start], set[str]()
        todo: list[Control] = []
        for turn in (0, 1, 2):
            while waiting or any(one.turn == turn for one in todo):
                while waiting:
                    where, found_on = waiting.pop(0)
                    if self._new(where):
                        todo += self._looked(where, found_on, waiting, known)
                control = next((one for one in todo if one.turn == turn), None)
                if control is None:
                    continue
                todo.remove(control)
                try:
                    self._press(control)
                    waiting += [(self._address(), "")] if self.page.url.startswith("http") else []
                except Exception as fault:  # of the browser: the walk goes on and tells all at its end
                    self.stumbled.append(f"{control.where} {control.key}: {str(fault)[:300]}")

    def _address(self) -> str:
        parts = urlsplit(self.page.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _new(self, where: str) -> bool:
        parts = urlsplit(where)
        asked = sorted({name for name, _ in parse_qsl(parts.query)})
        alike = self.seen.setdefault(f"{kind_of(parts.path)} {' '.join(asked)}", [])
        if where in alike or len(alike) >= _MOST_ALIKE:
            return False
        alike.append(where)
        return True

    def _looked(
        self, where: str, found_on: str, waiting: list[tuple[str, str]], known: set[str]
    ) -> Iterator[Control]:
        """Open a page: note where its links lead, and give what on it was not known yet."""
        before = len(self.stumbled)
        if not self._opened(where):
            return
        if len(self.stumbled) > before and found_on and not self._still_leads(found_on, where):
            del self.stumbled[before:]  # what was pressed since has taken both away
            return
        for one in self.page.evaluate(_FIND):
            if one["tag"] == "A" and one["href"].startswith(("/", "?")):
                link = one["href"].partition("#")[0]
                waiting.append((link if link.startswith("/") else urlsplit(where).path + link, where))
            elif one["tag"] != "A":
                control = _control(where, one)
                if control.key not in known:
                    known.add(control.key)
                    yield control

    def _still_leads(self, found_on: str, where: str) -> bool:
        self.page.goto(found_on)
        return any(one["href"].partition("#")[0] == where for one in self.page.evaluate(_FIND))

    def _opened(self, where: str) -> bool:
        """Whether it is a page; what is to be saved only needs to come."""
        self._forget()
        try:
            self.page.goto(where, wait_until="domcontentloaded")
        except Exception as fault:  # the browser's way to say that this is no page
            if "Download is starting" not in str(fault):
                self.stumbled.append(f"{where}: {str(fault)[:200]}")
            return False
        html = bool(self.page.evaluate("document.contentType") == "text/html")
        self._judge(where, html=html)
        return html

    def _forget(self) -> None:
        self._status.clear()
        self._console.clear()

    def _judge(self, what: str, *, html: bool = True) -> None:
        """Note what a person would stumble over."""
        bad = [f"{status} {urlsplit(url).path}" for status, url in self._status if status >= 400]
        lost = ("ERR_INCOMPLETE_CHUNKED_ENCODING", "Failed to load resource", "network error")
        bad += [text[:200] for text in self._console if not any(part in text for part in lost)]
        shown = self.page.evaluate(_SEEN) if html else {"heading": "-", "ways": 1, "refused": []}
        bad += [] if shown["heading"] and shown["ways"] else ["a dead end"]
        bad += [text for text in shown["refused"] if not any(part in text for part in self.refusals)]
        self.stumbled += [f"{what}: {one}" for one in bad]

    def _press(self, control: Control) -> None:
        """Go to where it stands, fill in its form, press it."""
        one = self._found_again(control)
        if one is None:
            return
        self.pressed.append(control.key)
        what = f"{control.where} [{one['words'][:60]}] {control.key}"
        button = self.page.evaluate_handle("(place) => window.walkable[place]", one["place"]).as_element()
        self._forget()
        self.page.evaluate("window.walked = true")
        if control.inside:
            button.click()
            self._judge(what, html=False)
            self.page.goto("about:blank")
            return
        wrong = self._filled(one)
        if wrong:
            self.stumbled.append(f"{what}: cannot be filled in: {wrong}")
            return
        with self.page.expect_event("response", _answers, timeout=30_000) as answered:
            button.click(no_wait_after=True)
        saved = "attachment" in answered.value.headers.get("content-disposition", "")
        if not saved:
            self._arrived()
        self._judge(what, html=not saved)

    def _found_again(self, control: Control) -> Mapping[str, Any] | None:
        """The control on its page; where what was pressed before took it away, on another page of the kind."""
        alike = next((pages for pages in self.seen.values() if control.where in pages), [])
        for where in dict.fromkeys([control.where, *alike]):
            if self._address() != where:
                self.page.goto(where, wait_until="domcontentloaded")
            for again in (False, True):
                if again:
                    self.page.reload(wait_until="domcontentloaded")
                found = [one for one in self.page.evaluate(_FIND) if one["tag"] != "A"]
                if one := next((one for one in found if _control(where, one).key == control.key), None):
                    return dict(one)
        return None

    def _arrived(self) -> None:
        """Wait for the page that comes after the one that was pressed on."""
        for _ in range(600):
            with contextlib.suppress(Exception):  # between two pages there is nothing to be asked
                if self.page.evaluate("!window.walked && document.readyState !== 'loading'"):
                    return
            time.sleep(0.05)
        raise AssertionError(f"nothing comes after {self.page.url}")

    def _filled(self, one: Mapping[str, Any]) -> list[str]:
        action = kind_of(urlsplit(one["action"]).path)
        names, wrong = self.page.evaluate(_FILL, [one["place"], dict(self.texts(action)), []])
        for name in names:
            file = self.files.get(urlsplit(one["action"]).path, self.files[""])
            given = {"name": file[0], "mimeType": file[1], "buffer": file[2]}
            form = self.page.locator(f'form[action="{one["action"]}"]')
            form.locator(f'input[type="file"][name="{name}"]').set_input_files(given)
        return list(wrong)


def _answers(response: Any) -> bool:
    return bool(response.request.is_navigation_request()) and response.status not in (301, 302, 303, 307)
