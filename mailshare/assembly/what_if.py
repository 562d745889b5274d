"""The directory as it would be after a change, without making the change."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from attrs import evolve

from mailshare.config import Config, DeclaredUser
from mailshare.core.errors import NoSuchUser, PeerFault
from mailshare.core.values import Account, Directory, SenderRule, User, UserKind


def with_file(directory: Directory, config: Config) -> Directory:
    """As if this file were read: what it declares wins; what it no longer declares is disabled."""
    numbers = itertools.count(max(0, *directory.account_by_id, *directory.user_by_id) + 1)
    users = list(directory.users)
    accounts = {one.address.key: _undeclared(one) for one in directory.accounts}
    for declared in config.accounts:
        wanted = declared.account
        old = accounts.get(wanted.address.key)
        if old is not None:
            accounts[wanted.address.key] = evolve(wanted, id=old.id, number=old.number, found=old.found)
            continue
        made = evolve(wanted, id=next(numbers), number=max((one.number for one in accounts.values()), default=0) + 1)
        accounts[wanted.address.key] = made
        users += [
            User(next(numbers), f"{kind.value}{made.number}", kind, accounts=(made.id,))
            for kind in (UserKind.ADMIN, UserKind.PUBLIC)
        ]
    by_address = {str(one.address).casefold(): one.id for one in accounts.values()}
    people = {user.name: _undeclared_user(user) for user in users}
    for one in config.users:
        people[one.name] = _person(one, people.get(one.name) or User(next(numbers), one.name), by_address)
    ids = {user.name: user.id for user in people.values()}
    for one in config.users:
        people[one.name] = evolve(people[one.name], cc=tuple(ids[name] for name in one.cc if name in ids))
    changed = evolve(directory, users=tuple(people.values()), accounts=tuple(accounts.values()))
    return _with_rules(changed, config, by_address, ids)


def _undeclared(account: Account) -> Account:
    return evolve(account, enabled=False) if account.managed_by else account


def _undeclared_user(user: User) -> User:
    return evolve(user, enabled=False) if user.managed_by and user.kind is UserKind.PERSON else user


def _person(declared: DeclaredUser, user: User, by_address: Mapping[str, int]) -> User:
    return evolve(
        user,
        enabled=declared.enabled,
        names=declared.names,
        accounts=tuple(by_address[address] for address in declared.accounts if address in by_address),
        local_only=declared.local_only,
        managed_by=declared.managed_by,
    )


def _with_rules(
    directory: Directory, config: Config, by_address: Mapping[str, int], ids: Mapping[str, int]
) -> Directory:
    rules = {(one.account_id, one.kind, one.match): one for one in directory.rules}
    for declared in config.rules:
        account = by_address.get(declared.account.casefold())
        users = tuple(ids[name.casefold()] for name in declared.users if name.casefold() in ids)
        if account is not None and users:
            rule = SenderRule(account, declared.kind, declared.match.casefold(), users)
            rules[rule.account_id, rule.kind, rule.match] = rule
    return evolve(directory, rules=tuple(rules.values()))


def with_aliases(directory: Directory, aliases: Sequence[str]) -> Directory:
    """As if users had further names.

    :param aliases: ``login=Name`` each.
    :raises PeerFault: one is not of that form; NoSuchUser: nobody has that login.
    """
    more: dict[int, list[str]] = {}
    for text in aliases:
        login, equals, name = text.partition("=")
        if not equals or not name.strip():
            raise PeerFault(f"{text!r} is not a login and a name; write greg=Gregory Jones", code=400)
        user = directory.user_by_name.get(login.strip().casefold())
        if user is None:
            raise NoSuchUser(f"There is no user {login}")
        more.setdefault(user.id, []).append(name.strip())
    users = tuple(evolve(user, names=(*user.names, *more.get(user.id, ()))) for user in directory.users)
    return evolve(directory, users=users)
