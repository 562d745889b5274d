"""The identity of outgoing mail: as few octets changed as the rules ask for, and answers come back."""

from email import policy as stdlib_policy
from email.parser import BytesParser

import pytest
from attrs import evolve
from hypothesis import assume, given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.errors import PolicyRefusal
from mailshare.core.headers import Headers, split_block
from mailshare.core.identity import display, envelope_sender, name_that_returns, sending_account, submission_header
from mailshare.core.people import people_of
from mailshare.core.returned_parts import names_itself_alone, references
from mailshare.core.sorting import sort_collected
from mailshare.core.values import Account, AccountMode, Directory, User, UserKind

SHARED = Account(1, 1, Address("mail", "company.example"), aliases=(Address("office", "company.example"),))
DOMAIN = Account(2, 2, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
ANDREW = User(5, "andrew", names=("Andrew Smith", "sales"), accounts=(1, 2))
GREG = User(6, "greg", names=("Andrew Jones",), accounts=(1,))
CAROL = User(7, "carol", accounts=(2,))
ADMIN_2 = User(3, "admin2", UserKind.ADMIN, accounts=(2,))
ADMIN = User(1, "admin1", UserKind.ADMIN, accounts=(1,))
PUBLIC = User(2, "public1", UserKind.PUBLIC, accounts=(1,))
OFFICE = Directory((ADMIN, PUBLIC, ANDREW, GREG, CAROL, ADMIN_2), (SHARED, DOMAIN), hostname="mail.office.example")
RECEIVED = b"Received: by mail.office.example; x\r\n"
BASE = b"Date: Mon, 2 Nov 2026 10:00:00 +0000\r\nMessage-ID: <own@client>\r\nReferences: <own@client>\r\n"


def make(
    block: bytes,
    user: User = ANDREW,
    account: Account | None = SHARED,
    directory: Directory = OFFICE,
    policy: str = "fix",
) -> tuple[bytes, list[str]]:
    fields, rest = split_block(block)
    new, steps = submission_header(
        Headers(tuple(fields)),
        user=user,
        account=account,
        directory=directory,
        policy=policy,
        received=RECEIVED,
        message_id="<new@office>",
        date="Sat, 21 Nov 2026 12:00:00 +0000",
    )
    return b"".join(each.raw for each in new.fields) + (rest or b"\r\n"), [each.code for each in steps]


def sender(block: bytes, **more: object) -> str:
    return Headers.parse(make(block + BASE + b"\r\n", **more)[0]).first("from") or ""  # type: ignore[arg-type]


def test_a_right_block_keeps_every_octet():
    """When nothing needs a change only Received is put on top, whatever oddities the rest has."""
    block = (
        b'From : "Andrew Smith"\r\n <mail@company.example>\r\nX-Odd:\tkeep  me \r\nno colon here\r\n'
        b"Subject: \xe9\xff =?utf-8?q?x?=\r\nResent-From: z@y.example\r\n" + BASE + b"\r\n"
    )
    assert make(block) == (RECEIVED + block, [])


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (b"From: andrew@213.0.0.117\r\n", "Andrew Smith <mail@company.example>"),
        (b"From: mail@company.example\r\n", "Andrew Smith <mail@company.example>"),
        (b"From: Andrew <andrew@private.example>\r\n", "Andrew <mail@company.example>"),
        (b"From: Greg <mail@company.example>\r\n", "Andrew Smith <mail@company.example>"),
        (b"From: Andrew <office@company.example>\r\n", "Andrew <office@company.example>"),
        (b"From: PUBLIC <mail@company.example>\r\n", "Andrew Smith <mail@company.example>"),
        (b"From: Andrew <mail+andrew@company.example>\r\n", "Andrew <mail@company.example>"),
        (b"From: Andrew <a@x.example>, Greg <g@x.example>\r\nSender: a@x.example\r\n", "Andrew <mail@company.example>"),
        (b"From: Andrew <a@x.example>\r\nFrom: Greg <g@x.example>\r\n", "Andrew <mail@company.example>"),
        (b"From: broken\r\n", "Andrew Smith <mail@company.example>"),
        (b"", "Andrew Smith <mail@company.example>"),
    ],
)
def test_from_is_fixed_3_6(written: bytes, becomes: str):
    """The shared address with a name that comes back; the client's own name when it does."""
    assert sender(written) == becomes
    new, _ = make(written + BASE + b"\r\n")
    assert len(Headers.parse(new).all("from")) == 1
    assert Headers.parse(new).first("sender") is None


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (b"From: andrew@firm.example\r\n", "andrew@firm.example"),
        (b"From: Sales <sales@firm.example>\r\n", "Sales <sales@firm.example>"),
        (b"From: Andy <andy@private.example>\r\n", "Andy <andrew@firm.example>"),
        (b"From: greg@firm.example\r\n", "Andrew Smith <andrew@firm.example>"),
        (b"From: Carol <carol@firm.example>\r\n", "Andrew Smith <andrew@firm.example>"),
        (b"From: Admin <boss@private.example>\r\n", "Andrew Smith <andrew@firm.example>"),
    ],
)
def test_from_in_a_domain_account_3_6(written: bytes, becomes: str):
    """Own addresses and aliases pass, others become the user's own."""
    assert sender(written, account=DOMAIN) == becomes


