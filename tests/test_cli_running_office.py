"""The commands against a server that twistd started, signals included, and against the store alone."""

from __future__ import annotations

import json
import os
import poplib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from real_peers.warm import Forked, finished, spawn

BIN = Path(sys.executable).parent
DEADLINE = 240.0


@define
class Installed:
    """A configuration file, the commands for it, and perhaps its server."""

    folder: Path
    server: Forked | None = None

    def run(self, *words: str, code: int = 0, given: str = "") -> str:
        done = finished(BIN / "mailshare", "-c", self.folder / "m.toml", *words, data=given.encode(), seconds=DEADLINE)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == code, said
        return said

    def json(self, *words: str, given: str = "") -> Any:
        return json.loads(self.run(*words, "--json", given=given))

    def start(self) -> None:
        argv = [BIN / "twistd", "--nodaemon", "--pidfile=", "mailshare", "-c", self.folder / "m.toml"]
        self.server = spawn([str(word) for word in argv], self.folder / "log", {})
        self.wait("mailshare is ready")

    def wait(self, words: str, count: int = 1) -> None:
        until = time.monotonic() + DEADLINE
        while (self.folder / "log").read_text().count(words) < count:
            assert time.monotonic() < until, (self.folder / "log").read_text()
            assert self.server is not None
            assert self.server.poll() is None, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.server is not None
        self.server.send_signal(number)
        code = self.server.wait(DEADLINE)
        self.server = None
        return code


@pytest.fixture
def office(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Installed]:
    pop3, smtp = free_port(), free_port()
    (tmp_path / "m.toml").write_text(
        "[server]\ngrace = 2\n"
        '[listen]\npop3 = ["tcp:0:interface=127.0.0.1"]\nsmtp = ["tcp:0:interface=127.0.0.1"]\n'
        f"[demonstration]\nisp = true\nevery = 1\npop3 = {pop3}\nsmtp = {smtp}\n"
        '[[account]]\naddress = "mail@company.example"\npassword = "isp"\n'
        f'collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"\nrelay = "smtp://mail@127.0.0.1:{smtp}?tls=none"\n'
        '[[user]]\nname = "andrew"\npassword = "andrew"\naccounts = ["mail@company.example"]\n'
    )
    made = Installed(tmp_path)
    yield made
    if made.server is not None:
        made.server.kill()
        made.server.wait()


def _reset_admin(office: Installed) -> None:
    """ADMIN gets a new password, and may log in with it at once."""
    reset = office.json("admin", "reset")
    assert (reset["login"], reset["account"], len(reset["password"])) == ("admin1", "mail@company.example", 19)
    (place,) = (one["address"] for one in office.json("status")["listeners"] if one["service"] == "pop3")
    reader = poplib.POP3("127.0.0.1", int(place.rpartition(":")[2]))
    reader.user("admin")
    assert reader.pass_(reset["password"]).startswith(b"+OK")
    reader.quit()
    assert "admin1" in office.run("admin", "reset", "--account", "1", "--stdin", given="geheim\n")
    assert "no account" in office.run("admin", "reset", "--account", "9", code=1)


def _a_table_of_people(office: Installed) -> None:
    """Looked at, refused whole for one wrong line, taken over whole; passwords that are made up are printed."""
    table = "login,name,copies\nzoe,Zoe Young,andrew\nyan,Yan Young,{}\n"
    looked = office.json("user", "import", "-", "--check", given=table.format("zoe"))
    assert [row["does"] for row in looked["people"]] == ["is made", "is made"]
    refused = office.run("user", "import", "-", code=1, given=table.format("nobody"))
    assert "There is no user nobody" in refused
    assert "Nothing was changed" in refused
    assert "line 2: " in office.run("user", "import", "-", code=1, given="login,enabled\nzoe,perhaps\n")
    assert "zoe" not in {row["name"] for row in office.json("user", "list")}
    made = office.json("user", "import", "-", given=table.format("zoe"))
    assert [len(row["password"]) for row in made["people"]] == [19, 19]
    cc = {row["name"]: row["cc"] for row in office.json("user", "list")}
    assert (cc["zoe"], cc["yan"]) == (["andrew"], ["zoe"])
    assert "stays as it is" in office.run("user", "import", "-", given=table.format("zoe"))
    for name in ("zoe", "yan"):
        office.run("user", "delete", name, "--yes")


def _copies_while_it_runs(office: Installed, copy: Path) -> None:
    """A store that is open is not replaced, and told so in a sentence; the export is one text for programs."""
    office.run("backup", str(copy))
    assert (copy / "mailshare.db").exists()
    assert "sound" in office.run("verify", "--deep")
    refused = office.run("restore", str(copy), "--yes", code=1)
    assert "Another server has this store open" in refused
    assert "Traceback" not in refused
    assert office.json("export")["toml"].strip() == office.run("export").strip()


