"""Where mail of local senders goes: one rule, asked at RCPT TO and again when the message is routed.

A colleague's mailbox, a name to be found in the header, the outside, or nowhere.
"""

from __future__ import annotations

import ipaddress

from attrs import frozen

from mailshare.core.address import Address
from mailshare.core.derived import derived
from mailshare.core.mailboxes import split_address
from mailshare.core.people import People, Sharers, people_of
from mailshare.core.printer_places import Printed, printer_at
from mailshare.core.values import Directory, User, UserKind


@frozen
class Local:
    """Local mailboxes, by user id; PUBLICn stands for everybody of its account.

    :ivar account_id: the account whose address was used, ``None`` for a bare name.
    """

    user_ids: tuple[int, ...]
    account_id: int | None = None
    reason: str = "local"


@frozen
class Named:
    """The shared address itself: the names in the header decide, after DATA."""

    account_id: int


@frozen
class Outside:
    """Not ours: the provider's server carries it."""


@frozen
class Unknown:
    """Nobody.

    :ivar reason: ``unknown-user``, ``former-user``, ``old-form`` or ``local-only``.
    :ivar public: what the sender may read.
    """

    reason: str = "unknown-user"
    public: str = "No mailbox here by that name"


Resolution = Local | Named | Printed | Outside | Unknown

_FORMER = Unknown("former-user", "That mailbox is closed")
_OLD_FORM = Unknown("old-form", "This form of address is accepted from the local network only")
_LOCAL_ONLY = Unknown("local-only", "You may write to people of this office only")
_NO_ACCOUNT = Unknown("no-account", "You share no account that could send this")
_MOST_KNOWN = 2_000  # answers that are remembered
_LAN_NAMES = frozenset({"localhost", "localhost.localdomain"})
_LAN = (  # loopback, private and link-local: RFC 1122, 1918, 3927, 4193, 4291
    *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
    *("::1/128", "fc00::/7", "fe80::/10"),
)
_OF_THE_LAN = tuple(ipaddress.ip_network(text) for text in _LAN)


def old_form(text: str) -> Address | None:
    """Read ``greg@mail@company.example``, which is no address by RFC 5321, as the quoted form that is one.

    Offer it only to clients of trusted networks. ``None`` when it is anything else.
    """
    if text.count("@") != 2 or '"' in text or any(c.isspace() or not c.isprintable() or c in "<>(),;:\\" for c in text):
        return None
    name, box, domain = text.split("@")
    address = split_address(f"{name}@{box}@{domain}") if name and box and domain else None
    return address if address is not None and len(text) <= 320 else None


def resolve_recipient(
    address: Address, *, sender_user: User | None, directory: Directory, trusted: bool
) -> Resolution:
    """Where mail to this recipient goes.

    :param sender_user: who logged in; ``None`` for a device or anybody else who did not.
    :param trusted: the client is in a configured network.
    :returns: :class:`Local`, :class:`Named`, :class:`Printed`, :class:`Outside` or :class:`Unknown`. Who may send to
        :class:`Outside` at all is the caller's rule; somebody flagged local-only gets :class:`Unknown` here.
    """
    if sender_user is not None and directory.user_by_id.get(sender_user.id) is not sender_user:
        return _resolve(address, sender_user, directory, trusted=trusted)
    known = _known(directory)
    key = (address.local, address.domain, sender_user.id if sender_user is not None else 0, trusted)
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST_KNOWN:
            known.clear()
        found = known[key] = _resolve(address, sender_user, directory, trusted=trusted)
    return found


@derived
def _known(_: Directory) -> dict[tuple[str, str, int, bool], Resolution]:
    """What was asked about a directory before: each recipient is looked up at RCPT and when the message is routed."""
    return {}


