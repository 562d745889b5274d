"""Servers of an address: from the list, the provider's own word, the DNS, and guesses; hostile words are no servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from twisted.internet.defer import Deferred

from mailshare.core.errors import PeerFault
from mailshare.core.servers import parse_server
from mailshare.isp.finding import Finder, read_autoconfig

XML = """<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="isp.example">
<incomingServer type="imap"><hostname>imap.isp.example</hostname><port>993</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username></incomingServer>
<incomingServer type="pop3"><hostname>pop.isp.example</hostname><port>1995</port><socketType>SSL</socketType>
<username>%EMAILLOCALPART%</username></incomingServer>
<incomingServer type="pop3"><hostname>plain.isp.example</hostname><port>110</port><socketType>plain</socketType>
</incomingServer>
<outgoingServer type="smtp"><hostname>smtp.isp.example</hostname><port>587</port><socketType>STARTTLS</socketType>
<username>%EMAILADDRESS%</username></outgoingServer></emailProvider></clientConfig>"""


class World:
    """What can be found outside."""

    def __init__(
        self, pages: Mapping[str, str] | None = None, srv: Mapping[str, tuple[str, int]] | None = None,
        ports: Sequence[tuple[str, int]] = (),
    ) -> None:  # fmt: skip
        self.pages, self.names, self.ports = pages or {}, srv or {}, ports
        self.asked: list[str] = []

    async def get(self, url: str) -> bytes:
        self.asked.append(url)
        return next((text.encode() for start, text in self.pages.items() if url.startswith(start)), b"")

    async def srv(self, name: str) -> Sequence[tuple[str, int]]:
        return [self.names[name]] if name in self.names else []

    async def listens(self, host: str, port: int) -> bool:
        return (host, port) in self.ports

    def find(self, address: str) -> list[tuple[str, str, str]]:
        found: list[list[tuple[str, str, str]]] = []
        work = Deferred.fromCoroutine(Finder(self.get, self.srv, self.listens).find(address))
        faults: list[BaseException] = []
        work.addCallbacks(
            lambda ways: found.append([(one.collect, one.relay, one.source) for one in ways]),
            lambda failure: faults.append(failure.value),
        )
        if faults:
            raise faults[0]
        return found[0]


def test_a_known_provider_is_found_without_asking_anybody() -> None:
    """Both ways to fetch, the login as a URL has it; the settings can be read as the configuration's."""
    world = World()
    ways = world.find("office@gmx.de")
    assert ways[0][:2] == ("pop3s://office%40gmx.de@pop.gmx.net", "submissions://office%40gmx.de@mail.gmx.net")
    assert not world.asked
    for collect, relay, _ in (*ways, *world.find("a.b@outlook.com")):
        assert parse_server(collect).login == parse_server(relay).login


def test_the_providers_own_description_wins_over_dns_and_guesses() -> None:
    """POP3 first; what has no TLS is left out."""
    world = World({"https://autoconfig.isp.example/": XML}, {"_pop3s._tcp.isp.example": ("other.example", 995)})
    ways = world.find("me@isp.example")
    assert [one[0] for one in ways] == ["pop3s://me@pop.isp.example:1995", "imaps://me%40isp.example@imap.isp.example"]
    assert ways[0][1] == "submission://me%40isp.example@smtp.isp.example"
    assert "own description" in ways[0][2]


def test_srv_records_come_before_guesses_and_guesses_are_only_what_answers() -> None:
    """RFC 6186 names; then the usual names on ports with TLS."""
    srv = {"_pop3s._tcp.isp.example": ("mx.isp.example", 995), "_submission._tcp.isp.example": ("out.isp.example", 587)}
    ways = World(srv=srv).find("me@isp.example")
    by_dns = ("pop3s://me%40isp.example@mx.isp.example", "submission://me%40isp.example@out.isp.example")
    assert ways == [(*by_dns, "the provider's DNS")]
    ports = (("mail.isp.example", 993), ("smtp.isp.example", 465), ("pop.isp.example", 110))
    assert [one[:2] for one in World(ports=ports).find("me@isp.example")] == [
        ("imaps://me%40isp.example@mail.isp.example", "submissions://me%40isp.example@smtp.isp.example")
    ]
    assert World().find("me@isp.example") == []


@pytest.mark.parametrize("text", [
    '<!DOCTYPE a [<!ENTITY b "c">]>' + XML, "<clientConfig>", "", "x" * 70_000,
    XML.replace("pop.isp.example", "pop.isp.example@evil.example/").replace("imap.isp.example", "a b"),
    XML.replace("1995", "99999999").replace(">993<", ">-1<"),
    XML.replace("%EMAILLOCALPART%", "a\nb").replace(">SSL<", "> <"),
])  # fmt: skip
def test_hostile_descriptions_give_no_server(text: str) -> None:
    """Entities, half files, hosts and ports that are none."""
    ways = read_autoconfig(text.encode(), "me@isp.example")
    assert not [one for one in ways if "evil" in one.collect or not one.collect]
    assert all(parse_server(one.collect) for one in ways)


@pytest.mark.parametrize("text", ["nobody", "me@", "@x.example", "me@[127.0.0.1]", "me@a b.example"])
def test_what_is_no_address_is_said_to_be_none(text: str) -> None:
    """Nothing is asked outside for it."""
    world = World()
    with pytest.raises(PeerFault):
        world.find(text)
    assert not world.asked
