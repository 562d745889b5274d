"""What the manager is given: the acts of the office, and who may log in to do them. It has no rule of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import BinaryIO

from zope.interface import Interface

from mailshare.core.values import Administrator, ApiToken, Caller, HandoutLink, Role, WebSession


class IAdministration(Interface):
    """The office as administrators see it: the same acts for pages, API and commands."""

    def perform(
        caller: Caller, name: str, given: Mapping[str, object], document: BinaryIO | None = None
    ) -> Awaitable[object]:
        """Do one operation of :data:`mailshare.web.operations.OPERATIONS` in the caller's name; JSON values.

        What changes something is written into the audit, with who did it.

        :param given: arguments; texts stand for numbers, truths and lists.
        :param document: for an operation that takes one; read to its end.
        :raises PeerFault: 400, an argument is unknown, missing or of the wrong kind.
        :raises PolicyRefusal: the caller may not do this.
        """

    def may(caller: Caller, name: str) -> bool:
        """Whether the caller may do that operation at all."""

    def version() -> int:
        """Of the directory of users and accounts; edits compare it."""

    def watch(changed: Callable[[str, Mapping[str, object]], None]) -> Callable[[], None]:
        """Be called with ``(kind, JSON)`` whenever something changed; the result ends that."""

    def note(kind: str, data: Mapping[str, object]) -> Awaitable[None]:
        """A line of the audit about who came and went; trouble with the store is only logged."""


class IAdministrators(Interface):
    """Those who may log in to the manager."""

    def everybody() -> Sequence[Administrator]:
        """All, by name."""

    def find(name: str) -> Administrator | None:
        """By name, in any case."""

    def check(name: str, password: str, peer: str) -> Awaitable[Administrator]:
        """Log somebody in; guesses are slowed down together with those at mailboxes.

        :raises LoginRefused: wrong name or password. :raises TooManyTries: not looked at for now.
        """

    def add(name: str, password: str, role: Role, accounts: Sequence[str] = ()) -> Awaitable[Administrator]:
        """Make one.

        :raises PeerFault: the name or the password will not do. :raises PolicyRefusal: the name is taken.
        """

    def change(
        name: str,
        *,
        password: str | None = None,
        role: Role | None = None,
        accounts: Sequence[str] | None = None,
        language: str | None = None,
        theme: str | None = None,
    ) -> Awaitable[Administrator]:
        """Change what is given.

        :raises NoSuchUser: there is none. :raises PolicyRefusal: the last owner would be gone.
        """

    def remove(name: str) -> Awaitable[None]:
        """Take one away, with sessions and tokens. Raises as :meth:`change`."""


class IWebSessions(Interface):
    """Browsers that are logged in. What identifies one is stored as a hash only."""

    def begin(administrator: Administrator, peer: str, agent: str) -> Awaitable[tuple[str, WebSession]]:
        """A new session and its secret."""

    def find(secret: str) -> WebSession | None:
        """The session of a secret, if it is not over; it counts as locked after the time of idleness."""

    def touch(session: WebSession) -> None:
        """A person did something there."""

    def prove(session: WebSession) -> Awaitable[None]:
        """The password was given again: unlocked, and trusted with secrets for some minutes."""

    def fresh(session: WebSession) -> bool:
        """Whether the password was given there in the last minutes."""

    def lock(session: WebSession) -> Awaitable[None]:
        """Nothing is shown until the password is given again."""

    def of(name: str) -> Sequence[WebSession]:
        """Those of one administrator, newest first; of everybody for an empty name."""

    def end(session_id: str) -> Awaitable[None]:
        """End one. Idempotent."""

    def end_all(name: str, but: str = "") -> Awaitable[int]:
        """End all of somebody, but that one; how many."""


class IApiTokens(Interface):
    """Programs that may use the API. A token is stored as a hash only."""

    def make(owner: Administrator, label: str, level: str, days: int) -> Awaitable[tuple[str, ApiToken]]:
        """A new token and its secret, which is shown once.

        :param days: until it expires; 0 = never.
        :raises PeerFault: no such level, or the label is none.
        :raises PolicyRefusal: it reaches further than the owner does.
        """

    def find(secret: str) -> ApiToken | None:
        """The token of a secret, if it is valid now."""

    def of(name: str) -> Sequence[ApiToken]:
        """Those of one administrator; of everybody for an empty name."""

    def revoke(token_id: str) -> Awaitable[None]:
        """Take one back. Idempotent."""


class ISetupCode(Interface):
    """The one-time code that lets somebody make the first administrator."""

    def needed() -> bool:
        """Nobody can log in yet."""

    def code() -> str:
        """The code of now; a new one after each success."""

    def check(code: str, peer: str) -> Awaitable[None]:
        """Guesses are slowed down like those at passwords.

        :raises LoginRefused: it is not the code. :raises TooManyTries: not looked at for now.
        """


class IHandoutLinks(Interface):
    """Addresses that show one person's hand-out without a login. Their secrets are stored as hashes only."""

    def make(user: str, by: str, *, hours: int, once: bool) -> Awaitable[tuple[str, HandoutLink]]:
        """A new link and its secret, which is shown once.

        :raises PeerFault: not that many hours. :raises PolicyRefusal: there are too many links.
        """

    def find(secret: str, peer: str) -> Awaitable[HandoutLink]:
        """The link of a secret, if it is valid now; guesses are slowed down like those at passwords.

        :raises PeerFault: 404, it is none, or over. :raises TooManyTries: not looked at for now.
        """

    def shows(link: HandoutLink, browser: str) -> bool:
        """Whether it may be shown to the browser with that secret; empty for one without."""

    def open(link: HandoutLink) -> Awaitable[str]:
        """Use a link up that is for once; the secret that the browser keeps it by for a while.

        :raises PeerFault: 404, another browser has it.
        """

    def of(user: str) -> Sequence[HandoutLink]:
        """Those of somebody that are valid now, newest first."""

    def revoke(link_id: str) -> Awaitable[None]:
        """Take one back. Idempotent."""


