"""What the tests of the POP3 server engine share: an engine, a maildrop, and a session that answers."""



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
from mailshare.wire.replies import START_TLS
from mailshare.wire.sasl.scram import make_verifier

NONCE = "fyko+d2lbbFgONRv9qkxdawL"
SALT = b"0123456789abcdef"
MESSAGES = [
    b"Subject: one\r\n\r\nfirst\r\n.dot\r\n..two\r\nlast\r\n",
    b"Subject: two\r\n\r\n",
    b"No: body\r\n",
    b"\r\n.\r\nonly a dot\r\n",
]


def build(*, clear=True, scram=False, starttls=False, secure=False, **more) -> POP3Server:
    """An engine with a fixed nonce."""
    offer = LoginOffer(lambda: NONCE, clear, scram)
    return POP3Server(ServerSettings("pop.example", offer, starttls=starttls, **more), secure=secure)


def answer(engine: POP3Server, event, messages=MESSAGES) -> None:
    """Do what a session would do."""
    if isinstance(event, PasswordGiven):
        if (event.name, event.password) == (b"joe", b"secret"):
            engine.admit(len(messages), sum(map(len, messages)))
        else:
            engine.refuse_login()
    elif isinstance(event, ProofRejected):
        engine.refuse_login()
    elif isinstance(event, NameProven):
        engine.admit(len(messages), sum(map(len, messages)))
    elif isinstance(event, VerifierWanted):
        engine.give_verifier(make_verifier("secret", SALT, 4096))
    elif isinstance(event, ListingWanted):
        engine.give_listing([len(message) for message in messages], range(len(messages)), lambda uid: f"uid-{uid}")
    elif isinstance(event, MessageWanted):
        message = messages[event.index]
        end = message.find(b"\r\n\r\n")
        engine.begin_message(len(message), end + 4 if end >= 0 else (2 if message[:2] == b"\r\n" else len(message)))
        for start in range(0, len(message), 3):
            if not engine.write_message(message[start : start + 3]):
                break
        engine.end_message()
    elif isinstance(event, QuitWanted):
        engine.finished(len(event.deleted))
    elif isinstance(event, PauseWanted):
        engine.resume()
    elif event is START_TLS:
        engine.secured()


def talk(engine: POP3Server, *pieces: bytes, messages=MESSAGES) -> bytes:
    """Feed pieces, answer what is asked, return all that was said."""
    said = []
    for piece in pieces:
        engine.feed(piece)
        while (event := engine.next_event()) is not None:
            answer(engine, event, messages)
        said.append(engine.take_output())
    return b"".join(said)


LOGIN = b"USER joe\r\nPASS secret\r\n"
LOGGED_IN = b"+OK Now the password\r\n+OK 4 messages (85 octets)\r\n"
