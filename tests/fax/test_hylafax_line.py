"""The line of kind ``hylafax`` and a pretended server on a loopback port: contract, restarts, faults, receiving."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, evolve, field
from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.config import BrokenConfig, parse_config
from mailshare.core.errors import StorageFull
from mailshare.core.fax_lines import HylaFAXOptions
from mailshare.core.values import Server
from mailshare.core.values.fax import CallEvent, CallFacts, FaxCause, FaxOutcome, FaxPage, Ringing
from mailshare.fax.lines.hylafax import DOUBT, HylaFAXLine, JobKey
from mailshare.fax.lines.hylafax_session import HylaFAXAccount
from mailshare.testing.fax_line_contract import FaxLineContract, FixedPages, NotingReceiver, Rig
from mailshare.testing.hylafax_double import PretendedHylaFAX
from mailshare.wire.tiff_fax import write_tiff

PAGE = FaxLineContract.page
FACTS = {"f": "fax00001.tif", "z": " ", "p": "1", "a": "42", "b": "14400", "h": "1:02", "s": "+49 30 1", "j": "0301"}


@define
class Place:
    """A server, and the lines that use it."""

    server: PretendedHylaFAX
    port: int
    lines: list[HylaFAXLine] = field(factory=list)
    secrets: dict[str, str] = field(factory=dict)

    def line(self, receiver: Any = None, **options: Any) -> HylaFAXLine:
        async def secret(name: str) -> str:
            return self.secrets.get(name, "")

        account = HylaFAXAccount(Server("hylafax", "127.0.0.1", self.port, "none", "anna"), secret)
        settings = HylaFAXOptions(host="127.0.0.1", port=self.port, user="anna", poll=1, **options)
        line = HylaFAXLine("modems", account, settings, reactor, channels=3)
        line.set_receiver(receiver or NotingReceiver())
        line.start()
        self.lines.append(line)
        return line

    async def look(self, line: HylaFAXLine, times: int = 1) -> None:
        """As if the time for a look had come."""
        for _ in range(times):
            if line._errand is not None:
                await line._errand
            self.server.dial()
            await line._look()

    def rig(self, receiver: Any = None, **options: Any) -> Rig:
        receiver = receiver or NotingReceiver()
        line = self.line(receiver, **options)

        async def go_on() -> None:
            await deferLater(reactor, 0.0)
            await self.look(line)

        async def ring(pages: list[FaxPage]) -> None:
            octets = write_tiff(pages)
            self.server.received["fax00001.tif"] = ({**FACTS, "n": str(len(octets))}, octets)

        return Rig(line, receiver, "+1", "+2", go_on, ring)


@pytest_twisted.async_yield_fixture
async def place() -> AsyncIterator[Place]:
    server = PretendedHylaFAX(ends={"+1": "", "+2": "Busy signal detected"})
    made = Place(server, server.listen(reactor))
    yield made
    for line in made.lines:
        await line.stop()
        if line._errand is not None:
            await line._errand  # it says goodbye to the server, for which nobody waits who stops a line
    await server.close()


class TestHylaFAX(FaxLineContract):
    """The contract of all lines."""

    @pytest.fixture(autouse=True)
    def _place(self, place: Place) -> None:
        self.place = place

    async def rig(self) -> Rig:
        return self.place.rig()


async def handed_over(
    place: Place, line: HylaFAXLine, number: str = "+7", total: int = 2
) -> tuple[Any, list[CallEvent]]:
    """A call whose job the server has."""
    events: list[CallEvent] = []
    rig = Rig(line, NotingReceiver(), "", "", None, None)
    call = line.send(rig.job(number, total), FixedPages(*[PAGE] * total))
    call.observe(events.append)
    for _ in range(500):
        if line._watched or call._outcome is not None:
            break
        await deferLater(reactor, 0.01)
    return call, events


def native(events: list[CallEvent]) -> str:
    return str(next(one for one in reversed(events) if one.kind == "submitted").facts["native"])


async def test_a_job_says_all_that_a_call_needs(place: Place) -> None:
    """One call, our pages as they are, our key as its tag."""
    line = place.line(modem="ttyS0")
    rig = Rig(line, NotingReceiver(), "", "", None, None)
    page = FaxPage(1728, 2292, 204, 196, PAGE.coding, PAGE.data)
    job = evolve(rig.job("+7", 1), subaddress="42", ident="+49 30 555", dial='9"w0301')
    line.send(job, FixedPages(page))
    for _ in range(500):
        if line._watched:
            break
        await deferLater(reactor, 0.01)
    [made] = place.server.jobs.values()
    wanted = {"MAXDIALS": "1", "MAXTRIES": "1", "NOTIFY": "NONE", "DIALSTRING": '9"w0301', "EXTERNAL": "+7"}
    wanted |= {"JOBINFO": job.id, "SUBADDR": "42", "TSI": "+49 30 555", "VRES": "196", "PAGEWIDTH": "215"}
    wanted |= {"PAGELENGTH": "298", "MODEM": "ttyS0", "PAGECHOP": "NONE", "TAGLINE": "", "LASTTIME": "010000"}
    assert wanted.items() <= made.parameters.items()
    assert made.document == write_tiff([page])


async def test_a_job_is_found_again_and_never_submitted_twice(place: Place) -> None:
    """After a stop of ours: its pages are counted from where the job began."""
    line = place.line()
    call, events = await handed_over(place, line)
    place.server.jobs["1"].pages = 1
    await place.look(line)
    assert [one.page for one in events if one.kind == "page"] == [0]
    await line.stop()
    left: FaxOutcome = await call.when_done()
    assert (left.cause, left.left, left.pages_confirmed) == (FaxCause.CANCELLED, True, 1)
    again = place.line()
    place.server.ends["+7"] = ""
    found = again.find(native(events), Rig(again, NotingReceiver(), "", "", None, None).job("+7", 2, first=1))
    assert found is not None
    await place.look(again)
    outcome = await found.when_done()
    assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 1)
    assert list(place.server.jobs) == ["1"]


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("minutes", [1, 30])
async def test_what_the_server_does_not_know_is_doubtful_or_was_never_there(
    place: Place, taken: bool, minutes: int
) -> None:
    """A job that it never said it took, moments ago, may be sent again; any other may have arrived."""
    line = place.line()
    key = JobKey("9", 0, int((reactor.seconds() - 60 * minutes) * 1_000_000), "key-9", taken)  # type: ignore[attr-defined]
    assert JobKey.read(str(key)) == key
    call = line.find(str(key), Rig(line, NotingReceiver(), "", "", None, None).job("+7", 1))
    assert call is not None
    await place.look(line, 2)
    outcome = await call.when_done()
    if taken or minutes > 10:
        assert (outcome.cause, outcome.native) == (FaxCause.TIMEOUT, DOUBT)
    else:
        assert outcome.cause is FaxCause.LINE_DOWN
    assert line.find("not ours", call.job) is None


async def test_a_job_that_was_made_and_not_submitted_is_deleted(place: Place) -> None:
    """A kill came between the two; nobody shall submit it later by hand."""
    line = place.line()
    call, events = await handed_over(place, line)
    await line.stop()
    place.server.jobs["1"].state = "SUSPENDED"
    again = place.line()
    found = again.find(native(events).removesuffix(" taken"), call.job)
    assert found is not None
    await place.look(again, 2)
    assert (await found.when_done()).cause is FaxCause.LINE_DOWN
    assert place.server.jobs == {}


async def test_a_job_that_somebody_holds_there_is_waited_for(place: Place) -> None:
    """The server took it: then it is suspended by a person, who may let it go on."""
    line = place.line()
    call, _ = await handed_over(place, line)
    place.server.jobs["1"].state = "SUSPENDED"
    await place.look(line, 3)
    assert call._outcome is None
    place.server.jobs["1"].state = "READY"
    place.server.ends["+7"] = ""
    await place.look(line)
    assert (await call.when_done()).cause is FaxCause.OK


async def test_giving_up_ends_the_job_there(place: Place) -> None:
    """Also when the server is not there at that moment; a job that is over is not given up."""
    line = place.line()
    first, _ = await handed_over(place, line)
    assert await line.cancel(first.id)
    assert (await first.when_done()).cause is FaxCause.CANCELLED
    assert place.server.jobs["1"].status == "Job aborted by request"
    second, _ = await handed_over(place, line, "+8")
    place.server.replies["USER"] = ""
    assert await line.cancel(second.id)
    assert place.server.jobs["2"].state == "READY"
    place.server.replies.clear()
    await place.look(line)
    assert place.server.jobs["2"].state == "FAILED"
    third, _ = await handed_over(place, line, "+1")
    place.server.dial()
    assert not await line.cancel(third.id)
    await place.look(line)
    assert (await third.when_done()).cause is FaxCause.OK


@pytest.mark.parametrize(
    ("command", "reply", "cause"),
    [
        ("USER", "530 User anna access denied.\r\n", FaxCause.LINE_DOWN),
        ("USER", "331 Password required.\r\n", FaxCause.LINE_DOWN),
        ("USER", "", FaxCause.LINE_DOWN),
        ("EPSV", "425 Cannot open.\r\n", FaxCause.LINE_DOWN),
        ("STOT", "452 No space.\r\n", FaxCause.LINE_DOWN),
        ("JNEW", "", FaxCause.LINE_DOWN),
        ("JNEW", "200 hm\r\n", FaxCause.LINE_DOWN),
        ("JPARM DIALSTRING", "503 Permission denied.\r\n", FaxCause.INTERNAL),
        ("JPARM TSI", "500 JPARM TSI: Parameter not recognized.\r\n", FaxCause.OK),
        ("JSUBM", "504 REJECT: Unable to convert dial string to canonical format\r\n", FaxCause.BAD_NUMBER),
        ("JSUBM", "460 Failed to submit job 1: scheduler NAK'd request.\r\n", FaxCause.LINE_DOWN),
        ("JSUBM", "", FaxCause.LINE_DOWN),
    ],
)
async def test_every_fault_of_a_server_has_its_cause(place: Place, command: str, reply: str, cause: FaxCause) -> None:
    """Other lines are tried when this one did not take the job; nothing is left in its queue then."""
    line = place.line()
    if line._errand is not None:
        await line._errand
    place.server.replies[command] = reply
    rig = Rig(line, NotingReceiver(), "", "", None, None)
    call = line.send(rig.job("+1", 1), FixedPages(PAGE))
    for _ in range(500):
        await deferLater(reactor, 0.01)
        if line._watched or call._outcome is not None:
            break
    place.server.replies.clear()
    await place.look(line, 3)
    outcome = await call.when_done()
    assert outcome.cause is cause
    if cause is not FaxCause.OK:
        assert place.server.jobs == {}


async def test_a_server_that_is_gone_takes_no_channel(place: Place) -> None:
    """The pool passes it over until it is there again."""
    line = place.line()
    await place.look(line)
    assert line.free_channels() == 3
    place.server.replies["USER"] = "421 Too many clients.\r\n"
    await place.look(line)
    assert (line.free_channels(), "Too many clients" in line.trouble) == (0, True)
    place.server.replies.clear()
    await place.look(line)
    assert line.free_channels() == 3


async def test_passwords_are_given_and_never_told(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Both are asked for anew at each login; neither is in what the line says of itself."""
    place.server.password, place.server.admin = "-open sesame", "boss"
    line = place.line()
    await place.look(line)
    assert "wants a password" in line.trouble
    place.secrets = {"password": "-open sesame", "admin": "chief"}
    await place.look(line)
    assert "administrator" in line.trouble
    place.secrets["admin"] = "boss"
    await place.look(line)
    assert line.trouble == ""
    assert "sesame" not in caplog.text + repr(line.__dict__)


