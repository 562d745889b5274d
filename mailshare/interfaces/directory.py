"""Users, accounts, rules and settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from zope.interface import Interface

from mailshare.core.values import Account, Directory, Event, PrinterPlace, SenderRule, User


class IDirectoryStore(Interface):
    """Users, accounts and rules: read as one frozen value, changed by calls that persist first."""

    def current() -> Directory:
        """The directory now. Cheap; a new value after each change."""

    def watch(changed: Callable[[Directory], None]) -> Callable[[], None]:
        """Be told of each new directory; the result ends that."""

    def declare_printers(printers: Sequence[PrinterPlace]) -> None:
        """Have the directory know the printers of the configuration, in place of those of before.

        They are not stored: who starts a server declares them.
        """

    def add_user(user: User, *, password_hash: str = "", scram: str = "", declared: bool = False) -> Awaitable[User]:
        """Make a user and its mailbox. ``user.id`` is ignored.

        :raises PolicyRefusal: the name is taken or reserved (``adminN``, ``publicN``).
        """

    def change_user(
        user: User, *, password_hash: str | None = None, scram: str | None = None, declared: bool = False
    ) -> Awaitable[User]:
        """Replace what is stored of ``user.id``; ``None`` leaves a credential as it is.

        :raises Declared: the user is declared in the configuration file, unless ``declared``.
        """

    def set_users(
        added: Sequence[tuple[User, str, str]], changed: Sequence[tuple[User, str | None, str | None]]
    ) -> Awaitable[None]:
        """Make and change several, all or none; each with its password's hash and its SCRAM verifier.

        New ones are told apart by negative ids, which may stand in the copies of all.

        :raises PolicyRefusal, Declared: as for one.
        """

    def delete_user(user_id: int, *, declared: bool = False) -> Awaitable[None]:
        """Take a user away; the mailbox and its mail stay 30 days, cc references go at once.

        :raises PolicyRefusal: ADMINn and PUBLICn live with their account.
        """

    def restore_user(name: str, user_id: int = 0) -> Awaitable[User]:
        """Bring back the user of that login who was deleted within the last 30 days, with mail, passwords and id.

        :param user_id: of several who had the login, this one; 0 = who was deleted last.
        :raises NoSuchUser: there is none. :raises PolicyRefusal: somebody else has the name by now.
        """

    def add_account(account: Account, *, secret: str = "", declared: bool = False) -> Awaitable[Account]:
        """Make an account with its ADMINn and PUBLICn. ``id`` and ``number`` are ignored.

        :param secret: reference as in the configuration (JSON), or a sealed password.
        """

    def change_account(account: Account, *, secret: str | None = None, declared: bool = False) -> Awaitable[Account]:
        """Replace what is stored of ``account.id``.

        :raises Declared: as for users.
        """

    def delete_account(account_id: int, *, declared: bool = False) -> Awaitable[None]:
        """Take an account away with its ADMINn and PUBLICn; refused while mail of it waits in the outbox."""

    def teach(rule: SenderRule, events: Sequence[Event] = ()) -> Awaitable[None]:
        """Keep a sorting rule in place of the one with the same account, kind and match; without users forget it.

        :param events: written in the same transaction, so that no rule appears or goes in silence.
        """

    def learn(account_id: int, found: Mapping[str, object], events: Sequence[Event] = ()) -> Awaitable[None]:
        """Keep what was found out about an account's provider (:attr:`Account.found`) in place of what was known."""

    def credentials(name: str, *, disabled: bool = False) -> Awaitable[tuple[User, str, str] | None]:
        """``(user, argon2 hash, SCRAM verifier)`` of an enabled login, or ``None``.

        :param disabled: also of a disabled one; for what writes the store down, never for a login.

        The verifier is ``SCRAM-SHA-256$iterations:salt$stored:server`` with base64 parts, or empty.
        """

    def secret(account_id: int) -> Awaitable[str]:
        """The account's stored secret reference, or empty."""


class ISettings(Interface):
    """What the manager edits and is neither user nor account."""

    def get(scope: str, name: str) -> Awaitable[tuple[object, int] | None]:
        """(value, version), JSON values."""

    def put(scope: str, name: str, value: object, version: int | None = None) -> Awaitable[int]:
        """Write; with a version only when it is still that one.

        :raises PolicyRefusal: somebody else changed it meanwhile.
        """

    def all(scope: str) -> Awaitable[Mapping[str, object]]:
        """Every setting of a scope."""
