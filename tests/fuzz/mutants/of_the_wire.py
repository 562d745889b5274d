"""The engines of the wire, each with somebody on the other side who says yes to whatever can be said yes to."""

from __future__ import annotations

from mutants.subject import Subject

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.wire.dots import DotDecoder, stuff
from mailshare.wire.imap_client import IMAPClient
from mailshare.wire.imap_replies import IMAPReply
from mailshare.wire.pop3_client import POP3Client
from mailshare.wire.pop3_server import POP3Server, ServerSettings
from mailshare.wire.pop3_server_events import (
    ListingWanted,
    MessageWanted,
    NameProven,
    PasswordGiven,
    PauseWanted,
    ProofRejected,
    QuitWanted,
    VerifierWanted,
)
from mailshare.wire.pop3_server_login import LoginOffer
from mailshare.wire.replies import START_TLS, StartTLS
from mailshare.wire.sasl.exchange import decode_response, parse_auth, server_mechanism
from mailshare.wire.sasl.mechanism import NeedVerifier, saslprep
from mailshare.wire.sasl.plain import PlainClient
from mailshare.wire.sasl.scram import ScramClient, make_verifier
from mailshare.wire.smtp_client import SMTPClient
from mailshare.wire.smtp_server import SMTPServerEngine
from mailshare.wire.smtp_server_events import SMTPSettings
from mailshare.wire.smtp_server_events import VerifierWanted as SMTPVerifierWanted

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
VERIFIER = make_verifier("secret", b"0123456789abcdef", 4096)
MESSAGE = b"Subject: one\r\n\r\nfirst\r\n.dot\r\n..two\r\nlast\r\n"
ENVELOPE = Envelope(Address("a", "b.example"), (Recipient(Address("x", "y.example")),))


def pieces(data: bytes) -> list[bytes]:
    """Cut as the first octet says, so that chunk borders are part of the input."""
    step = (1, 2, 7, 64, 1000, 70_000)[data[0] % 6] if data else 1
    data = data[1:]
    return [data[at : at + step] for at in range(0, len(data), step)]


def smtp_server(data: bytes) -> None:
    """SMTP, server's side."""
    mechanisms = ("PLAIN", "LOGIN", "SCRAM-SHA-256")
    settings = SMTPSettings("mail.test", max_size=50_000, tls=True, mechanisms=mechanisms, clear_auth=True, old_form=True, whole_envelopes=len(data) % 2 == 0)  # fmt: skip
    engine = SMTPServerEngine(settings, nonce=lambda: NONCE)
    engine.greet()
    for piece in pieces(data):
        if engine.closing:
            break
        event = engine.receive(piece)
        while event is not None:
            if isinstance(event, StartTLS):
                engine.secured()
            elif isinstance(event, SMTPVerifierWanted):
                engine.verifier(VERIFIER)
            elif engine.waiting:
                engine.accept()
            event = engine.next_event()
        said = engine.take_output()
        assert all(33 <= line[0] <= 126 and line.isascii() for line in said.split(b"\r\n") if line), said


def _answer(engine: POP3Server, event: object) -> None:
    if isinstance(event, PasswordGiven):
        engine.admit(1, len(MESSAGE)) if event.password == b"secret" else engine.refuse_login()
    elif isinstance(event, ProofRejected):
        engine.refuse_login()
    elif isinstance(event, NameProven):
        engine.admit(1, len(MESSAGE))
    elif isinstance(event, VerifierWanted):
        engine.give_verifier(VERIFIER)
    elif isinstance(event, ListingWanted):
        engine.give_listing([len(MESSAGE)], [0], lambda uid: f"uid-{uid}")
    elif isinstance(event, MessageWanted):
        engine.begin_message(len(MESSAGE), MESSAGE.index(b"\r\n\r\n") + 4)
        engine.write_message(MESSAGE)
        engine.end_message()
    elif isinstance(event, QuitWanted):
        engine.finished(len(event.deleted))
    elif isinstance(event, PauseWanted):
        engine.resume()
    elif event is START_TLS:
        engine.secured()