async def test_a_fax_that_came_in_has_all_its_facts(place: Place) -> None:
    """Who called whom stands in the file, line by line; the fax is taken away when it is stored."""
    receiver = NotingReceiver()
    rig = place.rig(receiver, called=3)
    page = write_tiff([PAGE])
    # As a server describes the first page: the station, number and name of the caller, the number called.
    told = b"+49 30 1\n0301\nSmith\n5550100\0"
    first = 8 + 2 + 12 * 16 + 4
    tags = page[10 : 10 + 12 * 16]
    described = tags.replace(b"\x16\x01\x04\0\x01\0\0\0\x01\0\0\0", b"")
    assert len(described) == len(tags) - 12
    entry = b"\x0e\x01\x02\0" + len(told).to_bytes(4, "little") + len(page).to_bytes(4, "little")
    octets = page[:10] + described[: 7 * 12] + entry + described[7 * 12 :] + page[first - 4 :] + told
    place.server.received["fax00001.tif"] = ({**FACTS, "n": str(len(octets)), "i": "Smith"}, octets)
    await place.look(rig.line, 3)
    [(ringing, facts)] = receiver.ends
    assert (ringing.caller, ringing.display, ringing.called) == ("0301", "Smith", "5550100")
    assert (facts.station, facts.subaddress, facts.rate, facts.seconds) == ("+49 30 1", "42", 14400, 62.0)
    assert receiver.pages == [PAGE]
    assert place.server.received == {}


