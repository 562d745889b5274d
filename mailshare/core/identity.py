"""The identity of outgoing mail: who it is from, as others will read it and answer it.

A client's header block is changed in as few fields as the rules ask for; every other octet stays as it came.
docs/reference/sorting.md tells the rules; the display name is chosen so that an answer sorts back to its sender.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import define, field

from mailshare.core.address import Address
from mailshare.core.encoded_words import encode, without_controls
from mailshare.core.errors import PolicyRefusal
from mailshare.core.headers import Field, Headers
from mailshare.core.ladder import step
from mailshare.core.mailboxes import Mailbox
from mailshare.core.people import Sharers, people_of
from mailshare.core.recipients import Local, resolve_recipient
from mailshare.core.values import Account, AccountMode, Directory, Step, User

POLICIES = ("fix", "enforce", "keep")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]+\Z")
_READ_ALIKE = re.compile(  # a bare address, or one behind plain words, one quoted string or one encoded word
    r"[!-'*-;=?-~]+\Z|(?:(?!\.)[A-Za-z0-9!#$%&'*+/?^_`{|}~. -]*+"
    r'|"[ !#-\[\]-~]*+" *+|=\?[\w.-]+\?[BbQq]\?[!->@-~]*+\?= *+)<[!-;=?-~]+>\Z'
)
_SIGNED = re.compile(r"(?:\A|;)\s*h\s*=([^;]*)")
_HIDDEN = frozenset({"bcc", "resent-bcc"})
_MAX_NAME = 255


def display(name: str, address: Address) -> str:
    """A mailbox as it stands in a header: plain, quoted, or as encoded words (RFC 5322 section 3.4, RFC 2047)."""
    clean = " ".join(without_controls(name).split())[:_MAX_NAME]
    if not clean:
        return str(address)
    if not clean.isascii() or "=?" in clean:
        words = encode(clean).replace(" ", "\r\n ")
    elif _ATOMS.match(clean):
        words = clean
    else:
        words = '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{words} <{address}>"


def envelope_sender(user: User, account: Account | None) -> Address:
    """What MAIL FROM becomes on the way out: the shared address, or the user's own in a domain account.

    Without an account it is the bare login, which only local mail may carry.
    """
    if account is None:
        return Address(user.name)
    if account.mode is AccountMode.REGULAR:
        return account.address
    return Address(user.name, account.domains[0] if account.domains else account.address.domain)


def sending_account(
    headers: Headers, user: User | None, directory: Directory, sender: Address | None = None
) -> Account | None:
    """The account a user's mail leaves by: the one of his whose address stands in From or MAIL FROM, else his first."""
    accounts = [directory.account_by_id[a] for a in (user.accounts if user else ()) if a in directory.account_by_id]
    addresses = [box.address for box in headers.mailboxes("from")]
    if sender is not None:
        addresses.append(sender)
    for address in addresses:
        for account in accounts:
            domain = account.mode is AccountMode.DOMAIN and address.key[1] in account.domains
            if domain or address.key in {own.key for own in (account.address, *account.aliases)}:
                return account
    return accounts[0] if accounts else None


def name_that_returns(user: User, sharers: Sharers | None, wished: str = "") -> str:
    """The display name for a user: the wished one if an answer to it sorts back to him alone, else his own.

    Full names come before the login, the first that sorts back is taken; the login when none does.
    """
    full = [name for name in user.names if "@" not in name]
    for name in (wished, *full, user.name):
        if name and (sharers is None or _returns(name, user, sharers)):
            return name
    return user.name


def _returns(name: str, user: User, sharers: Sharers) -> bool:
    if sharers.names.means_nobody(name) or len(name) > _MAX_NAME:
        return False
    match = sharers.names.match(name)
    return match.user_ids == (user.id,) and not match.ambiguous and not match.unknown


@define
class _Rewrite:
    """A block being changed."""

    fields: list[Field]
    steps: list[Step] = field(factory=list)
    changed: set[str] = field(factory=set)

    def named(self, *names: str) -> list[Field]:
        """Fields of these lower-case names."""
        return [each for each in self.fields if each.key in names]

    def put(self, name: str, value: str) -> None:
        """Replace the first field of that name, drop the others; append it when there is none."""
        new = Field(name, f"{name}: {value}\r\n".encode())
        old = self.named(name.lower())
        if old:
            place = self.fields.index(old[0])
            self.fields = [each for each in self.fields if each.key != name.lower()]
            self.fields.insert(place, new)
        else:
            self.fields.append(new)
        self.changed.add(name.lower())

    def drop(self, names: Iterable[str], why: str) -> None:
        """Take all fields of these lower-case names out."""
        wanted = frozenset(names)
        if any(each.key in wanted for each in self.fields):
            self.changed |= {each.key for each in self.fields if each.key in wanted}
            self.fields = [each for each in self.fields if each.key not in wanted]
            self.steps.append(step(why))