def pop3_server(data: bytes) -> None:
    """POP3, server's side."""
    offer = LoginOffer(lambda: NONCE, True, True)
    engine = POP3Server(ServerSettings("pop.example", offer, starttls=True), secure=False)
    engine.greet()
    for piece in pieces(data):
        if engine.closing:
            break
        event = engine.receive(piece)
        while event is not None:
            _answer(engine, event)
            event = engine.next_event()
        engine.take_output()


def pop3_client(data: bytes) -> None:
    """POP3, client's side: a whole run is asked for, and what comes back is anything."""
    engine = POP3Client(secure=True)
    engine.feed(b"+OK hello\r\n")
    engine.next_event()
    engine.capabilities = {"PIPELINING": ()}
    engine.capa()
    engine.auth(PlainClient("joe", "secret"))
    for ask in (engine.stat, engine.list, engine.uidl):
        ask()
    engine.retr(1, 100)
    for number in (2, 3):
        engine.retr(number, 100, whole=True)
    engine.top(1)
    engine.dele(1)
    engine.quit()
    for piece in pieces(data):
        engine.take_output()
        engine.feed(piece)
        while engine.next_event() is not None:
            engine.take_output()


def imap_client(data: bytes) -> None:
    """IMAP, client's side: a whole run and an IDLE are asked for, and what comes back is anything."""
    engine = IMAPClient(secure=True)
    engine.feed(b"* OK [CAPABILITY IMAP4REV1 SASL-IR UIDPLUS IDLE] hello\r\n")
    engine.next_event()
    engine.authenticate(PlainClient("joe", "secret"))
    engine.list()
    engine.select("INBOX")
    engine.sizes()
    for uid in (1, 2):
        engine.header(uid)
        engine.fetch(uid, 100)
    engine.mark_deleted(b"1:2")
    engine.search_deleted()
    engine.expunge(b"1:2")
    engine.idle()
    for piece in pieces(data):
        engine.take_output()
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            engine.take_output()
            if isinstance(event, IMAPReply) and event.command.name == "IDLE" and event.ok:
                engine.news()
                engine.done()
                engine.logout()


def smtp_client(data: bytes) -> None:
    """SMTP, client's side: a message is sent, and what comes back is anything."""
    engine = SMTPClient(secure=True)
    engine.ehlo("me.example")
    stage = 0
    for piece in pieces(data):
        engine.take_output()
        engine.feed(piece)
        while (reply := engine.next_event()) is not None:
            if reply.command.name == "EHLO" and stage == 0:
                stage = 1
                engine.auth(PlainClient("joe", "secret"))
            elif reply.command.name == "AUTH" and stage == 1:
                stage = 2
                engine.mail(ENVELOPE, len(MESSAGE), eight_bit=False)
                engine.rcpt(ENVELOPE.recipients[0])
                engine.data()
            elif reply.command.name == "DATA" and reply.code == 354 and stage == 2:
                stage = 3
                engine.begin_body(len(MESSAGE))
                engine.body(MESSAGE)
                engine.end_body()
                engine.quit()
            engine.take_output()


def sasl_server(data: bytes) -> None:
    """AUTH lines and answers, whichever mechanism they choose."""
    first, *rest = data.split(b"\r\n")
    request = parse_auth(first)
    mechanism = server_mechanism(request.mechanism, lambda: NONCE)
    if mechanism is None:
        return
    result = mechanism.start(request.initial)
    for line in rest[:4]:
        if isinstance(result, NeedVerifier):
            result = mechanism.verifier(VERIFIER)
        result = mechanism.step(decode_response(line))


