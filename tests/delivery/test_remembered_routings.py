"""The same envelope again is not routed anew, and nothing that follows from header or directory is remembered."""

from __future__ import annotations

from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.headers import Headers
from mailshare.core.values import Account, AccountMode, Directory, Origin, Routing, Source, User, UserKind
from mailshare.delivery.router import Router

ACCOUNT = Account(1, 1, Address("all", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",))
USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "greg", names=("Gregory Peck",), accounts=(1,)),
    User(4, "lisa", accounts=(1,)),
)
SHARED = Account(2, 1, Address("mail", "company.example"))
OFFICE = Directory(USERS, (ACCOUNT, SHARED), hostname="mail.office.example")
GREG = Recipient(Address("greg", "firm.example"))
LISA = Recipient(Address("lisa", "firm.example"))
PLAIN = b"From: Some Body <some@outside.example>\r\nSubject: hello\r\n\r\n"


class Asked:
    """A router that is asked, always of mail from the same kind of origin."""

    def __init__(self) -> None:
        self.router = Router()

    def __call__(
        self, *recipients: Recipient, header: bytes = PLAIN, directory: Directory = OFFICE, user_id: int | None = None
    ) -> Routing:
        envelope = Envelope(Address("some", "outside.example"), recipients)
        origin = Origin(Source.SMTP, "c0ffee", user_id, trusted=True)
        return self.router.route(envelope, Headers.parse(header), origin, directory, {})


def names(routing: Routing, directory: Directory = OFFICE) -> set[str]:
    return {directory.user_by_id[target.user_id].name for target in routing.targets}


def test_same_people_by_the_same_sender_are_found_at_once():
    """The very routing of before comes back for the same envelope, and another for another."""
    route = Asked()
    first = route(GREG, LISA)
    assert route(GREG, LISA) is first
    assert names(first) == {"greg", "lisa"}
    assert names(route(GREG)) == {"greg"}
    assert route(GREG, LISA, user_id=4) is not first


def test_change_of_directory_forgets_what_was_said():
    """Whoever was given a copy reader since gets it with the next message."""
    route = Asked()
    route(GREG)
    copied = evolve(OFFICE, users=(*USERS[:2], evolve(USERS[2], cc=(4,)), USERS[3]))
    assert names(route(GREG, directory=copied), copied) == {"greg", "lisa"}


def test_header_that_pretends_is_looked_at_each_time():
    """A warning of a strange address under a local name stands on the second message to the same people too."""
    route = Asked()
    route(GREG)
    pretends = PLAIN.replace(b"Some Body", b"Gregory Peck")
    assert b"X-Mailshare-Warning" in route(GREG, header=pretends).targets[0].prefix
    assert b"X-Mailshare-Warning" not in route(GREG).targets[0].prefix


def test_mail_to_everybody_and_to_names_is_routed_each_time():
    """What is counted or sorted by its header has no routing of before."""
    route = Asked()
    everybody, named = Recipient(Address("public", "firm.example")), Recipient(Address("mail", "company.example"))
    assert route(everybody) is not route(everybody)
    assert route(named) is not route(named)
    assert route(GREG, everybody) is not route(GREG, everybody)


def test_many_envelopes_do_not_fill_the_memory():
    """After some thousand recipients it begins anew."""
    route = Asked()
    first = route(GREG)
    for number in range(120):
        route(*(Recipient(Address("greg", "firm.example")) for _ in range(100)))
        assert names(route(LISA)) == {"lisa"}, number
    assert route(GREG) is not first


def collected(router: Router, header: bytes, directory: Directory = OFFICE, folder: str = "") -> Routing:
    origin = Origin(Source.COLLECT, "c0ffee", account_id=1, folder=folder)
    return router.route(Envelope(None), Headers.parse(header), origin, directory, {})


TO_GREG = b"X-Original-To: greg@firm.example\r\n"


def test_what_the_provider_wrote_of_the_envelope_is_found_at_once():
    """Another subject and another sender change nothing; another recipient or folder does."""
    router = Router()
    first = collected(router, TO_GREG + PLAIN)
    assert collected(router, TO_GREG + PLAIN.replace(b"Some", b"Any").replace(b"hello", b"bye")) is first
    assert names(first) == {"greg"}
    assert names(collected(router, TO_GREG.replace(b"greg", b"lisa") + PLAIN)) == {"lisa"}
    assert collected(router, TO_GREG + PLAIN, folder="Lists").targets != first.targets


def test_what_a_header_says_besides_is_not_forgotten_for_the_envelope():
    """A From that pretends, a mark of this office, an envelope field below what the provider wrote, another hop."""
    router = Router()
    first = collected(router, TO_GREG + PLAIN)
    pretended = collected(router, TO_GREG + b"From: Greg <greg@firm.example>\r\n\r\n")
    assert [step.code for step in pretended.steps] == [*(step.code for step in first.steps), "display-name"]
    mark = b"X-Mailshare-Trace: here; 1\r\n"
    marked = evolve(OFFICE, instance="here")
    assert not collected(router, TO_GREG + PLAIN, marked).came_back
    assert collected(router, mark + TO_GREG + PLAIN, marked).came_back
    below = b"Received: from a.example by mx.isp.example; x\r\nTo: lisa@firm.example\r\n" + TO_GREG + PLAIN
    assert names(collected(router, below)) == {"lisa"}
    round_trip = b"Delivered-To: greg@mail.office.example\r\n" + TO_GREG + PLAIN
    for _ in range(2):
        assert {target.reason for target in collected(router, round_trip).targets} == {"loop"}


def test_nobody_is_remembered_for_an_envelope_of_nobody_or_of_everybody():
    """A stranger may be taught a name meanwhile by another rule; mail to everybody is counted each time."""
    router = Router()
    for who in (b"nobody", b"public1"):
        header = TO_GREG.replace(b"greg", who) + PLAIN
        assert collected(router, header) is not collected(router, header)


def test_change_of_directory_forgets_collected_envelopes():
    """Whoever was given a copy reader since gets it with the next message."""
    router = Router()
    collected(router, TO_GREG + PLAIN)
    copied = evolve(OFFICE, users=(*USERS[:2], evolve(USERS[2], cc=(4,)), USERS[3]))
    assert names(collected(router, TO_GREG + PLAIN, copied), copied) == {"greg", "lisa"}
