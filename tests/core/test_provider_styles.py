"""Detection of how a provider marks mail (rule 3.2, set-up): styles of real providers, forgeries, too little mail."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.evidence import ENVELOPE_FIELDS
from mailshare.core.headers import Headers
from mailshare.core.people import people_of
from mailshare.core.provider_style import ENOUGH, WINDOW, Style, detect, share_of
from mailshare.core.sightings import Sighting
from mailshare.core.sorting import sort_collected
from mailshare.core.values import Account, AccountMode, Directory, Server, User, UserKind

NAMES = ("andrew", "greg", "lisa", "sales-team")
SERVER = Server("pop3", "pop.isp.example", 995, login="web17p1")
DOMAIN = Account(1, 1, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",), collect=SERVER)
REGULAR = Account(1, 1, Address("mail", "company.example"), collect=SERVER)


def office(account: Account = DOMAIN) -> Directory:
    users = [User(number, name, accounts=(1,)) for number, name in enumerate(NAMES, 1)]
    own = [User(20, "admin1", UserKind.ADMIN), User(21, "public1", UserKind.PUBLIC)]
    return Directory((*users, *own), (account,))


STRANGE = "Received: from far.example (far.example [192.0.2.9]) by mx.far.example with ESMTP; Mon, 1 Jan 2024\r\n"


def edge(recipient: str = "", by: str = "mx.isp.example") -> str:
    clause = f" for <{recipient}>" if recipient else ""
    return (
        f"Received: from out.far.example (out.far.example [192.0.2.7]) by {by} with ESMTPS{clause}; Mon, 1 Jan 2024\r\n"
    )


def inner(recipient: str = "", by: str = "store.isp.example", sent: str = "mx.isp.example") -> str:
    clause = f" for <{recipient}>" if recipient else ""
    return f"Received: from {sent} ({sent} [10.0.0.3]) by {by} with LMTP id 7{clause}; Mon, 1 Jan 2024\r\n"


Maker = Callable[[str], str]
STYLES: dict[str, tuple[Maker, str]] = {
    "delivered-to on top": (lambda to: f"Delivered-To: {to}\r\n{edge()}", "delivered-to"),
    "delivered-to below the mailbox's own": (
        lambda to: f"Delivered-To: web17p1@isp.example\r\n{inner()}Delivered-To: {to}\r\n{edge()}",
        "delivered-to",
    ),
    "x-original-to beside the mailbox": (
        lambda to: f"X-Original-To: {to}\r\nDelivered-To: box@firm.example\r\n{edge()}",
        "x-original-to",
    ),
    "envelope-to": (lambda to: f"Return-path: <a@b.example>\r\nEnvelope-to: {to}\r\n{edge()}", "envelope-to"),
    "only for": (edge, "received-for"),
    "only for, behind a relay of the house": (lambda to: inner("web17p1@isp.example") + edge(to), "received-for"),
    "qmail": (lambda to: f"Delivered-To: firm.example-{to}\r\n{edge()}", "delivered-to"),
}


def mail(text: str, to: str, message_id: str) -> str:
    rest = f"From: a@far.example\r\nTo: {to}\r\nMessage-ID: <{message_id}>\r\n"
    return f"{text}{STRANGE}Delivered-To: forged@firm.example\r\n{rest}"


def seen(mails: Sequence[str], account: Account = DOMAIN) -> list[Sighting]:
    sharers = people_of(office(account)).sharers[1]
    return [Sighting.of(Headers.parse(one.encode()), sharers) for one in mails]


def many(make: Maker, count: int = 20, *, written: str = "") -> list[str]:
    to = [f"{NAMES[number % len(NAMES)]}@firm.example" for number in range(count)]
    return [mail(make(one), written or one, f"{number}@far.example") for number, one in enumerate(to)]


def look(mails: Sequence[str], account: Account = DOMAIN) -> Style:
    return detect(seen(mails, account), account, office(account))


@pytest.mark.parametrize("style", STYLES)
def test_each_style_is_found_and_then_sorts_a_blind_copy(style: str) -> None:
    """The kind is named, Bcc is safe, and with what was found a mail that names nobody finds its recipient."""
    make, evidence = STYLES[style]
    found = look(many(make))
    assert (found.evidence, found.share, found.bcc_safe) == (evidence, 1.0, True), found.kinds
    assert "mx.isp.example" in found.trusted_by
    account = evolve(DOMAIN, found=found.settings())
    directory = office(account)
    blind = mail(make("lisa@firm.example"), "undisclosed-recipients:;", "blind@far.example")
    hits = sort_collected(Headers.parse(blind.encode()), account, directory, {}).hits
    assert set(hits) == {3}
    forged = mail(make("greg@firm.example"), "andrew@firm.example", "forged@far.example")
    assert set(sort_collected(Headers.parse(forged.encode()), account, directory, {}).hits) == {2}


def test_nothing_is_found_where_the_provider_writes_nothing() -> None:
    """Only To and Cc are left: not safe for Bcc; forged fields of senders are not evidence, however many."""
    found = look(many(lambda _: edge()))
    assert (found.evidence, found.share, found.bcc_safe) == ("to/cc", 0.0, False)
    row = next(one for one in found.kinds if one.name == "delivered-to")
    assert (row.present, row.trusted, row.inside) == (20, 0, 0)
    assert found.order == ENVELOPE_FIELDS


def test_few_messages_prove_nothing() -> None:
    """Below the least number it says so, and no setting follows."""
    found = look(many(STYLES["delivered-to on top"][0], ENOUGH - 1))
    assert (found.enough, found.bcc_safe, found.settings()) == (False, False, {})
    assert look([]).share == 0.0


def test_the_mailbox_s_own_name_in_the_office_s_domain_is_found() -> None:
    """An address that stands on everything while mail is written to others is the box; a user is never taken for it."""
    found = look(many(lambda _: f"Delivered-To: catchall@firm.example\r\n{edge()}"))
    assert found.box_names == ("catchall@firm.example",)
    assert found.evidence == "to/cc"
    account = evolve(DOMAIN, found=found.settings())
    text = mail(f"Delivered-To: catchall@firm.example\r\n{edge()}", "lisa@firm.example", "x@far.example")
    decision = sort_collected(Headers.parse(text.encode()), account, office(account), {})
    assert {user: hit.reason for user, hit in decision.hits.items()} == {3: "guessed"}
    assert look(many(lambda _: f"Delivered-To: andrew@firm.example\r\n{edge()}")).box_names == ()
    nobody = f"Delivered-To: info@firm.example\r\n{edge()}"
    assert look(many(lambda _: nobody, written="info@firm.example")).box_names == ()


def test_a_prefix_of_the_provider_is_found_and_a_name_with_a_hyphen_is_none() -> None:
    """The part in front is a prefix only when mail is written to the part behind it."""
    found = look(many(lambda to: f"Delivered-To: web17p1-{to}\r\n{edge()}"))
    assert found.prefixes == ("web17p1-",)
    assert found.settings()["prefix_map"] == ["web17p1-"]
    assert found.share == 1.0
    teams = [f"team-{word}@firm.example" for word in ("a", "b", "c", "d")] * 4
    mails = [mail(f"Delivered-To: {to}\r\n{edge()}", to, f"{n}@far.example") for n, to in enumerate(teams)]
    assert look(mails).prefixes == ()


def test_one_copy_for_each_recipient_is_told_from_one_for_all() -> None:
    """Two marked copies of one Message-ID: yes; one field with two people, or one copy for two people: no."""
    both = "andrew@firm.example, greg@firm.example"
    two = [
        mail(f"Envelope-To: {name}@firm.example\r\n{edge()}", both, f"{number}@far.example")
        for number in range(6)
        for name in ("andrew", "greg")
    ]
    apart = look(two)
    assert (apart.one_copy_each, apart.copies) == ("yes", 2.0)
    together = look([mail(f"Envelope-To: {both}\r\n{edge()}", both, f"{n}@far.example") for n in range(12)])
    assert together.one_copy_each == "no"
    assert next(one for one in together.kinds if one.name == "envelope-to").together == 12
    assert look(many(STYLES["envelope-to"][0])).one_copy_each == "unknown"


def test_a_provider_with_several_or_countless_hosts() -> None:
    """Hosts that together stand on most mail are learned by name; countless ones by their domain."""
    names = ("mx1.isp.example", "mx2.isp.example", "mx3.isp.example")
    few = [
        mail(f"Delivered-To: greg@firm.example\r\n{edge(by=names[n % 3])}", "greg@firm.example", f"{n}@x.example")
        for n in range(18)
    ]
    assert look(few).trusted_by == names
    countless = [
        mail(f"{edge('greg@firm.example', by=f'mx{n}.in.isp.example')}", "greg@firm.example", f"{n}@x.example")
        for n in range(40)
    ]
    assert look(countless).trusted_by == (".in.isp.example",)


def test_a_strange_top_line_is_not_the_provider() -> None:
    """Where the provider writes no Received at all, the hosts are senders' and none is believed."""
    mails = [mail(edge(by=f"mx.sender{n}.example"), "greg@firm.example", f"{n}@x.example") for n in range(20)]
    assert look(mails).trusted_by == ()


