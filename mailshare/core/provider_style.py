"""How a provider writes the envelope recipient, found out from the newest mail of an account.

Each provider marks the mail of a catch-all in a way of its own, or not at all. What nobody should have to find out by
hand is counted here: which hosts are the provider's, which field holds the recipient, which addresses are only the name
of its mailbox, and which prefix it puts in front. What is found is a *proposal by evidence*: nothing is concluded from
few messages, and a setting by hand always wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve, field, frozen

from mailshare.core.address import Address
from mailshare.core.evidence import ENVELOPE_FIELDS, Received, TrustedBlock, envelope_candidates, read_received
from mailshare.core.ladder import own_recipient
from mailshare.core.people import Sharers, people_of
from mailshare.core.provider_hosts import learn_hosts
from mailshare.core.sightings import Sighting
from mailshare.core.sorting_options import SortingOptions
from mailshare.core.values import Account, AccountMode, Directory

WINDOW = 50
"""Messages that are looked at: the newest."""
ENOUGH = 8
"""Fewer messages prove nothing."""
OFTEN = 0.9
"""A field that holds the recipient in this share of the mail is relied on; below it ADMIN is told."""
_HALF = 0.5
_RARELY = 0.2
_COMPARABLE = 5
_PREFIX_VALUES = 3
RECEIVED_FOR = "received-for"


@frozen
class KindCount:
    """What one kind of header field held.

    :ivar name: lower case, or ``received-for``, or ``to/cc``.
    :ivar present: messages that have it anywhere.
    :ivar trusted: messages that have it where only the provider writes.
    :ivar inside: of these, messages where it names an own address that is not the mailbox itself.
    :ivar distinct: different own addresses.
    :ivar together: messages with several own addresses in one field.
    :ivar tagged: messages where the own address carries a tag (regular accounts).
    :ivar copies: messages for each Message-ID among those that name an own address, on average.
    """

    name: str
    present: int = 0
    trusted: int = 0
    inside: int = 0
    distinct: int = 0
    together: int = 0
    tagged: int = 0
    copies: float = 0.0


@frozen
class Style:
    """What was found.

    :ivar mails: messages looked at; with fewer than :data:`ENOUGH` nothing is concluded.
    :ivar kinds: every kind of field that was met, the most telling first.
    :ivar trusted_by: the provider's hosts; one that begins with a dot means every host below it.
    :ivar order: envelope fields to look at; the found ones first, where others stand in their way.
    :ivar box_names: own addresses that mean the mailbox and nobody in the office.
    :ivar prefixes: what the provider puts in front of local parts.
    :ivar evidence: the kind that names the recipient most often; ``to/cc`` when none does.
    :ivar share: of the mail in which envelope fields and ``for`` together name the recipient, 0 to 1.
    :ivar one_copy_each: each recipient gets a copy of his own: ``yes``, ``no``, ``unknown``.
    :ivar copies: messages for each Message-ID, on average.
    :ivar regular: it is one address that several people share, so that only its tags tell them apart.
    """

    mails: int
    kinds: tuple[KindCount, ...] = ()
    trusted_by: tuple[str, ...] = ()
    order: tuple[str, ...] = ENVELOPE_FIELDS
    box_names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    evidence: str = "to/cc"
    share: float = 0.0
    one_copy_each: str = "unknown"
    copies: float = 0.0
    regular: bool = False

    @property
    def enough(self) -> bool:
        """There was enough mail to say something."""
        return self.mails >= ENOUGH

    @property
    def bcc_safe(self) -> bool:
        """A blind copy finds its recipient, because he need not stand in To or Cc.

        In a regular account that is a blind copy to a tagged address, once such a tag was seen.
        """
        tagged = any(one.tagged for one in self.kinds if one.name != "to/cc")
        return self.enough and self.share >= OFTEN and (tagged or not self.regular)

    def settings(self) -> dict[str, object]:
        """The settings that follow, by the names of an account's options; empty when there was too little mail."""
        if not self.enough:
            return {}
        found: dict[str, object] = {}
        for name, value in (
            ("trusted_by", self.trusted_by),
            ("envelope_headers", self.order if self.order != ENVELOPE_FIELDS else ()),
            ("box_names", self.box_names),
            ("prefix_map", self.prefixes),
        ):
            if value:
                found[name] = list(value)
        return found


@frozen
class _Mail:
    """One sighting, read.

    :ivar addresses: by kind, what its fields hold where only the provider writes, field by field, the outermost first.
    """

    sighting: Sighting
    hops: tuple[Received, ...]
    present: frozenset[str]
    addresses: Mapping[str, Sequence[tuple[Address, ...]]]


@frozen
class _Look:
    """All of them, with the people they may be for."""

    sharers: Sharers
    mails: tuple[_Mail, ...] = field(factory=tuple)

    def own(self, address: Address, box_names: frozenset[str] = frozenset()) -> Address | None:
        """The own address that this one stands for; ``None`` when it is not ours or only the mailbox."""
        if self.sharers.account.mode is AccountMode.REGULAR:
            return address if self.sharers.own_address(address)[0] else None
        found = own_recipient(address, self.sharers)
        return None if found is None or str(found).casefold() in box_names else found


