"""How a hand-out is read off the configuration, its certificates and its directory (rule 3.14)."""

from __future__ import annotations

import base64
import plistlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from mailshare.assembly.handing_out import describe, hand_out, served_autoconfig
from mailshare.cli.handing_out import FORMATS as OFFERED
from mailshare.config import BrokenConfig, Config, parse_config
from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, NoSuchUser, PeerFault
from mailshare.core.values import Account, AccountMode, Directory, User, UserKind
from mailshare.web.handout import FORMATS, cautions

SERVER = '[server]\nhostname = "mail.office.example"\n'
LISTEN = """
[listen]
certificates = "certs"
pop3 = ["tcp:110"]
pop3s = ["tls:certs:995"]
submission = ["tcp:587"]
submissions = ["tls:certs:465"]
"""
PEOPLE = Directory(
    accounts=(
        Account(1, 1, Address("mail", "company.example")),
        Account(2, 2, Address("all", "firm.example"), AccountMode.DOMAIN, domains=("firm.example",)),
    ),
    users=(
        User(1, "greg", names=("Greg Jones",), accounts=(1, 2)),
        User(2, "admin1", kind=UserKind.ADMIN, accounts=(1,)),
        User(3, "public1", kind=UserKind.PUBLIC, accounts=(1,)),
        User(4, "lonely"),
    ),
)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def made(tmp_path: Path, authority: trustme.CA) -> Callable[[str], Config]:
    """Configurations over a folder with a certificate of a private authority."""
    (tmp_path / "certs").mkdir()
    issued = authority.issue_cert("mail.office.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "certs" / "mail.office.example.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return lambda text: parse_config(SERVER + text, str(tmp_path / "m.toml"))


def untrusted(_: object) -> bool:
    return False


def test_every_listener_becomes_a_door(made: Callable[[str], Config]) -> None:
    """Protocol, port, security and reach come out of the endpoint strings; TLS from the first octet is preferred."""
    handout = describe(made(LISTEN), PEOPLE, "GREG", untrusted)
    doors = {(one.protocol, one.host, one.port, one.tls, one.near) for one in handout.doors}
    assert doors == {
        ("pop3", "mail.office.example", 110, "starttls", False),
        ("pop3", "mail.office.example", 995, "implicit", False),
        ("smtp", "mail.office.example", 587, "starttls", False),
        ("smtp", "mail.office.example", 465, "implicit", False),
    }
    assert handout.login == "greg"
    assert handout.display_name == "Greg Jones"
    assert [str(one.address) for one in handout.identities] == ["mail@company.example", "greg@firm.example"]
    assert handout.identities[0].usable[0] == "Greg Jones <mail@company.example>"
    assert handout.identities[1].usable == ("greg@firm.example",)


def test_listeners_for_machines_and_browsers_are_no_doors_for_mail_programs(made: Callable[[str], Config]) -> None:
    """The manager, printing and the devices' own door are not handed out."""
    config = made(LISTEN + 'web = ["tcp:8080"]\nipp = ["tcp:631"]\nlpd = ["tcp:515"]\ndevice = ["tcp:2525"]\n')
    handout = describe(config, PEOPLE, "greg", untrusted)
    assert sorted(door.port for door in handout.doors) == [110, 465, 587, 995]
    assert not handout.unknown


def test_autoconfig_is_served_for_domains_whose_local_parts_are_logins(made: Callable[[str], Config]) -> None:
    """The domain of a catch-all and the server's own; a shared address is the provider's."""
    config = made(LISTEN)
    for address in ("greg@firm.example", "greg@office.example", "greg@mail.office.example"):
        told = served_autoconfig(config, PEOPLE, address)
        assert "%EMAILLOCALPART%" in told
        assert "<port>995</port>" in told
    for address in ("mail@company.example", "", "x@evil.example", "<x>"):
        with pytest.raises(NoSuchUser):
            served_autoconfig(config, PEOPLE, address)


def test_a_listener_of_loopback_is_told_as_such(made: Callable[[str], Config]) -> None:
    """The server's name would lead a program of the same computer past it."""
    handout = describe(made('[listen]\npop3 = ["tcp:8110:interface=127.0.0.1"]\n'), PEOPLE, "greg", untrusted)
    (door,) = handout.doors
    assert (door.host, door.port, door.tls, door.near) == ("localhost", 8110, "none", True)
    assert "near-only" in [one.code for one in cautions(handout)]


def test_ports_that_others_choose_are_cautioned_of(made: Callable[[str], Config]) -> None:
    """Sockets of systemd, and ports chosen at the opening, are in no file."""
    text = '[listen]\npop3 = ["systemd:domain=INET:index=0", "tcp:0:interface=127.0.0.1"]\nsmtp = ["tcp:25"]\n'
    handout = describe(made(text), PEOPLE, "greg", untrusted)
    assert handout.unknown == ("systemd:domain=INET:index=0", "tcp:0:interface=127.0.0.1")
    assert "no-door" in [one.code for one in cautions(handout)]


def test_a_private_authority_is_handed_out_when_it_is_named(
    made: Callable[[str], Config], authority: trustme.CA, tmp_path: Path
) -> None:
    """The certificates in use hold no root, so the file has to say where it is."""
    unknown = describe(made(LISTEN), PEOPLE, "greg", untrusted)
    assert unknown.authority is None
    assert "unknown-authority" in [one.code for one in cautions(unknown)]
    known = describe(made(LISTEN + 'authority = "ca.pem"\n'), PEOPLE, "greg", untrusted)
    assert known.authority is not None
    assert known.authority.pem.encode() == authority.cert_pem.bytes()
    trusted = describe(made(LISTEN), PEOPLE, "greg", lambda _: True)
    assert [one.code for one in cautions(trusted) if "authority" in one.code] == []
    with pytest.raises(BrokenConfig, match="does not exist"):
        made(LISTEN + 'authority = "nowhere.pem"\n')
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConfigFault, match="holds no certificate"):
        describe(made(LISTEN + 'authority = "ca.pem"\n'), PEOPLE, "greg", untrusted)


