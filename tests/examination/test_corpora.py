"""Foreign mail through reading, sorting, storing and POP3.

``MAILSHARE_CORPORA=/some/folder`` names a tree of ``.eml`` files, mbox files and Maildirs; without it the standard
library's own messages are taken. ``MAILSHARE_MUTANTS`` sets how many are mutilated besides. Run with ``-s`` to read
the figures.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections import Counter
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.names import normalise
from mailshare.core.sorting import addressed
from mailshare.core.values import Account, AccountMode, Directory, Origin, Source, User, UserKind
from mailshare.delivery.router import Router
from mailshare.interfaces import IMailboxOpener, IMaildrop
from mailshare.store.memory import MemoryStore
from tests.examination.conftest import DOMAIN, REGULAR, Examiner
from tests.examination.corpora import ROOT, messages, needs_mail, sources
from tests.pop3.conftest import Office as POP3Office

pytestmark = needs_mail
MUTANTS = int(os.environ.get("MAILSHARE_MUTANTS", "200"))
_NOISE = [b'"', b"(", b"<", b"\0", b"\r", b"\n", b"=?utf-8?b?", b":;", b"\r\n "]
_WORDS = re.compile(r"[\s._\-,]+")


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, bytes]]:
    """All of it."""
    found = list(messages(ROOT)) if ROOT else []
    assert found
    return found


@implementer(IMailboxOpener)
class Opener:
    """A mailbox of the store for the POP3 server."""

    def __init__(self, store: MemoryStore, user_id: int) -> None:
        self._store = store
        self._user_id = user_id

    async def open(self, owner: str) -> IMaildrop:
        """Lock it."""
        return await self._store.mailboxes.lock_maildrop(self._user_id, owner)


@pytest.mark.parametrize("account", [REGULAR, DOMAIN], ids=lambda account: account.mode.value)
def test_foreign_mail_is_kept_octet_for_octet(corpus: list[tuple[str, bytes]], account: Account):
    """Nothing raises, nobody who is not written to gets it, POP3 gives back what came, in time that grows with size."""
    office = Examiner(account)
    answers = Counter[str]()
    slowest = 0.0
    for where, octets in corpus:
        start = time.process_time()
        answer = office.ask(octets)
        took = time.process_time() - start
        slowest = max(slowest, took)
        assert took < 1 + len(octets) / 200_000, where
        assert answer.startswith("ADMIN ") or b"company.example" in octets, where
        answers[answer] += 1
    kept = _by_pop3(office)
    digests = {hashlib.sha256(octets).digest() for _, octets in corpus}
    ended = {hashlib.sha256(octets + b"\r\n").digest() for _, octets in corpus if not octets.endswith(b"\r\n")}
    assert kept <= digests | ended
    assert len(kept) > 0.5 * len(digests)
    size = sum(len(octets) for _, octets in corpus)
    assert ROOT is not None
    place = f"{len(corpus)} messages of {sources(ROOT, corpus)} sources"
    sys.stdout.write(f"\n{place}, {size} octets, slowest {slowest:.3f} s: {dict(answers)}\n")


def _by_pop3(office: Examiner) -> set[bytes]:
    """Digests of what a POP3 client reads in ADMIN's mailbox, without the lines that we put on top."""
    admin = office.store.directory.current().user_by_name["admin1"].id
    server = POP3Office(IMailboxOpener, Opener(office.store, admin))
    client = server.connect()
    assert client.log_in().count(b"+OK") == 2
    count = int(client.say(b"STAT").split()[1])
    digests: set[bytes] = set()
    for number in range(1, count + 1):
        said = client.say(b"RETR %d" % number)
        while not said.endswith(b"\r\n.\r\n"):
            server.clock.advance(0)
            said += client.read()
        text = said.partition(b"\r\n")[2][:-3]
        text = (b"\r\n" + text).replace(b"\r\n..", b"\r\n.")[2:]
        while text.startswith((b"Delivered-To: admin1@mail.office.example\r\n", b"X-Mailshare-")):
            text = text.partition(b"\r\n")[2]
        digests.add(hashlib.sha256(text).digest())
    server.close()
    return digests


def _stdlib_names(headers: Headers, address: Address) -> set[str]:
    """What another reader finds in front of an address, casefolded and with its blanks collapsed."""
    fields = [each for name in ("to", "cc", "resent-to", "resent-cc") for each in headers.all(name)]
    names = set[str]()
    for each in fields:
        try:
            pairs = getaddresses([each], strict=False)
        except (TypeError, RecursionError):
            pairs = getaddresses([each[:500]])
        for name, found in pairs:
            if found.casefold().replace(" ", "") == str(address).casefold():
                try:
                    names.add(normalise(str(make_header(decode_header(name)))))
                except (LookupError, ValueError, UnicodeError):
                    names.add(normalise(name))
    return names


def _frequent(read: list[tuple[str, Headers]], most: int) -> dict[str, str]:
    """The likeliest staff: the most frequent first names of the corpus, each with its most frequent full name."""
    full: dict[str, Counter[str]] = {}
    for _, headers in read:
        for box in {*headers.mailboxes("from"), *(each for _, each in addressed(headers)[:20])}:
            name = normalise(box.name)
            if re.fullmatch(r"[^\W\d]{2,}(?: [^\W\d]\.?)?(?: [^\W\d]{2,}){1,2}", name):
                full.setdefault(name.split()[0], Counter())[name] += 1
    first = sorted(full, key=lambda name: (-full[name].total(), name))[:most]
    return {name: full[name].most_common(1)[0][0] for name in first}


