"""What queues say of themselves by DNS-SD, and that a browser on loopback finds it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
import zeroconf
from attrs import evolve
from twisted.internet.threads import deferToThread

from mailshare.assembly.announcing import _port
from mailshare.core.print_abilities import MODEL, Abilities
from mailshare.core.print_announcement import Ports, Queue, announcements, instance_name, numbered
from mailshare.printing.announcing import Announcer, Rivals

LOOPBACK = "127.0.0.1"
OFFICE = Queue("office", "Office printer", "Room 1", "01900000-0000-7000-8000-000000000001", "print.local", Abilities())


def test_each_way_to_a_queue_is_a_service() -> None:
    """LPD stands for the name even where it is not served; the TXT record says what clients ask first."""
    services = {one.kind: one for one in announcements(OFFICE, Ports(631, 0, 0, 9100))}
    assert {kind: one.port for kind, one in services.items()} == {
        "_ipp._tcp": 631,
        "_printer._tcp": 0,
        "_pdl-datastream._tcp": 9100,
    }
    ipp = services["_ipp._tcp"]
    assert ipp.subtypes == ("_print", "_universal")
    facts = dict(ipp.facts)
    assert next(iter(facts)) == "txtvers"
    assert (facts["rp"], facts["product"], facts["note"]) == ("ipp/print/office", "(Office printer)", "Room 1")
    assert (facts["ty"], facts["adminurl"]) == (MODEL, "http://print.local:631/ipp/print/office/")
    assert (facts["UUID"], facts["Color"], facts["Duplex"], facts["kind"]) == (OFFICE.uuid, "T", "T", "document")
    assert {"application/pdf", "image/urf", "image/pwg-raster"} <= set(facts["pdl"].split(","))
    assert facts["URF"].startswith("V1.4,")
    secure = {one.kind: one for one in announcements(OFFICE, Ports(0, 443, 515, 0))}
    assert secure["_ipps._tcp"].facts["TLS"] == "1.3"
    assert secure["_ipps._tcp"].facts["adminurl"] == "https://print.local:443/ipp/print/office/"
    assert secure["_printer._tcp"].facts["rp"] == "office"


def test_names_and_strings_fit() -> None:
    """A label has 63 octets, a string of the record 255; nothing is cut inside a character or a list's word."""
    name = instance_name("ä" * 60)
    assert len(name.encode()) <= 63
    assert name.endswith("ä via mail")
    formats = tuple(f"image/{n:020d}" for n in range(30))
    long = Queue("q", "t" * 300, "n" * 300, "u", "print.local", Abilities(formats=formats))
    facts = announcements(long, Ports(631))[0].facts
    assert all(len(f"{key}={value}".encode()) <= 255 for key, value in facts.items())
    assert all(len(one) == 26 for one in facts["pdl"].split(","))


def test_two_queues_of_one_title_have_two_names() -> None:
    """Clients tell printers apart by the name alone; the number fits into the label, too."""
    other = evolve(OFFICE, name="second")
    (first, *_), (second, *_) = (announcements(one, Ports(631), names) for one, names in
                                 ((OFFICE, ()), (other, {"Office printer via mail"})))  # fmt: skip
    assert (first.instance, second.instance) == ("Office printer via mail", "Office printer via mail (2)")
    assert second.facts["rp"] == "ipp/print/second"
    assert len(numbered(instance_name("ä" * 60), 12).encode()) <= 63


@pytest.mark.parametrize(
    ("address", "interfaces", "port"),
    [
        ("0.0.0.0:631", ["192.0.2.1"], 631),
        ("[::]:631", ["all"], 631),
        ("127.0.0.1:631", ["all"], 0),
        ("127.0.0.1:631", ["127.0.0.1"], 631),
        ("192.0.2.7:631", ["192.0.2.1"], 0),
        ("/run/x.sock", ["all"], 0),
    ],
)
def test_what_cannot_be_reached_is_not_announced(address: str, interfaces: list[str], port: int) -> None:
    """A listener on loopback is nothing for the network."""
    assert _port(address, interfaces) == port


def test_upgrade_is_announced_where_it_is_to_be_had() -> None:
    """DNS-SD case B-5: a client learns from the record that plain IPP goes on inside TLS when it asks."""
    with_tls, without = (announcements(OFFICE, Ports(631, upgrade=upgrade))[0].facts for upgrade in (True, False))
    assert with_tls["TLS"] == "1.3"
    assert "TLS" not in without


def test_of_two_with_one_name_one_gives_way() -> None:
    """RFC 6762 section 9: not to itself, not to a name that is no longer ours; who does not yield is yielded to."""
    ours, minutes = Rivals(), 60_000.0
    ours.ours = {"flur._ipp._tcp.local.": ("Flur", "print.local.", 631)}
    assert not ours.heard("Flur._ipp._tcp.local.", "Print.local.", 631, 0)
    assert not ours.heard("Hof._ipp._tcp.local.", "other.local.", 631, 0)
    assert not ours.heard("Flur._ipp._tcp.local.", "other.local.", 631, 0)
    assert not ours.heard("Flur._ipp._tcp.local.", "other.local.", 631, 9_000)
    assert ours.names == set()
    assert ours.heard("Flur._ipp._tcp.local.", "other.local.", 631, minutes)
    assert ours.names == {"Flur"}
    assert not ours.heard("Flur._ipp._tcp.local.", "other.local.", 631, 2 * minutes)
    theirs = Rivals()
    theirs.ours = {"flur._ipp._tcp.local.": ("Flur", "other.local.", 631)}
    assert theirs.heard("Flur._ipp._tcp.local.", "print.local.", 631, 0)