def _resolve(address: Address, sender_user: User | None, directory: Directory, *, trusted: bool) -> Resolution:
    printed = printer_at(address, directory)
    if printed is not None:
        return printed
    people = people_of(directory)
    domain = address.key[1]
    if not domain:
        return _bare(address.local, sender_user, directory, people)
    sharers, tag = people.regular_account(address)
    if sharers is not None:
        user_id = sharers.by_tag(tag) if tag else 0
        if tag and not user_id and sharers.leavers.had_local_part(tag):
            return _left(sharers, directory)
        return _local(user_id, sharers, directory) if user_id else Named(sharers.account.id)
    if "@" in address.local:
        return _old(address, directory, people, trusted=trusted)
    in_domain = people.domain_account(domain)
    if in_domain is not None:
        found = _own_domain(address, in_domain, directory)
        if not isinstance(found, Outside):
            return found
    elif domain == directory.hostname.casefold().rstrip(".") or _of_the_lan(domain):
        return _bare(address.local, sender_user, directory, people)
    if sender_user is not None and sender_user.local_only:
        return _LOCAL_ONLY
    if sender_user is not None and not sender_user.accounts:
        return _NO_ACCOUNT
    return Outside()


def _of_the_lan(domain: str) -> bool:
    """It names this machine or one beside it, by name or by IP address, with or without the brackets of a literal.

    No provider could deliver there, and old mail programs know this server by its address only.
    """
    if domain in _LAN_NAMES:
        return True
    text = domain.strip("[]").removeprefix("ipv6:")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in _OF_THE_LAN)


def _local(user_id: int, sharers: Sharers | None, directory: Directory, reason: str = "local") -> Resolution:
    user = directory.user_by_id.get(user_id)
    if user is None:
        return Unknown()
    return Local((user_id,), sharers.account.id if sharers else None, reason) if user.enabled else _FORMER


def _bare(name: str, sender: User | None, directory: Directory, people: People) -> Resolution:
    """A local name: a login, a one-word alias, ``admin`` and ``public`` with or without number."""
    key = name.casefold()
    user = directory.user_by_name.get(key)
    if user is None and key in {UserKind.ADMIN.value, UserKind.PUBLIC.value, "postmaster"}:
        kind = "public" if key == UserKind.PUBLIC.value else "admin"
        number = 1
        for account_id in sender.accounts if sender else ():
            if account_id in directory.account_by_id:
                number = directory.account_by_id[account_id].number
                break
        user = directory.user_by_name.get(f"{kind}{number}")
    user_id = user.id if user is not None else people.alias(name)
    if not user_id and "+" in name:
        user_id = _login(name.partition("+")[0], directory)
    gone = None if user_id else people.former_home(name)
    if gone is not None:
        return _left(gone, directory)
    return _local(user_id, _home(user_id, directory, people), directory)


def _left(sharers: Sharers, directory: Directory) -> Resolution:
    """It was the name of somebody who was deleted lately: ADMIN of the account gets the mail."""
    admin = directory.user_by_name.get(sharers.account.admin)
    return Local((admin.id,), sharers.account.id, "former-user") if admin is not None else _FORMER


def _login(name: str, directory: Directory) -> int:
    user = directory.user_by_name.get(name.casefold())
    return user.id if user is not None else 0


def _home(user_id: int, directory: Directory, people: People) -> Sharers | None:
    """The account a local user belongs to first; ADMINn and PUBLICn belong to account n."""
    user = directory.user_by_id.get(user_id)
    if user is None:
        return None
    for sharers in people.sharers.values():
        if user.name.casefold() in {sharers.account.admin, sharers.account.public}:
            return sharers
    return next((people.sharers[a] for a in user.accounts if a in people.sharers), None)


def _old(address: Address, directory: Directory, people: People, *, trusted: bool) -> Resolution:
    """``greg@mail`` at company.example: the spelling of old times."""
    name, _, box = address.local.partition("@")
    sharers, _ = people.regular_account(Address(box, address.domain)) if box else (None, "")
    if sharers is None:
        return Unknown()
    return _local(sharers.by_tag(name), sharers, directory, "old-form") if trusted else _OLD_FORM


def _own_domain(address: Address, sharers: Sharers, directory: Directory) -> Resolution:
    user_id, _ = sharers.by_address(address)
    admin = directory.user_by_name.get(sharers.account.admin)
    if not user_id and (address.key in sharers.box_names or address.key[0] == "postmaster") and admin:
        return Local((admin.id,), sharers.account.id)
    if user_id:
        return _local(user_id, sharers, directory)
    if sharers.leavers.had_local_part(address.local, sharers.account.tag_delimiter):
        return _left(sharers, directory)
    if sharers.options.unknown == "upstream":
        return Outside()
    if sharers.options.unknown == "admin" and admin:
        return Local((admin.id,), sharers.account.id, "unknown-user")
    return Unknown()
