"""What the realm gives to whom."""

from __future__ import annotations

import pytest
from attrs import evolve
from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm, Portal
from twisted.internet.task import Clock
from zope.interface import Interface
from zope.interface.verify import verifyObject

from mailshare.core.errors import LocalFault, LoginRefused, MailboxInUse
from mailshare.core.values import User
from mailshare.interfaces import IAvatarAuthor, IMailboxOpener, ISubmitter
from mailshare.portal.checkers import DirectoryChecker
from mailshare.portal.realm import MailRealm, mail_avatars
from mailshare.portal.throttle import Throttle
from mailshare.portal.verified import VerifiedCache
from mailshare.shell.logins import PasswordLogin
from mailshare.store.memory import MemoryStore
from tests.portal.conftest import CountedPasswords, finish


class IOther(Interface):
    """Something this realm has not."""


@pytest.fixture
def realm(store: MemoryStore) -> MailRealm:
    """A realm whose submitters are told apart by their user."""
    return MailRealm(store.directory, mail_avatars(store.mailboxes, lambda user: ("submitter", user)))  # type: ignore[arg-type, return-value]


def test_a_portal_gives_a_mailbox(
    store: MemoryStore, realm: MailRealm, greg: User, passwords: CountedPasswords, clock: Clock
) -> None:
    """Through twisted.cred's own Portal: log in, open, and nobody else opens meanwhile."""
    verifyObject(IRealm, realm)
    checker = DirectoryChecker(store.directory, passwords, Throttle(), VerifiedCache(b"k" * 32), clock)
    portal = Portal(realm, [checker])
    interface, avatar, _ = finish(portal.login(PasswordLogin("greg", "correct"), None, IOther, IMailboxOpener))
    assert interface is IMailboxOpener
    verifyObject(IMailboxOpener, avatar)
    assert IAvatarAuthor.providedBy(avatar)
    assert avatar.user_id == greg.id
    drop = finish(avatar.open("192.0.2.1"))
    assert drop.count == 0
    with pytest.raises(MailboxInUse):
        finish(avatar.open("192.0.2.2"))
    drop.release()


def test_nobody_may_hand_in_but_not_read(realm: MailRealm) -> None:
    """Anonymous gets a submitter of no user, and no mailbox."""
    interface, avatar, logout = realm.requestAvatar(ANONYMOUS, None, ISubmitter)
    assert interface is ISubmitter
    assert avatar == ("submitter", None)
    logout()
    with pytest.raises(LoginRefused):
        realm.requestAvatar(ANONYMOUS, None, IMailboxOpener)


def test_users_who_may_not(store: MemoryStore, realm: MailRealm, greg: User) -> None:
    """Gone, switched off, and PUBLIC."""
    finish(store.directory.change_user(evolve(greg, enabled=False)))
    for name in (b"greg", b"nobody", b"public1", b"\xff"):
        with pytest.raises(LoginRefused):
            realm.requestAvatar(name, None, IMailboxOpener)


def test_unknown_interface(realm: MailRealm, greg: User) -> None:
    """Something else than mail is a mistake of the program that asks."""
    with pytest.raises(LocalFault):
        realm.requestAvatar(b"greg", None, IOther)
