"""The realm: what somebody gets who has logged in, by the interface that the session asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from zope.interface import Interface, implementer

from mailshare.core.errors import LocalFault, LoginRefused
from mailshare.core.values import User, UserKind
from mailshare.interfaces import IAvatarAuthor, IDirectoryStore, IMailboxes, IMailboxOpener, IMaildrop, ISubmitter

AvatarFactory = Callable[[User | None], object]
Avatar = tuple[type[Interface], object, Callable[[], None]]


@implementer(IMailboxOpener, IAvatarAuthor)
class LocalMailbox:
    """A local user's mailbox, to be locked by one session at a time."""

    def __init__(self, user: User, mailboxes: IMailboxes) -> None:
        self.user_id: int | None = user.id
        self.name = user.name
        self._mailboxes = mailboxes
        self._id = user.id

    async def open(self, owner: str) -> IMaildrop:
        """Lock the maildrop.

        :raises MailboxInUse: another session has it.
        """
        return await self._mailboxes.lock_maildrop(self._id, owner)


@implementer(IRealm)
class MailRealm:
    """Gives avatars of the directory's users.

    :param avatars: by interface, what makes the avatar; sessions ask for :class:`IMailboxOpener` and
        :class:`ISubmitter`, the web manager for interfaces of its own. The factory is given ``None`` for nobody.
    :param for_nobody: interfaces that somebody without a login may have.
    """

    def __init__(
        self,
        directory: IDirectoryStore,
        avatars: Mapping[type[Interface], AvatarFactory],
        for_nobody: frozenset[type[Interface]] = frozenset({ISubmitter}),
    ) -> None:
        self._directory = directory
        self._avatars = dict(avatars)
        self._for_nobody = for_nobody

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> Avatar:
        """The avatar for the first interface that this realm has.

        :raises LoginRefused: the user is gone or switched off, or nobody may have such an avatar.
        :raises LocalFault: none of the interfaces is known here.
        """
        del mind
        for interface in interfaces:
            factory = self._avatars.get(interface)
            if factory is None:
                continue
            if avatarId == ANONYMOUS:
                if interface not in self._for_nobody:
                    raise LoginRefused
                return interface, factory(None), _nothing
            return interface, factory(self._user(avatarId)), _nothing
        raise LocalFault("This server has nothing of the kind that was asked for")

    def _user(self, avatar_id: bytes | tuple[()]) -> User:
        name = avatar_id.decode("utf-8", "replace") if isinstance(avatar_id, bytes) else ""
        user = self._directory.current().user_by_name.get(name.casefold())
        if user is None or not user.enabled or user.kind is UserKind.PUBLIC:
            raise LoginRefused
        return user


def _nothing() -> None:
    """Logging out of mail leaves nothing to be put away: the session releases its maildrop itself."""


def mail_avatars(
    mailboxes: IMailboxes, submitter: Callable[[User | None], ISubmitter]
) -> Mapping[type[Interface], AvatarFactory]:
    """The avatars of the mail servers, for :class:`MailRealm`.

    :param submitter: makes the SMTP avatar of a user or of nobody.
    """

    def opener(user: User | None) -> LocalMailbox:
        assert user is not None
        return LocalMailbox(user, mailboxes)

    return {IMailboxOpener: opener, ISubmitter: submitter}
