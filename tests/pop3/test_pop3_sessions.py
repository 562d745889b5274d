"""POP3 sessions between the engine, the portal and the maildrop, on memory transports."""

import base64

import pytest
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from mailshare.core.errors import ConfigFault, LoginRefused, StoreReadOnly, TooManyTries, Unavailable
from mailshare.pop3.limits import POP3Limits
from mailshare.pop3.observed import LoginRejected, SessionClosed, SessionOpened
from mailshare.pop3.session import CHUNK
from mailshare.shell.logins import PasswordLogin, VerifiedLogin
from mailshare.wire.sasl.exchange import encode
from mailshare.wire.sasl.scram import ScramClient

WRONG = b"-ERR [AUTH] Wrong user name or password\r\n"


def test_a_whole_session(office):
    """Log in, read, delete, quit: everything is committed, released and observed."""
    client = office.connect()
    assert client.greeting == b"+OK pop.example POP3 server ready\r\n"
    assert client.log_in() == b"+OK Now the password\r\n+OK 3 messages (136 octets)\r\n"
    said = client.say(b"STAT", b"UIDL", b"RETR 1", b"TOP 3 0", b"DELE 2", b"QUIT")
    assert said == (
        b"+OK 3 136\r\n"
        b"+OK\r\n1 u11\r\n2 u12\r\n3 u13\r\n.\r\n"
        b"+OK 29 octets\r\nSubject: one\r\n\r\nfirst\r\n..dot\r\n.\r\n"
        b"+OK\r\nSubject: three\r\n\r\n.\r\n"
        b"+OK Deleted at QUIT\r\n"
        b"+OK 1 messages deleted\r\n"
    )
    assert client.closed
    assert office.box.log == [("open", "192.0.2.7"), ("commit", (12,), (11,)), ("release",), ("logout",)]
    assert office.seen == [
        SessionOpened("joe", "192.0.2.7", secure=False),
        SessionClosed("joe", "192.0.2.7", deleted=1, retrieved=1, quit=True),
    ]
    client.drop()
    assert office.box.log.count(("release",)) == 1


def test_a_small_message_is_one_write(office):
    """Status, body and dot leave in one piece, or a client with delayed acknowledgements waits 40 ms."""
    client = office.connect()
    client.log_in()
    client.say(b"LIST")
    client.writes.clear()
    client.say(b"RETR 1")
    assert len(client.writes) == 1


def test_what_was_read_cannot_be_marked_after_a_cut(office, logged_failures):
    """A store that takes nothing now is no program error: a line says so, and the maildrop is given back."""
    office.box.broken["commit"] = StoreReadOnly()
    client = office.connect()
    client.log_in()
    client.say(b"RETR 1")
    with capturedLogs() as logged:
        client.drop()
    assert office.box.log[-2:] == [("release",), ("logout",)]
    assert any("not marked as read" in event["log_format"] for event in logged)
    assert logged_failures.flush() == []


def test_quit_is_answered_after_the_commit(office):
    """No +OK while the deletion is under way; the lock is free when it comes."""
    client = office.connect()
    client.log_in()
    office.box.gates["commit"] = gate = Deferred()
    assert client.say(b"DELE 1", b"QUIT") == b"+OK Deleted at QUIT\r\n"
    assert not client.closed
    gate.callback(None)
    assert client.read() == b"+OK 1 messages deleted\r\n"
    assert client.closed
    assert not office.box.locked


def test_a_failed_deletion_is_said(office, logged_failures):
    """-ERR with a code, nothing deleted, lock given back, the fault in the log."""
    office.box.broken["commit"] = RuntimeError("no")
    client = office.connect()
    client.log_in()
    said = client.say(b"DELE 1", b"QUIT")
    assert b"\r\n-ERR [SYS/TEMP] Something went wrong here (log id " in said
    assert said.endswith(b"; nothing was deleted\r\n")
    assert client.closed
    assert len(office.box.messages) == 3
    assert not office.box.locked
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert office.seen[-1].quit is False