def test_a_host_that_most_mail_passes_on_its_way_outside_is_not_trusted() -> None:
    """A strange host below is no relay of the house unless the trusted line says that it took the mail from it."""
    mails = many(lambda to: f"Delivered-To: {to}\r\n{edge()}")
    assert look(mails).trusted_by == ("mx.isp.example",)
    filtered = many(
        lambda to: (
            inner(by="mx.isp.example", sent="scan.filter.example").replace("10.0.0.3", "198.51.100.3")
            + edge(to, by="scan.filter.example")
        )
    )
    found = look(filtered)
    assert found.trusted_by == ("mx.isp.example", "scan.filter.example")
    assert found.evidence == "received-for"


def test_a_provider_that_changes_its_style_is_noticed_and_followed() -> None:
    """The share of the old field falls; when the window has passed, the new one is first."""
    old = many(STYLES["delivered-to on top"][0], WINDOW)
    new = many(STYLES["x-original-to beside the mailbox"][0], WINDOW)
    half = look([*old, *new[:10]])
    assert share_of(half, "delivered-to") == pytest.approx(0.8)
    assert half.share == 1.0
    after = look([*old, *new])
    assert after.evidence == "x-original-to"
    assert after.order == ENVELOPE_FIELDS
    assert share_of(after, "delivered-to") == 0.0