def detect(sightings: Sequence[Sighting], account: Account, directory: Directory) -> Style:
    """Find out how a provider marks mail.

    :param sightings: oldest first; the newest :data:`WINDOW` count.
    :param account: what its options say by hand is taken as it is; what was found before is not looked at.
    """
    newest = sightings[-WINDOW:]
    look = _Look(_bare_sharers(account, directory))
    hops = [_hops(one) for one in newest]
    by_hand = look.sharers.options.trusted_by
    trusted = by_hand or frozenset(learn_hosts(hops) if len(newest) >= ENOUGH else ())
    look = evolve(look, mails=tuple(_mail(one, each, trusted) for one, each in zip(newest, hops, strict=True)))
    box_names = frozenset(_box_names(look))
    prefixes = tuple(_prefixes(look, box_names)) if account.mode is AccountMode.DOMAIN else ()
    if prefixes:
        options = evolve(look.sharers.options, prefixes=(*look.sharers.options.prefixes, *prefixes))
        look = evolve(look, sharers=evolve(look.sharers, options=options))
    kinds = tuple(_counted(look, box_names))
    often = {one.name for one in kinds if one.inside >= OFTEN * len(newest)}
    usable = [name for name in ENVELOPE_FIELDS if name in often]
    met = [one.name for one in kinds if one.name in ENVELOPE_FIELDS and one.trusted]
    order: tuple[str, ...] = ENVELOPE_FIELDS
    if usable and any(order.index(name) < order.index(usable[0]) for name in met if name not in usable):
        order = tuple(sorted(order, key=lambda name: (name not in usable, ENVELOPE_FIELDS.index(name))))
    told = [one for one in kinds if one.name != "to/cc" and one.inside]
    best = max(told, key=lambda one: (one.inside, one.name in usable), default=None)
    marked = sum(bool(_evidence(look, mail, box_names)) for mail in look.mails)
    return Style(
        mails=len(newest),
        kinds=kinds,
        trusted_by=tuple(sorted(trusted)),
        order=order,
        box_names=tuple(sorted(box_names)),
        prefixes=prefixes,
        evidence=best.name if best is not None else "to/cc",
        share=marked / len(newest) if newest else 0.0,
        one_copy_each=_one_copy_each(look, box_names),
        copies=_copies(newest),
        regular=account.mode is AccountMode.REGULAR,
    )


def _bare_sharers(account: Account, directory: Directory) -> Sharers:
    """The account's people, with the settings by hand alone: what was found before must not prove itself."""
    bare = evolve(account, found={})
    options = SortingOptions.of(bare)
    indexed = people_of(directory).sharers.get(account.id)
    if indexed is None:
        return Sharers.build(bare, directory)
    return evolve(indexed, account=bare, options=options)


def share_of(style: Style, evidence: str) -> float:
    """In which share of the mail that kind of field names the recipient, 0 to 1."""
    return next((one.inside / style.mails for one in style.kinds if one.name == evidence), 0.0) if style.mails else 0.0


# ---------------------------------------------------------------------- reading


def _hops(sighting: Sighting) -> tuple[Received, ...]:
    return tuple(read_received(value) for name, value in sighting.fields if name == "received")


def _mail(sighting: Sighting, hops: tuple[Received, ...], trusted: frozenset[str]) -> _Mail:
    names = frozenset(name for name, _ in sighting.fields if name)
    block = TrustedBlock.of(sighting.headers(), trusted)
    addresses = {kind: [each for _, each in envelope_candidates(block, (kind,))] for kind in names}
    addresses[RECEIVED_FOR] = [hop.recipients for hop in reversed(block.hops) if len(hop.recipients) == 1]
    return _Mail(sighting, hops, names, addresses)


def _named(look: _Look, mail: _Mail, kind: str, box_names: frozenset[str]) -> list[Address]:
    """Own addresses in the first field of that kind that has any: what the router would take."""
    for addresses in mail.addresses.get(kind, ()):
        own = [found for one in addresses if (found := look.own(one, box_names)) is not None]
        if own:
            return own
    return []


def _evidence(look: _Look, mail: _Mail, box_names: frozenset[str]) -> list[Address]:
    for kind in (*ENVELOPE_FIELDS, RECEIVED_FOR):
        if found := _named(look, mail, kind, box_names):
            return found
    return []


# ---------------------------------------------------------------------- counting


