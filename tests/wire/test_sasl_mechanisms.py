"""PLAIN, LOGIN, SCRAM-SHA-256 and the bearer mechanisms, both halves."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailshare.core.errors import PeerFault
from mailshare.wire.sasl.bearer import OAuthBearerClient, XOAuth2Client
from mailshare.wire.sasl.exchange import server_mechanism
from mailshare.wire.sasl.login import LoginClient, LoginServer
from mailshare.wire.sasl.mechanism import (
    Challenge,
    NeedPassword,
    NeedVerifier,
    Proven,
    Refused,
    ServerMechanism,
    saslprep,
)
from mailshare.wire.sasl.plain import PlainClient, PlainServer
from mailshare.wire.sasl.scram import ScramClient, ScramServer, Verifier, make_verifier

# RFC 7677 section 3.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_client_speaks_rfc_7677():
    """The client's messages are those of the RFC's example, and the signature satisfies it."""
    client = ScramClient("user", "pencil", CLIENT_NONCE)
    assert client.initial() == CLIENT_FIRST
    assert client.respond(SERVER_FIRST) == CLIENT_FINAL
    assert client.respond(SERVER_FINAL) == b""
    client.succeeded()


def test_server_speaks_rfc_7677():
    """The server's messages are those of the RFC's example."""
    server = ScramServer(SERVER_NONCE)
    assert server.start(CLIENT_FIRST) == NeedVerifier("user")
    assert server.verifier(make_verifier("pencil", SALT, 4096)) == Challenge(SERVER_FIRST)
    assert server.step(CLIENT_FINAL) == Challenge(SERVER_FINAL)
    assert server.step(b"") == Proven("user")


def test_server_asks_when_there_is_no_initial_response():
    """Without an initial response the first challenge is empty."""
    for server in (ScramServer(SERVER_NONCE), PlainServer()):
        assert server.start(None) == Challenge(b"")


def test_wrong_password_is_refused():
    """A proof made with another password does not pass."""
    server = ScramServer(SERVER_NONCE)
    server.start(CLIENT_FIRST)
    server.verifier(make_verifier("pencils", SALT, 4096))
    assert server.step(CLIENT_FINAL) == Refused("wrong password")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"p=tls-unique,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,m=ext,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=us=er,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=user,r=short",
        b"n,,n=user,r=rOprNGfw\x00EbeRWgbNEkqO",
        b"n,,n=user",
        b"\xff\xfe",
        b"n,a=other,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=" + b"u" * 5000 + b",r=rOprNGfwEbeRWgbNEkqO",
        b"n,,n=us\x07er,r=rOprNGfwEbeRWgbNEkqO",
    ],
)
def test_bad_first_messages(first):
    """Whatever is not a first message of ours is refused and never raises."""
    assert isinstance(ScramServer(SERVER_NONCE).start(first), Refused)


@pytest.mark.parametrize(
    "final",
    [
        b"",
        b"c=biws,r=another,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        CLIENT_FINAL.replace(b"biws", b"eSws"),
        CLIENT_FINAL.replace(b"biws", b"!!"),
        CLIENT_FINAL[:-4],
        CLIENT_FINAL[:-2] + b"R=",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=AAAA",
        CLIENT_FINAL + b",x=1",
        b"\xff" + CLIENT_FINAL,
    ],
)
def test_bad_final_messages(final):
    """Whatever is not the right final message is refused."""
    server = ScramServer(SERVER_NONCE)
    server.start(CLIENT_FIRST)
    server.verifier(make_verifier("pencil", SALT, 4096))
    assert isinstance(server.step(final), Refused)


def test_a_right_proof_over_another_nonce_is_refused():
    """A proof that was made for another exchange is of no use in this one, however right it is."""
    server = ScramServer(SERVER_NONCE)
    server.start(CLIENT_FIRST)
    server.verifier(make_verifier("pencil", SALT, 4096))
    bare = b"c=biws,r=rOprNGfwEbeRWgbNEkqOanothernonce"
    key = hmac.digest(hashlib.pbkdf2_hmac("sha256", b"pencil", SALT, 4096), b"Client Key", "sha256")
    signed = CLIENT_FIRST[3:] + b"," + SERVER_FIRST + b"," + bare
    mask = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, mask, strict=True)))
    assert isinstance(server.step(bare + b",p=" + proof), Refused)


def test_data_after_the_signature_is_refused():
    """The client's answer to the signature must be empty."""
    server = ScramServer(SERVER_NONCE)
    server.start(CLIENT_FIRST)
    server.verifier(make_verifier("pencil", SALT, 4096))
    server.step(CLIENT_FINAL)
    assert isinstance(server.step(b"x"), Refused)


