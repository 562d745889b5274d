"""The server's portal gives what Twisted's gives, whatever kind of answer checkers and realms have."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.credentials import Anonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import Interface

from mailshare.portal.portal import PromptPortal
from mailshare.shell.logins import PasswordLogin
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
