"""Whose address is it: look-ups over a directory, built once for each directory and kept as long as it lives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from mailshare.core.address import Address
from mailshare.core.derived import derived
from mailshare.core.names import NameIndex, normalise, without_accents
from mailshare.core.sorting_options import SortingOptions
from mailshare.core.values import Account, AccountMode, Directory, SenderRule, User, UserKind

_MAX_LOCAL = 500


def _add(table: dict[str, set[int]], key: str, user_id: int) -> None:
    if key:
        table.setdefault(key, set()).add(user_id)


@frozen
class Leavers:
    """Who was deleted lately: their names still say that the mail was for somebody who has left.

    They are asked only where nobody of today is meant for sure, so that a successor of the same name gets his mail.
    """

    names: NameIndex
    ids: frozenset[int] = frozenset()
    _locals: frozenset[str] = frozenset()

    @classmethod
    def build(cls, account: Account, directory: Directory) -> Leavers:
        """Those who shared this account."""
        gone = [one for one in directory.former if account.id in one.accounts]
        users = [User(one.id, one.name, names=one.names, accounts=(account.id,)) for one in gone]
        words = {form for one in gone for form in _spellings(one.name, *one.names)}
        return cls(NameIndex.build(account, users), frozenset(one.id for one in gone), frozenset(words))

    def had_local_part(self, local: str, delimiter: str = "+") -> bool:
        """It was one of theirs, with or without a tag behind it."""
        text = normalise(local[:_MAX_LOCAL])
        return text in self._locals or (bool(delimiter) and text.partition(delimiter)[0] in self._locals)

    def had_name(self, name: str) -> bool:
        """It was the whole name of one of them, in whatever order and with or without accents."""
        return self.names.match(name).level in {"L1", "L2", "L3"}


def _spellings(*names: str) -> Iterator[str]:
    """How names are spelled in local parts: as they are, without accents, with dots for blanks."""
    for name in names:
        text = normalise(name.partition("@")[0])
        yield from (text, without_accents(text), without_accents(text).replace(" ", "."))


@frozen
class Sharers:
    """Those who share one account, indexed by what they may be called.

    :ivar options: the account's sorting settings.
    :ivar names: display names.
    :ivar meant: own addresses that envelope addresses stand for, as far as somebody worked it out: they come again and
        again.
    :ivar strangers: From fields that were found to pretend nothing, whatever else is in their header.
    """

    account: Account
    options: SortingOptions
    names: NameIndex
    public_members: tuple[int, ...] = ()
    leavers: Leavers = field(factory=lambda: Leavers(NameIndex()))
    _locals: dict[str, set[int]] = field(factory=dict, repr=False)
    _later: dict[str, set[int]] = field(factory=dict, repr=False)
    _addresses: dict[tuple[str, str], set[int]] = field(factory=dict, repr=False)
    _dotless: dict[str, set[int]] = field(factory=dict, repr=False)
    meant: dict[Address, Address | None] = field(factory=dict, repr=False, eq=False)
    strangers: set[bytes] = field(factory=set, repr=False, eq=False)

    @classmethod
    def build(cls, account: Account, directory: Directory) -> Sharers:
        """Index an account's people."""
        options = SortingOptions.of(account)
        everybody = [u for u in directory.members(account.id) if u.enabled]
        if options.public_to_admin and account.admin in directory.user_by_name:
            everybody.append(directory.user_by_name[account.admin])
        names = NameIndex.build(account, directory.users, options.ignore_names)
        made = cls(account, options, names, tuple(u.id for u in everybody), Leavers.build(account, directory))
        for user in directory.users:
            if user.kind in {UserKind.ADMIN, UserKind.PUBLIC}:
                if user.name.casefold() in {account.admin, account.public}:
                    _add(made._locals, user.name.casefold(), user.id)
                    _add(made._later, user.kind.value, user.id)
            elif account.id in user.accounts:
                made._put(user)
        return made

    def _put(self, user: User) -> None:
        """A login is exact; aliases come later; full names are spelled with dots; an alias may be a whole address."""
        _add(self._locals, user.name.casefold(), user.id)
        _add(self._dotless, user.name.casefold().replace(".", ""), user.id)
        for name in user.names:
            if "@" in name:
                local, _, domain = name.casefold().rpartition("@")
                self._addresses.setdefault((local, domain), set()).add(user.id)
                continue
            text = normalise(name)
            for form in {text, without_accents(text), without_accents(text).replace(" ", ".")}:
                _add(self._later, form, user.id)
                _add(self._dotless, form.replace(".", ""), user.id)

    def by_local_part(self, local: str) -> tuple[int, str]:
        """Whose local part it is: login, then alias, then the part before the tag, then without dots.

        :returns: user id and how it was found; 0 when nobody's or more than one user's.
        """
        text = normalise(local[:_MAX_LOCAL])
        head = text.partition(self.account.tag_delimiter)[0] if self.account.tag_delimiter else text
        ways = [(self._locals, text, "user"), (self._later, text, "alias")]
        if head != text:
            ways += [(self._locals, head, "user+tag"), (self._later, head, "alias+tag")]
        if self.options.dot_insensitive:
            ways.append((self._dotless, head.replace(".", ""), "dots"))
        for table, key, how in ways:
            found = table.get(key, ())
            if found:
                return (next(iter(found)), how) if len(found) == 1 else (0, "")
        return 0, ""

    def by_address(self, address: Address) -> tuple[int, str]:
        """Whose address in an own domain it is: a login before an alias.

        In the first domain, the one that mail leaves under, ``login@domain`` is the user's very address. In a further
        domain an alias that is a whole address is the more exact of the two: ``info@two.example`` may be somebody else
        than ``info``.
        """
        owner = self._locals.get(normalise(address.local[:_MAX_LOCAL]), set())
        if len(owner) == 1 and address.key[1] in self.account.domains[:1]:
            return next(iter(owner)), "user"
        found = self._addresses.get(address.key, set())
        return (next(iter(found)), "alias") if len(found) == 1 else self.by_local_part(address.local)

    def by_tag(self, tag: str) -> int:
        """Who is meant by the tag of ``mail+tag@``; 0 when nobody or more than one."""
        text = normalise(tag[:_MAX_LOCAL])
        if not text:
            return 0
        for table, key in ((self._locals, text), (self._later, text), (self._later, without_accents(text))):
            found = table.get(key, ())
            if found:
                return next(iter(found)) if len(found) == 1 else 0
        return 0

    def own_address(self, address: Address) -> tuple[bool, str]:
        """Is it the account's address or an alias of it, and with which tag.

        Compared casefolded on both sides; the tag is what follows the delimiter, empty without one.
        """
        for own in (self.account.address, *self.account.aliases):
            if own.key == address.key:
                return True, ""
            local, domain = address.key
            start = own.key[0] + self.account.tag_delimiter
            if self.account.tag_delimiter and own.key[1] == domain and local.startswith(start) and local != start:
                return True, local[len(start) :]
        return False, ""

    def in_own_domain(self, address: Address) -> bool:
        """The address lies in one of the account's domains (domain mode)."""
        return address.key[1] in self.account.domains

    @property
    def box_names(self) -> frozenset[tuple[str, str]]:
        """Addresses that mean the provider's mailbox itself and nobody in the office."""
        keys = {self.account.address.key}
        login = self.account.collect.login if self.account.collect else ""
        if login:
            local, _, domain = login.casefold().partition("@")
            keys |= {(local, domain)} if domain else {(local, d) for d in self.account.domains}
        for text in self.options.box_names:
            local, _, domain = text.rpartition("@")
            keys.add((local, domain))
        return frozenset(keys)