def test_unreadable_verifier_refuses():
    """A damaged row in the store reads as a wrong password, not as an error."""
    for text in ("", "x", "SCRAM-SHA-256$4096:!!$AA==:AA==", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA"):
        server = ScramServer(SERVER_NONCE)
        server.start(CLIENT_FIRST)
        assert isinstance(server.verifier(text), Refused)


def test_verifier_out_of_turn_refuses():
    """A verifier that was not asked for is not taken."""
    assert isinstance(ScramServer(SERVER_NONCE).verifier(make_verifier("pencil", SALT, 4096)), Refused)
    assert isinstance(PlainServer().verifier("x"), Refused)
    assert isinstance(LoginServer().verifier("x"), Refused)


def test_verifier_round_trip():
    """The stored form reads back, and neither key shows in its repr."""
    text = make_verifier("pencil", SALT, 5000)
    verifier = Verifier.parse(text)
    assert str(verifier) == text
    assert verifier.iterations == 5000
    assert verifier.salt == SALT
    assert "stored" not in repr(verifier)


def test_weak_verifiers_are_not_made():
    """Fewer rounds than RFC 7677 asks for, or next to no salt, is a mistake of the caller."""
    with pytest.raises(ValueError, match="iterations"):
        make_verifier("pencil", SALT, 4095)
    with pytest.raises(ValueError, match="salt"):
        make_verifier("pencil", b"short", 4096)


@pytest.mark.parametrize(
    "challenge",
    [
        SERVER_FIRST.replace(b"4096", b"4095"),
        SERVER_FIRST.replace(b"4096", b"999999999"),
        SERVER_FIRST.replace(b"4096", b"99999999999999999999"),
        SERVER_FIRST.replace(b"rOpr", b"xOpr"),
        b"r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        SERVER_FIRST.replace(b"W22Z", b"!!!!"),
        b"e=unknown-user",
        b"m=x," + SERVER_FIRST,
        b"\xff",
        b"",
    ],
)
def test_client_distrusts_the_servers_first_message(challenge):
    """Too little work, too much work, a foreign nonce or nonsense ends the exchange."""
    client = ScramClient("user", "pencil", CLIENT_NONCE)
    client.initial()
    with pytest.raises(PeerFault):
        client.respond(challenge)


@pytest.mark.parametrize(
    "last", [SERVER_FINAL.replace(b"6rri", b"7rri"), b"e=other-error", b"", b"v=", b"v=!!!!", b"\xff"]
)
def test_client_wants_the_servers_signature(last):
    """A server that cannot sign does not know the password."""
    client = ScramClient("user", "pencil", CLIENT_NONCE)
    client.initial()
    client.respond(SERVER_FIRST)
    with pytest.raises(PeerFault):
        client.respond(last)
    with pytest.raises(PeerFault):
        client.succeeded()


def test_client_does_not_believe_an_early_yes():
    """Success before the signature is treated as an impostor's."""
    client = ScramClient("user", "pencil", CLIENT_NONCE)
    client.initial()
    client.respond(SERVER_FIRST)
    with pytest.raises(PeerFault):
        client.succeeded()


def test_client_without_initial_response():
    """An empty first challenge is answered with the first message; another one is an error; a fourth too."""
    client = ScramClient("user", "pencil", CLIENT_NONCE)
    assert client.respond(b"") == CLIENT_FIRST
    client.respond(SERVER_FIRST)
    client.respond(SERVER_FINAL)
    with pytest.raises(PeerFault):
        client.respond(b"more")
    with pytest.raises(PeerFault):
        ScramClient("user", "pencil", CLIENT_NONCE).respond(b"hello")


def _talk(server: ServerMechanism, client, verifier: str):
    result = server.start(client.initial())
    for _ in range(5):
        if isinstance(result, Challenge):
            result = server.step(client.respond(result.data))
        elif isinstance(result, NeedVerifier):
            result = server.verifier(verifier)
        else:
            return result
    raise AssertionError("no end")


@pytest.mark.parametrize(("user", "password"), [("a,b=c", "p,=d"), ("jos\u00e9", "\u00aa\u2168 x"), ("u", " blank ")])
def test_both_halves_agree(user, password):
    """Our client gets into our server with names and passwords that need escaping or preparing."""
    verifier = make_verifier(password, SALT, 4096)
    scram = _talk(ScramServer(SERVER_NONCE), ScramClient(user, password, CLIENT_NONCE), verifier)
    assert scram == Proven(user)
    assert _talk(PlainServer(), PlainClient(user, password), "") == NeedPassword(user, password)
    assert _talk(LoginServer(), LoginClient(user, password), "") == NeedPassword(user, password)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"joesecret", "not a PLAIN message"),
        (b"joe\0secret", "not a PLAIN message"),
        (b"\0joe\0", "not a PLAIN message"),
        (b"\0\0secret", "not a PLAIN message"),
        (b"\0joe\0sec\0ret", "not a PLAIN message"),
        (b"ann\0joe\0secret", "asks to act as somebody else"),
        (b"\0" + b"u" * 8000 + b"\0p", "a name or password too long to be one"),
        (b"\0jo\xffe\0secret", "PLAIN message is not UTF-8"),
    ],
)
def test_plain_refusals(message, reason):
    """Anything but one name and one password, for oneself, is refused."""
    result = PlainServer().start(message)
    assert isinstance(result, Refused)
    assert result.reason == reason


