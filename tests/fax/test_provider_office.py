"""An office whose fax line is an account at a provider, on real sockets: out, back in, and over a restart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

from mailshare.testing.fax_line_contract import FaxLineContract
from mailshare.wire.tiff_fax import write_tiff
from tests.fax.test_fax_office import FAX, GATEWAY, hands_in, letter, mails, settled
from tests.house import House

OWN = """
title = "Ours"
documentation = "https://example.com"
read = "2026-11-22"
base = "https://api.example"
hosts = ["api.example"]
poll = 1
[login]
kind = "header"
name = "X-Key"
[send]
method = "POST"
url = "{base}/faxes?to={number}&key={reference}"
form = "raw"
[sent]
id = "id"
[status]
url = "{base}/faxes/{id}"
[seen]
state = "state"
pages = "pages"
[find]
ask = { url = "{base}/faxes?key={reference}" }
items = "faxes"
complete = true
[inbox]
list = { url = "{base}/inbox" }
items = "faxes"
caller = "from"
document = { url = "{base}/inbox/{id}" }
[states]
waiting = "waiting"
done = "ok"
[causes]
"*" = "dropped"
"""


@define(eq=False)
class Api(Resource):
    """The provider: keeps faxes in memory."""

    isLeaf = True
    faxes: dict[str, tuple[str, str, bytes]] = field(factory=dict)
    inbox: dict[str, bytes] = field(factory=dict)
    done: bool = True
    port: int = 0

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def render(self, request: Any) -> bytes:
        assert request.getHeader("X-Key") == "the key"
        path = request.path.decode()
        if request.method == b"POST":
            name = f"F{len(self.faxes)}"
            to, key = (request.args[one][0].decode() for one in (b"to", b"key"))
            self.faxes[name] = (to, key, request.content.read())
            return json.dumps({"id": name}).encode()
        if path == "/inbox":
            return json.dumps({"faxes": [{"id": one, "from": "+4930111"} for one in self.inbox]}).encode()
        if path.startswith("/inbox/"):
            return self.inbox[path.rpartition("/")[2]]
        if path == "/faxes":
            key = request.args[b"key"][0].decode()
            return json.dumps({"faxes": [{"id": one} for one, fax in self.faxes.items() if fax[1] == key]}).encode()
        return json.dumps({"state": "done" if self.done else "waiting"}).encode()


@pytest_twisted.async_yield_fixture
async def api() -> AsyncIterator[Api]:
    """A provider on a port of its own."""
    made = Api()
    port = reactor.listenTCP(0, Site(made), interface="127.0.0.1")
    made.port = port.getHost().port
    yield made
    await port.stopListening()


def configured(house: House, api: Api) -> str:
    (house.folder / "ours.toml").write_text(OWN)
    (house.folder / "key").write_text("the key\n")
    (house.folder / "key").chmod(0o600)
    head = FAX.partition("[[fax_line]]")[0]
    line = f"""
[[fax_line]]
name = "api"
kind = "http"
numbers = ["+49305550100"]
[fax_line.options]
provider = "./ours.toml"
base = "http://127.0.0.1:{api.port}"
fetch = 5
[fax_line.secrets]
key = {{ file = "key" }}
"""
    return head + line


async def test_mail_leaves_by_a_provider_and_its_faxes_become_mail(house: House, api: Api) -> None:
    """The document is a PDF of the pages; success is reported; a fax that came in is a mail."""
    api.inbox["IN1"] = write_tiff([FaxLineContract.page])
    await house.start(configured(house, api))
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))
    await settled(house)
    [(to, key, document)] = api.faxes.values()
    assert (to, document[:5]) == ("+49305550200", b"%PDF-")
    assert len(key) > 16
    [report] = await mails(house, "anna")
    assert "Action: delivered" in report.get_payload(1).as_string()
    [came] = await mails(house, "ben")
    assert "+4930111" in came["From"]


async def test_a_stop_of_the_server_sends_nothing_twice(house: House, api: Api) -> None:
    """The fax is with the provider; after the start it is looked for, not handed over again."""
    api.done = False
    await house.start(configured(house, api))
    await house.smtp(hands_in(f"FAX=+49305550200@{GATEWAY}", letter("x")))
    until = reactor.seconds() + 30
    while not api.faxes:
        assert reactor.seconds() < until
        await deferLater(reactor, 0.02)
    assert house.office is not None
    await house.office.stopService()
    api.done = True
    await house.start()
    await settled(house)
    assert len(api.faxes) == 1
    [report] = await mails(house, "anna")
    assert "Action: delivered" in report.get_payload(1).as_string()
