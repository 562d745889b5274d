"""The two ladders: who gets a collected message, and why. The first rung with somebody on it decides.

``regular`` accounts are sorted by tag, then by the name in front of the account's address; ``domain`` accounts by what
the provider wrote about the envelope. docs/reference/sorting.md shows both rung by rung, with the reason codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attrs import define, field, frozen

from mailshare.core.address import Address
from mailshare.core.encoded_words import without_controls
from mailshare.core.evidence import TrustedBlock, envelope_candidates, marked_as_spam
from mailshare.core.headers import Headers, Mailbox
from mailshare.core.names import normalise
from mailshare.core.people import People, Sharers
from mailshare.core.returned_parts import is_report, references
from mailshare.core.values import AccountMode, SentMark, Step, User, UserKind

_MAX_DETAIL = 200
_MOST_MEANT = 1000  # addresses of an account whose meaning is kept
_LIST_ID = re.compile(r"<([^<>\s]{1,300})>\s*\Z")
_MAILTO = re.compile(r"mailto:([^>?\s]{1,300})", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"[^\s<>;,\"]{1,200}@[^\s<>;,\"]{1,200}")


@frozen
class Hit:
    """Why a user gets a message.

    :ivar reason: code of the deciding step.
    :ivar original: the address it was written to, when that is known for sure; else empty.
    """

    reason: str
    original: str = ""


def step(code: str, detail: str = "") -> Step:
    """A step whose detail is printable and at most 200 characters."""
    clean = without_controls(detail)
    if not clean.isprintable():
        clean = "".join(c if c.isprintable() else "?" for c in clean)
    return Step(code, clean if len(clean) <= _MAX_DETAIL else clean[: _MAX_DETAIL - 3] + "...")


@define
class Decision:
    """What a ladder came to.

    :ivar hits: user id to why; empty means ADMIN, for the reason in ``fallback``.
    :ivar steps: all that was considered, in order.
    :ivar public: the message is for everybody.
    :ivar by_envelope: the provider's envelope fields decided, and nothing else was looked at.
    :ivar unknown: what it was written to and nobody bears: ``(name, as written)``; ADMIN may teach the name.
    """

    hits: dict[int, Hit] = field(factory=dict)
    steps: list[Step] = field(factory=list)
    fallback: str = "not-addressed"
    public: bool = False
    unknown: list[tuple[str, str]] = field(factory=list)
    dropped: bool = False
    by_envelope: bool = False


@define
class Ladder:
    """One message on its way up.

    :ivar known: Message-IDs of ours that it speaks of.
    :ivar local: a local sender wrote it, so that it may go to those who get no mail from outside.
    """

    headers: Headers
    sharers: Sharers
    people: People
    users: Mapping[int, User]
    known: Mapping[str, SentMark]
    block: TrustedBlock
    local: bool = False
    decision: Decision = field(factory=Decision)

    # ------------------------------------------------------------------ what both have in common

    def sort(self) -> Decision:
        """Climb the ladder of the account's kind."""
        regular = self.sharers.account.mode is AccountMode.REGULAR
        written_to = self._regular() if regular else self._domain()
        if not self.decision.hits:
            self._answered()
        if not self.decision.hits:
            self._ruled(written_to)
        if not self.decision.hits and self.decision.fallback == "unknown-user":
            self._stranger()
        return self.decision

    def _stranger(self) -> None:
        """Mail to a local part of nobody, by the account's option; ADMIN gets what nothing is said of."""
        wish = self.sharers.options.strangers
        if wish == "drop-spam":
            self.decision.dropped = marked_as_spam(self.block)
            if self.decision.dropped:
                self._say("spam-dropped", "the provider marked it as spam")
            return
        member = next((user for user in self.users.values() if user.name == wish), None)
        if member is not None and self.sharers.account.id in member.accounts:
            self._take(member.id, "stranger", f"mail to strangers goes to {member.name}")

    def _say(self, code: str, detail: str = "") -> None:
        self.decision.steps.append(step(code, detail))

    def _take(self, user_id: int, reason: str, detail: str, original: str = "") -> bool:
        """Put a user on the list; PUBLIC becomes everybody; who is not there any more is only noted."""
        user = self.users.get(user_id)
        if user is None:
            if user_id in self.sharers.leavers.ids:
                self._miss("former-user", detail)
            return False
        if user.kind is UserKind.PUBLIC:
            self.decision.public = True
            self._say("public", detail)
            for member in self.sharers.public_members:
                if self.users[member].local_only and not self.local:
                    continue
                self.decision.hits.setdefault(member, Hit("public", original))
            return True
        if not user.enabled or (user.local_only and not self.local):
            reason = "local-only" if user.enabled else "former-user"
            self.decision.fallback = reason
            self._say(reason, detail)
            return False
        self._say(reason, detail)
        self.decision.hits.setdefault(user_id, Hit(reason, original))
        return True

    def _answered(self) -> None:
        """The reply ledger, then bounces and receipts by the Message-ID of what they return."""
        asked = references(self.headers)
        for message_id in asked:
            mark = self._mark(message_id)
            if mark is not None and self._take(mark.user_id, "ledger", f"answers {message_id}"):
                return
        if is_report(self.headers):
            for message_id, mark in self.known.items():
                if message_id not in asked and self._take(mark.user_id, "bounce", f"returns {message_id}"):
                    return

    def _mark(self, message_id: str) -> SentMark | None:
        return self.known.get(message_id) or self.known.get(message_id.strip("<>"))

    def _ruled(self, written_to: Iterable[str]) -> None:
        """The list map, then taught rules by what was written to, then by sender."""
        account_id = self.sharers.account.id
        senders = [box.address for box in self.headers.mailboxes("from")]
        questions = [("list", text) for text in list_marks(self.headers)]
        questions += [("to", normalise(text)) for text in written_to if text]
        questions += [("from", str(each).casefold()) for each in senders]
        questions += [("from", "@" + each.key[1]) for each in senders]
        left = ""
        for kind, text in questions:
            key = (account_id, kind, text.casefold())
            rule = self.people.rules.get(key)
            if key in self.people.former_rules:
                left = left or f"a rule by {kind} for {text} gave such mail to somebody who has left"
            if rule is not None:
                taken = [self._take(user_id, f"rule-{kind}", text) for user_id in rule.user_ids]
                if any(taken):
                    return
        if left:
            # That rule would have settled it, so what the rungs above missed is not why ADMIN has it.
            self._say("former-user", left)
            self.decision.fallback = "former-user"

    # ------------------------------------------------------------------ regular accounts

    def _regular(self) -> list[str]:
        """Tag, then name. Returns what was written to, for the taught rules."""
        evidence = envelope_candidates(self.block, self.sharers.options.envelope_headers)
        evidence += [(f"Received by {h.by}", h.recipients) for h in reversed(self.block.hops) if len(h.recipients) == 1]
        for name, addresses in evidence:
            taken = [self._tag(address, name) for address in addresses]
            if any(taken):
                return []
        candidates = self.candidates()
        self.decision.fallback = "no-name" if candidates else "not-addressed"
        written_to = [str(box.address) for _, box in addressed(self.headers)]
        for where, box in candidates:
            written_to += [box.name, *box.fragments]
            if not self._tag(box.address, where):
                self.by_name(where, box)
        return written_to

    def candidates(self) -> list[tuple[str, Mailbox]]:
        """Mailboxes in To and Cc, or in the topmost block of Resent fields, that are the account's own address."""
        return [(w, box) for w, box in addressed(self.headers) if self.sharers.own_address(box.address)[0]]

    def _tag(self, address: Address, where: str) -> bool:
        own, tag = self.sharers.own_address(address)
        if not own or not tag:
            return False
        user_id = self.sharers.by_tag(tag)
        if not user_id:
            if self.sharers.leavers.had_local_part(tag):
                self._miss("former-user", f"{where}: {address}")
            else:
                self._say("unknown-tag", f"{where}: {address}")
            self.decision.unknown.append((tag, str(address)))
            return False
        return self._take(user_id, "tag", f"{where}: {address}", str(address))

    def by_name(self, where: str, box: Mailbox) -> bool:
        """Try one candidate's name. A miss is noted and spoils nothing else."""
        detail = f"{where}: {box}"
        if box.cut:
            self._miss("oversize", detail)
            return False
        fragments = [each for each in box.fragments if not self.sharers.names.means_nobody(each)]
        if self.sharers.names.means_nobody(box.name) and not fragments:
            self._say("no-name", detail)
            return False
        match = self.sharers.names.match(box.name, fragments)
        if match.level in {"", "L4"} and self.sharers.leavers.had_name(box.name):
            self._miss("former-user", detail)  # a whole name of somebody who left outweighs a word of it
            return False
        taken = [self._take(user_id, f"name-{match.level}", detail) for user_id in match.user_ids]
        if match.ambiguous and self._settled(match.contenders, detail):
            return True
        if match.unknown:
            written = [_as_written(each, box) for each in match.unknown]
            self.decision.unknown += zip(written, match.unknown, strict=True)
            self._miss("unknown-name", f"{where}: {', '.join(written)}")
        return any(taken)

    def _settled(self, contenders: tuple[int, ...], detail: str) -> bool:
        """Several people may be meant: the reply ledger parts them, or all get it if the account says so."""
        for message_id in references(self.headers):
            mark = self._mark(message_id)
            if mark is not None and mark.user_id in contenders:
                return self._take(mark.user_id, "ledger", f"{detail}, answers {message_id}")
        if self.sharers.account.ambiguous == "all":
            taken = [self._take(user_id, "ambiguous-all", detail) for user_id in contenders]
            return any(taken)
        self._miss("ambiguous", detail)
        return False

    def _miss(self, reason: str, detail: str) -> None:
        """Note a miss; the gravest names the reason that ADMIN reads."""
        self._say(reason, detail)
        if _GRAVITY.index(reason) > _GRAVITY.index(self.decision.fallback):
            self.decision.fallback = reason

    # ------------------------------------------------------------------ domain accounts

    def _domain(self) -> list[str]:
        """Envelope fields, then ``for`` of a trusted hop, and only without both the addresses in the message."""
        options = self.sharers.options
        for name, addresses in envelope_candidates(self.block, options.envelope_headers):
            own = [mapped for each in addresses if (mapped := self._own(each)) is not None]
            if own:
                asked = self._people_at(own, "envelope", name)
                self.decision.by_envelope = bool(self.decision.hits) and not self.decision.public
                return asked
            self._say("not-ours", f"{name}: {', '.join(map(str, addresses))}")
        for hop in reversed(self.block.hops):
            if len(hop.recipients) == 1 and (only := self._own(hop.recipients[0])) is not None:
                return self._people_at([only], "received-for", f"Received by {hop.by}")
        guessed = [(w, box.address) for w, box in addressed(self.headers) if self.sharers.in_own_domain(box.address)]
        written_to: list[str] = []
        for where, address in guessed:
            written_to += self._people_at([address], "guessed", where)
        return written_to

    def _own(self, address: Address) -> Address | None:
        return own_recipient(address, self.sharers)

    def _people_at(self, addresses: Iterable[Address], reason: str, where: str) -> list[str]:
        """Who these own addresses belong to. Returns all of them, for the taught rules."""
        written_to: list[str] = []
        for address in addresses:
            detail = f"{where}: {address}"
            written_to.append(str(address))
            user_id, how = self.sharers.by_address(address)
            if not user_id and address.key[0] == "postmaster":
                user_id = self.sharers.by_local_part("admin")[0]
            if not user_id:
                self.decision.unknown.append((address.local, str(address)))
                gone = self.sharers.leavers.had_local_part(address.local, self.sharers.account.tag_delimiter)
                self._miss("former-user" if gone else "unknown-user", detail)
            else:
                self._take(user_id, reason, f"{detail} ({how})" if how else detail, str(address))
        return written_to


