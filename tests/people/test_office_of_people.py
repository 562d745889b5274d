"""People from the configuration and the commands to the wire, in a whole office."""

from __future__ import annotations

import base64
import poplib
import smtplib
from collections.abc import Callable

import pytest
import pytest_twisted

from mailshare.core.errors import MailshareError
from mailshare.wire.sasl.scram import ScramClient
from tests.house import House

GREG = '[[user]]\nname = "greg"\nnames = ["Greg Jones"]\npassword = "greg"\naccounts = ["mail@company.example"]\n'
LISA = '[[user]]\nname = "lisa"\npassword = "lisa"\naccounts = ["mail@company.example"]\n'
SCANNER = '[[user]]\nname = "scanner"\nnames = ["Scanner Two"]\npassword = "x"\naccounts = ["mail@company.example"]\n'
LETTER = b"From: Somebody <whoever@elsewhere.example>\r\nTo: x@y.example\r\nSubject: Scan\r\n\r\nPages\r\n"


def login(name: str, password: str, how: str) -> Callable[[smtplib.SMTP], int]:
    """Log in over SMTP; the reply code."""

    def talk(client: smtplib.SMTP) -> int:
        if how == "PLAIN":
            return client.docmd("AUTH PLAIN", base64.b64encode(f"\0{name}\0{password}".encode()).decode())[0]
        client.docmd("AUTH", "LOGIN")
        client.docmd(base64.b64encode(name.encode()).decode())
        return client.docmd(base64.b64encode(password.encode()).decode())[0]

    return talk


@pytest_twisted.ensureDeferred
async def test_app_passwords_are_made_used_listed_and_revoked(house: House) -> None:
    """POP3 PASS, SMTP PLAIN and LOGIN; a restart keeps them; a revoked one is out at once, the others stay."""
    office = await house.start(GREG)
    phone = await office.acts.add_app_password(name="greg", label="telephone")
    desk = await office.acts.add_app_password(name="greg", label="desk")
    secret, other = str(phone["password"]), str(desk["password"])
    assert await house.mail_of("greg", secret) == []
    for how in ("PLAIN", "LOGIN"):
        assert await house.smtp(login("greg", secret, how)) == 235
    (used, unused) = await office.acts.app_passwords(name="greg")
    assert (used["label"], bool(used["used"]), unused["label"], unused["used"]) == ("telephone", True, "desk", "")
    told = str(await office.acts.app_passwords(name="greg")) + str(await office.acts.show_user(name="greg"))
    assert secret not in told
    await office.stopService()
    office = await house.start()
    assert await house.mail_of("greg", secret) == []
    await office.acts.revoke_app_password(name="greg", label="telephone")
    with pytest.raises(poplib.error_proto):
        await house.mail_of("greg", secret)
    assert await house.mail_of("greg", other) == await house.mail_of("greg", "greg") == []


@pytest_twisted.ensureDeferred
async def test_a_deleted_user_comes_back_with_everything(house: House) -> None:
    """Mail for him goes to ADMIN as former-user; restored he reads what he had; ADMIN and PUBLIC cannot be deleted."""
    office = await house.start(LISA)
    await office.acts.add_user(name="greg", accounts=["1"], cc=["lisa"], password="greg")
    await office.acts.change_user(name="admin1", password="boss")
    house.arrives("Greg <mail@company.example>", number=1)
    await office.acts.send_receive()
    await office.acts.delete_user(name="greg")
    house.arrives("Greg <mail@company.example>", number=2)
    await office.acts.send_receive()
    (mail,) = await house.mail_of("admin1", "boss")
    assert b"X-Mailshare-Reason: former-user" in mail
    assert [row["name"] for row in await office.acts.former_users()] == ["greg"]
    await office.acts.restore_user(name="greg")
    (mail,) = await house.mail_of("greg", "greg")
    assert b"Text 1" in mail
    assert (await office.acts.show_user(name="lisa"))["copies_from"] == ["greg"]
    for name in ("admin1", "public1"):
        with pytest.raises(MailshareError):
            await office.acts.delete_user(name=name)


@pytest_twisted.ensureDeferred
async def test_what_begins_with_its_text_is_forwarded_below_an_empty_line(house: House) -> None:
    """No line of it is taken for one of the lines on top, nor the other way round."""
    office = await house.start(GREG + 'forward = ["greg@home.example"]\n')
    letter = b"no field at all\r\nTo: Greg Jones <mail@company.example>\r\n\r\ntext\r\n"
    house.isp.box.put(letter, "headless")
    await office.acts.send_receive()
    await office.acts.send_receive()
    (gone,) = house.isp.relayed
    assert gone.octets.endswith(b"\r\nDelivered-To: greg@mail.office.example\r\n\r\n" + letter)


