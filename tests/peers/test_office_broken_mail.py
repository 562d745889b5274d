"""Mail whose headers are broken in every way passes through: collected whole, and ADMIN has what is nobody's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS, bare
from real_peers.letters import letter, serial
from real_peers.office import PASSWORD, Office
from real_peers.provider import Provider
from real_peers.running import wait_until

pytestmark = pytest.mark.peers
RECEIVED = b"Received: from x by y; Sat, 21 Nov 2026 12:00:00 +0000\r\n"

# Name, header block without its X-Serial, whose it is.
CORPUS: list[tuple[str, bytes, str]] = [
    ("no-to", b"From: a@outside.example\r\nSubject: nobody\r\n", "admin1"),
    ("unlisted", b"From: a@outside.example\r\nTo: unlisted-recipients:; (no To-header on input)\r\n", "admin1"),
    ("undisclosed", b"From: a@outside.example\r\nTo: undisclosed-recipients:;\r\n", "admin1"),
    ("raw-8-bit", "From: a@outside.example\r\nTo: Grüße <mail@company.example>\r\n".encode("latin-1"), "admin1"),
    ("huge-to", b"To: " + b", ".join(b"x%d@outside.example" % n for n in range(6000)) + b"\r\n", "admin1"),
    ("encoded-in-quotes", b'To: "=?utf-8?Q?Andrew?=" <mail@company.example>\r\n', "andrew"),
    ("encoded", b"To: =?utf-8?B?QW5kcmV3?= <mail@company.example>\r\n", "andrew"),
    ("bad-encoding", b"To: =?no-such-set?X?%%%?= <mail@company.example>\r\n", "admin1"),
    ("encoded-crlf", b"To: =?utf-8?Q?Andrew=0D=0ABcc=3A_x?= <mail@company.example>\r\n", "andrew"),
    ("open-comment", b"To: " + b"(" * 5000 + b"Andrew <mail@company.example>\r\n", "admin1"),
    ("open-quote", b'To: "Andrew <mail@company.example>\r\n', ""),
    ("many-quotes", b"To: " + b'"' * 20001 + b" <mail@company.example>\r\n", "admin1"),
    ("no-colon", b"This is no header line at all\r\nTo: Greg <mail@company.example>\r\n", ""),
    ("folded-name", b"To: Andrew\r\n <mail@company.example>\r\n", "andrew"),
    ("folded-blank", b"To:\r\n \r\n Andrew <mail@company.example>\r\n", ""),
    ("two-to", b"To: Andrew <mail@company.example>\r\nTo: Greg <mail@company.example>\r\n", ""),
    (
        "many-fields",
        b"".join(b"X-Filler-%d: x\r\n" % n for n in range(3000)) + b"To: mail@company.example\r\n",
        "admin1",
    ),
    ("long-line", b"X-Long: " + b"y" * 30000 + b"\r\nTo: Carolyn <mail@company.example>\r\n", "carolyn"),
    ("odd-date", b"Date: yesterday\r\nTo: Carolyn <mail@company.example>\r\n", "carolyn"),
    ("odd-id", b"Message-ID: \r\nTo: Carolyn <mail@company.example>\r\n", "carolyn"),
    ("hops", RECEIVED * 60 + b"To: mail@company.example\r\n", "admin1"),
    ("controls", b"To: And\x01rew\x7f <mail@company.example>\r\nSubject: \x1b[31m\r\n", ""),
    (
        "deep-mime",
        b"Content-Type: multipart/mixed; boundary=" + b"b" * 5000 + b"\r\nTo: Greg <mail@company.example>\r\n",
        "greg",
    ),
    ("names-in-comment", b"To: mail@company.example (Greg)\r\n", "greg"),
    ("swapped", b"To: <Andrew> mail@company.example\r\n", ""),
]
USERS = ("admin1", "andrew", "greg", "carolyn")


def test_broken_headers(office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path) -> None:
    """Every odd message arrives somewhere once, unchanged below what is put on top; the rest goes on."""
    wanted = {}
    for name, block, _owner in CORPUS:
        message = b"X-Serial: " + name.encode() + b"\r\n" + block + b"\r\nthe text of " + name.encode() + b"\r\n"
        wanted[name] = message
        provider.dovecot.put("mail", message, f"{name}.broken")
    headless = b"\r\nno header at all, text of headless\r\n"
    provider.dovecot.put("mail", headless, "headless.broken")
    provider.dovecot.put("mail", letter("sound", to="Andrew <mail@company.example>"), "zz.sound")
    office.start()

    def empty() -> bool:
        office.sendreceive()
        return not provider.dovecot.messages("mail")

    wait_until(empty, "the provider's box to be empty", 240, office.folder / "server.log")
    office.command_in("user", "passwd", "admin1", "--stdin", data=PASSWORD)
    boxes: dict[str, dict[str, bytes]] = {}
    for user in USERS:
        got = READERS["poplib"](program, office.pop3("implicit", user), tmp_path)
        boxes[user] = {serial(message): message for message in got}
        assert len(boxes[user]) == len(got)
    for name, _block, owner in CORPUS:
        holders = [user for user in USERS if name in boxes[user]]
        assert holders, f"{name} lies nowhere"
        assert not owner or holders == [owner], name
        assert bare(boxes[holders[0]][name]).endswith(bare(wanted[name])), name
    assert boxes["admin1"][""].endswith(b"text of headless\n")
    assert "sound" in boxes["andrew"]
    assert "Traceback" not in office.log()