async def test_a_fax_that_cannot_be_stored_stays_on_the_server(place: Place) -> None:
    """And is fetched again; one that is still coming is left alone, and what is none is handed on as it is."""

    class Full(NotingReceiver):
        full = True

        async def unreadable(self, call: Ringing, facts: CallFacts, document: bytes, why: str) -> None:
            if self.full:
                raise StorageFull
            await super().unreadable(call, facts, document, why)

        async def page_received(self, call: Ringing, number: int, page: FaxPage) -> None:
            if self.full:
                raise StorageFull
            await super().page_received(call, number, page)

    receiver = Full()
    rig = place.rig(receiver)
    await rig.ring([PAGE])
    place.server.received["fax00002.tif"] = ({**FACTS, "f": "fax00002.tif", "z": "*", "n": "7"}, b"growing")
    place.server.received["fax00003.tif"] = ({**FACTS, "f": "fax00003.tif", "n": "7"}, b"rubbish")
    place.server.received["fax00004.tif"] = ({**FACTS, "f": "fax00004.tif", "n": "9"}, b"too short")
    await place.look(rig.line, 3)
    assert len(place.server.received) == 4
    assert receiver.ends == []
    receiver.full = False
    await place.look(rig.line, 3)
    assert len(receiver.ends) == 1
    assert sorted(place.server.received) == ["fax00002.tif"]
    assert [document for _, document, _ in receiver.unread] == [b"rubbish", b"too short"]