@pytest_twisted.ensureDeferred
async def test_forwarding_goes_out_marked_and_comes_back_only_once(house: House) -> None:
    """The provider sees the account as the sender; what comes back is delivered and goes no further."""
    office = await house.start(GREG + 'forward = ["greg@home.example"]\n')
    letter = house.arrives("Greg Jones <mail@company.example>")
    await office.acts.send_receive()
    await office.acts.send_receive()
    (gone,) = house.isp.relayed
    assert str(gone.envelope.sender) == "mail@company.example"
    assert [str(one.address) for one in gone.envelope.recipients] == ["greg@home.example"]
    assert gone.octets.startswith(b"X-Mailshare-Trace: ")
    assert b"Delivered-To: greg@mail.office.example\r\n" in gone.octets
    assert gone.octets.endswith(letter)
    house.isp.box.put(b"Received: from home by mx.isp.example; x\r\n" + gone.octets, "back")
    await office.acts.send_receive()
    await office.acts.send_receive()
    assert len(house.isp.relayed) == 1


@pytest_twisted.ensureDeferred
async def test_somebody_away_answers_once_over_a_restart(house: House) -> None:
    """The command works for a declared user; the answer leaves with the null sender."""
    office = await house.start(GREG)
    await office.acts.vacation(name="greg", text="I am away.", start="2020-01-01")
    house.arrives("Greg Jones <mail@company.example>", number=1)
    await office.acts.send_receive()
    await office.acts.send_receive()
    (answer,) = house.isp.relayed
    assert answer.envelope.sender is None
    assert [str(one.address) for one in answer.envelope.recipients] == ["alice@far.example"]
    assert b"I am away." in answer.octets
    assert b"Auto-Submitted: auto-replied" in answer.octets
    await office.stopService()
    office = await house.start()
    house.arrives("Greg Jones <mail@company.example>", number=2)
    await office.acts.send_receive()
    await office.acts.send_receive()
    assert len(house.isp.relayed) == 1
    assert (await office.acts.reload())["changed"] == 0
    assert (await office.acts.show_user(name="greg"))["vacation"] != {}
    await office.acts.vacation(name="greg", off=True)
    assert (await office.acts.show_user(name="greg"))["vacation"] == {}
    for wrong in ({"text": "x", "start": "soon"}, {"text": "x", "start": "2026-02-02", "end": "2026-02-01"}):
        with pytest.raises(MailshareError):
            await office.acts.vacation(name="greg", **wrong)
    with pytest.raises(MailshareError):
        await office.acts.vacation(name="admin1", text="x")


@pytest_twisted.ensureDeferred
async def test_a_full_mailbox_is_said_on_the_wire(house: House) -> None:
    """452 at RCPT for a colleague; the bound comes from the file."""
    await house.start(GREG + "quota_messages = 1\n" + LISA)

    def talk(client: smtplib.SMTP) -> list[int]:
        client.login("lisa", "lisa")
        client.sendmail("lisa@mail.office.example", ["greg"], LETTER)
        client.mail("lisa@mail.office.example")
        return [client.rcpt("greg")[0], client.rcpt("lisa")[0]]

    assert await house.smtp(talk) == [452, 250]


DEVICE = """
[[device]]
name = "scanner-2"
networks = ["127.0.0.1"]
user = "scanner"
recipients = ["local", "@customer.example"]
per_hour = 2
"""


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("service", ["smtp", "device"])
async def test_a_device_has_one_identity_few_recipients_and_a_rate(house: House, service: str) -> None:
    """No login, no TLS; From and envelope are its user's; never an open relay."""
    office = await house.start(GREG + SCANNER + DEVICE)

    def talk(client: smtplib.SMTP) -> list[int]:
        codes = [client.mail("evil@elsewhere.example")[0]]
        codes += [client.rcpt(to)[0] for to in ("greg", "a@customer.example", "b@other.example", "nobody-here")]
        client.data(LETTER)
        codes += [client.mail("")[0], client.rcpt("greg")[0], client.data(LETTER)[0], client.mail("x@y.example")[0]]
        return codes

    assert await house.smtp(talk, service) == [250, 250, 250, 550, 550, 250, 250, 250, 450]
    await office.acts.send_receive()
    (sent,) = house.isp.relayed
    assert str(sent.envelope.sender) == "mail@company.example"
    assert [str(one.address) for one in sent.envelope.recipients] == ["a@customer.example"]
    assert b"From: Scanner Two <mail@company.example>\r\n" in sent.octets

    def logged_in(client: smtplib.SMTP) -> int:
        client.login("greg", "greg")
        client.mail("greg@mail.office.example")
        return client.rcpt("b@other.example")[0]

    assert await house.smtp(logged_in, "smtp") == 250