_GRAVITY = (
    "not-addressed",
    "no-name",
    "unknown-user",
    "local-only",
    "former-user",
    "unknown-name",
    "oversize",
    "ambiguous",
)


def _as_written(name: str, box: Mailbox) -> str:
    """A normalised name as the message writes it, where it can be found there."""
    for whole in (box.name, *box.fragments):
        text = " ".join(whole.split()).strip("\"'\\ ")
        folded = text.casefold()
        start = folded.find(name)
        if start >= 0 and len(folded) == len(text):
            return text[start : start + len(name)]
    return name


def own_recipient(address: Address, sharers: Sharers) -> Address | None:
    """The own address that an envelope address stands for; ``None`` when it is not ours or means the box."""
    meant = sharers.meant
    if address in meant:
        return meant.get(address)
    found = _own_recipient(address, sharers)
    if len(meant) >= _MOST_MEANT:
        meant.clear()
    meant[address] = found
    return found


def _own_recipient(address: Address, sharers: Sharers) -> Address | None:
    options = sharers.options
    text = str(address)
    for pattern, replacement in options.rewrites:
        new, count = pattern.subn(replacement, text, count=1)
        if count:
            local, _, domain = new.rpartition("@")
            address = Address(local, domain)
            break
    local = address.local
    domains = sorted(sharers.account.domains, key=len, reverse=True)
    prefixes = [*sorted(options.prefixes, key=len, reverse=True), *(domain + "-" for domain in domains)]
    if sharers.in_own_domain(address) and sharers.by_address(address)[0]:
        prefixes = []  # somebody is really called so
    for prefix in prefixes:
        if prefix and len(local) > len(prefix) and local.casefold().startswith(prefix.casefold()):
            address = Address(local[len(prefix) :], address.domain)
            break
    if not address.local or not sharers.in_own_domain(address) or address.key in sharers.box_names:
        return None
    return address


