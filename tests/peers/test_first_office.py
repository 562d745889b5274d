"""The tutorial is followed word by word: its commands, its settings, its promises (docs/tutorial/first_office.md).

Only what no test may do is left out or put elsewhere: installing, the folders of the machine, its users, systemd
itself, ports below 1024, and the provider's names.
"""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from attrs import define, field
from real_peers.clients import READERS, SENDERS, Server
from real_peers.letters import letter
from real_peers.office import script
from real_peers.provider import Provider
from real_peers.running import Running, wait_until

pytestmark = pytest.mark.peers
ROOT = Path(__file__).resolve().parent.parent.parent
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECRETS = {"provider": "secret", "andrew": "of andrew", "carolyn": "of carolyn"}


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return [text for kind, text in FENCE.findall((ROOT / "docs" / page).read_text()) if kind == language]


@define
class Follower:
    """Somebody who does what the page says.

    :ivar places: what the page says to what it is here, applied in this order.
    """

    home: Path
    provider: Provider
    ports: dict[str, int]
    places: list[tuple[str, str]] = field(factory=list)
    running: Running | None = None

    def here(self, text: str) -> str:
        """A text of the page with the names and places of this test."""
        for there, here in self.places:
            text = text.replace(there, here)
        return text

    def do(self, text: str, given: str = "") -> str:
        """Type a block of commands; gives what was printed."""
        path = f"{Path(script('mailshare')).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-eu", "-c", self.here(text)],
            cwd=self.home,
            env={**os.environ, "PATH": path},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        return done.stdout

    def command(self, words: str, given: str = "") -> str:
        """Type one command of mailshare."""
        return self.do(f"mailshare -c /etc/mailshare/mailshare.toml {words}", given)

    def write_settings(self) -> None:
        """Steps 3 to 5: certificate, passwords, settings; everything is typed as it stands."""
        steps = blocks("tutorial/first_office.md", "sh")
        self.do(next(text for text in steps if "openssl" in text))
        provider = next(text for text in steps if "nano provider" in text)
        for name, secret in SECRETS.items():
            typed = provider.replace("nano provider", f"echo '{secret}' > {name}")
            self.do(typed.replace("/dev/null provider", f"/dev/null {name}"))
        (settings,) = blocks("tutorial/first_office.md", "toml")
        (self.home / "etc" / "mailshare.toml").write_text(self.here(settings))
        said = self.do(next(text for text in steps if text.rstrip().endswith("check")))
        assert said == "The file is right.\n"

    def start(self) -> None:
        """Step 6, with the unit's own command line."""
        unit = (ROOT / "examples" / "mailshare.service").read_text()
        (line,) = re.findall(r"^ExecStart=\S+/twistd (.*)$", unit, re.MULTILINE)
        argv = [script("twistd"), *self.here(line).split()]
        self.running = Running(argv, self.home / "log", {"PYTHONUNBUFFERED": "1"})
        self.running.start(list(self.ports.values()))

    def pop3(self, who: str, secret: str) -> Server:
        """The incoming server of step 7."""
        return Server(self.ports["pop3s"], "implicit", who, secret, self.home / "etc" / "certs" / "certificate.txt")

    def smtp(self, who: str, secret: str) -> Server:
        """The outgoing server of step 7."""
        return Server(self.ports["submissions"], "implicit", who, secret, self.pop3(who, secret).authority)


@pytest.fixture
def follower(provider: Provider, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Follower]:
    home, user = tmp_path, getpass.getuser()
    for name in ("etc/secrets", "etc/certs", "var"):
        (home / name).mkdir(parents=True, mode=0o700)
    made = Follower(home, provider, {"pop3s": free_port(), "submissions": free_port()})
    ca = f"?ca={provider.authority}"
    made.places = [
        ("runuser -u mailshare -- ", ""),
        ("/etc/mailshare", f"{home}/etc"),
        ("/var/lib/mailshare", f"{home}/var"),
        ("chown mailshare:", f"chown {user}:"),
        ("chown -R mailshare:", f"chown -R {user}:"),
        ("-o mailshare", f"-o {user}"),
        ("mail.office.example", "localhost"),  # the desks of this test find the server by this name
        ("certs:995", f"certs:{made.ports['pop3s']}"),
        ("certs:465", f"certs:{made.ports['submissions']}"),
        ("@pop.isp.example", f"@localhost:{provider.dovecot.pop3s}{ca}"),
        ("@smtp.isp.example", f"@localhost:{provider.postfix.submissions}{ca}"),
    ]
    yield made
    if made.running is not None:
        made.running.stop()