class Found:
    """A browser's listener."""

    def __init__(self, kinds: list[str]) -> None:
        self.missing, self.there, self.gone = set(kinds), threading.Event(), threading.Event()

    def add_service(self, _zeroconf: Any, kind: str, _name: str) -> None:
        """One is there."""
        self.missing.discard(kind)
        if not self.missing:
            self.there.set()

    def update_service(self, *_: Any) -> None:
        """One has changed."""

    def remove_service(self, *_: Any) -> None:
        """One is gone."""
        self.gone.set()


@pytest_twisted.ensureDeferred
async def test_a_browser_finds_services_and_subtypes() -> None:
    """All of them on loopback, with the record; and hears when the office stops."""
    aside: Callable[[Any], Any] = deferToThread
    announcer = Announcer([LOOPBACK], "print.example", aside)
    kinds = [
        f"{sub}{kind}.local."
        for kind in ("_ipp._tcp", "_ipps._tcp")
        for sub in ("", "_print._sub.", "_universal._sub.")
    ] + ["_printer._tcp.local.", "_pdl-datastream._tcp.local."]
    found = Found(kinds)
    client = zeroconf.Zeroconf(interfaces=[LOOPBACK])
    browser = zeroconf.ServiceBrowser(client, kinds, found)
    try:
        await announcer.announce(announcements(OFFICE, Ports(8631, 8632, 0, 9100)))
        assert await deferToThread(found.there.wait, 20), found.missing
        name = "Office printer via mail._ipp._tcp.local."
        info = await deferToThread(client.get_service_info, "_ipp._tcp.local.", name, 5000)
        assert info.port == 8631
        assert info.properties[b"rp"] == b"ipp/print/office"
        assert info.parsed_addresses() == [LOOPBACK]
        assert info.server == "print.local."
        await announcer.announce(announcements(OFFICE, Ports(8631)))
        assert await deferToThread(found.gone.wait, 20)
    finally:
        await announcer.close()
        browser.cancel()
        await deferToThread(client.close)


@pytest_twisted.ensureDeferred
async def test_a_name_that_somebody_else_has_gets_a_number() -> None:
    """Another printer of the network keeps its name; ours is the second, by every protocol, until it is alone."""
    title = f"Flur {id(zeroconf):x}"  # other tests of this machine announce on loopback, too
    mine = announcements(evolve(OFFICE, title=title), Ports(8631, 8632))
    theirs = Announcer([LOOPBACK], "other.example", deferToThread)
    ours = Announcer([LOOPBACK], "print.example", deferToThread)
    client = zeroconf.Zeroconf(interfaces=[LOOPBACK])
    try:
        foreign = evolve(OFFICE, title=title, uuid="01900000-0000-7000-8000-00000000ffff", host="other.local")
        await theirs.announce(announcements(foreign, Ports(9631)))
        await ours.announce(mine)
        for kind in ("_ipp._tcp.local.", "_printer._tcp.local."):
            for name, server in ((f"{title} via mail", "other.local."), (f"{title} via mail (2)", "print.local.")):
                info = await deferToThread(client.get_service_info, kind, f"{name}.{kind}", 5000)
                assert info is not None, name
                assert info.server == server
        again = Announcer([LOOPBACK], "print.example", deferToThread)
        try:
            await again.announce(mine)  # as after a kill: what answers under the second name is this very queue
            assert again.names == {f"{title} via mail": f"{title} via mail (2)"}
        finally:
            await again.close()
    finally:
        for one in (ours, theirs):
            await one.close()
        await deferToThread(client.close)


@pytest_twisted.ensureDeferred
async def test_a_name_that_somebody_comes_to_have_later_is_given_up() -> None:
    """As when two networks are joined: he did not ask, we were first, and yet all our services get another name."""
    title = f"Hof {id(zeroconf):x}"  # as above
    clashed = threading.Event()
    ours = Announcer([LOOPBACK], "print.example", deferToThread, clashed.set)
    client = zeroconf.Zeroconf(interfaces=[LOOPBACK])
    kind = "_ipp._tcp.local."
    name = f"{title} via mail"
    try:
        await ours.announce(announcements(evolve(OFFICE, title=title), Ports(8631, 8632)))
        assert ours.names == {name: name}
        foreign = zeroconf.ServiceInfo(kind, f"{name}.{kind}", port=9631, server="zoo.local.",
                                       parsed_addresses=[LOOPBACK], properties={"UUID": "other"})  # fmt: skip
        await deferToThread(client.register_service, foreign, cooperating_responders=True)
        assert await deferToThread(clashed.wait, 20)
        await ours.give_way()
        assert ours.names == {name: f"{name} (2)"}
        for each in ("_ipp._tcp.local.", "_ipps._tcp.local.", "_printer._tcp.local."):
            info = await deferToThread(client.get_service_info, each, f"{name} (2).{each}", 5000)
            assert info is not None, each
            assert info.server == "print.local."
        clashed.clear()
        await ours.give_way()  # nothing more is lost
        assert ours.names == {name: f"{name} (2)"}
        assert not clashed.is_set()
    finally:
        await ours.close()
        await deferToThread(client.close)