def addressed(headers: Headers) -> list[tuple[str, Mailbox]]:
    """``(field, mailbox)`` of all that a message is addressed to in its header.

    The topmost block of Resent fields replaces To and Cc when it names anybody (RFC 5322 section 3.6.6).
    """
    resent: list[tuple[str, Mailbox]] = []
    seen = set[str]()
    for each in headers.fields:
        if each.key.startswith("resent-"):
            if each.key in seen:
                break
            seen.add(each.key)
            if each.key in {"resent-to", "resent-cc"}:
                resent += [(each.name, box) for box in each.address_list[0]]
        elif seen and each.key in {"received", "return-path"}:
            break
    if resent:
        return resent
    names = ("To", "Cc", "Apparently-To")
    return [(name, box) for name in names for box in headers.mailboxes(name)]


def list_marks(headers: Headers) -> list[str]:
    """What a mailing list calls itself, casefolded: List-Id, List-Post, Mailing-List in that order (RFC 2919, 2369)."""
    marks: list[str] = []
    if list_id := headers.first("list-id"):
        found = _LIST_ID.search(list_id[-400:])
        marks.append((found[1] if found else list_id.strip(" <>")[:300]).casefold())
    if found := _MAILTO.search(headers.first("list-post") or ""):
        marks.append(found[1].casefold())
    if found := _BARE_ADDRESS.search(headers.first("mailing-list") or ""):
        marks.append(found[0].casefold())
    return marks
