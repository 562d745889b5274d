"""The files that are handed out work as they stand in the programs that they are made for (rule 3.14)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import bare, delivery_script, private, stored
from real_peers.letters import body, letter, serial
from real_peers.office import PASSWORD, Office, script, shared_account
from real_peers.provider import Provider
from real_peers.running import run, wait_until
from real_peers.warm import finished

pytestmark = pytest.mark.peers
ASKED = "# The password is asked for."


@pytest.fixture
def told(office: Office, provider: Provider, tmp_path: Path) -> Callable[[str], Path]:
    """A running office, three messages for Greg in it, and what hands a file out as its command prints it."""
    office.accounts = [shared_account(provider)]
    secure = {name: [f"tls:certs:{office.ports[name]}:interface=127.0.0.1"] for name in ("pop3s", "submissions")}
    plain = {name: [f"tcp:{office.ports[name]}:interface=127.0.0.1"] for name in ("pop3", "smtp")}
    listen = {**plain, **secure, "certificates": "certs", "authority": str(office.certificates.authority)}
    office.more = {"listen": listen}
    office.start()

    def hand_out(form: str) -> Path:
        text = office.command("user", "handout", "greg", "--format", form, "--authority", str(listen["authority"]))
        assert PASSWORD not in text
        return private(tmp_path / form, text)

    return hand_out


@pytest.fixture
def waiting(told: object, office: Office, provider: Provider) -> dict[str, bytes]:
    """Messages collected for Greg, by serial."""
    wanted = {}
    for number in range(3):
        message = letter(f"for-greg-{number}", to="Greg <mail@company.example>")
        provider.dovecot.put("mail", message, f"{number}.handout")
        wanted[serial(message)] = body(message)

    def empty() -> bool:
        office.sendreceive()
        return not provider.dovecot.messages("mail")

    wait_until(empty, "the provider's box to be empty", 240, office.folder / "server.log")
    return wanted


def maildir(home: Path) -> Path:
    """The Maildir that must be there first."""
    for part in ("cur", "new", "tmp"):
        (home / "Mail" / part).mkdir(parents=True)
    return home / "Mail" / "new"


def test_mpop_reads_with_what_it_is_handed(
    told: Callable[[str], Path], waiting: dict[str, bytes], program: Callable[[str], str], tmp_path: Path
) -> None:
    """Only the password is added, on the command line, as the file says."""
    new = maildir(tmp_path / "home")
    argv = [program("mpop"), "-q", "-C", told("mpop"), f"--passwordeval=echo {PASSWORD}"]
    run(*argv, environment={"HOME": str(tmp_path / "home")})
    got = [bare(path.read_bytes()) for path in new.iterdir()]
    assert {serial(one): body(one) for one in got} == waiting


def test_fetchmail_reads_with_what_it_is_handed(
    told: Callable[[str], Path], waiting: dict[str, bytes], program: Callable[[str], str], tmp_path: Path
) -> None:
    """It finds the password in ~/.netrc."""
    deliver, inbox = delivery_script(tmp_path / "home")
    private(tmp_path / "home" / ".netrc", f"machine localhost login greg password {PASSWORD}\n")
    home = {"FETCHMAILHOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")}
    argv = [program("fetchmail"), "-s", "-f", told("fetchmail"), "--mda", str(deliver), "--pidfile", tmp_path / "pid"]
    run(*argv, environment=home)
    assert {serial(one): body(one) for one in stored(inbox)} == waiting


def test_getmail_reads_with_what_it_is_handed(
    told: Callable[[str], Path], waiting: dict[str, bytes], program: Callable[[str], str], tmp_path: Path
) -> None:
    """The password takes the place of the line about it; as root, who gets no Maildir, a program takes the mail."""
    new = maildir(tmp_path / "home")
    text = told("getmail").read_text()
    assert ASKED in text
    text = text.replace(ASKED, f"password = {PASSWORD}")
    if os.geteuid() == 0:
        deliver, new = delivery_script(tmp_path / "home")
        program_of_root = f"type = MDA_external\npath = {deliver}\nallow_root_commands = 1"
        text = text.replace("type = Maildir\npath = ~/Mail/", program_of_root)
    private(tmp_path / "home" / "getmailrc", text)
    argv = [program("getmail"), "--getmaildir", tmp_path / "home", "--rcfile", "getmailrc"]
    run(*argv, environment={"HOME": str(tmp_path / "home")})
    got = [bare(path.read_bytes()) for path in new.iterdir()]
    assert {serial(one): body(one) for one in got} == waiting


def test_msmtp_sends_with_what_it_is_handed(
    told: Callable[[str], Path], office: Office, program: Callable[[str], str], tmp_path: Path
) -> None:
    """From Greg to Carolyn, with the sender that the file says."""
    message = letter("handed-out", to="carolyn", sender="Greg <mail@company.example>")
    argv = [program("msmtp"), "-C", told("msmtp"), f"--passwordeval=echo {PASSWORD}", "carolyn"]
    run(*argv, data=message, environment={"HOME": str(tmp_path)})
    totals = {row["user"]: row["messages"] for row in office.asked("mailboxes")}
    assert totals["carolyn"] == 1


def test_every_form_is_handed_out_by_a_server_that_is_up_and_by_one_that_is_down(
    told: Callable[[str], Path], office: Office
) -> None:
    """The same texts, over the socket and from the store alone."""
    forms = ("text", "page", "autoconfig", "autodiscover", "mobileconfig", "certificate", "thunderbird", "getmail")
    up = {form: told(form).read_text() for form in forms}
    assert office.asked("user", "handout", "greg")["text"] == up["text"]
    office.stop()
    assert {form: told(form).read_text() for form in forms} == up
    file = office.folder / "signed"
    words = ("user", "handout", "greg", "--format", "mobileconfig", "--sign", "--output", str(file))
    assert "mail.mobileconfig" in office.command(*words)
    assert file.read_bytes()[:1] == b"0"  # a DER sequence
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_refusal_is_a_sentence(told: Callable[[str], Path], office: Office) -> None:
    """Nobody, a socket that is not announced, and a signature without a place to go."""
    for words, sentence in (
        (("nobody",), "There is no user"),
        (("greg", "--format", "srv"), "No listener with TLS can be reached from the network"),
        (("greg", "--format", "mobileconfig", "--sign"), "--output FILE"),
    ):
        argv = [script("mailshare"), "-c", office.config, "user", "handout", *words]
        done = finished(*argv, environment=office.environment)
        assert done.returncode == 1
        assert sentence in done.stderr.decode()
