"""Mail for a printer of this office: found by its address, by whatever way it came, and by nothing else."""

from __future__ import annotations

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.values import Account, Directory, Origin, PrinterPlace, Routing, SentMark, Source, User, UserKind
from mailshare.delivery.router import Router

USERS = (User(1, "admin1", UserKind.ADMIN, accounts=(1,)), User(3, "andrew", names=("Andrew Smith",), accounts=(1,)))
PRINTERS = (
    PrinterPlace("office", (Address.parse("mail+office@company.example"), Address("office"))),
    PrinterPlace("branch", (Address.parse("branch@print.example"),)),
)
SHARED = Account(1, 1, Address("mail", "company.example"))
OFFICE = Directory(USERS, (SHARED,), hostname="mail.office.example", printers=PRINTERS)
OWN = evolve(OFFICE, accounts=(evolve(SHARED, address=Address.parse("branch@print.example")),))


def collected(text: str, directory: Directory = OFFICE) -> Routing:
    headers = Headers.parse(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    return Router().route(Envelope(None), headers, Origin(Source.COLLECT, "0" * 16, account_id=1), directory, {})


def handed_in(*addresses: str) -> Routing:
    envelope = Envelope(None, tuple(Recipient(Address.parse(each)) for each in addresses))
    origin = Origin(Source.SMTP, "0" * 16, user_id=3)
    return Router().route(envelope, Headers.parse(b"From: andrew\r\n\r\n"), origin, OFFICE, {})


def printed(routing: Routing) -> dict[str, list[str]]:
    assert {hop.agent for hop in routing.hops} <= {"printer"}
    assert all(hop.params["notify"] == ["NEVER"] for hop in routing.hops)  # no report ever goes to a stranger
    return {hop.device: list(hop.params["tags"]) for hop in routing.hops}  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("text", "printers", "people"),
    [
        ("To: <mail+office@company.example>", {"office": []}, []),
        ("To: Printer <MAIL+Office+Duplex+x2@company.example>", {"office": ["Duplex", "x2"]}, []),
        ("To: Andrew <mail@company.example>, <mail+office@company.example>", {"office": []}, [3]),
        ("To: Andrew <mail@company.example>", {}, [3]),
        ("To: <mail+officer@company.example>", {}, [1]),
        ("To: <branch@elsewhere.example>", {}, [1]),
    ],
)
def test_a_tag_of_a_shared_address_is_a_printer(text: str, printers: dict[str, list[str]], people: list[int]) -> None:
    """Its own name decides, what follows are options; people get theirs, and ADMIN nothing of what is printed."""
    routing = collected(text)
    assert printed(routing) == printers
    assert [target.user_id for target in routing.targets] == people


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("To: <branch@print.example>", []),
        ("To: <branch+x2@print.example>", ["x2"]),
        ("To: undisclosed-recipients:;", []),
        ("To: Andrew <andrew@elsewhere.example>", []),
    ],
)
def test_a_mailbox_of_its_own_is_the_printers(text: str, tags: list[str]) -> None:
    """Blind copies are for the printer too; nobody else gets mail of its mailbox."""
    routing = collected(text, OWN)
    assert printed(routing) == {"branch": tags}
    assert routing.targets == ()


def test_what_goes_in_circles_is_not_printed() -> None:
    """ADMIN has it, as all mail that loops."""
    routing = collected("Received: x\n" * 60 + "To: <branch@print.example>", OWN)
    assert routing.hops == ()
    assert [target.reason for target in routing.targets] == ["loop"]


def test_mail_programs_here_write_to_printers_by_their_names() -> None:
    """A bare name, the same at this server's name, and the address that the world knows; nothing goes out."""
    for address in ("office", "office@mail.office.example", "mail+office@company.example", "branch@print.example"):
        routing = handed_in(address)
        assert len(printed(routing)) == 1
        assert tuple(each.code for each in routing.steps) == ("printer",)
    assert set(printed(handed_in("office", "branch@print.example"))) == {"office", "branch"}


@pytest.mark.parametrize(("author", "readers", "code"), [(3, [3], "print-status"), (1, [], "")])
def test_a_report_of_printing_is_for_who_printed(author: int, readers: list[int], code: str) -> None:
    """Jobs of nobody in particular leave in ADMIN's name; ADMIN gets no mail of them."""
    text = (
        "To: Admin1 <mail@company.example>\nIn-Reply-To: <job.1@print.example>\n"
        "Content-Type: multipart/report; report-type=print-status; boundary=x"
    )
    headers = Headers.parse(text.replace("\n", "\r\n").encode() + b"\r\n\r\n")
    known = {"<job.1@print.example>": SentMark("<job.1@print.example>", author, 1)}
    origin = Origin(Source.COLLECT, "0" * 16, account_id=1)
    routing = Router().route(Envelope(None), headers, origin, OFFICE, known)
    assert [target.user_id for target in routing.targets] == readers
    assert [target.reason for target in routing.targets] == ([code] if code else [])
    strange = Router().route(Envelope(None), headers, origin, OFFICE, {})
    assert [target.user_id for target in strange.targets] == [1]