def test_a_broken_line_deletes_nothing(office):
    """What was retrieved is marked, what was marked for deletion stays (RFC 1939 section 6)."""
    client = office.connect()
    client.log_in()
    client.say(b"RETR 3", b"DELE 3", b"DELE 1")
    client.drop()
    assert office.box.log[1:] == [("commit", (), (13,)), ("release",), ("logout",)]
    assert len(office.box.messages) == 3
    assert office.seen[-1] == SessionClosed("joe", "192.0.2.7", deleted=0, retrieved=1, quit=False)


def test_a_broken_line_gives_the_lock_back(office):
    """Also when nothing was retrieved."""
    client = office.connect()
    client.log_in()
    client.drop()
    assert office.box.log[1:] == [("release",), ("logout",)]


def test_a_fault_of_the_program_while_marking_is_logged(office, logged_failures):
    """The lock is given back all the same."""
    office.box.broken["commit"] = RuntimeError("no")
    client = office.connect()
    client.log_in()
    client.say(b"RETR 3")
    client.drop()
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert not office.box.locked


def test_a_line_that_breaks_during_login_locks_nothing(office):
    """The maildrop that was being opened is given back as soon as it comes."""
    office.box.gates["open"] = gate = Deferred()
    client = office.connect()
    client.log_in()
    client.drop()
    gate.callback(None)
    assert office.box.log[-2:] == [("release",), ("logout",)]
    assert not office.box.locked


def test_one_session_at_a_time(office):
    """The second is told that the maildrop is in use, and may try again on the same connection."""
    first, second = office.connect(), office.connect()
    first.log_in()
    assert second.log_in().endswith(b"-ERR [IN-USE] This mailbox is open in another session\r\n")
    first.say(b"QUIT")
    assert second.log_in().endswith(b"+OK 3 messages (136 octets)\r\n")


def test_a_maildrop_in_use_costs_nothing_but_the_try(office):
    """Avatars of refused sessions are logged out, and they do not count as sessions of the user."""
    first, second = office.connect(), office.connect()
    first.log_in()
    for _ in range(12):
        second.log_in()
    assert office.box.log.count(("logout",)) == 12
    first.say(b"QUIT")
    assert second.log_in().endswith(b"+OK 3 messages (136 octets)\r\n")


def test_sessions_of_one_user_are_counted(build_office):
    """Also where the avatar has no lock."""
    office = build_office(limits=POP3Limits(sessions_per_user=1))
    office.connect().log_in()
    office.box.locked = False
    assert office.connect().log_in().endswith(b"-ERR [IN-USE] Too many sessions of this user\r\n")


@pytest.mark.parametrize("error", [UnauthorizedLogin(), LoginRefused()])
def test_wrong_logins(office, error):
    """Whatever kind of refusal the checker gives, the words are the same, and it is observed."""
    office.checker.raises = error
    client = office.connect()
    assert client.say(b"USER joe", b"PASS bad").endswith(WRONG)
    assert client.say(b"AUTH PLAIN " + encode(b"\0nobody\0bad")) == WRONG
    assert office.seen == [LoginRejected("joe", "192.0.2.7", "USER"), LoginRejected("nobody", "192.0.2.7", "PLAIN")]
    assert office.checker.asked == [
        PasswordLogin("joe", "bad", "192.0.2.7"),
        PasswordLogin("nobody", "bad", "192.0.2.7"),
    ]


def test_throttled_logins_use_up_tries(office):
    """Five of them close the connection, or a throttle could be asked for ever."""
    office.checker.raises = TooManyTries()
    client = office.connect()
    said = client.say(*[b"USER joe", b"PASS bad"] * 9)
    assert said.count(b"-ERR [SYS/TEMP] Too many tries; please wait a while\r\n") == 5
    assert client.closed


def test_a_checker_that_fails(office, logged_failures):
    """A fault of the program reads as temporary, with an id that the log has too."""
    office.checker.raises = ZeroDivisionError()
    client = office.connect()
    assert b"-ERR [SYS/TEMP] Something went wrong here (log id " in client.say(b"USER joe", b"PASS bad")
    assert len(logged_failures.flush(ZeroDivisionError)) == 1


def test_commands_behind_a_login_wait_for_it(office):
    """Pipelined commands are answered in order when the checker has answered."""
    office.checker.gate = Deferred()
    client = office.connect()
    assert client.say(b"USER joe", b"PASS secret", b"STAT") == b"+OK Now the password\r\n"
    office.checker.gate.callback(None)
    assert client.read() == b"+OK 3 messages (136 octets)\r\n+OK 3 136\r\n"


