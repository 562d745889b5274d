"""Mail whose first line is no header field: people read it with every mail program, its octets kept as its text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from real_peers.clients import READERS, bare
from real_peers.office import PASSWORD, Office
from real_peers.provider import Provider
from real_peers.running import wait_until

pytestmark = pytest.mark.peers

HEADLESS = [
    b"number one is text from its first line on\r\nand has a second line: here\r\n\r\nand a third\r\n",
    b"number two is one line and no empty one\r\n",
    b"\r\nnumber three begins with an empty line\r\n",
    b" number four begins with a blank\r\nSubject: that is none\r\n\r\ntext\r\n",
    b"number five has fields below its first line\r\nSubject: that is none\r\nFrom: a@b.example\r\n\r\ntext\r\n",
    b"number six, which has a colon: but no name in front of it\r\nand more\r\n",
]


def collect(office: Office, provider: Provider, texts: set[bytes], reader: str) -> None:
    """Put them at the provider and collect until its box is empty."""
    for number, text in enumerate(sorted(texts)):
        provider.dovecot.put("mail", text, f"{number}.{reader}.headless")

    def empty() -> bool:
        office.sendreceive()
        return not provider.dovecot.messages("mail")

    wait_until(empty, "the provider's box to be empty", 240, office.folder / "server.log")


def test_mail_without_a_header_is_read(
    office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path
) -> None:
    """ADMIN has it behind an empty line, below the lines that are put on top."""
    office.start()
    office.command_in("user", "passwd", "admin1", "--stdin", data=PASSWORD)
    read = set[bytes]()
    for reader in READERS:
        texts = {message.replace(b"number", b"for %b, number" % reader.encode()) for message in HEADLESS}
        collect(office, provider, texts, reader)
        folder = tmp_path / reader
        folder.mkdir()
        got = READERS[reader](program, office.pop3("implicit", "admin1"), folder)
        new = {bare(message).partition(b"\n\n")[2] for message in got if reader.encode() in message} - read
        assert new == {bare(text).removeprefix(b"\n") for text in texts}, reader
        read |= new
