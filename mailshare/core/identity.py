"""The identity of outgoing mail: who it is from, as others will read it and answer it.

A client's header block is changed in as few fields as the rules ask for; every other octet stays as it came.
docs/reference/sorting.md tells the rules; the display name is chosen so that an answer sorts back to its sender.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from mailshare.core.address import Address
from mailshare.core.derived import changed, derived
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
_SAYS = re.compile(rb"[^:]*:[ \t]*[!-~]")  # a field whose value is surely not empty
_HIDDEN = frozenset({"bcc", "resent-bcc"})
_RETURN_PATH = frozenset({"return-path"})
_SENDER = frozenset({"sender"})
_SHORT_FROM = 160  # octets of a field that is remembered
_MOST_FROMS = 1_000  # for each directory
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
    if len(accounts) < 2:
        return accounts[0] if accounts else None
    addresses = [box.address for box in headers.mailboxes("from")]
    if sender is not None:
        addresses.append(sender)
    for address in addresses:
        for account in accounts:
            domain = account.mode is AccountMode.DOMAIN and address.key[1] in account.domains
            if domain or address.key in {own.key for own in (account.address, *account.aliases)}:
                return account
    return accounts[0]


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


class _Rewrite:
    """A block being changed.

    :ivar by_name: the fields of each lower-case name, top down, as they are now.
    """

    def __init__(self, headers: Headers) -> None:
        self.fields = list(headers.fields)
        self.by_name = dict(headers.by_name)
        self.steps: list[Step] = []
        self.changed: set[str] = set()

    def named(self, name: str) -> tuple[Field, ...]:
        """Fields of this lower-case name."""
        return self.by_name.get(name, ())

    def put(self, key: str, new: Field) -> None:
        """Replace the first field of that lower-case name, drop the others; append it when there is none."""
        if old := self.named(key):
            place = self.fields.index(old[0])
            if len(old) > 1:
                self.fields = [each for each in self.fields if each.key != key]
                self.fields.insert(place, new)
            else:
                self.fields[place] = new
        else:
            self.fields.append(new)
        self.by_name[key] = (new,)
        self.changed.add(key)

    def drop(self, names: frozenset[str], why: str) -> None:
        """Take all fields of these lower-case names out."""
        if not names.isdisjoint(self.by_name):
            found = names & self.by_name.keys()
            for name in found:
                del self.by_name[name]
            self.changed |= found
            self.fields = [each for each in self.fields if each.key not in names]
            self.steps.append(step(why))


def _made(name: str, value: str) -> Field:
    return Field(name, f"{name}: {value}\r\n".encode())


def submission_header(
    headers: Headers,
    *,
    user: User,
    account: Account | None,
    directory: Directory,
    policy: str,
    received: bytes,
    message_id: str,
    date: str,
) -> tuple[Headers, tuple[Step, ...]]:
    """The header of a client's message as they go on.

    From is made right by the policy, Bcc and a Return-Path (RFC 5321 section 4.4) taken out, Date and Message-ID added
    where they lack, the message's own id put at the end of References (some providers replace the Message-ID), Reply-To
    with the tag added where tags work, a client's DKIM-Signature over a changed field dropped, ``received`` put on top.
    All else stays octet for octet.

    :param headers: all that the client gave, nothing cut.
    :param account: the account it leaves by, see :func:`sending_account`.
    :param policy: ``fix``, ``enforce`` or ``keep``.
    :param received: a whole Received field with its line end.
    :param message_id: used when the client gave none; with or without angle brackets.
    :param date: used when the client gave none (RFC 5322 section 3.3).
    :returns: the new header, and the steps for the journal.
    :raises PolicyRefusal: 550 5.7.1 under ``enforce`` when From is not the user's.
    """
    headers = _ended(headers)
    work = _Rewrite(headers)
    sharers = people_of(directory).sharers.get(account.id) if account else None
    if policy != "keep":
        _make_from(work, user, sharers, directory, strict=policy == "enforce")
    work.drop(_HIDDEN, "bcc-removed")
    work.drop(_RETURN_PATH, "return-path-removed")
    if not any(_SAYS.match(each.raw) or each.value for each in work.named("date")):
        work.put("date", _made("Date", date))
    own_id = headers.own_id
    if not own_id:
        own_id = f"<{message_id.strip('<> ')}>"
        work.put("message-id", _made("Message-ID", own_id))
    _refer(work, own_id)
    if sharers is not None:
        _reply_to(work, user, sharers)
    if "dkim-signature" in work.by_name:
        _drop_signatures(work)
    trace = Field("Received", received)
    by_name = work.by_name
    by_name["received"] = (trace, *by_name.get("received", ()))
    return changed(headers, fields=(trace, *work.fields), by_name=by_name, own_id=own_id), tuple(work.steps)


class _From(NamedTuple):
    """What becomes of a block's From.

    :ivar own: the address in it is the user's to use.
    :ivar new: what stands there instead, if it is changed.
    """

    own: bool
    new: Field | None = None
    steps: tuple[Step, ...] = ()


@derived
def _known_froms(directory: Directory) -> dict[tuple[int, int, bool, bytes], _From]:
    """What became of fields before, by user, account, strictness and octets: a program writes the same each time."""
    del directory
    return {}


def _make_from(work: _Rewrite, user: User, sharers: Sharers | None, directory: Directory, *, strict: bool) -> None:
    found, known = work.named("from"), _known_froms(directory)
    usual = len(found) == 1 and len(found[0].raw) <= _SHORT_FROM and directory.user_by_id.get(user.id) is user
    key = (user.id, sharers.account.id if sharers else 0, strict, found[0].raw if usual else b"")
    right = known.get(key) if usual else None
    if right is None:
        right = _right_from(found, user, sharers, directory, strict=strict)
        if usual and len(known) < _MOST_FROMS:
            known[key] = right
    if not right.own:
        work.drop(_SENDER, "sender-removed")
    if right.new is not None:
        work.put("from", right.new)
    work.steps += right.steps


def _right_from(
    found: Sequence[Field], user: User, sharers: Sharers | None, directory: Directory, *, strict: bool
) -> _From:
    boxes = [box for each in found for box in each.address_list[0]]
    single = len(boxes) == 1 and len(found) == 1
    first = boxes[0] if boxes else None
    own = single and first is not None and _may_use(first.address, user, sharers, directory)
    if strict and not own:
        raise PolicyRefusal("The From address is not yours to use", code=550, enhanced=(5, 7, 1))
    if own and first is not None and (not _named_by_display(sharers) or _keeps_name(first, user, sharers)):
        if _READ_ALIKE.match(found[0].value):
            return _From(own=True)
        why = f"{first} is written so that every program reads it alike"
        return _From(True, _made("From", display(first.name, first.address)), (step("from-fixed", why),))
    wished = first.name if first is not None else ""
    if own and first is not None:
        address = first.address
    else:
        address = envelope_sender(user, sharers.account) if sharers else Address(user.name, directory.hostname)
    if _named_by_display(sharers):
        name = name_that_returns(user, sharers, wished)
    else:
        borrowed = not own and _means_another(wished, user, sharers)
        name = name_that_returns(user, None, "" if borrowed else wished)
    old = ", ".join(map(str, boxes)) or "none"
    why = f"{old} became {name} <{address}>"
    return _From(own, _made("From", display(name, address)), (step("from-fixed", why),))


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
    ids = Headers.ids_of(work.named("references"))
    if own_id not in ids:
        work.put("references", _made("References", "\r\n ".join([*ids, own_id])))


def _reply_to(work: _Rewrite, user: User, sharers: Sharers) -> None:
    account = sharers.account
    wanted = sharers.options.tags_work and account.mode is AccountMode.REGULAR and not work.named("reply-to")
    if wanted and account.tag_delimiter and sharers.by_tag(user.name) == user.id:
        address = Address(f"{account.address.local}{account.tag_delimiter}{user.name}", account.address.domain)
        work.put("reply-to", _made("Reply-To", display(name_that_returns(user, sharers), address)))
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


def _ended(headers: Headers) -> Headers:
    """Every field ends its line; only the last of a block without empty line may not."""
    fields = headers.fields
    if not fields or fields[-1].raw.endswith((b"\n", b"\r")):
        return headers
    return Headers((*fields[:-1], Field(fields[-1].name, fields[-1].raw + b"\r\n")))