def _scram(client, password):
    mechanism = ScramClient("Joe", password, "clientnonce0123456789")
    said = client.say(b"AUTH SCRAM-SHA-256 " + encode(mechanism.initial()))
    while said.startswith(b"+ "):
        said = client.say(encode(mechanism.respond(base64.b64decode(said[2:]))))
    return said


def test_scram(office):
    """A proven name is handed to the portal as such, and counted under its casefolded form."""
    assert _scram(office.connect(), "secret") == b"+OK 3 messages (136 octets)\r\n"
    assert office.checker.asked == [VerifiedLogin("Joe", "192.0.2.7")]
    assert office.seen == [SessionOpened("joe", "192.0.2.7", secure=False)]


def test_a_wrong_proof_reaches_the_throttle(office):
    """The portal is asked with a password that nobody has, and says no in its own time."""
    office.checker.gate = Deferred()
    client = office.connect()
    assert _scram(client, "bad") == b""
    office.checker.gate.callback(None)
    assert client.read() == WRONG
    assert [asked.username for asked in office.checker.asked] == [b"Joe"]


def test_a_wrong_proof_is_refused_whatever_the_portal_says(office):
    """Even a checker that lets everybody in does not turn a wrong proof into a login."""
    office.checker.requestAvatarId = lambda _: Deferred.fromCoroutine(_joe())
    assert _scram(office.connect(), "bad") == WRONG
    assert office.box.log == [("logout",)]


async def _joe():
    return b"joe"


def test_a_verifier_source_that_fails(office, logged_failures):
    """The client is told to come back; the connection goes on."""
    client = office.connect()
    said = client.say(b"AUTH SCRAM-SHA-256 " + encode(b"n,,n=broken,r=clientnonce0123456789"))
    assert said.startswith(b"-ERR [SYS/TEMP] Something went wrong here")
    assert len(logged_failures.flush(RuntimeError)) == 1
    assert client.log_in().endswith(b"+OK 3 messages (136 octets)\r\n")


def test_passwords_in_clear_only_from_trusted_networks(office):
    """From elsewhere neither offered nor taken; SCRAM is."""
    client = office.connect("198.51.100.9")
    said = client.say(b"CAPA")
    assert b"\r\nUSER\r\n" not in said
    assert b"\r\nSASL SCRAM-SHA-256\r\n" in said
    assert client.say(b"USER joe").startswith(b"-ERR [AUTH] ")
    assert office.connect("::ffff:192.0.2.8").say(b"USER joe") == b"+OK Now the password\r\n"
    assert office.connect("").say(b"USER joe").startswith(b"-ERR [AUTH] ")


def test_without_verifiers_scram_is_not_offered(build_office):
    """And without TLS neither is STLS."""
    said = build_office(verifier=None).connect().say(b"CAPA")
    assert b"SCRAM" not in said
    assert b"STLS" not in said


def test_a_network_that_is_none(build_office):
    """A mistake in the configuration is said when the server is built."""
    with pytest.raises(ConfigFault):
        build_office(trusted_networks=("192.0.2.7/24",))


@pytest.mark.parametrize("method", ["snapshot", "body"])
def test_what_cannot_be_read_now(office, logged_failures, method):
    """An expected trouble has its own words, another one a log id; the session goes on."""
    client = office.connect()
    client.log_in()
    office.box.broken[method] = Unavailable("The disk is away")
    assert client.say(b"RETR 1") == b"-ERR [SYS/TEMP] The disk is away\r\n"
    office.box.broken[method] = OSError("secret path")
    said = client.say(b"RETR 1")
    assert said.startswith(b"-ERR [SYS/TEMP] Something went wrong here (log id ")
    assert b"secret" not in said
    assert len(logged_failures.flush(OSError)) == 1
    del office.box.broken[method]
    assert client.say(b"RETR 1").startswith(b"+OK 29 octets\r\n")