@frozen
class People:
    """Everybody in a directory, account by account.

    :ivar sharers: account id to its people.
    :ivar rules: account id, kind and text to the taught rule.
    :ivar former_rules: the same keys of rules that gave mail to somebody who was deleted lately.
    """

    sharers: Mapping[int, Sharers]
    _by_name: dict[str, set[int]] = field(factory=dict, repr=False)
    _regular: dict[str, tuple[Sharers, ...]] = field(factory=dict, repr=False)
    _domains: dict[str, Sharers] = field(factory=dict, repr=False)
    rules: dict[tuple[int, str, str], SenderRule] = field(factory=dict, repr=False)
    former_rules: set[tuple[int, str, str]] = field(factory=set, repr=False)

    @classmethod
    def build(cls, directory: Directory) -> People:
        """Index a directory."""
        made = cls({account.id: Sharers.build(account, directory) for account in directory.accounts})
        for sharers in made.sharers.values():
            account = sharers.account
            if account.mode is AccountMode.DOMAIN:
                for domain in account.domains:
                    made._domains.setdefault(domain.casefold().rstrip("."), sharers)
            else:
                for domain in {own.key[1] for own in (account.address, *account.aliases)}:
                    made._regular[domain] = (*made._regular.get(domain, ()), sharers)
        for user in directory.users:
            if user.kind in {UserKind.ADMIN, UserKind.PUBLIC}:
                continue
            for name in user.names:
                if " " not in name.strip() and "@" not in name:
                    _add(made._by_name, normalise(name), user.id)
        for rule in directory.rules:
            made.rules.setdefault((rule.account_id, rule.kind, _match(rule.kind, rule.match)), rule)
        for one in directory.former:
            made.former_rules.update((account, kind, _match(kind, match)) for account, kind, match in one.rules)
        return made

    def alias(self, name: str) -> int:
        """The one user of the whole office who has this one-word name besides his login; 0 when none or several."""
        found = self._by_name.get(normalise(name), set())
        return next(iter(found)) if len(found) == 1 else 0

    def regular_account(self, address: Address) -> tuple[Sharers | None, str]:
        """The regular account that an address belongs to, with the tag in it."""
        for sharers in self._regular.get(address.key[1], ()):
            own, tag = sharers.own_address(address)
            if own:
                return sharers, tag
        return None, ""

    def former_home(self, name: str) -> Sharers | None:
        """The account whose former user had this bare name; ``None`` when nobody had it."""
        return next((each for each in self.sharers.values() if each.leavers.had_local_part(name)), None)

    def domain_account(self, domain: str) -> Sharers | None:
        """The domain account that a domain belongs to."""
        return self._domains.get(domain.casefold().rstrip("."))


