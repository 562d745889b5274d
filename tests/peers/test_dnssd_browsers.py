"""Queues as Avahi and CUPS' ippfind see them: the DNS-SD part of the PWG's self-certification, written down by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from real_peers.office import script
from real_peers.own_network import OwnNetwork, may_be_made
from real_peers.running import Running, wait_until

pytestmark = pytest.mark.peers
PRINTERS = ("_ipp._tcp", "_ipps._tcp", "_printer._tcp")
NAME = "Büro Süd via mail"
KEYS = ("adminurl", "pdl", "rp", "UUID", "ty", "note", "Color", "Duplex", "URF", "kind", "TLS")
UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
VALUES = """\
{
  NAME "What the record says is what the queue says"
  OPERATION Get-Printer-Attributes
  GROUP operation-attributes-tag
  ATTR charset attributes-charset utf-8
  ATTR language attributes-natural-language en
  ATTR uri printer-uri $uri
  STATUS successful-ok
  EXPECT printer-more-info OF-TYPE uri COUNT 1 WITH-VALUE "$ENV[IPPFIND_TXT_ADMINURL]"
  EXPECT printer-uuid OF-TYPE uri COUNT 1 WITH-VALUE "urn:uuid:$ENV[IPPFIND_TXT_UUID]"
  EXPECT printer-make-and-model OF-TYPE text COUNT 1 WITH-VALUE "$ENV[IPPFIND_TXT_TY]"
  EXPECT printer-location OF-TYPE text COUNT 1 WITH-VALUE "$ENV[IPPFIND_TXT_NOTE]"
}
"""
OFFICE = """\
[server]
hostname = "print.company.example"
[listen]
certificates = "certs"
smtp = ["tcp:8025:interface=127.0.0.1"]
ipp = ["tcp:8631:interface=127.0.0.1"]
ipps = ["ssl:8632:interface=127.0.0.1:privateKey=key.pem:certKey=cert.pem"]
[print]
announce = ["127.0.0.1"]
[[destination]]
name = "office"
title = "Büro Süd"
location = "Room 1"
address = "dir:paper"
"""


@pytest.fixture(scope="module")
def network(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnNetwork]:
    """A network with nothing in it but Avahi, and the files of an office."""
    words = [program(one) for one in ("dbus-daemon", "avahi-daemon", "avahi-browse", "ippfind", "ipptool", "nsenter")]
    if not may_be_made():
        assert os.environ.get("MAILSHARE_PEERS") != "required", "no network namespace can be made here"
        pytest.skip("this user may not make a network namespace here")
    folder = tmp_path_factory.mktemp("dnssd")
    made = OwnNetwork(folder / "network", words[0], words[1], ["print.local"])
    key = trustme.CA().issue_cert("print.local")
    key.private_key_pem.write_to_path(str(folder / "key.pem"))
    key.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    (folder / "certs").mkdir()
    key.private_key_and_cert_chain_pem.write_to_path(str(folder / "certs" / "print.pem"))
    (folder / "m.toml").write_text(OFFICE)
    (folder / "values.test").write_text(VALUES)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def files(network: OwnNetwork) -> Path:
    """Where the office has its files."""
    return network.folder.parent


def serve(network: OwnNetwork, files: Path, name: str) -> Running:
    """Start the office, and wait until the name is seen under all its services."""
    words = (script("twistd"), "--nodaemon", "--pidfile=", "mailshare", "-c", files / "m.toml")
    office = network.begin("office", *words)
    wait_until(lambda: all(name in seen(network, kind) for kind in PRINTERS), name, 60, network.folder / "office.log")
    return office


def seen(network: OwnNetwork, kind: str) -> dict[str, list[str]]:
    """What Avahi finds of a kind: names with host, address, port and the strings of their records."""
    out = {}
    for line in network.do("avahi-browse", "-prt", kind).splitlines():
        if line.startswith("="):
            _, _, _, name, _, _, host, address, port, *record = line.split(";", 9)
            octets = re.sub(rb"\\(\d{3})", lambda found: bytes([int(found[1])]), name.encode())
            out[octets.decode()] = [host, address, port, *re.findall('"(.*?)"', "".join(record))]
    return out


def test_a_printer_is_found_by_what_others_use(network: OwnNetwork, files: Path) -> None:
    """Browsed, its records complete and true, reached by both protocols, and gone when the server stops."""
    office = serve(network, files, NAME)
    ports = {"_ipp._tcp": "8631", "_ipps._tcp": "8632", "_printer._tcp": "0"}
    found = {kind: seen(network, kind)[NAME] for kind in ports}
    assert {kind: one[:3] for kind, one in found.items()} == {
        kind: ["print.local", "127.0.0.1", port] for kind, port in ports.items()
    }
    for kind in ("_ipp._tcp", "_ipps._tcp"):
        record = found[kind][3:]
        keys = {one.partition("=")[0] for one in record}
        assert keys >= set(KEYS)
        assert "rp=ipp/print/office" in record
        for subtype in ("_print", "_universal"):
            assert list(seen(network, f"{subtype}._sub.{kind}")) == [NAME]
        # B-1 to B-4 of the self-certification; B-5 and B-5.1, TLS by HTTP Upgrade (-E); B-5.2 to B-5.5 for TLS at once
        words = ["--txt-adminurl", "^https?://", "--txt-pdl", "image/pwg-raster", "--txt-pdl", "image/jpeg"]
        words += ["--txt-UUID", UUID, "-x", "ipptool", "-tE", "{}", str(files / "values.test"), ";"]
        said = network.do("ippfind", "-T", "2", "--literal-name", NAME, f"{kind},_print.local.", *words)
        assert "[PASS]" in said, said
    office.stop()
    # Nobody waits for the two minutes of a record's life: the good-bye was heard.
    wait_until(lambda: not any(seen(network, kind) for kind in PRINTERS), "its end", 30)


def test_a_name_that_avahi_has_given_away_gets_a_number(network: OwnNetwork, files: Path) -> None:
    """The printer that was there first keeps its name; ours has another one under all protocols."""
    first = network.begin("first", "avahi-publish", "-s", NAME, "_ipp._tcp", "9999", "txtvers=1", "UUID=other")
    wait_until(lambda: NAME in seen(network, "_ipp._tcp"), NAME, 60, network.folder / "first.log")
    office = serve(network, files, f"{NAME} (2)")
    try:
        assert set(seen(network, "_ipp._tcp")) == {NAME, f"{NAME} (2)"}
        assert list(seen(network, "_universal._sub._ipps._tcp")) == [f"{NAME} (2)"]
    finally:
        office.stop()
        first.stop()
