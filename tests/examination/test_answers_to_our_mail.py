"""What leaves here comes back to its author: whatever he wrote into From, and whatever program answers."""

from email import message_from_bytes, policy
from email.header import Header, decode_header, make_header
from email.utils import getaddresses, parseaddr

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope
from mailshare.core.errors import PolicyRefusal
from mailshare.core.headers import Headers, split_block
from mailshare.core.identity import sending_account, submission_header
from mailshare.core.values import Account, AccountMode, Directory, Origin, SentMark, Source, User, UserKind
from mailshare.delivery.router import Router
from tests.examination.conftest import PEOPLE

SHARED = Account(1, 1, Address("mail", "company.example"), aliases=(Address("office", "company.example"),))
CATCH_ALL = Account(2, 2, Address("box", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
ADMIN, PUBLIC = (
    User(n, f"{kind.value}1", kind, accounts=(1,)) for n, kind in ((1, UserKind.ADMIN), (2, UserKind.PUBLIC))
)
PERSONS = tuple(User(10 + n, name, names=names, accounts=(1, 2)) for n, (name, names) in enumerate(PEOPLE))
OFFICE = Directory((ADMIN, PUBLIC, *PERSONS), (SHARED, CATCH_ALL), hostname="mail.office.example")
TAGGED = evolve(OFFICE, accounts=(evolve(SHARED, options={"tags_work": True}), CATCH_ALL))
ANDREW = OFFICE.user_by_name["andrew"]
WRITTEN = [
    "",
    "From: {login}@213.0.0.117",
    "From: mail@company.example",
    "From: {first} <mail@company.example>",
    "From: office@company.example ({first})",
    "From: Greg & Lisa Müller <mail@company.example>",
    "From: Anna <mail@company.example>",
    "From: PUBLIC <mail@company.example>",
    "From: ADMIN <admin@company.example>",
    "From: Nobody Here <boss@far.example>",
    'From: "x\\" <evil@far.example>,\\"" <mail@company.example>',
    "From: {first} <mail@company.example>, Greg <greg@far.example>\nSender: Greg <greg@far.example>",
    "From: =?utf-8?q?Gr?= =?utf-8?q?eg?= <mail@company.example>",
    "From: undisclosed-recipients:;",
    "From: . {first} <mail@company.example>",
]


def sent(
    user: User, written: str, account: Account = SHARED, directory: Directory = OFFICE, rule: str = "fix"
) -> Headers:
    """The header that leaves when a user's program writes this one."""
    text = written.format(login=user.name, first=user.names[0] if user.names else user.name)
    written = (text + "\nTo: x@far.example\n\n").lstrip("\n").replace("\n", "\r\n").encode()
    header, _ = submission_header(
        Headers(tuple(split_block(written)[0])),
        user=user,
        account=account,
        directory=directory,
        policy=rule,
        received=b"Received: by mail.office.example; x\r\n",
        message_id="<new@company.example>",
        date="Sat, 21 Nov 2026 12:00:00 +0000",
    )
    block = b"".join(each.raw for each in header.fields) + b"\r\n"
    _same_elsewhere(block)
    return Headers.parse(block)


def _same_elsewhere(block: bytes) -> None:
    """Three readers of the standard library find in From what ours finds."""
    (ours,) = Headers.parse(block).mailboxes("from")
    old, new = message_from_bytes(block), message_from_bytes(block, policy=policy.default)
    name, address = parseaddr(str(old["From"]))
    assert (str(make_header(decode_header(name))), address) == (ours.name, str(ours.address))
    ((name, address),) = getaddresses([str(old["From"])])
    assert address == str(ours.address)
    (box,) = new["From"].addresses
    assert (" ".join(box.display_name.split()), box.addr_spec) == (ours.name, str(ours.address))


def answered(headers: str, directory: Directory, user: User, account_id: int = 1) -> str:
    """Who gets an answer."""
    mark = SentMark("<new@company.example>", user.id, account_id)
    read = Headers.parse(("Received: by mx.isp.example; x\n" + headers + "\n\n").encode())
    known = {mark.message_id: mark} if mark.message_id in headers else {}
    origin = Origin(Source.COLLECT, "0" * 16, account_id=account_id)
    routing = Router().route(Envelope(None), read, origin, directory, known)
    return " ".join(directory.user_by_id[target.user_id].name for target in routing.targets)


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("user", PERSONS, ids=lambda user: user.name)
def test_answers_come_back_3_6(user: User, written: str):
    """By the name however it is set, else by the reference, also when the provider has replaced the Message-ID."""
    headers = sent(user, written)
    (box,) = headers.mailboxes("from")
    assert box.address.key in {("mail", "company.example"), ("office", "company.example")}
    value, name, address = headers.first("from") or "", box.name, str(box.address)
    qp = Header(name, "utf-8").encode(linesep="\n")
    by_name = [
        f"To: {value}",
        f"To: '{name}' <{address}>",
        f'To: "{name}" <{address}>',
        f"To: {qp} <{address}>",
        f"To: Carl <carl@far.example>; {value}",
        f"To: Carl <carl@far.example>, {value}, mail@far.example",
        f"To: {address} ({name})",
        f"To: {name.upper()} <{address}>",
        f"To: x@far.example\nCc: {value}",
    ]
    last = name.rpartition(" ")
    if last[0] and len(name.split()) == 2:
        by_name.append(f'To: "{last[2]}, {last[0]}" <{address}>')
    for reply in by_name:
        assert answered(reply, OFFICE, user) == user.name, reply
    (own_id,) = headers.message_ids("message-id")
    assert headers.message_ids("references")[-1] == own_id
    ses = "<01020-x@eu-west-1.amazonses.example>"
    for thread in (
        f"In-Reply-To: {own_id}",
        f"References: {own_id}",
        f"In-Reply-To: {ses}\nReferences: {own_id} {ses}",
        f"In-Reply-To: {ses}\nReferences: {own_id}\n {ses}\n <later@far.example>",
    ):
        assert answered(f"To: {address}\n{thread}", OFFICE, user) == user.name, thread


@pytest.mark.parametrize("user", PERSONS, ids=lambda user: user.name)
def test_reply_to_with_tag_where_tags_work_3_6(user: User):
    """An answer to Reply-To needs no name; without working tags, or with one of his own, none is added."""
    headers = sent(user, "From: x@y.example", directory=TAGGED)
    (box,) = headers.mailboxes("reply-to")
    assert answered(f"To: {box.address}", TAGGED, user) == user.name
    assert not sent(user, "From: x@y.example").named("reply-to")
    assert sent(user, "Reply-To: z@far.example", directory=TAGGED).all("reply-to") == ("z@far.example",)
    assert not sent(user, "", CATCH_ALL, TAGGED).named("reply-to")


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("user", PERSONS[:6], ids=lambda user: user.name)
def test_answers_to_a_domain_account_come_back_3_6(user: User, written: str):
    """The author's own address leaves, never a colleague's, a stranger's or everybody's."""
    headers = sent(user, written, CATCH_ALL)
    (box,) = headers.mailboxes("from")
    assert str(box.address) == f"{user.name}@firm.example"
    assert answered(f"To: {box.address}", OFFICE, user, 2) == user.name


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        ("From: andrew@firm.example", True),
        ("From: sales@firm.example", True),
        ("From: andrew.smith@firm.example", True),
        ("From: greg@firm.example", False),
        ("From: public@firm.example", False),
        ("From: public2@firm.example", False),
        ("From: admin@firm.example", False),
        ("From: box@firm.example", False),
        ("From: postmaster@firm.example", False),
        ("From: andrew@far.example", False),
        ("From: andrew@firm.example, greg@firm.example", False),
        ("From: andrew@firm.example\nFrom: greg@firm.example", False),
        ("", False),
    ],
)
def test_enforce_refuses_what_is_not_his_3_6(written: str, allowed: bool):
    """550 5.7.1 instead of a silent repair."""
    if allowed:
        address = written.removeprefix("From: ")
        assert str(sent(ANDREW, written, CATCH_ALL, rule="enforce").mailboxes("from")[0].address) == address
    else:
        with pytest.raises(PolicyRefusal):
            sent(ANDREW, written, CATCH_ALL, rule="enforce")