def test_first_office(follower: Follower, program: Callable[[str], str], tmp_path: Path) -> None:
    """From nothing to mail flowing, with the sentences of step 6 and the four points of step 8."""
    provider = follower.provider
    follower.write_settings()
    follower.start()
    assert "Inbox: 0" in follower.command("status")
    for number, name in enumerate(("Andrew Smith <{}>", "Sales <{}>", "{}")):
        to = name.format("mail@company.example")
        provider.dovecot.put("mail", letter(f"first-{number}", to=to), f"{number}.tutorial")
    assert "collected 3, andrew 1, carolyn 1, ADMIN1 1" in follower.command("sendreceive")
    page = (ROOT / "docs/tutorial/first_office.md").read_text()
    assert "collected 3, andrew 1, carolyn 1, ADMIN1 1" in page

    andrew, carolyn = SECRETS["andrew"], SECRETS["carolyn"]
    assert len(READERS["curl"](program, follower.pop3("andrew", andrew), tmp_path)) == 1
    # 1. From desk to desk.
    desk = follower.smtp("andrew", andrew)
    SENDERS["msmtp"](program, desk, "mail@company.example", ["carolyn"], letter("desk", to="carolyn"), tmp_path)
    assert len(READERS["curl"](program, follower.pop3("carolyn", carolyn), tmp_path)) == 2
    assert not provider.postfix.seen("carolyn")
    # 2. To the outside.
    out = letter("outward", to="friend@outside.example", sender="mail@company.example")
    SENDERS["msmtp"](program, desk, "mail@company.example", ["friend@outside.example"], out, tmp_path)
    log = provider.postfix.base / "postfix.log"
    wait_until(lambda: provider.dovecot.messages("outside"), "the mail outside", 240, log)
    (got,) = provider.dovecot.messages("outside")
    sender = message_from_bytes(got)["From"]
    assert sender == "Andrew Smith <mail@company.example>"
    # 3. The answer comes back to him, 4. mail without a name goes to ADMIN1.
    provider.dovecot.put("mail", letter("answer", to=sender), "answer.tutorial")
    provider.dovecot.put("mail", letter("nameless", to="mail@company.example"), "nameless.tutorial")
    assert "andrew 1" in follower.command("sendreceive")
    assert len(READERS["curl"](program, follower.pop3("andrew", andrew), tmp_path)) == 2
    passwd = next(text for text in blocks("tutorial/first_office.md", "sh") if "passwd" in text)
    follower.do(passwd.rstrip() + " --stdin", "mine\n")
    assert len(READERS["curl"](program, follower.pop3("admin1", "mine"), tmp_path)) == 2
    identity = message_from_bytes(letter("answer"))["Message-ID"]
    why = next(text for text in blocks("tutorial/first_office.md", "sh") if " why " in text)
    assert "andrew" in follower.do(re.sub(r'"<.*>"', f'"{identity}"', why))


def test_handing_out_and_back_up_as_told(follower: Follower, tmp_path: Path) -> None:
    """The commands of two how-to pages, on the office of the tutorial: hand-outs; backup, stop, restore, start."""
    follower.write_settings()
    follower.start()
    settings = "export MAILSHARE_CONFIG=/etc/mailshare/mailshare.toml; "
    for line in blocks("howto/mail_clients.md", "sh")[0].splitlines():
        follower.do(settings + line.replace("~/", f"{tmp_path}/"))
    assert "localhost" in (tmp_path / ".msmtprc").read_text()
    assert b"com.apple.mail.managed" in (tmp_path / "andrew.mobileconfig").read_bytes()
    assert "compare the SHA-256 fingerprint" in " ".join(follower.command("user handout andrew").split())
    backup, restore = blocks("howto/backup.md", "sh")[:2]
    copy = tmp_path / "monday"
    follower.do(backup.replace("/srv/backup/mailshare-monday", str(copy)))
    assert follower.running is not None
    follower.running.stop()
    (line,) = (line for line in restore.splitlines() if " restore " in line)
    follower.do(line.replace("/srv/backup/mailshare-monday", str(copy)), "y\n")
    follower.start()
    assert "andrew" in follower.command("user list")