def test_a_field_that_stands_in_the_way_of_the_telling_one_comes_after_it() -> None:
    """An inner X-Original-To on a fifth of the mail must not be asked before the field that is on all of it."""
    inner_name = "X-Original-To: andrew@firm.example\r\n"
    mails = [
        mail(f"{inner_name if n % 5 == 0 else ''}Envelope-To: {to}\r\n{edge()}", to, f"{n}@x.example")
        for n, to in enumerate(f"{NAMES[number % 3]}@firm.example" for number in range(20))
    ]
    found = look(mails)
    assert found.order[0] == "envelope-to"
    assert found.settings()["envelope_headers"] == list(found.order)


def test_a_setting_by_hand_wins() -> None:
    """What was found stands in only for what nobody said."""
    found = {"trusted_by": ["mx.isp.example"], "envelope_headers": ["x-original-to"], "prefix_map": ["p-"]}
    account = evolve(DOMAIN, found=found, options={"trusted_by": ["other.example"]})
    options = people_of(office(account)).sharers[1].options
    assert options.trusted_by == {"other.example"}
    assert options.envelope_headers == ("x-original-to",)
    assert options.prefixes == ("p-",)
    assert look(many(STYLES["only for"][0]), account).trusted_by == ("other.example",)


def test_a_regular_account_is_safe_for_bcc_once_a_tag_was_seen() -> None:
    """The address alone tells nobody apart; a tag in a field of the provider does."""
    bare = many(lambda _: f"Delivered-To: mail@company.example\r\n{edge()}", written="mail@company.example")
    assert (look(bare, REGULAR).evidence, look(bare, REGULAR).bcc_safe) == ("delivered-to", False)
    tag = f"Delivered-To: mail+andrew@company.example\r\n{edge()}"
    tagged = look([*bare, mail(tag, "mail@company.example", "t@x.example")], REGULAR)
    assert tagged.bcc_safe
    assert next(one for one in tagged.kinds if one.name == "delivered-to").tagged == 1


def test_sightings_are_kept_small_and_read_back() -> None:
    """A kept sighting is what it was; a monstrous header makes a small one; rubbish is nothing."""
    (one,) = seen([mail(STYLES["qmail"][0]("greg@firm.example"), "greg@firm.example", "1@x.example")])
    assert Sighting.from_json(json.loads(json.dumps(one.as_json()))) == one
    huge = f"{edge() * 500}{'Delivered-To: a@firm.example' * 900}\r\n" + "X-Y: z\r\nDelivered-To: q@b.example\r\n" * 400
    (big,) = seen([huge])
    assert len(json.dumps(big.as_json())) < 20_000
    for rubbish in (None, 5, "abc", [1, 2, 3], [[["a"]], [], ""], {"a": 1}):
        assert Sighting.from_json(rubbish) is None