def sasl_client(data: bytes) -> None:
    """What a server says in SCRAM, in any order."""
    client = ScramClient("joe", "secret", "rOprNGfwEbeRWgbNEkqO")
    client.initial()
    for line in data.split(b"\r\n")[:4]:
        client.respond(line)
    client.succeeded()


def prepared(data: bytes) -> None:
    """Names and passwords."""
    saslprep(data.decode("utf-8", "replace"))


def dots(data: bytes) -> None:
    """What is stuffed comes out as it went in, wherever it is cut; what is not, raises nothing."""
    decoder = DotDecoder()
    for piece in pieces(data):
        _, rest = decoder.feed(piece)
        if decoder.done or rest:
            break
    message = b"\r\n".join(data.replace(b"\r", b"").split(b"\n")) + b"\r\n"
    wire = stuff(message)
    again = DotDecoder()
    assert b"".join(again.feed(wire[at : at + 7])[0] for at in range(0, len(wire), 7)) == message


SMTP_TALK = (
    (b"\x05EHLO c.test\r\nMAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<joe@test.local> NOTIFY=NEVER\r\nDATA\r\n"
    b"Subject: x\r\n\r\nhello\r\n..\r\n.\r\nRSET\r\nNOOP\r\nQUIT\r\n"),
    b'\x02EHLO c.test\r\nAUTH PLAIN AGpvZQBzZWNyZXQ=\r\nMAIL FROM:<>\r\nRCPT TO:<"a b"@[192.0.2.1]>\r\nBDAT 5\r\nhelloBDAT 0 LAST\r\n',
    b"\x03EHLO c.test\r\nSTARTTLS\r\nEHLO c.test\r\nAUTH LOGIN\r\nam9l\r\nc2VjcmV0\r\n",
    b"\x04EHLO c.test\r\nAUTH SCRAM-SHA-256 biwsbj1qb2Uscj1yT3ByTkdmd0ViZVJXZ2JORWtxTw==\r\nYz1iaXdz\r\n*\r\nVRFY x\r\nHELP\r\n",
)
SMTP_WORDS = tuple(
    word.encode() for word in
    ["EHLO", "HELO", "MAIL", "FROM:", "RCPT", "TO:", "DATA", "BDAT", "LAST", "RSET", "NOOP", "QUIT", "AUTH", "STARTTLS", "VRFY", "EXPN", "HELP", "SIZE=", "BODY=", "SMTPUTF8", "RET=", "ENVID=", "ORCPT=rfc822;", "NOTIFY=", "<>", "+20", "BINARYMIME", "GET", "POST"]
)  # fmt: skip
POP3_TALK = (
    b"\x05CAPA\r\nUSER joe\r\nPASS secret\r\nSTAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 0\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n",
    b"\x02STLS\r\nAUTH PLAIN\r\nAGpvZQBzZWNyZXQ=\r\nLIST 1\r\nUIDL 1\r\nLANG\r\nUTF8\r\nQUIT\r\n",
    b"\x03AUTH SCRAM-SHA-256 biwsbj1qb2Uscj1yT3ByTkdmd0ViZVJXZ2JORWtxTw==\r\nYz1iaXdz\r\n*\r\nAPOP a b\r\n",
)
POP3_SAID = (
    (b"\x05+OK\r\nPIPELINING\r\nUIDL\r\nTOP\r\n.\r\n+OK in\r\n+OK 2 300\r\n+OK\r\n1 100\r\n2 200\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n"
    b"+OK\r\nSubject: x\r\n\r\n..\r\n.\r\n+OK\r\nSubject: x\r\n\r\n.\r\n+OK\r\n+OK bye\r\n"),
    b"\x01+OK\r\n.\r\n+ \r\n+OK\r\n-ERR [SYS/TEMP] x\r\n-ERR\r\n-ERR [IN-USE]\r\n-ERR\r\n-ERR\r\n-ERR\r\n-ERR\r\n",
)
IMAP_SAID = (
    (b'\x05m1 OK [CAPABILITY IMAP4REV1] in\r\n* LIST (\\Junk) "/" {4}\r\nSpam\r\nm2 OK\r\n* 2 EXISTS\r\n* OK [UIDVALIDITY 7]\r\nm3 OK\r\n'
    b"* 1 FETCH (UID 1 RFC822.SIZE 9)\r\n* 2 FETCH (RFC822.SIZE 9 UID 2)\r\nm4 OK\r\n* 1 FETCH (UID 1 BODY[HEADER] {4}\r\na\r\n\r\n)\r\nm5 OK\r\n"
    b"* 1 FETCH (BODY[] {5}\r\n)\r\nm6 UID 1 FLAGS (\\Seen))\r\nm6 OK\r\nm7 OK\r\nm8 NO\r\nm9 OK\r\n* SEARCH 1 2\r\nm10 OK\r\nm11 OK\r\n+ idling\r\n"
    b"* 3 EXISTS\r\n* 1 EXPUNGE\r\nm12 OK\r\n* BYE\r\nm13 OK\r\n"),
    b"\x01+ \r\nm1 NO [AUTHENTICATIONFAILED] x\r\n* OK [ALERT] read me\r\nm2 BAD\r\nm3 NO [NONEXISTENT]\r\n* BYE [UNAVAILABLE] gone\r\n",
)
SMTP_SAID = (
    (b"\x05220 isp\r\n250-isp hello\r\n250-PIPELINING\r\n250-SIZE 50000\r\n250 AUTH PLAIN\r\n235 2.7.0 in\r\n250 2.1.0 ok\r\n"
    b"250 2.1.5 ok\r\n354 go\r\n250 2.0.0 taken\r\n221 bye\r\n"),
    b"\x02220-isp\r\n220 isp\r\n250 isp\r\n334 \r\n535 5.7.8 no\r\n550-5.1.1 no\r\n550 5.1.1 no\r\n421 4.3.0 gone\r\n",
)
SASL_TALK = (
    b"PLAIN AGpvZQBzZWNyZXQ=",
    b"LOGIN\r\nam9l\r\nc2VjcmV0",
    b"SCRAM-SHA-256 biwsbj1qb2Uscj1yT3ByTkdmd0ViZVJXZ2JORWtxTw==\r\nYz1iaXdzLHI9eCxwPXk=",
)
SASL_SAID = (b"r=rOprNGfwEbeRWgbNEkqOabc,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096\r\nv=abc=", b"e=other-error\r\n")