@pytest.mark.parametrize("everybody", [True, False], ids=["who is written to works here", "others work here"])
def test_nobody_gets_the_mail_of_another(corpus: list[tuple[str, bytes]], everybody: bool):
    """Each message's own addresses become the shared one, with a staff that has the corpus's most frequent names.

    Once whoever stands in front of such an address works there too, once not. Another reader says which words stand
    there: a user is right by his whole name in any order, or by his login as one of the words.
    """
    read = [(where, Headers.parse(octets)) for where, octets in corpus]
    staff = _frequent(read, 120)
    admin = User(1, "admin1", UserKind.ADMIN, accounts=(1,))
    usual = [User(10 + n, login, names=(name,), accounts=(1,)) for n, (login, name) in enumerate(staff.items())]
    count = Counter[str]()
    for where, headers in read:
        boxes = [box for _, box in addressed(headers)]
        here = {normalise(box.name) for box in boxes if "@" not in box.name} - {"", *staff, *staff.values()}
        named = enumerate(sorted(here)[:20] if everybody else ())
        people = (*usual, *(User(500 + n, f"here{n}", names=(name,), accounts=(1,)) for n, name in named))
        for address in sorted({box.address for box in boxes[:5] if box.address.domain})[:3]:
            office = Directory((admin, *people), (Account(1, 1, address),))
            origin = Origin(Source.COLLECT, "0" * 16, account_id=1)
            written = _stdlib_names(headers, address)
            words = {word for each in written for word in _WORDS.split(each)}
            for target in Router().route(Envelope(None), headers, origin, office, {}).targets:
                if target.user_id == 1:
                    count[f"ADMIN {target.reason}"] += 1
                    continue
                user = office.user_by_id[target.user_id]
                name = normalise(user.names[0])
                if name in written or set(_WORDS.split(name)) <= words:
                    count["right by the whole name"] += 1
                elif user.name in words:
                    count["right by the login"] += 1
                else:
                    count["wrong"] += 1
                    sys.stdout.write(f"\nwrong? {where}: {user.name!r}, {name!r} for {written!r} by {target.reason}\n")
    sys.stdout.write(f"\nshared addresses: {dict(count)}\n")
    assert count["wrong"] <= sum(count.values()) // 1_000


def test_a_catch_all_gives_mail_to_addresses_that_stand_in_it_only(corpus: list[tuple[str, bytes]]):
    """Each message's own domain becomes the catch-all's; whoever gets it has an address that its header names."""
    count = Counter[str]()
    for where, octets in corpus:
        headers = Headers.parse(octets)
        text = b"".join(each.raw for each in headers.fields).decode("latin-1").casefold()
        for domain in {box.address.key[1] for _, box in addressed(headers)[:5] if box.address.domain}:
            found = set(re.findall(r"([\w.+\-]{1,60})@" + re.escape(domain), text)) | {"andrew", "lisa"}
            users = tuple(User(10 + n, name, accounts=(1,)) for n, name in enumerate(sorted(found)))
            account = Account(1, 1, Address("the-box", domain), AccountMode.DOMAIN, domains=(domain,))
            office = Directory((User(1, "admin1", UserKind.ADMIN, accounts=(1,)), *users), (account,))
            origin = Origin(Source.COLLECT, "0" * 16, account_id=1)
            for target in Router().route(Envelope(None), headers, origin, office, {}).targets:
                user = office.user_by_id[target.user_id]
                named = f"{user.name}@{domain}" in text
                assert user.id == 1 or named, where
                count[f"{'ADMIN' if user.id == 1 else 'user'} {target.reason}"] += 1
    sys.stdout.write(f"\n{dict(count)}\n")


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office that gets mutilated mail."""
    return Examiner(REGULAR)


@settings(max_examples=MUTANTS)
@given(data=st.data())
def test_mutilated_mail(corpus: list[tuple[str, bytes]], office: Examiner, data: st.DataObject):
    """Cut, doubled, mixed and filled with noise: nothing raises, all octets are kept, nobody gets strangers' mail."""
    _, octets = data.draw(st.sampled_from(corpus))
    mutant = bytearray(octets[:20_000])
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(mutant)))
        end = min(len(mutant), start + data.draw(st.integers(0, 400)))
        kind = data.draw(st.sampled_from(["cut", "double", "noise", "splice", "flip"]))
        if kind == "cut":
            del mutant[start:end]
        elif kind == "double":
            mutant[start:start] = mutant[start:end] * data.draw(st.integers(1, 5))
        elif kind == "noise":
            mutant[start:start] = data.draw(st.binary(max_size=40) | st.sampled_from(_NOISE))
        elif kind == "splice":
            _, other = data.draw(st.sampled_from(corpus))
            mutant[start:start] = other[: data.draw(st.integers(0, 2_000))]
        elif start < len(mutant):
            mutant[start] = data.draw(st.integers(0, 255))
    assert office.ask(bytes(mutant), take=True).startswith("ADMIN ")