@pytest_twisted.ensureDeferred
async def test_the_device_listener_turns_strangers_away_before_the_greeting(house: House) -> None:
    """554 in place of the greeting for an address in no [[device]]; the SMTP listener relays nothing for it."""
    await house.start(GREG + SCANNER + DEVICE.replace("127.0.0.1", "192.0.2.7"))
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        await house.smtp(lambda client: client.noop()[0], "device")
    assert refused.value.smtp_code == 554

    def talk(client: smtplib.SMTP) -> list[int]:
        client.mail("evil@elsewhere.example")
        return [client.rcpt(to)[0] for to in ("a@customer.example", "b@other.example")]

    assert await house.smtp(talk) == [550, 550]


@pytest_twisted.ensureDeferred
async def test_mail_to_everybody_is_capped_over_a_restart(house: House) -> None:
    """Ten reach everybody, the eleventh ADMIN, though the office was started anew between."""
    office = await house.start(GREG + LISA)
    for number in range(10):
        house.arrives("PUBLIC <mail@company.example>", number=number)
    await office.acts.send_receive()
    await office.stopService()
    office = await house.start()
    house.arrives("PUBLIC <mail@company.example>", number=11)
    await office.acts.send_receive()
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert counts == {"admin1": 1, "greg": 10, "lisa": 10, "public1": 0}


@pytest_twisted.ensureDeferred
async def test_a_user_is_shown_with_the_addresses_that_reach_him(house: House) -> None:
    """S4: usable addresses and where their mail is collected; ADMIN and PUBLIC have theirs."""
    office = await house.start(GREG + LISA)
    shown = await office.acts.show_user(name="greg")
    (place,) = shown["addresses"]  # type: ignore[misc]
    assert "Greg Jones <mail@company.example>" in place["addresses"]
    assert place["comes_from"] == "POP3 127.0.0.1, login mail"
    assert (await office.acts.show_user(name="public1"))["addresses"][0]["addresses"] == [  # type: ignore[index]
        "PUBLIC <mail@company.example>"
    ]


@pytest_twisted.ensureDeferred
async def test_a_local_only_user_has_no_mail_with_the_outside(house: House) -> None:
    """550 at RCPT; what comes for him goes to ADMIN; forwarding is refused by file and command."""
    office = await house.start(GREG + "local_only = true\n" + LISA)

    def talk(client: smtplib.SMTP) -> list[int]:
        client.login("greg", "greg")
        client.mail("greg@mail.office.example")
        return [client.rcpt("a@far.example")[0], client.rcpt("lisa")[0]]

    assert await house.smtp(talk) == [550, 250]
    house.arrives("Greg Jones <mail@company.example>")
    await office.acts.send_receive()
    counts = {row["user"]: row["messages"] for row in await office.acts.mailboxes()}
    assert (counts["greg"], counts["admin1"]) == (0, 1)
    await office.acts.add_user(name="anna", accounts=["1"], local_only=True)
    for forward in (["anna@home.example"], ["lisa@mail.office.example"], ["mail@company.example"]):
        with pytest.raises(MailshareError):
            await office.acts.change_user(name="anna", forward=forward)


@pytest_twisted.ensureDeferred
async def test_scram_takes_the_own_password_and_each_app_password(house: House) -> None:
    """SCRAM-SHA-256 on the wire; what was revoked proves nothing any more."""
    office = await house.start(LISA)
    await office.acts.add_user(name="greg", accounts=["1"], password="greg")
    app = str((await office.acts.add_app_password(name="greg", label="telephone"))["password"])

    def scram(password: str) -> Callable[[smtplib.SMTP], int]:
        def talk(client: smtplib.SMTP) -> int:
            side = ScramClient("greg", password, "c" * 24)
            first = base64.b64encode(side.initial()).decode()
            code, answer = client.docmd("AUTH", f"SCRAM-SHA-256 {first}")
            if code == 334:
                final = base64.b64encode(side.respond(base64.b64decode(answer))).decode()
                code, answer = client.docmd(final)
            if code == 334:
                side.respond(base64.b64decode(answer))
                code, _ = client.docmd("")
            return code

        return talk

    assert [await house.smtp(scram(password)) for password in ("greg", app, "wrong")] == [235, 235, 535]
    await office.acts.change_user(name="greg", password="changed")
    assert [await house.smtp(scram(password)) for password in ("changed", app)] == [235, 235]
    await office.acts.revoke_app_password(name="greg", label="telephone")
    assert [await house.smtp(scram(password)) for password in ("changed", app)] == [235, 535]