async def test_faxes_stay_where_they_are_when_it_is_said_so(place: Place) -> None:
    """Other software of the server has them."""
    rig = place.rig(receive=False)
    await rig.ring([PAGE])
    await place.look(rig.line, 3)
    assert (list(place.server.received), rig.line.capabilities.receive) == (["fax00001.tif"], False)


def test_a_password_in_the_clear_is_warned_of(tmp_path: Path) -> None:
    """The protocol has no TLS."""
    line = '[[fax_line]]\nname = "x"\nkind = "hylafax"\noptions = { host = "%s" }\n'
    config = parse_config(line % "fax.example", str(tmp_path / "m.toml"))
    assert any("without TLS" in problem.text for problem in config.warnings)
    config = parse_config(line % "127.0.0.1", str(tmp_path / "m.toml"))
    assert not any("without TLS" in problem.text for problem in config.warnings)
    with pytest.raises(BrokenConfig):
        parse_config(line.replace("host", "hots") % "x", str(tmp_path / "m.toml"))


JOURNAL = (
    '11/22/26 07:34\tSEND\t000000003\tpts_0\t4\t"{tag}"\tmailshare@h\t"+7"\t"+49 30 77"\t2220073\t1\t0:00:19\t'
    '0:00:15\t""\t""\t""\t""\t"mailshare"\t"{dcs}"\n'
)


async def test_what_a_call_was_is_told_by_the_servers_journal(place: Place) -> None:
    """Rate, error correction, the far machine and the time on the telephone; only the end of a long journal is read."""
    line = place.line()
    call, _ = await handed_over(place, line)
    other = JOURNAL.format(tag="another-1-1", dcs="00 44 1F 20").encode()
    ours = JOURNAL.format(tag=call.job.id, dcs="00 46 1F 22").encode()
    place.server.journal = other * 4000 + ours + other
    place.server.ends["+7"] = ""
    await place.look(line, 2)
    outcome = await call.when_done()
    assert (outcome.cause, outcome.pages_confirmed) == (FaxCause.OK, 2)
    assert (outcome.remote_id, outcome.rate, outcome.ecm, outcome.seconds) == ("+49 30 77", 14_400, True, 15.0)
    assert f"REST {len(place.server.journal) - 262_144}" in place.server.said


@pytest.mark.parametrize("reply", ["550 Permission denied.\r\n", "213 what?\r\n", "", "nonsense\r\n"])
async def test_a_journal_that_cannot_be_read_changes_nothing(place: Place, reply: str) -> None:
    """What became of the fax is known from the queue, even when the session ends over it."""
    line = place.line()
    call, _ = await handed_over(place, line)
    place.server.replies["SIZE"] = reply
    place.server.ends["+7"] = "Busy signal detected"
    await place.look(line, 2)
    outcome = await call.when_done()
    assert (outcome.cause, outcome.rate, outcome.remote_id) == (FaxCause.BUSY, 0, "")


async def test_a_call_is_begun_no_faster_than_the_number_can(place: Place) -> None:
    """And without error correction where that never goes well; a box there is given its password."""
    line = place.line()
    rig = Rig(line, NotingReceiver(), "", "", None, None)
    line.send(evolve(rig.job("+7", 1), max_rate=9_600, ecm=False, password="4711"), FixedPages(PAGE))
    for _ in range(500):
        if line._watched:
            break
        await deferLater(reactor, 0.01)
    [made] = place.server.jobs.values()
    assert [made.parameters[name] for name in ("BEGBR", "USEECM", "PASSWD")] == ["3", "NO", "4711"]