WIRE = (
    Subject("smtp_server", smtp_server, SMTP_TALK, SMTP_WORDS, ()),
    Subject("pop3_server", pop3_server, POP3_TALK, tuple(b"USER PASS STAT LIST RETR DELE UIDL TOP QUIT AUTH".split()), ()),
    Subject("pop3_client", pop3_client, POP3_SAID, (b"+OK", b"-ERR", b"+ ", b"[AUTH]")),
    Subject("imap_client", imap_client, IMAP_SAID, (b"* OK", b"FETCH (", b"UID ", b"BODY[] {", b"{3}\r\n", b"[CAPABILITY", b"m4 OK")),
    Subject("smtp_client", smtp_client, SMTP_SAID, (b"250-", b"250 ", b"354 ", b"334 ", b"421 ", b"SIZE ")),
    Subject("sasl_server", sasl_server, SASL_TALK, (b"PLAIN", b"LOGIN", b"SCRAM-SHA-256", b"n,,", b"=")),
    Subject("sasl_client", sasl_client, SASL_SAID, (b"r=", b"s=", b"i=", b"v=", b"m=", b",")),
    Subject("saslprep", prepared, ("Jos\u00e9 \u05d0".encode(), b"joe"), (), (ValueError,)),
    Subject("dots", dots, (b"\x05" + MESSAGE, b"\x01.\r\n..\r\nx"), (), ()),
)