class IFirstRun(Interface):
    """What the first run asks of this computer; each step is kept when it is done."""

    def reached() -> Awaitable[str]:
        """The step that comes next; empty when it is over."""

    def reach(step: str) -> Awaitable[None]:
        """Go on to a step; empty = over."""

    def decided() -> Collection[str]:
        """Steps that the configuration file has settled; nobody is asked."""

    def survey() -> Awaitable[Mapping[str, object]]:
        """Names, addresses and ports of this computer, what is chosen, and what the file has declared; JSON values."""

    def listen(wishes: Mapping[str, object]) -> Awaitable[Sequence[str]]:
        """Take over names, ports and certificates, at once and for good; sentences that are worth saying.

        :param wishes: ``hostname``, ``kind`` (``authority``, ``own`` or ``plain``), ``pem`` or ``path`` of an own
            certificate, ``trusted`` networks, ``ports`` by service.
        :raises ConfigFault: something of it cannot be; then all is as it was before.
        """

    def restore(directory: str) -> Awaitable[None]:
        """Check a backup that lies on this computer, and start over with it; the answer comes before the start.

        :raises ConfigFault: there is none, or it is damaged; then all is as it was before.
        """

    def restore_packed(packed: BinaryIO) -> Awaitable[None]:
        """As :meth:`restore`, with a file that the manager has saved, at its beginning.

        :raises ConfigFault: it is no such file, is damaged, or has no room here; then all is as it was before.
        """

    def trouble() -> Awaitable[str]:
        """Why the last restore ended with the store of before; empty when it did not."""


class IHandouts(Interface):
    """What programs and people without a login are told: how to connect, and whom to trust."""

    def autoconfig(address: str) -> str:
        """Mozilla's XML for an address. :raises NoSuchUser: the provider answers for it."""

    def autodiscover(address: str) -> str:
        """The XML of Autodiscover for an address. :raises NoSuchUser: as above."""

    def form(login: str, form: str) -> tuple[bytes, str, str]:
        """Octets, media type and file name of one person's hand-out; profiles are signed where there is a key.

        :raises NoSuchUser: there is no such person. :raises MailshareError: the server lacks what the form needs.
        """

    def page(login: str) -> Mapping[str, object]:
        """What one person's page shows, as JSON values. Raises as :meth:`form`."""

    def authority(form: str) -> tuple[bytes, str, str]:
        """The certificate of the private authority: ``crt`` (DER), ``pem`` or ``mobileconfig``.

        :raises NoSuchUser: there is none.
        """

    def url() -> str:
        """Where people reach these pages from their desks, e.g. ``https://mail.lan:8443``; empty when they do not."""

    def names() -> Collection[str]:
        """Names that programs which look for settings call this server by, casefolded."""