@pytest.mark.slow
def test_the_commands_ask_the_running_server_and_signals_work(office: Installed) -> None:
    """Every command, then SIGHUP with a broken and a right file, then SIGTERM."""
    office.start()
    status = office.json("status")
    assert status["running"]
    assert set(status["indicators"]) == {
        "local_sending",
        "local_receiving",
        "outgoing",
        "incoming",
        "inbox",
        "outbox",
    }
    assert "mail@company.example: collected" in office.run("sendreceive")
    office.wait("collected")
    assert {row["user"] for row in office.json("mailboxes")} == {"admin1", "andrew", "public1"}
    lines = office.json("log")["events"]
    route = next(line for line in lines if line["kind"] == "route")
    (told,) = office.json("why", route["trace"])
    assert told["events"][0]["data"]["steps"]
    assert route["trace"] in office.run("why", route["trace"])
    assert office.json("outbox", "list") == []
    assert office.json("outbox", "retry", "1") == {"changed": 0, "asked": 1, "rows": []}
    made = office.json("user", "add", "lisa", "--generate", "--alias", "Lisa Brown")
    assert (made["name"], made["accounts"], len(made["password"])) == ("lisa", ["mail@company.example"], 19)
    assert office.json("user", "change", "lisa", "--cc", "andrew")["cc"] == ["andrew"]
    office.run("user", "passwd", "lisa", "--stdin", given="geheim\n")
    assert "declared" in office.run("user", "change", "andrew", "--disable", code=1)
    assert "no user" in office.run("user", "delete", "nobody", "--yes", code=1)
    _reset_admin(office)
    _a_table_of_people(office)
    assert office.json("user", "delete", "lisa", "--yes") == {"deleted": "lisa"}
    assert office.json("account", "add", "b@b.example", "--every", "7")["number"] == 2
    assert office.json("account", "change", "2", "--threshold", "5")["threshold"] == 5
    assert office.json("account", "delete", "2", "--yes") == {"deleted": "b@b.example"}
    assert '[[account]]\naddress = "mail@company.example"' in office.run("export")
    copy = office.folder / "copy"
    _copies_while_it_runs(office, copy)

    file = office.folder / "m.toml"
    right = file.read_text()
    file.write_text(right + "\n[[user]]\nnam = 'greg'\n")
    assert office.server is not None
    office.server.send_signal(signal.SIGHUP)
    office.wait("was not taken over")
    file.write_text(right + "\n[[user]]\nname = 'greg'\npassword = 'x'\n")
    assert office.json("reload")["made"] == 1
    assert office.stop() == -signal.SIGTERM
    assert "mailshare has stopped" in (office.folder / "log").read_text()
    assert "Traceback" not in (office.folder / "log").read_text()

    assert "holds no copy" in office.run("restore", str(office.folder), "--yes", code=1)
    assert not office.json("status")["running"]
    assert "Password: " in office.run("admin", "reset")
    before = office.json("mailboxes")
    office.json("user", "add", "late", "--generate")
    old = office.json("restore", str(copy), "--yes")["old"]
    assert Path(old).is_dir()
    assert "late" not in {row["user"] for row in office.json("mailboxes")}
    assert sum(row["messages"] for row in office.json("mailboxes")) <= sum(row["messages"] for row in before)


def test_without_a_server_the_commands_say_what_they_cannot_do(office: Installed) -> None:
    """Exit code 3 and how to start it, for what only a server can do."""
    assert "start it: twistd mailshare" in office.run("sendreceive", code=3)
    assert "start it: twistd mailshare" in office.run("status", "--watch", code=3)
    assert "Nothing is known" in office.run("why", "0123456789abcdef", code=1)
    office.run("user", "change", "andrew", code=1)


def test_check_names_all_mistakes_and_its_exit_code_tells(office: Installed) -> None:
    """0 right, 1 warnings, 2 mistakes; JSON for editors."""
    file = office.folder / "m.toml"
    assert "The file is right." in office.run("check")
    assert "auth_delays" in office.run("check", "--defaults").partition("[limits]")[2]
    file.write_text("[[user]]\nname = 'a'\npassword = 'x'\n")
    assert "warning" in office.run("check", code=1)
    file.write_text("[server]\nhost = 'x'\n[listen]\npop3 = ['tcp:x']\n[[user]]\n")
    found = json.loads(office.run("check", "--json", code=2))
    assert [(one["line"], one["severity"]) for one in found] == [(2, "error"), (4, "error"), (5, "error")]
    assert "m.toml:4" in office.run("status", code=2)


def test_twistd_tells_mistakes_without_a_traceback(office: Installed) -> None:
    """A broken file is a usage error that names them all."""
    (office.folder / "m.toml").write_text("[server]\nhost = 'x'\n[listen]\npop3 = ['tcp:x']\n")
    for more in ([], ["--check"]):
        done = subprocess.run(
            [BIN / "twistd", "-n", "--pidfile=", "mailshare", "-c", office.folder / "m.toml", *more],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 1
        text = done.stdout + done.stderr
        assert "m.toml:2: server.host" in text
        assert "m.toml:4: listen.pop3[0]" in text
        assert "Traceback" not in text


def test_watching_prints_again_when_something_changes(office: Installed) -> None:
    """The stream of the server drives the screen, and its end ends the command."""
    office.start()
    watching = subprocess.Popen(
        [BIN / "mailshare", "-c", office.folder / "m.toml", "status", "--watch", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert watching.stdout is not None
    seen = [json.loads(watching.stdout.readline()) for _ in range(3)]
    assert all("indicators" in one for one in seen)
    office.stop(signal.SIGINT)
    watching.communicate(timeout=DEADLINE)
    assert watching.returncode == 0, (office.folder / "log").read_text()