def submission_header(
    fields: Sequence[Field],
    *,
    user: User,
    account: Account | None,
    directory: Directory,
    policy: str,
    received: bytes,
    message_id: str,
    date: str,
) -> tuple[tuple[Field, ...], tuple[Step, ...]]:
    """The header fields of a client's message as they go on.

    From is made right by the policy, Bcc and a Return-Path (RFC 5321 section 4.4) taken out, Date and Message-ID added
    where they lack, the message's own id put at the end of References (some providers replace the Message-ID), Reply-To
    with the tag added where tags work, a client's DKIM-Signature over a changed field dropped, ``received`` put on top.
    All else stays octet for octet.

    :param fields: all that the client gave, none cut.
    :param account: the account it leaves by, see :func:`sending_account`.
    :param policy: ``fix``, ``enforce`` or ``keep``.
    :param received: a whole Received field with its line end.
    :param message_id: used when the client gave none; with or without angle brackets.
    :param date: used when the client gave none (RFC 5322 section 3.3).
    :returns: the new fields, and the steps for the journal.
    :raises PolicyRefusal: 550 5.7.1 under ``enforce`` when From is not the user's.
    """
    work = _Rewrite(list(fields))
    sharers = people_of(directory).sharers.get(account.id) if account else None
    if policy != "keep":
        _make_from(work, user, sharers, directory, strict=policy == "enforce")
    work.drop(_HIDDEN, "bcc-removed")
    work.drop({"return-path"}, "return-path-removed")
    if not any(each.value for each in work.named("date")):
        work.put("Date", date)
    ids = Headers(tuple(work.named("message-id"))).message_ids("message-id")
    if not ids:
        ids = (f"<{message_id.strip('<> ')}>",)
        work.put("Message-ID", ids[0])
    _refer(work, ids[0])
    if sharers is not None:
        _reply_to(work, user, sharers)
    _drop_signatures(work)
    _end_lines(work)
    return (Field("Received", received), *work.fields), tuple(work.steps)


def _make_from(work: _Rewrite, user: User, sharers: Sharers | None, directory: Directory, *, strict: bool) -> None:
    boxes = [box for each in work.named("from") for box in each.address_list[0]]
    single = len(boxes) == 1 and len(work.named("from")) == 1
    first = boxes[0] if boxes else None
    own = single and first is not None and _may_use(first.address, user, sharers, directory)
    if strict and not own:
        raise PolicyRefusal("The From address is not yours to use", code=550, enhanced=(5, 7, 1))
    if own and first is not None and (not _named_by_display(sharers) or _keeps_name(first, user, sharers)):
        if not _READ_ALIKE.match(work.named("from")[0].value):
            work.put("From", display(first.name, first.address))
            work.steps.append(step("from-fixed", f"{first} is written so that every program reads it alike"))
        return
    wished = first.name if first is not None else ""
    if own and first is not None:
        address = first.address
    else:
        address = envelope_sender(user, sharers.account) if sharers else Address(user.name, directory.hostname)
        work.drop({"sender"}, "sender-removed")
    if _named_by_display(sharers):
        name = name_that_returns(user, sharers, wished)
    else:
        borrowed = not own and _means_another(wished, user, sharers)
        name = name_that_returns(user, None, "" if borrowed else wished)
    old = ", ".join(map(str, boxes)) or "none"
    work.put("From", display(name, address))
    work.steps.append(step("from-fixed", f"{old} became {name} <{address}>"))


def _named_by_display(sharers: Sharers | None) -> bool:
    """Answers are sorted by display name."""
    return sharers is not None and sharers.account.mode is AccountMode.REGULAR


def _keeps_name(box: Mailbox, user: User, sharers: Sharers | None) -> bool:
    return sharers is not None and not box.fragments and _returns(box.name, user, sharers)


def _means_another(name: str, user: User, sharers: Sharers | None) -> bool:
    """A colleague has this name; with somebody else's address it would only deceive."""
    match = sharers.names.match(name) if sharers is not None else None
    return match is not None and user.id not in (*match.user_ids, *match.contenders) and bool(match.user_ids)


def _may_use(address: Address, user: User, sharers: Sharers | None, directory: Directory) -> bool:
    """The user may write this address into From."""
    if sharers is None:
        found = resolve_recipient(address, sender_user=user, directory=directory, trusted=False)
        return isinstance(found, Local) and found.user_ids == (user.id,) and bool(address.domain)
    if sharers.account.mode is AccountMode.DOMAIN:
        return sharers.in_own_domain(address) and sharers.by_address(address)[0] == user.id
    own, tag = sharers.own_address(address)
    return own and (not tag or (sharers.options.tags_work and sharers.by_tag(tag) == user.id))


def _refer(work: _Rewrite, own_id: str) -> None:
    """Put the message's own id at the end of References, so that an answer carries it whatever relays do to it."""
    old = work.named("references")
    ids = Headers(tuple(old)).message_ids("references")
    if own_id in ids:
        return
    work.put("References", "\r\n ".join([*ids, own_id]))


def _reply_to(work: _Rewrite, user: User, sharers: Sharers) -> None:
    account = sharers.account
    wanted = sharers.options.tags_work and account.mode is AccountMode.REGULAR and not work.named("reply-to")
    if wanted and account.tag_delimiter and sharers.by_tag(user.name) == user.id:
        address = Address(f"{account.address.local}{account.tag_delimiter}{user.name}", account.address.domain)
        work.put("Reply-To", display(name_that_returns(user, sharers), address))
        work.steps.append(step("reply-to-added", str(address)))


def _drop_signatures(work: _Rewrite) -> None:
    """A signature over a field that was changed would only fail at the reader's side (RFC 6376 section 3.5, ``h=``)."""
    kept: list[Field] = []
    for each in work.fields:
        found = _SIGNED.search(each.value) if each.key == "dkim-signature" else None
        signed = {name.strip().lower() for name in found[1].split(":")} if found else set()
        if signed & work.changed:
            work.steps.append(step("signature-dropped", ", ".join(sorted(signed & work.changed))))
        else:
            kept.append(each)
    work.fields = kept


def _end_lines(work: _Rewrite) -> None:
    """Every field ends its line; only the last of a block without empty line may not."""
    work.fields = [
        each if each.raw.endswith((b"\n", b"\r")) else Field(each.name, each.raw + b"\r\n") for each in work.fields
    ]