def test_enforce_refuses_and_keep_keeps():
    """``enforce`` answers 550 5.7.1 to a foreign From; ``keep`` leaves any From alone."""
    foreign = b"From: x@y.example\r\n" + BASE + b"\r\n"
    with pytest.raises(PolicyRefusal) as caught:
        make(foreign, policy="enforce")
    assert (caught.value.code, caught.value.status) == (550, "5.7.1")
    assert make(foreign, policy="keep") == (RECEIVED + foreign, [])
    assert make(b"From: Andrew <mail@company.example>\r\n" + BASE + b"\r\n", policy="enforce")[1] == []


def test_a_remembered_from_is_of_one_user_under_one_policy():
    """The same octets by another user, policy, account or directory are judged anew; twice they come to the same."""
    block = b"From: Andrew Smith <mail@company.example>\r\nSender: x@y.example\r\n" + BASE + b"\r\n"
    renamed = evolve(ANDREW, names=("Andreas",))
    other = evolve(OFFICE, users=tuple(renamed if each is ANDREW else each for each in OFFICE.users))
    told = [
        make(block, user, account, directory, policy)
        for _ in range(2)
        for directory in (OFFICE, other)
        for user in (directory.user_by_id[ANDREW.id], GREG)
        for account in (SHARED, None)
        for policy in ("fix", "keep")
    ]
    assert told[:16] == told[16:]
    fresh = evolve(OFFICE, version=7)
    assert told[0] == make(block, directory=fresh)
    assert [Headers.parse(one).first("from") for one, _ in (told[0], told[4], told[8])] == [
        "Andrew Smith <mail@company.example>", "Andrew Jones <mail@company.example>", "Andreas <mail@company.example>",
    ]  # fmt: skip
    assert told[0][1] == []
    for _ in range(2):
        with pytest.raises(PolicyRefusal):
            make(b"From: greg@elsewhere.example\r\n" + BASE + b"\r\n", policy="enforce")


def test_admin_may_send_as_admin():
    """ADMIN's own mail carries his name, and an answer comes back to him."""
    assert sender(b"From: mail@company.example\r\n", user=ADMIN) == "admin1 <mail@company.example>"


def test_what_lacks_is_added_and_what_hides_goes():
    """Date, Message-ID and References are added, Bcc goes, in the block and nowhere else."""
    bcc = b"Bcc: secret@x.example,\r\n other@x.example\r\n"
    new, steps = make(b"From: Andrew <mail@company.example>\r\n" + bcc + b"To: a@b.example\r\n\r\n")
    headers = Headers.parse(new)
    assert b"secret" not in new
    assert "bcc-removed" in steps
    assert headers.first("message-id") == "<new@office>"
    assert headers.first("date") == "Sat, 21 Nov 2026 12:00:00 +0000"
    assert headers.message_ids("references") == ("<new@office>",)
    assert new.endswith(b"\r\n\r\n")


def test_a_clients_return_path_goes():
    """Only the last server writes one (RFC 5321 section 4.4); whoever believes the topmost would answer there."""
    new, steps = make(b"Return-Path: <x@y.example>\r\nFrom: Andrew <mail@company.example>\r\n" + BASE + b"\r\n")
    assert Headers.parse(new).first("return-path") is None
    assert "return-path-removed" in steps


def test_own_id_ends_the_references():
    """An answer names our id even when a relay gave the message another one."""
    block = b"From: Andrew <mail@company.example>\r\nDate: x\r\nMessage-ID: <b@c>\r\nReferences: <z@z> <a@c>\r\n\r\n"
    assert Headers.parse(make(block)[0]).message_ids("references") == ("<z@z>", "<a@c>", "<b@c>")


def test_signatures_over_changed_fields_go():
    """A client's DKIM-Signature is dropped when a field it signs was changed, else kept."""
    signature = b"DKIM-Signature: v=1; a=rsa-sha256; d=x.example;\r\n h=From:To:Subject; b=abc\r\n"
    right = b"From: Andrew <mail@company.example>\r\n"
    assert signature in make(signature + right + BASE + b"\r\n")[0]
    new, steps = make(signature + b"From: a@x.example\r\n" + BASE + b"\r\n")
    assert b"DKIM" not in new
    assert "signature-dropped" in steps


