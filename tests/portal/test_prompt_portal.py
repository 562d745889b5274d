"""The server's portal gives what Twisted's gives, whatever kind of answer checkers and realms have."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.credentials import Anonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, ensureDeferred, fail, maybeDeferred, succeed
from zope.interface import Interface, implementer

from mailshare.core.errors import LoginRefused
from mailshare.portal.checkers import CheckerStack, way_to_ask
from mailshare.portal.portal import PromptPortal
from mailshare.shell.logins import PasswordLogin, way_in
from tests.portal.conftest import finish


class IThing(Interface):
    """What is asked for."""


async def _later(value: object) -> object:
    return value


def _no() -> object:
    raise UnauthorizedLogin


WAYS: dict[str, Any] = {
    "at once": lambda value: value,
    "a Deferred": succeed,
    "a coroutine": _later,
    "raised": lambda _: _no(),
    "a Deferred that failed": lambda _: fail(UnauthorizedLogin()),
}


class _Checker:
    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, way: str) -> None:
        self.way = way

    def requestAvatarId(self, credentials: PasswordLogin) -> object:
        return WAYS[self.way](credentials.username)


class _Realm:
    def __init__(self, way: str) -> None:
        self.way = way

    def requestAvatar(self, *asked: object) -> object:
        return WAYS[self.way](asked)


def _outcome(portal: type[Portal], checker: str, realm: str, credentials: Any) -> object:
    made = portal(_Realm(realm), [_Checker(checker)])  # type: ignore[arg-type, list-item]
    try:
        return finish(made.login(credentials, "mind", IThing))
    except (UnauthorizedLogin, UnhandledCredentials) as no:
        return type(no)


@pytest.mark.parametrize("realm", ["at once", "a Deferred", "raised", "a Deferred that failed"])
@pytest.mark.parametrize("checker", list(WAYS))
def test_as_the_portal_of_twisted(checker: str, realm: str) -> None:
    """The avatar, or the refusal; the realm is asked the same question."""
    login = PasswordLogin("greg", "x")
    assert _outcome(PromptPortal, checker, realm, login) == _outcome(Portal, checker, realm, login)
    assert _outcome(PromptPortal, "at once", "at once", login) == (b"greg", "mind", IThing)


@pytest.mark.parametrize("checker", list(WAYS))
def test_asked_by_a_session(checker: str) -> None:
    """The same without a Deferred; a portal that decides otherwise is asked by the name that it decides under."""
    portal = PromptPortal(_Realm("at once"), [_Checker(checker)])  # type: ignore[arg-type, list-item]
    login = PasswordLogin("greg", "x")
    expected = _outcome(Portal, checker, "at once", login)
    try:
        found: object = finish(ensureDeferred(way_in(portal)(login, "mind", IThing)))  # type: ignore[arg-type]
    except UnauthorizedLogin as no:
        found = type(no)
    assert found == expected
    with pytest.raises(UnhandledCredentials):
        finish(ensureDeferred(way_in(portal)(Anonymous(), "mind", IThing)))  # type: ignore[arg-type]


class _Stricter(PromptPortal):
    def login(self, *asked: object) -> Deferred[Any]:
        return fail(UnauthorizedLogin(asked))


class _StricterChecker(CheckerStack):
    def requestAvatarId(self, credentials: object) -> Deferred[Any]:
        return fail(UnauthorizedLogin(credentials))


def test_who_derives_from_ours_is_asked_too() -> None:
    """A portal and a checker that let nobody in, though what they derive from would."""
    ours: Any = [_Checker("at once")]
    assert way_in(PromptPortal(_Realm("at once"), ours)) != way_in(Portal(_Realm("at once"), ours))  # type: ignore[arg-type]
    stricter: list[Any] = [
        _Stricter(_Realm("at once"), ours),  # type: ignore[arg-type]
        PromptPortal(_Realm("at once"), [_StricterChecker(ours)]),  # type: ignore[arg-type]
        PromptPortal(_Realm("at once"), [CheckerStack([_StricterChecker(ours)])]),  # type: ignore[arg-type]
    ]
    for portal in stricter:
        with pytest.raises(UnauthorizedLogin):
            finish(maybeDeferred(way_in(portal), PasswordLogin("greg", "x"), "mind", IThing))


@implementer(IUsernamePassword)
class _Foreign:
    username = b"greg"


@pytest.mark.parametrize("login", [PasswordLogin("greg", "x"), _Foreign()], ids=["ours", "foreign"])
def test_a_stack_asks_those_who_take_such_a_login(login: Any) -> None:
    """Whether it is a login of ours, of which that is known before, or of another class."""
    stack = CheckerStack([AllowAnonymousAccess(), _Checker("at once")])  # type: ignore[list-item]
    for ask in (way_to_ask(stack), stack.requestAvatarId):
        assert finish(maybeDeferred(ask, login)) == b"greg"
    nobody = CheckerStack([AllowAnonymousAccess()])
    with pytest.raises(LoginRefused):
        finish(maybeDeferred(way_to_ask(nobody), login))


def test_nobody_checks_such_credentials() -> None:
    """The same refusal."""
    assert _outcome(PromptPortal, "at once", "at once", Anonymous()) is UnhandledCredentials


def test_a_checker_may_take_its_time() -> None:
    """Nothing comes before it has answered."""
    waiting: Deferred[bytes] = Deferred()
    checker = _Checker("at once")
    checker.requestAvatarId = lambda credentials: waiting  # type: ignore[method-assign]
    came: list[object] = []
    PromptPortal(_Realm("at once"), [checker]).login(  # type: ignore[arg-type, list-item]
        PasswordLogin("greg", "x"), None, IThing
    ).addCallback(came.append)
    assert not came
    waiting.callback(b"greg")
    assert came == [(b"greg", None, IThing)]
