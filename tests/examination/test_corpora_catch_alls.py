"""Foreign mail as it comes from catch-alls of each style: the provider says for whom, whatever the message says."""

from __future__ import annotations

import re
import sys
import zlib
from collections import Counter
from email.utils import getaddresses

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.headers import Headers
from mailshare.core.values import Account, AccountMode, Directory, Origin, Source, User, UserKind
from mailshare.delivery.router import Router
from tests.examination.corpora import ROOT, messages, needs_mail

pytestmark = needs_mail
ORIGIN = Origin(Source.COLLECT, "0" * 16, account_id=1)
ADMIN = User(1, "admin1", UserKind.ADMIN, accounts=(1,))
BOX = "the-box"
EDGE = "Received: from out.far.example (out.far.example [192.0.2.7]) by mx.isp.example with ESMTPS{}; x\r\n"
INNER = "Received: from mx.isp.example (mx.isp.example [10.0.0.3]) by store.isp.example with LMTP{}; x\r\n"
STYLES = {
    "Delivered-To": "Delivered-To: {to}\r\n" + EDGE.format(""),
    "X-Original-To": "X-Original-To: {to}\r\nDelivered-To: the-box@{domain}\r\n" + EDGE.format(""),
    "Envelope-to": "Return-path: <a@b.example>\r\nEnvelope-to: {to}\r\n" + EDGE.format(""),
    "X-Envelope-To": "X-Envelope-To: <{to}>\r\nX-Spam-Flag: NO\r\n" + EDGE.format(""),
    "Received for": EDGE.format("\r\n\tfor <{to}>"),
    "qmail": "Delivered-To: {domain}-{to}\r\n" + EDGE.format(""),
    "behind": INNER.format(" for <the-box@{domain}>") + "X-Original-To: {to}\r\n" + EDGE.format(""),
    "for, behind": INNER.format("") + EDGE.format(" for <{to}>"),
}
_WRITTEN_TO = re.compile(r"^(?:to|cc|delivered-to|x-original-to|envelope-to):[^\n]*?@([a-z0-9.-]+\w)", re.MULTILINE)
HOSTS = {"behind", "for, behind"}  # styles in which more than the topmost host must be known


@pytest.fixture(scope="module")
def corpus() -> list[tuple[str, bytes]]:
    """All of it."""
    return list(messages(ROOT)) if ROOT else []


def named_domain(text: str) -> str:
    """The domain that the message is written to most often, so that its own fields speak of our people."""
    count = Counter(_WRITTEN_TO.findall(text))
    return count.most_common(1)[0][0] if count else ""


def people_of(text: str, domain: str) -> list[User]:
    """Everybody whose plain address in that domain stands in the header, and two whose address does not."""
    found = re.findall(rf"(?<![\w.+=/-])([a-z0-9][a-z0-9_]{{1,30}})@{re.escape(domain)}(?![\w.-])", text)
    names = sorted({*found[:40], "quentin", "rosalind"} - {BOX})
    return [User(10 + number, name, accounts=(1,)) for number, name in enumerate(names)]


def test_the_envelope_decides_in_every_style(corpus: list[tuple[str, bytes]]):
    """The one whom the provider names gets it, and nobody else, though the message speaks of all of them."""
    count: Counter[str] = Counter()
    for where, octets in corpus:
        text = octets[:65_536].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1").casefold()
        domain = named_domain(text) or "company.example"
        users = people_of(text, domain)
        account = Account(1, 1, Address(BOX, domain), AccountMode.DOMAIN, domains=(domain,))
        plain = Directory((ADMIN, *users), (account,))
        known = evolve(account, options={"trusted_by": ["mx.isp.example", "store.isp.example"]})
        hosts = Directory((ADMIN, *users), (known,))
        for style, top in STYLES.items():
            wanted = users[zlib.crc32(style.encode() + octets[:200]) % len(users)]
            lines = top.format(to=f"{wanted.name}@{domain}", domain=domain).encode()
            headers = Headers.parse(lines + octets)
            office = hosts if style in HOSTS else plain
            targets = Router().route(Envelope(None), headers, ORIGIN, office, {}).targets
            if [target.reason for target in targets] in (["loop"], ["oversize"]):
                count[f"ADMIN {targets[0].reason}"] += 1
                continue
            right = [target.user_id for target in targets] == [wanted.id]
            count["right" if right else "wrong"] += 1
            if not right:
                sys.stdout.write(f"\nwrong: {where} as {style}: {wanted.name}@{domain}, not {targets}\n")
    sys.stdout.write(f"\ncatch-alls of {len(STYLES)} styles: {dict(count)}\n")
    assert not count["wrong"]


def test_a_tag_in_the_envelope_decides_in_every_style(corpus: list[tuple[str, bytes]]):
    """A shared address with tags: whom the provider's line tags gets it, whatever names and tags the message bears."""
    people = (User(10, "quentin", accounts=(1,)), User(11, "rosalind", accounts=(1,)))
    count: Counter[str] = Counter()
    for _, octets in corpus:
        text = octets[:65_536].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1").casefold()
        domain = named_domain(text) or "company.example"
        hosts = {"trusted_by": ["mx.isp.example", "store.isp.example"]}
        account = Account(1, 1, Address(BOX, domain), options=hosts)
        office = Directory((ADMIN, *people), (account,))
        for style, top in STYLES.items():
            if style != "qmail":
                lines = top.format(to=f"{BOX}+rosalind@{domain}", domain=domain).encode()
                headers = Headers.parse(lines + octets)
                (target,) = Router().route(Envelope(None), headers, ORIGIN, office, {}).targets
                count[f"{office.user_by_id[target.user_id].name} {target.reason}"] += 1
    sys.stdout.write(f"\ntags of {len(STYLES) - 1} styles: {dict(count)}\n")
    assert set(count) <= {"rosalind tag", "admin1 loop", "admin1 oversize"}


def test_without_evidence_only_who_is_written_to_gets_it(corpus: list[tuple[str, bytes]]):
    """A provider that marks nothing: To and Cc decide, and another reader finds the same addresses there."""
    count: Counter[str] = Counter()
    for where, octets in corpus:
        text = octets[:65_536].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1").casefold()
        domain = named_domain(text)
        users = people_of(text, domain) if domain else []
        account = Account(1, 1, Address(BOX, domain), AccountMode.DOMAIN, domains=(domain,))
        office = Directory((ADMIN, *users), (account,))
        headers = Headers.parse(EDGE.format("").encode() + octets)
        fields = [v for n in ("to", "cc", "resent-to", "resent-cc", "apparently-to") for v in headers.all(n)]
        try:
            found = {address.casefold() for _, address in getaddresses(fields, strict=False)}
        except (TypeError, RecursionError):
            found = {address.casefold() for _, address in getaddresses([each[:500] for each in fields])}
        for target in Router().route(Envelope(None), headers, ORIGIN, office, {}).targets:
            name = office.user_by_id[target.user_id].name
            if target.user_id == ADMIN.id:
                count[f"ADMIN {target.reason}"] += 1
                continue
            right = any(re.fullmatch(rf"{name}(\+.*)?@{re.escape(domain)}\.?", each.replace(" ", "")) for each in found)
            count["right" if right else "wrong"] += 1
            if not right:
                sys.stdout.write(f"\nwrong? {where}: {name}@{domain} is not among {sorted(found)[:9]}\n")
    sys.stdout.write(f"\nwithout evidence: {dict(count)}\n")
    assert count["wrong"] <= sum(count.values()) // 1_000