def _match(kind: str, text: str) -> str:
    """What a rule is equal to, as it is compared."""
    return normalise(text) if kind == "to" else text.casefold()


@derived
def people_of(directory: Directory) -> People:
    """The look-ups of a directory; built at the first question and forgotten with it."""
    return People.build(directory)


def usable_addresses(user: User, account: Account, directory: Directory) -> tuple[str, ...]:
    """How a user may be written to through an account, as his page shows it; the surest way first.

    In a regular account the tag form stands only where tags work. Names that others have too are left out.
    """
    sharers = people_of(directory).sharers[account.id]
    if account.mode is AccountMode.DOMAIN:
        domain = account.domains[0] if account.domains else account.address.domain
        locals_ = [user.name, *(name for name in user.names if " " not in name and "@" not in name)]
        made = [Address(local, domain) for local in locals_]
        return tuple(str(each) for each in made if sharers.by_address(each)[0] == user.id)
    named = [name for name in (*user.names, user.name) if sharers.names.match(name).user_ids == (user.id,)]
    out = [f"{_phrase(name)} <{account.address}>" for name in named if "@" not in name]
    if sharers.options.tags_work and account.tag_delimiter and sharers.by_tag(user.name) == user.id:
        tagged = Address(f"{account.address.local}{account.tag_delimiter}{user.name}", account.address.domain)
        out.insert(0, str(tagged))
    return tuple(out)


def _phrase(name: str) -> str:
    return f'"{name}"' if any(char in ',;:()<>[]"\\.' for char in name) else name