def test_a_certificate_that_signed_itself_is_its_own_authority(tmp_path: Path) -> None:
    """The first office makes one with openssl; its fingerprint is what people compare."""
    file = tmp_path / "certs" / "office.pem"
    file.parent.mkdir()
    name = ["-subj", "/CN=mail.office.example", "-addext", "subjectAltName=DNS:mail.office.example"]
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
    made = subprocess.run([*argv, "-keyout", "-", "-out", "-"], capture_output=True, check=True)
    file.write_bytes(made.stdout)
    handout = describe(parse_config(SERVER + LISTEN, str(tmp_path / "m.toml")), PEOPLE, "greg")
    assert handout.authority is not None
    argv = ["openssl", "x509", "-in", str(file), "-noout", "-fingerprint", "-sha256"]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert handout.authority.fingerprint == shown.stdout.strip().partition("=")[2]


def test_who_can_be_handed_what(made: Callable[[str], Config]) -> None:
    """ADMIN reads mail like a person, PUBLIC has no mailbox, somebody without account has colleagues only."""
    config = made(LISTEN)
    assert describe(config, PEOPLE, "admin1", untrusted).address == Address("mail", "company.example")
    assert describe(config, PEOPLE, "lonely", untrusted).address == Address("lonely", "mail.office.example")
    with pytest.raises(PeerFault, match="stands for others"):
        describe(config, PEOPLE, "public1", untrusted)
    with pytest.raises(NoSuchUser):
        describe(config, PEOPLE, "nobody", untrusted)


def test_a_signed_profile_is_taken_by_openssl(
    made: Callable[[str], Config], authority: trustme.CA, tmp_path: Path
) -> None:
    """The signature is one that another program verifies against the authority, around the unsigned profile."""
    config = made(LISTEN + 'authority = "ca.pem"\n')
    answer = hand_out(config, PEOPLE, "greg", "mobileconfig", sign=True)
    assert "text" not in answer
    (tmp_path / "profile").write_bytes(base64.b64decode(str(answer["base64"])))
    argv = ["openssl", "cms", "-verify", "-inform", "DER", "-in", "profile", "-CAfile", "ca.pem", "-purpose", "any"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == hand_out(config, PEOPLE, "greg", "mobileconfig")["text"]
    root = plistlib.loads(done.stdout)["PayloadContent"][1]["PayloadContent"]
    assert root == load_pem_x509_certificate(authority.cert_pem.bytes()).public_bytes(Encoding.DER)
    with pytest.raises(PeerFault, match="Only the form mobileconfig"):
        hand_out(config, PEOPLE, "greg", "text", sign=True)
    with pytest.raises(ConfigFault, match="no key to sign with"):
        hand_out(made('[listen]\npop3 = ["tcp:110"]\nsmtp = ["tcp:25"]\n'), PEOPLE, "greg", "mobileconfig", sign=True)


def test_the_command_offers_every_form() -> None:
    """The command has its own list so that --help is quick."""
    assert set(OFFERED) == set(FORMATS)
