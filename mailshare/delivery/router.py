"""The router: from a message and the directory to mailboxes and queue rows, each with its reason.

The rules are in the core (:mod:`mailshare.core.sorting` for collected mail, :mod:`mailshare.core.recipients` for mail
of local senders); here they are put together into a :class:`~mailshare.core.values.Routing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.autoreply import went_through
from mailshare.core.derived import derived
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import PolicyRefusal
from mailshare.core.fax_times import asked_in
from mailshare.core.folders import folder_lines
from mailshare.core.headers import Headers
from mailshare.core.identity import sending_account
from mailshare.core.ladder import Decision, Hit, step
from mailshare.core.people import Sharers, people_of
from mailshare.core.print_status import is_status
from mailshare.core.sorting import (
    Local,
    Named,
    Outside,
    Printed,
    delivered_to,
    impersonates,
    is_known_sender,
    ladder_for,
    may_write_to_public,
    printer_at,
    printers_of,
    references,
    resolve_recipient,
    sort_collected,
    written_envelope,
)
from mailshare.core.urgency import is_urgent
from mailshare.core.values import (
    Account,
    Directory,
    Hop,
    Origin,
    Routing,
    SentMark,
    Source,
    Step,
    Target,
    User,
    UserKind,
)
from mailshare.core.values.routing import COLLECT, SMTP
from mailshare.delivery.public_rate import PublicRate
from mailshare.delivery.remembered import Remembered, RememberedCollected
from mailshare.interfaces import IGateway, IRouter

_NOWHERE = frozenset({"loop", "oversize"})  # ADMIN has it, and nothing is done with it
_TOLD_APART = ("title", "company", "cover")  # what makes two faxes to one number two


@implementer(IRouter)
class Router:
    """Decides who gets a message. Pure but for the hourly count of mail to everybody.

    :param public_rate: counts mail to everybody; without one there is no cap.
    :param gateways: take the recipients that they claim, of mail that is handed in.
    """

    def __init__(self, public_rate: PublicRate | None = None, gateways: Sequence[IGateway] = ()) -> None:
        self._public_rate = public_rate
        self._gateways = gateways
        self._remembered = Remembered()
        self._remembered_collected = RememberedCollected()

    def route(
        self,
        envelope: Envelope,
        headers: Headers,
        origin: Origin,
        directory: Directory,
        known: Mapping[str, SentMark],
    ) -> Routing:
        """Who gets it and why; see :class:`mailshare.interfaces.IRouter`."""
        if origin.source is COLLECT:
            account = directory.account_by_id.get(origin.account_id or 0)
            if account is not None:
                return self._collected(envelope, headers, origin, directory, known, account)
        author = None if origin.user_id is None else directory.user_by_id.get(origin.user_id)
        usual = self._remembered.find(envelope, origin, directory)
        if usual is not None and _nothing_said(headers, origin, author, directory):
            return usual
        journey = _Journey(envelope, headers, origin, directory, known, self._public_rate, author, self._gateways)
        journey.handed_in()
        routing = journey.routing()
        if journey.by_envelope and not journey.warning:
            self._remembered.keep(envelope, origin, directory, routing)
        return routing

    def _collected(
        self,
        envelope: Envelope,
        headers: Headers,
        origin: Origin,
        directory: Directory,
        known: Mapping[str, SentMark],
        account: Account,
    ) -> Routing:
        written = () if self._is_rare(headers, account, directory) else written_envelope(headers, account, directory)
        usual = self._remembered_collected.find(written, origin, directory)
        if usual is not None:
            return usual
        author = directory.user_by_id.get(origin.user_id or 0)
        journey = _Journey(envelope, headers, origin, directory, known, self._public_rate, author, self._gateways)
        journey.collected(account)
        routing = journey.routing()
        if written and journey.by_envelope:
            self._remembered_collected.keep(written, origin, directory, routing)
        return routing

    def _is_rare(self, headers: Headers, account: Account, directory: Directory) -> bool:
        """Whether more than a message's envelope may have a say in who gets it, and how."""
        if is_status(headers) or went_through(headers, directory.instance) or headers.begins_with_text:
            return True
        if impersonates(headers, people_of(directory).sharers[account.id], directory):
            return True
        try:
            return any(one.collected(headers, account, directory) for one in self._gateways)
        except PolicyRefusal:
            return True