def _counted(look: _Look, box_names: frozenset[str]) -> Iterable[KindCount]:
    rows = []
    for kind in (*ENVELOPE_FIELDS, RECEIVED_FOR):
        named = [_named(look, mail, kind, box_names) for mail in look.mails]
        has = _has_for if kind == RECEIVED_FOR else _has_field(kind)
        row = KindCount(
            kind,
            present=sum(map(has, look.mails)),
            trusted=sum(bool(mail.addresses.get(kind, ())) for mail in look.mails),
            inside=sum(map(bool, named)),
            distinct=len({one.key for found in named for one in found}),
            together=sum(len({one.key for one in found}) > 1 for found in named),
            copies=_copies([mail.sighting for mail, found in zip(look.mails, named, strict=True) if found]),
            tagged=sum(any(look.sharers.own_address(one)[1] for one in found) for found in named),
        )
        if row.present:
            rows.append(row)
    written = [mail.sighting.written_to for mail in look.mails]
    guess = KindCount(
        "to/cc",
        present=len(written),
        inside=sum(map(bool, written)),
        distinct=len({one for each in written for one in each}),
        together=sum(len(each) > 1 for each in written),
        copies=_copies([mail.sighting for mail in look.mails if mail.sighting.written_to]),
    )
    return [*sorted(rows, key=lambda one: -one.inside), *([guess] if guess.present else [])]


def _copies(sightings: Sequence[Sighting]) -> float:
    """Messages for each Message-ID, on average."""
    ids = Counter(one.message_id for one in sightings if one.message_id)
    return sum(ids.values()) / len(ids) if ids else 0.0


def _has_for(mail: _Mail) -> bool:
    return any(hop.recipients for hop in mail.hops)


def _has_field(kind: str) -> Callable[[_Mail], bool]:
    return lambda mail: kind in mail.present


def _box_names(look: _Look) -> Iterable[str]:
    """Own addresses that a field holds in most of the mail although the mail is written to others, and nobody's."""
    if look.sharers.account.mode is AccountMode.REGULAR:
        return
    for kind in (*ENVELOPE_FIELDS, RECEIVED_FOR):
        values: Counter[str] = Counter()
        agreeing: Counter[str] = Counter()
        comparable: Counter[str] = Counter()
        for mail in look.mails:
            outermost = next(iter(mail.addresses.get(kind, ())), ())
            for address in {found for each in outermost if (found := look.own(each))}:
                text = str(address).casefold()
                values[text] += 1
                comparable[text] += bool(mail.sighting.written_to)
                agreeing[text] += text in mail.sighting.written_to
        for text, count in values.items():
            local, _, domain = text.rpartition("@")
            if (
                count >= OFTEN * len(look.mails)
                and comparable[text] >= _COMPARABLE
                and agreeing[text] < _RARELY * comparable[text]
                and not look.sharers.by_address(Address(local, domain))[0]
            ):
                yield text


def _prefixes(look: _Look, box_names: frozenset[str]) -> Iterable[str]:
    """What stands in front of every local part of a field, while the message is written to the part behind it."""
    for kind in ENVELOPE_FIELDS:
        pairs: list[tuple[str, tuple[str, ...]]] = []
        for mail in look.mails:
            pairs += [(str(one).casefold(), mail.sighting.written_to) for one in _named(look, mail, kind, box_names)]
        locals_ = {text.rpartition("@")[0] for text, _ in pairs}
        prefix = _common_prefix(locals_)
        if len(locals_) < _PREFIX_VALUES or not prefix:
            continue
        comparable = [(text, own) for text, own in pairs if own]
        agreeing = sum(text[len(prefix) :] in own for text, own in comparable)
        if len(comparable) >= _COMPARABLE and agreeing >= _HALF * len(comparable):
            yield prefix


def _common_prefix(texts: Iterable[str]) -> str:
    """The longest beginning that all have and that ends in a hyphen."""
    texts = list(texts)
    if not texts:
        return ""
    first, last = min(texts), max(texts)
    length = next((at for at, char in enumerate(first) if at >= len(last) or last[at] != char), len(first))
    return first[: first[:length].rfind("-") + 1]


def _one_copy_each(look: _Look, box_names: frozenset[str]) -> str:
    """Does a message to two people here come twice, each copy marked for one of them?"""
    if look.sharers.account.mode is AccountMode.REGULAR:
        return "unknown"
    groups: dict[str, list[_Mail]] = {}
    for mail in look.mails:
        if mail.sighting.message_id:
            groups.setdefault(mail.sighting.message_id, []).append(mail)
    votes: Mapping[str, int] = Counter(filter(None, (_vote(look, each, box_names) for each in groups.values())))
    if votes.get("no"):
        return "no"
    return "yes" if votes.get("yes") else "unknown"


def _vote(look: _Look, copies: Sequence[_Mail], box_names: frozenset[str]) -> str:
    evidence = [{one.key for one in _evidence(look, mail, box_names)} for mail in copies]
    if any(len(one) > 1 for one in evidence):
        return "no"
    marked = {key for one in evidence for key in one}
    if len(copies) > 1:
        return "yes" if len(marked) > 1 else ""
    people = {one for one in copies[0].sighting.written_to if one not in box_names}
    return "no" if len(people) > 1 and marked else ""