def test_reply_to_with_tag_only_where_tags_work():
    """The tag form goes into Reply-To when the account says that tags work and the client gave none."""
    block = b"From: Andrew <mail@company.example>\r\n" + BASE + b"\r\n"
    tagged = evolve(OFFICE, accounts=(evolve(SHARED, options={"tags_work": True}), DOMAIN))
    new, _ = make(block, account=tagged.accounts[0], directory=tagged)
    assert Headers.parse(new).first("reply-to") == "Andrew Smith <mail+andrew@company.example>"
    assert b"Reply-To" not in make(block)[0]
    own = b"Reply-To: x@y.example\r\n" + block
    assert make(own, account=tagged.accounts[0], directory=tagged)[0] == RECEIVED + own


def test_envelope_senders():
    """MAIL FROM is the shared address, or the user's own address in a domain account."""
    assert envelope_sender(ANDREW, SHARED) == Address("mail", "company.example")
    assert envelope_sender(ANDREW, DOMAIN) == Address("andrew", "firm.example")


def test_the_account_follows_from():
    """The address in From picks among a user's accounts; MAIL FROM helps; the first is the default."""
    assert sending_account(Headers.parse(b"From: sales@firm.example\r\n"), ANDREW, OFFICE) is DOMAIN
    assert sending_account(Headers(), ANDREW, OFFICE, Address("x", "firm.example")) is DOMAIN
    assert sending_account(Headers(), ANDREW, OFFICE) is SHARED
    assert sending_account(Headers.parse(b"From: sales@firm.example\r\n"), GREG, OFFICE) is SHARED
    assert sending_account(Headers(), User(9, "x"), OFFICE) is None


def test_a_user_without_account_writes_as_himself():
    """Without an account From is the local address."""
    assert (
        sender(b"From: x@y.example\r\n", user=User(5, "andrew"), account=None) == "andrew <andrew@mail.office.example>"
    )


def test_lines_without_end_are_ended():
    """A block without its empty line, even without the last line's end, comes out whole."""
    new, _ = make(b"From: Andrew <mail@company.example>")
    assert new.count(b"\r\n\r\n") == 1
    assert Headers.parse(new).first("from") == "Andrew <mail@company.example>"


NAMES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=("Cc", "Cf")), min_size=1, max_size=60
).map(lambda text: " ".join(text.split()))


@given(st.lists(NAMES, min_size=1, max_size=3))
def test_answers_sort_back_to_their_sender(names: list[str]):
    """Round trip: From as we write it, in an answer's To, leads the router back; the standard parser agrees."""
    user = User(5, "andrew", names=tuple(names), accounts=(1,))
    office = evolve(OFFICE, users=(ADMIN, PUBLIC, user, GREG))
    chosen = name_that_returns(user, people_of(office).sharers[1])
    assume(chosen)
    new, _ = make(b"From: x@y.example\r\n" + BASE + b"\r\n", user=user, directory=office)
    written = Headers.parse(new).first("from") or ""
    assert str(Headers.parse(new).mailboxes("from")[0].address) == "mail@company.example"
    answer = Headers.parse(b"To: " + written.encode() + b"\r\n\r\n")
    assert set(sort_collected(answer, SHARED, office, {}).hits) == {5}
    if any(len(word.encode()) > 40 for word in chosen.split()):
        return  # the standard parser puts a blank where a word had to be cut in two
    parsed = BytesParser(policy=stdlib_policy.default).parsebytes(b"From: " + written.encode() + b"\r\n\r\n")
    assert " ".join(parsed["from"].addresses[0].display_name.split()) == chosen


@given(st.text(max_size=100))
def test_a_display_name_never_breaks_its_line(name: str):
    """Whatever a name holds, the field stays one field and the address stays the address."""
    field = b"From: " + display(name, Address("a", "b.example")).encode("utf-8", "replace") + b"\r\nX: y\r\n\r\n"
    headers = Headers.parse(field)
    assert [each.name for each in headers.fields] == ["From", "X"]
    assert [str(box.address) for box in headers.mailboxes("from")] == ["a@b.example"]


@pytest.mark.parametrize(
    ("more", "alone"),
    [
        (b"", True),
        (b"References: <own@client>\r\n", True),
        (b"References: <other@client>\r\n", False),
        (b"In-Reply-To: <other@client>\r\n", False),
        (b"References: <other@client>\r\nReferences: <own@client>\r\n", False),
    ],
)
def test_what_answers_nothing_names_itself_alone(more: bytes, alone: bool):
    """So nobody looks for a message that it answers; the index by names is that of the fields as they are now."""
    made = submission_header(
        Headers.parse(b"Subject: x\r\nMessage-ID: <own@client>\r\nBcc: <x@y.example>\r\n" + more + b"\r\n"),
        user=ANDREW,
        account=SHARED,
        directory=OFFICE,
        policy="fix",
        received=RECEIVED,
        message_id="<new@office>",
        date="Sat, 21 Nov 2026 12:00:00 +0000",
    )[0]
    assert names_itself_alone(made) == alone
    assert made.by_name == Headers(made.fields).by_name
    assert made.names() == [each.key for each in made.fields]
    assert set(references(made)) >= {"<own@client>"}