@define
class _Journey:
    """One message being routed."""

    envelope: Envelope
    headers: Headers
    origin: Origin
    directory: Directory
    known: Mapping[str, SentMark]
    public_rate: PublicRate | None
    author: User | None  # the local sender who logged in
    gateways: Sequence[IGateway] = ()
    hits: dict[int, Hit] = field(factory=dict)
    reasons: dict[int, str] = field(factory=dict)
    copies: dict[int, list[str]] = field(factory=dict)
    hops: list[Hop] = field(factory=list)
    handed: set[tuple[str, ...]] = field(factory=set)  # what gateways were given
    steps: list[Step] = field(factory=list)
    notes: list[str] = field(factory=list)
    warning: bool = False
    came_back: bool = False
    dropped: bool = False
    public: list[tuple[int, str]] = field(factory=list)
    by_envelope: bool = False  # the envelope decided alone: neither the rest of the header nor the clock was asked

    # ------------------------------------------------------------------ collected

    def collected(self, account: Account) -> None:
        """The ladders, and ADMIN for what nobody owns."""
        if self._print_status(account) or self._faxed(account):
            return
        decision = sort_collected(self.headers, account, self.directory, self.known)
        printers = [] if decision.fallback in _NOWHERE else printers_of(self.headers, account, self.directory)
        for printed, address in printers:
            self._printed(printed, address)
        if not printers or (decision.hits and printer_at(account.address, self.directory) is None):
            self._adopt(decision, account)
        self.by_envelope = decision.by_envelope
        self._warn(account)
        if went_through(self.headers, self.directory.instance):
            self.came_back = True
            self.steps.append(step("came-back", "it bears the mark of this office"))

    def _faxed(self, account: Account) -> bool:
        """Whether a gateway takes it by what the provider wrote of its envelope; what it refuses is sorted as mail."""
        for gateway in self.gateways:
            try:
                hops = gateway.collected(self.headers, account, self.directory)
            except PolicyRefusal as fault:
                self.steps.append(step("gateway-refused", fault.public))
                return False
            for hop in hops:
                self.hops.append(evolve(hop, params={**asked_in(self.headers), **hop.params}))
                self.steps.append(step(hop.reason, f"the provider wrote down {hop.address}"))
            if hops:
                self.dropped = True
                return True
        return False

    def _print_status(self, account: Account | None) -> bool:
        """What a printer elsewhere reports of a job of ours is for the person who printed, whoever it is written to.

        Jobs of nobody in particular leave in ADMIN's name; their reports are for the job alone and in no mailbox.
        """
        if not is_status(self.headers):
            return False
        mark = next((self.known[one] for one in references(self.headers) if one in self.known), None)
        user = None if mark is None else self.directory.user_by_id.get(mark.user_id)
        if user is None:
            return False
        if user.kind is UserKind.PERSON:
            self.steps.append(step("print-status", f"{user.name} printed it"))
            self._add(user.id, Hit("print-status"), account)
        else:
            self.steps.append(step("print-status", "nobody of this office printed it"))
            self.dropped = True
        return True

    def _printed(self, printed: Printed, address: Address) -> None:
        """For a printer of this office: a row of the queue, whose agent looks at who sent it and what it brings."""
        params = {"notify": ["NEVER"], "tags": list(printed.tags)}
        self.hops.append(Hop("printer", str(address), "printer", device=printed.place.name, params=params))
        self.steps.append(step("printer", f"{address} is {printed.place.name}"))

    def _adopt(self, decision: Decision, account: Account) -> None:
        self.steps += decision.steps
        hits = dict(decision.hits)
        refusal = self._public_refusal(account) if decision.public else ""
        if refusal:
            hits = {user_id: hit for user_id, hit in hits.items() if hit.reason != "public"}
            self._to_admin(account, refusal, "not given to everybody")
        for user_id, hit in hits.items():
            self._add(user_id, hit, account)
        self.dropped = decision.dropped
        if not hits and not refusal and not decision.dropped:
            self._to_admin(account, decision.fallback)

    def _public_refusal(self, account: Account) -> str:
        options = people_of(self.directory).sharers[account.id].options
        sender = str(self.envelope.sender or "").casefold()
        if self.author is not None:
            sender = self.author.name
        elif boxes := self.headers.mailboxes("from"):
            sender = str(boxes[0].address).casefold()
        refusal = may_write_to_public(
            options,
            local=self.author is not None,
            known_sender=is_known_sender(self.headers, account, self.directory, self.known),
            sent_last_hour=self.public_rate.count(account.id, sender, self.origin.key) if self.public_rate else 0,
        )
        if not refusal and self.public_rate is not None:
            self.public_rate.add(account.id, sender, self.origin.key)
            self.public.append((account.id, sender))
        return refusal

    def _warn(self, account: Account) -> None:
        sharers = people_of(self.directory).sharers[account.id]
        why = impersonates(self.headers, sharers, self.directory)
        if why:
            self.warning = True
            self.steps.append(step("display-name", why))

    # ------------------------------------------------------------------ handed in over SMTP, the web, or by ourselves

    def handed_in(self) -> None:
        """Recipient by recipient; the envelope alone decides, but for the shared address itself."""
        if self._print_status(self._home()):
            return
        named: dict[int, list[Recipient]] = {}
        people, users = 0, self.directory.user_by_id
        for recipient in self.envelope.recipients:
            if self.gateways and self._by_gateway(recipient):
                continue
            where = resolve_recipient(
                recipient.address,
                sender_user=self.author,
                directory=self.directory,
                trusted=self.origin.trusted or self.origin.source is Source.REPORT,
            )
            if isinstance(where, Local):
                account = self.directory.account_by_id.get(where.account_id or 0)
                for user_id in where.user_ids:
                    self._local(user_id, where.reason, recipient.address, account)
                people += all(users[each].kind is not UserKind.PUBLIC for each in where.user_ids)
            elif isinstance(where, Printed):
                self._printed(where, recipient.address)
            elif isinstance(where, Named):
                named.setdefault(where.account_id, []).append(recipient)
            elif isinstance(where, Outside) and (self.author is not None or self.origin.source is not Source.SMTP):
                self._outside(recipient)
            else:
                self._nobody(recipient.address, "outside" if isinstance(where, Outside) else where.reason)
        for account_id, recipients in named.items():
            self._by_name(self.directory.account_by_id[account_id], recipients)
        self.by_envelope = 0 < people == len(self.envelope.recipients)
        home = self._home()
        if self.author is None and self.origin.source is Source.SMTP and home is not None:
            self._warn(home)

    def _by_gateway(self, recipient: Recipient) -> bool:
        """Whether a gateway takes it; one that RCPT should have refused goes to ADMIN."""
        gateway = next((one for one in self.gateways if one.claims(recipient.address)), None)
        if gateway is None:
            return False
        try:
            hops = gateway.hops(recipient, self.author, self.headers)
        except PolicyRefusal as fault:
            self._nobody(recipient.address, "gateway-refused")
            self.steps.append(step("gateway-refused", fault.public))
            return True
        for hop in hops:
            params = {**asked_in(self.headers), **hop.params, **self._asked(recipient), **recipient.params}
            same = (hop.agent, hop.address, *(str(params.get(name, "")) for name in _TOLD_APART))
            if same in self.handed:  # RFC 4161 section 2.1: no transmission twice
                self.steps.append(step("gateway-once", str(recipient.address)))
                continue
            self.handed.add(same)
            self.hops.append(evolve(hop, params=params))
            self.steps.append(step(hop.reason, str(recipient.address)))
        return True

    def _asked(self, recipient: Recipient) -> dict[str, object]:
        """What the sender asked for, for the row of a recipient."""
        params: dict[str, object] = {}
        if recipient.notify:
            params["notify"] = sorted(recipient.notify)
        if recipient.orcpt:
            params["orcpt"] = recipient.orcpt
        if is_urgent(self.headers):
            params["urgent"] = True
        return params

    def _home(self) -> Account | None:
        """The author's first account, else the first of all: whose ADMIN hears of trouble."""
        for account_id in self.author.accounts if self.author else ():
            if account_id in self.directory.account_by_id:
                return self.directory.account_by_id[account_id]
        return self.directory.accounts[0] if self.directory.accounts else None

    def _local(self, user_id: int, reason: str, address: Address, account: Account | None) -> None:
        user = self.directory.user_by_id[user_id]
        if user.kind is not UserKind.PUBLIC:
            self.steps.append(step(reason, str(address)))
            self._add(user_id, Hit(reason), account)
            return
        owner = account or self._home()
        if owner is not None:
            sharers = people_of(self.directory).sharers[owner.id]
            decision = Decision({member: Hit("public") for member in sharers.public_members}, public=True)
            decision.steps.append(step("public", str(address)))
            self._adopt(decision, owner)

    def _outside(self, recipient: Recipient) -> None:
        account = sending_account(self.headers, self.author, self.directory, self.envelope.sender) or self._home()
        params = self._asked(recipient)
        hop = Hop("relay", str(recipient.address), "outside", account.id if account else None, params=params)
        self.hops.append(hop)
        self.steps.append(step("outside", f"{recipient.address} by {account.address if account else 'no account'}"))

    def _by_name(self, account: Account, recipients: Sequence[Recipient]) -> None:
        """Mail to the shared address itself: the names in the header decide, and it never goes upstream.

        :param recipients: what it was written to in the envelope: the address, or a tag of it that is nobody's.
        """
        local = self.author is not None or self.origin.trusted
        ladder = ladder_for(self.headers, account, self.directory, self.known, local=local)
        candidates = ladder.candidates()
        ladder.decision.fallback = "no-name" if candidates else "not-addressed"
        if not self.headers.oversize:
            for where, box in candidates:
                if ladder.sharers.by_tag(ladder.sharers.own_address(box.address)[1]):
                    continue  # the tag of a user had its own RCPT
                ladder.by_name(where, box)
        else:
            ladder.decision.fallback = "oversize"
        decision = ladder.decision
        self._adopt(decision, account)
        for recipient in recipients if self.author is not None else ():
            if ladder.sharers.own_address(recipient.address)[1]:
                self.steps.append(step("unknown-tag", str(recipient.address)))
                self.notes.append(f"{recipient.address}: nobody here has this tag")
        missed = [each for each in decision.steps if each.code in {"unknown-name", "ambiguous"}]
        if missed and self.author is not None:
            words = {"unknown-name": "nobody here has this name", "ambiguous": "several people here have this name"}
            for each in missed:
                self.notes.append(f"{each.detail}: {words[each.code]}")
            if not decision.hits:
                self.notes.append(f"The message was given to {account.admin}.")

    def _nobody(self, address: Address, reason: str) -> None:
        """A recipient that RCPT should have refused; nothing is ever thrown away."""
        home = self._home()
        if home is not None:
            self._to_admin(home, reason, str(address))
        if self.author is not None:
            self.notes.append(f"{address}: nobody here has this address; the message was given to the administrator.")

    # ------------------------------------------------------------------ putting together

    def _to_admin(self, account: Account, reason: str, detail: str = "") -> None:
        admin = self.directory.user_by_name.get(account.admin)
        self.steps.append(step(reason, detail or f"given to {account.admin}"))
        if admin is not None:
            self._add(admin.id, Hit(reason), account)
            self.reasons.setdefault(admin.id, reason)

    def _add(self, user_id: int, hit: Hit, account: Account | None) -> None:
        if hit.reason == "public" and self._is_author(user_id, account):
            return
        self.hits.setdefault(user_id, hit)

    def _is_author(self, user_id: int, account: Account | None) -> bool:
        if account is None or user_id != self.origin.user_id:
            return False
        return not people_of(self.directory).sharers[account.id].options.public_to_author

    def _copy(self) -> None:
        """CC rules: one hop, not for mail to everybody, nobody twice, never back to the author."""
        for user_id, hit in list(self.hits.items()):
            owner = self.directory.user_by_id.get(user_id)
            if hit.reason == "public" or owner is None:
                continue
            for copy_id in owner.cc:
                reader = self.directory.user_by_id.get(copy_id)
                if reader is None or not reader.enabled or copy_id in self.hits or copy_id == self.origin.user_id:
                    continue
                if owner.name not in self.copies.setdefault(copy_id, []):
                    self.copies[copy_id].append(owner.name)
                    self.steps.append(step("cc", f"{reader.name} for {owner.name}"))

    def routing(self) -> Routing:
        """All of it as one frozen value. What came to nobody at all goes to ADMIN, unless it is to be dropped."""
        home = self._home()
        if not self.hits and not self.hops and not self.dropped and home is not None:
            self._to_admin(home, "nobody", "no mailbox was left to give it to")
        self._copy()
        everywhere = folder_lines(self.origin.folder, junk=self.origin.junk)
        if self.warning:
            everywhere += b"X-Mailshare-Warning: display-name\r\n"
        if self.headers.begins_with_text:
            everywhere += b"\r\n"
        targets = [self._target(user_id, hit, everywhere) for user_id, hit in self.hits.items()]
        for copy_id, owners in self.copies.items():
            line = f"X-Mailshare-Copy-For: {', '.join(owners)}\r\n".encode()
            targets.append(self._target(copy_id, Hit("cc"), line + everywhere))
        return Routing(
            tuple(targets),
            tuple(self.hops),
            tuple(self.steps),
            tuple(self.notes),
            tuple(self.public),
            came_back=self.came_back,
        )

    def _target(self, user_id: int, hit: Hit, rest: bytes) -> Target:
        """One mailbox; ``rest`` goes below its own lines."""
        prefix = _delivered_line(self.directory.user_by_id[user_id], self.directory)
        if hit.original and _plain(hit.original):
            prefix += f"X-Original-To: {hit.original}\r\n".encode()
        if user_id in self.reasons:
            prefix += f"X-Mailshare-Reason: {self.reasons[user_id]}\r\n".encode()
        return Target(user_id, hit.reason, prefix + rest)


def _nothing_said(headers: Headers, origin: Origin, author: User | None, directory: Directory) -> bool:
    """The header of mail that was handed in changes nothing of what the envelope says."""
    if is_status(headers):
        return False
    if author is not None or origin.source is not SMTP:
        return True
    sharers = _first_sharers(directory)
    return sharers is None or not impersonates(headers, sharers, directory)


@derived
def _first_sharers(directory: Directory) -> Sharers | None:
    """Those of the first account, whose ADMIN hears of trouble."""
    accounts = directory.accounts
    return people_of(directory).sharers[accounts[0].id] if accounts else None


@derived
def _delivered_lines(_: Directory) -> dict[int, bytes]:
    """The ``Delivered-To`` lines of a directory's users that were written before."""
    return {}


def _delivered_line(user: User, directory: Directory) -> bytes:
    lines = _delivered_lines(directory)
    line = lines.get(user.id)
    if line is None:
        line = lines[user.id] = f"Delivered-To: {delivered_to(user, directory)}\r\n".encode()
    return line


def _plain(text: str) -> bool:
    """Fit for a header line of ours: printable and short."""
    return text.isprintable() and len(text) <= 320
