"""A real Thunderbird finds its settings by autoconfig, does not trust us before it is told to, fetches and sends."""

from __future__ import annotations

import poplib
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define
from real_peers.thunderbird import Thunderbird

from mailshare.shell.private_authority import issue, make_root

pytestmark = pytest.mark.peers
FILE = """\
[server]
hostname = "mail.office.example"
grace = 1
[listen]
pop3s = ["tls:certs:{pop3s}:interface=0.0.0.0"]
submissions = ["tls:certs:{submissions}:interface=0.0.0.0"]
smtp = ["tcp:{smtp}:interface=127.0.0.1"]
web = ["tcp:{web}:interface=127.0.0.1"]
[[user]]
name = "greg"
names = ["Greg Jones"]
password = "greg's secret"
[[user]]
name = "andrew"
password = "andrew's secret"
"""
IMPORTS = """
const load = name => ChromeUtils.importESModule("resource:///modules/" + name + ".sys.mjs");
const {MailServices} = load("MailServices");
"""
DISCOVER = """
const {FetchConfig} = load("accountcreation/FetchConfig");
const {signal} = new AbortController();
const found = await FetchConfig.fromISP("mail.office.example", "greg@mail.office.example", signal);
"""
TELL = """
const of = one => [one.type, one.hostname, one.port, one.socketType, one.username];
return {incoming: of(found.incoming), outgoing: of(found.outgoing)};
"""
CREATE = """
const {AccountConfig} = load("accountcreation/AccountConfig");
const {CreateInBackend} = load("accountcreation/CreateInBackend");
AccountConfig.replaceVariables(found, "Greg Jones", "greg@mail.office.example", "greg's secret");
found.rememberPassword = true;
const account = await CreateInBackend.createAccountInBackend(found);
return account.key;
"""
FETCH = """
const server = MailServices.accounts.accounts.find(one => one.incomingServer.type == "pop3").incomingServer;
const inbox = server.rootFolder.getChildNamed("Inbox");
const status = await new Promise(resolve => MailServices.pop3.GetNewMail(null, {
  OnStartRunningUrl() {}, OnStopRunningUrl(_, status) { resolve(status); } }, inbox, server));
return [status.toString(16), [...inbox.messages].map(one => one.mime2DecodedSubject)];
"""
TRUST = """
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
database.addCertFromBase64(given[0], "C,C,C");
"""
SEND = """
const account = MailServices.accounts.accounts.find(one => one.incomingServer.type == "pop3");
account.defaultIdentity.doFcc = false;
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
Object.assign(fields, {from: "greg@mail.office.example", to: "andrew@mail.office.example"});
fields.subject = "From Thunderbird";
fields.body = "hello\\r\\n";
const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
params.composeFields = fields;
params.format = Ci.nsIMsgCompFormat.PlainText;
const compose = Cc["@mozilla.org/messengercompose/compose;1"].createInstance(Ci.nsIMsgCompose);
compose.initialize(params);
return await new Promise(resolve => {
  compose.addMsgSendListener({
    QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener"]),
    onStartSending() {}, onSendProgress() {}, onStatus() {}, onSendNotPerformed() {}, onGetDraftFolderURI() {},
    onTransportSecurityError() {}, onStopSending(_, status) { resolve(status.toString(16)); } });
  compose.sendMsg(Ci.nsIMsgCompDeliverMode.Now, account.defaultIdentity, account.key, null, null)
    .catch(error => resolve(String(error)));
});
"""


@define
class Office:
    """The server, the ports, and the authority that devices are to trust."""

    ports: dict[str, int]
    authority: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Office]:
    """A server of its own process, with certificates as the first run makes them."""
    folder = tmp_path_factory.mktemp("office")
    ports = {name: free_port() for name in ("pop3s", "submissions", "smtp", "web")}
    now = int(time.time()) * 1_000_000
    root = make_root("mail.office.example", [], now)
    (folder / "certs").mkdir()
    (folder / "certs/mailshare.pem").write_text(issue(root, ["mail.office.example"], now))
    (folder / "m.toml").write_text(FILE.format(**ports))
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "mailshare", "-c", str(folder / "m.toml")], stdout=log, stderr=log)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", ports["web"]), 5).close()
            break
        except OSError:
            time.sleep(0.05)
    else:
        raise AssertionError((folder / "log").read_text())
    yield Office(ports, root.pem)
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def thunderbird(
    program: Callable[[str], str], tmp_path: Path, free_port: Callable[[], int], office: Office
) -> Iterator[Thunderbird]:
    """Debian's, with an empty profile."""
    made = Thunderbird(program("thunderbird"), tmp_path / "thunderbird", free_port(), office.ports["web"])
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_a_thunderbird_finds_its_settings_fetches_and_sends(thunderbird: Thunderbird, office: Office) -> None:
    """Only the address and the password are typed; the private authority is refused until it is trusted."""
    with smtplib.SMTP("127.0.0.1", office.ports["smtp"]) as client:
        for number in range(3):
            client.sendmail("x@mail.office.example", ["greg"], f"Subject: letter {number}\r\n\r\nhello\r\n".encode())
    found = thunderbird.run_again(IMPORTS + DISCOVER + TELL)
    assert found["incoming"] == ["pop3", "mail.office.example", office.ports["pop3s"], 3, "%EMAILLOCALPART%"]
    assert found["outgoing"] == ["smtp", "mail.office.example", office.ports["submissions"], 3, "%EMAILLOCALPART%"]
    thunderbird.run(IMPORTS + DISCOVER + CREATE)
    status, subjects = thunderbird.run_again(IMPORTS + FETCH)
    assert (status, subjects) == ("805a1ff3", [])  # SEC_ERROR_UNKNOWN_ISSUER
    thunderbird.run(TRUST, "".join(office.authority.splitlines()[1:-1]))
    status, subjects = thunderbird.run_again(IMPORTS + FETCH)
    assert (status, sorted(subjects)) == ("0", ["letter 0", "letter 1", "letter 2"])
    assert thunderbird.run(IMPORTS + SEND) == "0"
    box = poplib.POP3_SSL("127.0.0.1", office.ports["pop3s"])
    box.user("andrew")
    box.pass_("andrew's secret")
    assert b"Subject: From Thunderbird" in box.retr(1)[1]
    box.quit()