def test_hidden_recipients_go_however_they_are_written_3_6():
    """Odd case, blanks before the colon, folding, several of them, Resent-Bcc: nothing of it leaves."""
    written = (
        "From: x@y.example\nbCC : secret1@far.example,\n\tsecret2@far.example\nno colon\nBCC:\n secret3@far.example\n"
        "Resent-Bcc: secret4@far.example\nX-Bcc-Note: kept\nSubject: Bcc: kept too"
    )
    made = b"".join(each.raw for each in sent(ANDREW, written).fields)
    assert b"secret" not in made
    assert b"X-Bcc-Note: kept" in made
    assert b"Subject: Bcc: kept too" in made


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("From: mail@company.example", 1),
        ("From: office@company.example", 1),
        ("From: greg@firm.example", 2),
        ("From: anything@firm.example", 2),
        ("From: x@far.example", 1),
        ("", 1),
        ("From: x@far.example\nSender: a@firm.example", 1),
    ],
)
def test_from_chooses_among_his_accounts_3_8(written: str, number: int):
    """The account whose address stands in From, else his first."""
    account = sending_account(Headers.parse(written.encode()), ANDREW, OFFICE)
    assert account is not None
    assert account.id == number


def test_one_received_line_without_the_lan_3_6():
    """No address and no name of a machine in the house leaves."""
    (line,) = sent(ANDREW, "From: x@y.example").all("received")
    assert "from" not in line
    assert "192.168" not in line


def test_a_from_of_any_size_is_judged_in_no_time_3_6():
    """Blanks, quotes and words without end cost what their length costs."""
    for piece in (" ", '"', "a ", "=?u?q?a", "<", "\\"):
        written = "From: " + piece * 50_000 + "<mail@company.example>"
        assert sent(ANDREW, written).mailboxes("from")[0].address == SHARED.address
