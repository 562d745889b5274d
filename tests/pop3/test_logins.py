"""The credentials that sessions hand to a portal."""

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from mailshare.shell.logins import IVerifiedLogin, PasswordLogin, VerifiedLogin


def test_they_provide_their_interfaces():
    """Both kinds keep to their interfaces."""
    verifyObject(IUsernamePassword, PasswordLogin("joe", "secret"))
    verifyObject(IVerifiedLogin, VerifiedLogin("joe"))


def test_password_stays_out_of_repr():
    """A login that is logged does not give the password away."""
    assert "secret" not in repr(PasswordLogin("joe", "secret", peer="192.0.2.7"))


def test_text_and_octets_are_the_same():
    """Text is encoded as UTF-8, for the name and for the password, and compared so."""
    login = PasswordLogin("jos\u00e9", "p\u00e4ss")
    assert login.username == "jos\u00e9".encode()
    assert login.name == "jos\u00e9"
    assert login.checkPassword("p\u00e4ss")
    assert login.checkPassword("p\u00e4ss".encode())
    assert not login.checkPassword(b"pass")
    assert VerifiedLogin("jos\u00e9").name == "jos\u00e9"


def test_a_stock_checker_takes_them():
    """twisted.cred's own memory checker lets the right password in."""
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(b"joe", b"secret")
    found = SynchronousTestCase().successResultOf(checker.requestAvatarId(PasswordLogin("joe", "secret")))
    assert found == b"joe"