BIG = b"Subject: big\r\n\r\n" + (b"x" * 62 + b"\r\n") * (5 * CHUNK // 64)


def test_a_large_message_waits_for_its_reader(office):
    """While the client does not read, only what the transport holds is fetched from the store."""
    office.box.messages = {1: BIG}
    client = office.connect()
    client.log_in()
    client.say(b"LIST")
    client.protocol.outlet_full()
    client.protocol.dataReceived(b"RETR 1\r\nSTAT\r\n")
    assert len(office.box.bodies) == 0
    client.protocol.outlet_free()
    got = client.read()
    assert got == b"+OK %d octets\r\n" % len(BIG) + BIG + b".\r\n+OK 1 %d\r\n" % len(BIG)
    assert max(length for _, length in office.box.bodies[0].reads) == CHUNK


def test_a_large_message_stops_between_chunks(office):
    """The transport filling up in the middle stops the reading there."""
    office.box.messages = {1: BIG}
    client = office.connect()
    client.log_in()
    client.say(b"LIST")
    write = client.transport.write

    def write_until_full(data):
        write(data)
        client.protocol.outlet_full()

    client.transport.write = write_until_full
    client.protocol.dataReceived(b"RETR 1\r\n")
    assert len(office.box.bodies[0].reads) == 1
    client.protocol.outlet_free()
    assert len(office.box.bodies[0].reads) == 2
    client.drop()
    assert len(office.box.bodies[0].reads) == 2
    assert office.box.log[-2:] == [("release",), ("logout",)]


def test_top_of_a_large_message_reads_little(office):
    """TOP n 0 reads the header alone."""
    office.box.messages = {1: BIG}
    client = office.connect()
    client.log_in()
    assert client.say(b"TOP 1 0") == b"+OK\r\nSubject: big\r\n\r\n.\r\n"
    assert office.box.bodies[0].reads == [(0, 16)]


def test_a_message_that_breaks_off(office, build_office):
    """What cannot be read to its end is cut without the dot, so that no client takes it for whole."""
    office.box.messages = {1: BIG}
    client = office.connect()
    client.log_in()
    client.say(b"LIST")

    class Torn(office.box.make_body):
        async def read(self, start, length):
            return await super().read(start, length) if start == 0 else b""

    office.box.make_body = Torn
    said = client.say(b"RETR 1", b"STAT")
    assert said.startswith(b"+OK %d octets\r\n" % len(BIG))
    assert not said.endswith(b"\r\n.\r\n")
    assert b"\r\n.\r\n" not in said
    assert client.closed


def test_a_silent_client_is_told_nothing(office):
    """Before login after 180 s, after it after 600 s; the connection closes without a word (RFC 1939 section 3)."""
    early, late = office.connect(), office.connect()
    late.log_in()
    office.clock.pump([1.0] * 182)
    assert early.closed
    assert early.read() == b""
    assert not late.closed
    late.say(b"NOOP")
    office.clock.pump([1.0] * 500)
    late.say(b"NOOP")
    office.clock.pump([1.0] * 500)
    assert not late.closed
    office.clock.pump([1.0] * 102)
    assert late.closed
    assert late.read() == b""
    assert len(office.box.messages) == 3


def test_too_many_connections(build_office):
    """One more is told so and closed."""
    office = build_office()
    clients = [office.connect() for _ in range(21)]
    office.clock.pump([0] * 4)
    assert clients[-1].read() == b"-ERR [SYS/TEMP] Too many connections from your address\r\n"
    assert clients[-1].closed


def test_nonsense_is_slowed_and_ended(office):
    """The shell's limits hold for POP3."""
    client = office.connect()
    said = client.say(*[b"JUNK"] * 30)
    for _ in range(30):
        office.clock.advance(1)
        said += client.read()
    assert said.count(b"-ERR Unknown command\r\n") == 15
    assert said.endswith(b"-ERR Too many mistakes\r\n")
    assert client.closed


def test_stopping_lets_a_quit_finish(office):
    """Idle sessions are told; the one in the middle of its QUIT gets its answer."""
    idle, leaving = office.connect(), office.connect()
    leaving.log_in()
    office.box.gates["commit"] = gate = Deferred()
    leaving.say(b"DELE 1", b"QUIT")
    done = Deferred.fromCoroutine(office.factory.drain(30))
    assert idle.read() == b"-ERR [SYS/TEMP] This server stops now; please come again soon\r\n"
    gate.callback(None)
    assert leaving.read().endswith(b"+OK 1 messages deleted\r\n")
    idle.drop()
    leaving.drop()
    assert done.called