def test_plain_takes_ones_own_authorization_identity():
    """Some programs repeat the login as authorization identity."""
    assert PlainServer().start(b"Joe\0joe\0secret") == NeedPassword("joe", "secret")


def test_login_with_and_without_initial_response():
    """The name may come with the command; both prompts are the customary ones."""
    server = LoginServer()
    assert server.start(None) == Challenge(b"Username:")
    assert server.step(b"joe") == Challenge(b"Password:")
    assert server.step(b"secret") == NeedPassword("joe", "secret")
    assert LoginServer().start(b"joe") == Challenge(b"Password:")


@pytest.mark.parametrize("answer", [b"", b"jo\0e", b"\xff", b"u" * 2000])
def test_login_refusals(answer):
    """Empty, too long and undecodable names and passwords are refused."""
    assert isinstance(LoginServer().start(answer), Refused)


def test_clients_stop_when_asked_too_much():
    """No half of a client repeats a secret to a server that keeps asking."""
    plain, login = PlainClient("joe", "secret"), LoginClient("joe", "secret")
    plain.initial()
    with pytest.raises(PeerFault):
        plain.respond(b"")
    with pytest.raises(PeerFault):
        login.succeeded()
    assert [login.respond(b"?"), login.respond(b"?")] == [b"joe", b"secret"]
    login.succeeded()
    with pytest.raises(PeerFault):
        login.respond(b"?")
    with pytest.raises(PeerFault):
        PlainClient("joe", "secret").respond(b"Password:")
    with pytest.raises(PeerFault):
        PlainClient("joe", "secret").succeeded()
    with pytest.raises(PeerFault):
        PlainClient("jo\0e", "secret")


def test_bearer_messages():
    """The messages are those of RFC 7628 section 4.1 and of the providers' pages."""
    token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    bearer = OAuthBearerClient("user@example.com", token, "server.example.com", 143)
    assert bearer.initial() == (
        f"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer {token}\x01\x01".encode()
    )
    bearer.succeeded()
    x = XOAuth2Client("user@example.com", token)
    assert x.respond(b"") == f"user=user@example.com\x01auth=Bearer {token}\x01\x01".encode()


def test_bearer_refusals():
    """A reason is noted once, answered once, and a yes after it is not believed."""
    for client, answer in ((OAuthBearerClient("u", "t"), b"\x01"), (XOAuth2Client("u", "t"), b"")):
        client.initial()
        assert client.respond(b'{"status":"401"}') == answer
        assert client.reason == '{"status":"401"}'
        with pytest.raises(PeerFault):
            client.succeeded()
        with pytest.raises(PeerFault):
            client.respond(b"again")
    with pytest.raises(PeerFault):
        XOAuth2Client("u", "bad token")
    with pytest.raises(PeerFault):
        XOAuth2Client("u\x01auth=x", "t")
    with pytest.raises(PeerFault):
        XOAuth2Client("u", "t").succeeded()


@pytest.mark.parametrize(
    ("text", "prepared"),
    [("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX"), ("a\u00a0b", "a b")],
)
def test_saslprep_examples(text, prepared):
    """The examples of RFC 4013 section 3, and a foreign blank."""
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\u0007", "\u0627\u0031", "\u0627a\u0627", "\ud800", "\ufffa", "\u200e"])
def test_saslprep_prohibits(text):
    """Control characters, mixed directions and the like are refused."""
    with pytest.raises(ValueError):
        saslprep(text)


def test_saslprep_stored_strings_know_their_characters():
    """A character that Unicode 3.2 lacks is let through when asked with, but not stored."""
    assert saslprep("\U0001f600")
    with pytest.raises(ValueError):
        saslprep("\U0001f600", stored=True)


def test_secrets_do_not_show():
    """No repr of a result holds the password."""
    assert "hush" not in repr(PlainServer().start(b"\0joe\0hush"))


def test_server_mechanism_by_name():
    """Each offered name gives its half; others give nothing."""
    for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        mechanism = server_mechanism(name, lambda: SERVER_NONCE)
        assert mechanism is not None
        assert mechanism.name == name
    assert server_mechanism("CRAM-MD5", lambda: SERVER_NONCE) is None


@given(st.sampled_from(["PLAIN", "LOGIN", "SCRAM-SHA-256"]), st.lists(st.binary(max_size=60), max_size=5))
def test_servers_never_raise(name, messages):
    """Any messages at all give a typed result."""
    server = server_mechanism(name, lambda: SERVER_NONCE)
    assert server is not None
    result = server.start(None)
    for message in messages:
        result = server.step(message)
        assert isinstance(result, Challenge | NeedPassword | NeedVerifier | Proven | Refused)
        assert not isinstance(result, Proven)
