"""How somebody connects to this office, read off its configuration, its certificates and its directory."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence

from mailshare.assembly.shown_certificates import Chain, shown_certificate, signer, this_computer_trusts
from mailshare.config import Config, Listener
from mailshare.config.endpoint_strings import port_of, split_endpoint
from mailshare.core.address import Address
from mailshare.core.errors import NoSuchUser, PeerFault
from mailshare.core.identity import name_that_returns
from mailshare.core.people import people_of, usable_addresses
from mailshare.core.values import Account, AccountMode, Directory, User, UserKind
from mailshare.web.handout import Door, Handout, Identity, cautions, domain_autoconfig, page, render, signed

_FOR_PEOPLE = frozenset({"pop3", "pop3s", "smtp", "submission", "submissions"})  # others are for machines and browsers
_FIRST_PLAIN = {"tcp": 1, "tcp6": 1, "ssl": 1, "tls": 2}  # where the port stands when it is not named


def describe(
    config: Config, directory: Directory, name: str, trusted: Callable[[Chain], bool] | None = None
) -> Handout:
    """How a user connects.

    :param name: login.
    :param trusted: whether clients trust a chain out of the box; by default whether this computer does.
    :raises NoSuchUser: there is none by that name.
    :raises PeerFault: it is PUBLIC, which stands for everybody and logs in nowhere.
    :raises ConfigFault: a certificate cannot be read.
    """
    user = directory.user_by_name.get(name.casefold())
    if user is None:
        raise NoSuchUser(f"There is no user {name!a}")
    if user.kind not in {UserKind.PERSON, UserKind.ADMIN}:
        raise PeerFault(f"{user.name} stands for others and has no mailbox to connect to", code=400)
    doors, unknown = connections_of(config)
    shared = _accounts(user, directory)
    identities = [_identity(user, account, directory) for account in shared]
    sharers = people_of(directory).sharers[shared[0].id] if shared else None
    full = next((one for one in user.names if "@" not in one), "")
    return Handout(
        hostname=config.tables.server.hostname,
        login=user.name,
        display_name=name_that_returns(user, sharers) if sharers else full or user.name,
        identities=tuple(identities) or (_in_house(user, config.tables.server.hostname),),
        doors=doors,
        certificate=shown_certificate(config, trusted or this_computer_trusts),
        enabled=user.enabled,
        unknown=unknown,
    )


def served_autoconfig(config: Config, directory: Directory, address: str) -> str:
    """What a mail program is told that asks this server for the settings of an address.

    :raises NoSuchUser: the address lies in no domain whose local parts are logins here: the provider answers for it.
    :raises ConfigFault: no listener can be told of.
    """
    domain = address.rpartition("@")[2].casefold().rstrip(".")
    if domain not in answered_domains(config, directory):
        raise NoSuchUser("This server answers for no such domain")
    doors, _ = connections_of(config)
    return domain_autoconfig(domain, [door for door in doors if not door.near] or doors)


def answered_domains(config: Config, directory: Directory) -> frozenset[str]:
    """Domains whose local parts are logins here, casefolded: the server's own, and those of catch-alls."""
    hostname = config.tables.server.hostname.casefold()
    ours = {hostname, hostname.partition(".")[2]} - {""}
    for account in directory.accounts:
        if account.mode is AccountMode.DOMAIN:
            ours.update(account.domains)
    return frozenset(ours)


def hand_out(
    config: Config, directory: Directory, name: str, form: str, *, authority: str = "", sign: bool = False
) -> Mapping[str, object]:
    """One form for one user, as JSON values.

    :returns: ``user``, ``format``, ``media_type``, ``file_name``, ``cautions``, and ``text``; ``base64`` in place of
        ``text`` when signed; ``page`` beside it in the form ``page``.
    :raises PeerFault: no such form, or it cannot hold what this user is called.
    :raises ConfigFault: the server lacks what the form needs.
    """
    handout = describe(config, directory, name)
    made = render(handout, form, authority=authority)
    answer: dict[str, object] = {
        "user": handout.login,
        "format": form,
        "media_type": made.media_type,
        "file_name": made.file_name,
        "cautions": [{"code": one.code, "text": one.text} for one in cautions(handout)],
    }
    if sign:
        if form != "mobileconfig":
            raise PeerFault(f"Only the form mobileconfig can be signed, not {form}", code=400)
        return {**answer, "base64": base64.b64encode(signed(made.text, signer(config))).decode("ascii")}
    if form == "page":
        answer["page"] = page(handout)
    return {**answer, "text": made.text}


# --------------------------------------------------------------------------- addresses


def _accounts(user: User, directory: Directory) -> list[Account]:
    """The accounts that somebody writes from; ADMINn belongs to account n."""
    own = [directory.account_by_id[one] for one in user.accounts if one in directory.account_by_id]
    return own or [account for account in directory.accounts if account.admin == user.name.casefold()]


def _identity(user: User, account: Account, directory: Directory) -> Identity:
    usable = usable_addresses(user, account, directory)
    if account.mode is AccountMode.DOMAIN:
        domain = account.domains[0] if account.domains else account.address.domain
        return Identity(Address.parse(usable[0]) if usable else Address(user.name, domain), usable)
    return Identity(account.address, usable)


def _in_house(user: User, hostname: str) -> Identity:
    """Somebody without account can be written to by colleagues."""
    address = Address(user.name, hostname)
    return Identity(address, (str(address),))


# --------------------------------------------------------------------------- listeners


def connections_of(config: Config) -> tuple[tuple[Door, ...], tuple[str, ...]]:
    """What can be told of each listener, and the endpoints of those that nothing can be told of."""
    doors, unknown = [], []
    for listener in config.listeners:
        if listener.service not in _FOR_PEOPLE:
            continue
        door = _door(listener, config)
        if door is None:
            unknown.append(listener.endpoint)
        else:
            doors.append(door)
    return tuple(doors), tuple(unknown)


def _door(listener: Listener, config: Config) -> Door | None:
    parts = split_endpoint(listener.endpoint)
    if parts[0] not in _FIRST_PLAIN:  # a socket of systemd's, a path, or a proxy in front that has a port of its own
        return None
    port = port_of(listener.endpoint)
    if not port:
        return None
    if parts[0] in ("tls", "ssl"):
        tls = "implicit"
    else:
        tls = "starttls" if config.certificates and not listener.service.endswith("s") else "none"
    near = is_near(_interface(parts))
    return Door(
        protocol="pop3" if listener.service.startswith("pop3") else "smtp",
        host="localhost" if near else config.tables.server.hostname,
        port=port,
        tls=tls,
        near=near,
    )


def _interface(parts: Sequence[str]) -> str:
    named = dict(part.split("=", 1) for part in parts[1:] if "=" in part)
    plain = [part for part in parts[1:] if "=" not in part]
    place = _FIRST_PLAIN[parts[0]]
    found = named.get("interface", plain[place] if parts[0] == "tcp" and len(plain) > place else "")
    return re.sub(r"\\(.)", r"\1", found)


def is_near(interface: str) -> bool:
    """Whether an address is reached from this computer only."""
    try:
        return ipaddress.ip_address(interface).is_loopback
    except ValueError:
        return interface == "localhost"
