"""One request to a page, as the page sees it: who asks, what was filled in, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

from mailshare.core.errors import LoginRefused, MailshareError, NotAllowed, PeerFault, TooManyTries
from mailshare.core.values import Administrator, Caller, WebSession
from mailshare.web import object_tags
from mailshare.web.commands_beside import command_beside
from mailshare.web.languages import language_of
from mailshare.web.manual import beside
from mailshare.web.rooms import Line, Rooms, Undo
from mailshare.web.site import OF_PICTURES
from mailshare.web.uploads import FormBody, Upload

_MOST_FIELDS = 2000
CHANGED = 412
"""Somebody else changed it meanwhile."""
LANGUAGE_COOKIE = b"ms-language"
"""Holds what a browser chose to read; no secret."""


def local_path(text: str) -> str:
    """A path of ours to go on to; the dashboard for anything that could lead away."""
    harmless = text.startswith("/") and text[1:2] not in ("/", "\\") and text.isprintable() and "\\" not in text
    return text if harmless else "/"


class Visit:
    """What a page gets.

    :ivar path: parts of the address, by name.
    :ivar me: who is logged in; ``None`` on public pages.
    """

    def __init__(
        self,
        request: Any,
        rooms: Rooms,
        path: Mapping[str, str],
        me: Administrator | None = None,
        session: WebSession | None = None,
    ) -> None:
        self.request = request
        self.rooms = rooms
        self.path = path
        self.me = me
        self.session = session
        self.query: Mapping[str, list[str]] = _texts(request.uri.partition(b"?")[2])
        self._form: Mapping[str, list[str]] | None = None

    # ------------------------------------------------------------------ what was asked

    @property
    def peer(self) -> str:
        """The address of the browser."""
        return str(getattr(self.request.getClientAddress(), "host", ""))

    @property
    def here(self) -> str:
        """The path of this page."""
        return self.request.path.decode("ascii", "replace")  # type: ignore[no-any-return]

    @property
    def by_itself(self) -> bool:
        """The page asks anew because a list has changed; no person did anything."""
        return self.request.getHeader("MS-By-Itself") is not None

    @property
    def help(self) -> str:
        """The page of the documentation that belongs to this one."""
        return beside(self.here)

    @property
    def command(self) -> str:
        """What does the same in a terminal; empty where there is nothing."""
        return command_beside(self.here)

    @property
    def form(self) -> Mapping[str, list[str]]:
        """What was filled in.

        :raises PeerFault: it is not UTF-8, or far too much.
        """
        if self._form is None and isinstance(self.request.content, FormBody):
            self._form = self.request.content.fields
        if self._form is None:
            self.request.content.seek(0)
            self._form = _texts(self.request.content.read())
        return self._form

    def text(self, name: str, default: str = "") -> str:
        """One field of the form, without blanks around it."""
        return self.form.get(name, [default])[-1].strip()

    def secret(self, name: str) -> str:
        """One field as it was typed."""
        return self.form.get(name, [""])[-1]

    def texts(self, name: str) -> list[str]:
        """All values of a field."""
        return [one.strip() for one in self.form.get(name, []) if one.strip()]

    def words(self, name: str) -> list[str]:
        """A field that holds a list: by comma or by line."""
        return [one.strip() for one in self.text(name).replace("\n", ",").split(",") if one.strip()]

    def flag(self, name: str) -> bool:
        """A box that was ticked."""
        return name in self.form

    def asked(self, name: str, default: str = "") -> str:
        """One part of the query."""
        return self.query.get(name, [default])[-1].strip()

    def upload(self) -> Upload:
        """The document that came with the form; one without name when there is none.

        :raises PeerFault: the form cannot be read.
        """
        if isinstance(self.request.content, FormBody):
            self.request.content.fields  # noqa: B018 - says what is wrong with the form
            return self.request.content.upload
        return Upload("", BytesIO())

    @property
    def back(self) -> str:
        """The page of ours that the browser comes from."""
        parts = urlsplit(self.request.getHeader("Referer") or "")
        return local_path((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))

    # ------------------------------------------------------------------ the office

    @property
    def caller(self) -> Caller:
        """Who asks, for the rules.

        :raises LoginRefused: nobody is logged in.
        """
        if self.me is None:
            raise LoginRefused("Log in first")
        return Caller.of(self.me)

    async def ask(self, name: str, /, **given: object) -> Any:
        """One operation of the office, in the name of who is logged in."""
        return await self.rooms.office.perform(self.caller, name, given)

    async def ask_with(self, name: str, document: BinaryIO, /, **given: object) -> Any:
        """One operation that takes a document."""
        return await self.rooms.office.perform(self.caller, name, given, document)

    def may(self, name: str) -> bool:
        """Whether who is logged in may do that at all."""
        return self.me is not None and self.rooms.office.may(self.caller, name)

    def must(self, name: str) -> None:
        """See to it that who is logged in may do that.

        :raises NotAllowed: he may not.
        """
        if not self.may(name):
            raise NotAllowed

    @property
    def fresh(self) -> bool:
        """The password was given here in the last minutes."""
        return self.session is not None and self.rooms.sessions.fresh(self.session)

    async def prove(self) -> None:
        """See to it that it is really the one who logged in, before something secret is shown or changed.

        :raises LoginRefused: the password in the field ``own_password`` is wrong or missing.
        """
        if self.fresh or self.me is None or self.session is None:
            return
        given = self.secret("own_password")
        if not given:
            raise LoginRefused("Give your own password with this, please")
        await self.know(self.me.name, given)
        await self.rooms.sessions.prove(self.session)

    async def know(self, name: str, password: str) -> Administrator:
        """The administrator of this name and password; a wrong one is written into the audit.

        :raises LoginRefused: there is none. :raises TooManyTries: too many were wrong.
        """
        try:
            return await self.rooms.administrators.check(name, password, self.peer)
        except (LoginRefused, TooManyTries):
            await self.rooms.office.note("admin.login-refused", {"login": name[:64], "peer": self.peer})
            raise

    # ------------------------------------------------------------------ answering

    @property
    def language(self) -> str:
        """What this page is written in: as the administrator chose, else this browser, else as it is set up."""
        here = self.request.received_cookies.get(LANGUAGE_COOKIE, b"").decode("ascii", "replace")
        chosen = (self.me.language if self.me else "") or here
        return language_of(chosen, self.request.getHeader("Accept-Language") or "")

    def counted(self, one: str, many: str, number: int) -> str:
        """A sentence with a number, which stands in it as ``%(n)s``, in the language of the page."""
        return self.rooms.rendering.language(self.language).counted(one, many, number)

    def told(self, text: str) -> str:
        """What another room says, in the language of the page as far as it is known."""
        return self.rooms.rendering.language(self.language).told(text)

    def local(self, moment: object) -> str:
        """A moment in the server's zone, as this language writes it."""
        return self.rooms.rendering.language(self.language).local(moment)

    def page(self, template: str, /, status: int = 200, **values: object) -> bytes:
        """A page of HTML."""
        line = self.rooms.said(self.session) if status == 200 and not self.by_itself else Line()
        values = {"said": line.text, "bad": line.bad, "undo": line.undo, **values}
        self.request.setResponseCode(status)
        self.request.setHeader("Content-Type", "text/html; charset=utf-8")
        self.request.setHeader("Cache-Control", "no-store")
        return self.rooms.rendering.render(
            template, self.language, {"visit": self, "me": self.me, "lang": self.language, **values}
        )

    def go(self, path: str, said: str = "", *, bad: bool = False, undo: Undo | None = None) -> bytes:
        """Lead to a page of ours, which shows that line and what takes it back."""
        if said and self.session is not None:
            self.rooms.say(self.session, Line(said, bad, undo))
        self.request.setResponseCode(303)
        self.request.setHeader("Location", quote(local_path(path), safe="/?&=%#:;,+@~()!$'*"))
        self.request.setHeader("Cache-Control", "no-store")
        return b""

    def file(self, data: bytes, kind: str, name: str = "") -> bytes:
        """Something to be saved."""
        self.request.setHeader("Content-Type", kind)
        if kind.startswith("image/"):  # a browser that shows a picture alone styles it itself
            self.request.setHeader("Content-Security-Policy", OF_PICTURES)
        self.request.setHeader("Cache-Control", "no-store")
        if name:
            plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
            self.request.setHeader("Content-Disposition", f'attachment; filename="{plain}"')
        return data

    def unchanged(self, thing: object) -> None:
        """See that what is edited is still as the form showed it.

        :raises PeerFault: 412, somebody else changed it meanwhile.
        """
        was = self.text("was")
        if was and was != mark(thing):
            words = "Somebody else changed this meanwhile. This is how it is now; look and repeat"
            raise PeerFault(words, code=CHANGED)


def filled_again(found: Mapping[str, Any], given: Mapping[str, Any], error: MailshareError) -> dict[str, Any]:
    """What a form shows after a refusal: what was filled in; when somebody else was quicker, how it is now."""
    return dict(found) if error.code == CHANGED else {**found, **given}


mark = object_tags.mark
"""What a form holds of the thing that it edits; see :meth:`Visit.unchanged`."""


def _texts(octets: bytes) -> Mapping[str, list[str]]:
    try:
        found: Mapping[str, Sequence[str]] = parse_qs(
            octets.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise PeerFault("The form cannot be read", code=400) from error
    return {name: list(values) for name, values in found.items()}
