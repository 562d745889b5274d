"""The journal, the indicators and the loop marks of a whole office."""

from __future__ import annotations

import json
import poplib
import smtplib
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.threads import deferToThread

from mailshare.assembly.office import Office
from tests.test_assembly_office import Room, room, user

__all__ = ["room"]


def lines(folder: Path) -> list[dict[str, Any]]:
    """All lines of the journal's files, in the order of their ids."""
    files = (folder / "var" / "journal").iterdir()
    found = [json.loads(text) for path in files for text in path.read_text().split("\n")[:-1]]
    return sorted(found, key=lambda line: line["id"])


def port(office: Office, service: str) -> int:
    """Where a listener of the office is."""
    (place,) = [place for place in office.places() if place["service"] == service]
    return int(str(place["address"]).rpartition(":")[2])


def read_all(where: int, name: str) -> list[bytes]:
    """Fetch and delete all mail of somebody."""
    box = poplib.POP3("127.0.0.1", where)
    box.user(name)
    box.pass_(name)
    found = []
    for number in range(1, box.stat()[0] + 1):
        found.append(b"\r\n".join(box.retr(number)[1]))
        box.dele(number)
    box.quit()
    return found


def send(where: int, name: str, to: list[str], header: str = "") -> None:
    """Hand in a letter as somebody."""
    with smtplib.SMTP("127.0.0.1", where) as client:
        client.login(name, name)
        letter = f"From: {name}@here.example\r\n{header}Subject: secret\r\n\r\nbody\r\n"
        client.sendmail(f"{name}@here.example", to, letter)


@pytest_twisted.ensureDeferred
async def test_the_files_tell_what_happened_without_subjects_3_11(room: Room) -> None:
    """Collected, read, sent, stopped: each a line in the day's file, in order, complete when the server has ended."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    room.isp.arrive('"Andrew" <mail@company.example>', "secret", "body")
    await office.acts.send_receive()
    (mail,) = await deferToThread(read_all, port(office, "pop3"), "andrew")
    assert mail.startswith(b"Delivered-To: andrew@mail.office.example\r\n")
    assert (await office.acts.status())["journal_error"] == ""
    await office.stopService()
    told = lines(room.folder)
    kinds = [line["kind"] for line in told]
    assert kinds[0] == "server.started"
    assert kinds[-1] == "server.stopped"
    assert {"route", "collect.run", "pop3.session"} <= set(kinds)
    route = next(line for line in told if line["kind"] == "route")
    assert route["data"]["targets"] == [["andrew", "name-L1"]]
    assert "secret" not in json.dumps(told)


@pytest_twisted.ensureDeferred
async def test_a_session_that_the_stop_cuts_is_told_yet(room: Room) -> None:
    """Somebody who is reading while the server ends has his line, before that of the end."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    room.isp.arrive('"Andrew" <mail@company.example>', "a", "b")
    await office.acts.send_receive()

    def begin() -> poplib.POP3:
        box = poplib.POP3("127.0.0.1", port(office, "pop3"))
        box.user("andrew")
        box.pass_("andrew")
        box.retr(1)
        return box

    box = await deferToThread(begin)
    await office.stopService()
    box.close()
    told = [(line["kind"], line["user"]) for line in lines(room.folder)]
    assert ("pop3.session", "andrew") in told
    assert ("pop3.read", "andrew") in told
    assert told[-1] == ("server.stopped", "")


@pytest_twisted.ensureDeferred
async def test_a_journal_that_cannot_be_written_stops_no_mail(room: Room) -> None:
    """Where the directory should be lies a file: mail comes and goes, and the status says what is wrong."""
    room.write("ACCOUNT" + user("andrew"))
    (room.folder / "var").mkdir(mode=0o700)
    (room.folder / "var" / "journal").write_text("")
    office = await room.start()
    room.isp.arrive('"Andrew" <mail@company.example>', "a", "b")
    answer = (await office.acts.send_receive())["mail@company.example"]
    assert answer["collected"] == {"andrew": 1}  # type: ignore[index]
    assert "journal" in str((await office.acts.status())["journal_error"])
    await office.stopService()


@pytest_twisted.ensureDeferred
async def test_the_indicators_come_as_a_stream_s19_s20(room: Room) -> None:
    """Each lamp is seen on, and the totals of inbox and outbox, by somebody who only looks at the stream."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    stream = office.watch()
    assert (await stream.__anext__()).inbox == 0
    room.isp.arrive('"Andrew" <mail@company.example>', "a", "b")
    await deferToThread(send, port(office, "smtp"), "andrew", ["bob@far.example"])
    await office.acts.send_receive()
    await office.acts.status()
    await deferToThread(read_all, port(office, "pop3"), "andrew")
    seen = [await stream.__anext__(), await stream.__anext__()]
    assert min(seen[0].local_sending, seen[0].local_receiving, seen[0].outgoing, seen[0].incoming) > 0
    assert (seen[1].local_sending, seen[1].local_receiving, seen[1].inbox) == (0, 0, 1)
    stream.close()


@pytest_twisted.ensureDeferred
async def test_what_left_here_is_known_when_it_comes_back_3_12(room: Room) -> None:
    """The provider gets the mark; the same letter, sent back by somebody outside, is delivered and told of."""
    room.write("ACCOUNT" + user("andrew") + user("greg"))
    office = await room.start()
    instance = office.store.directory.current().instance
    await deferToThread(send, port(office, "smtp"), "andrew", ["bob@far.example"], "Message-ID: <1@here.example>\r\n")
    await office.acts.send_receive()
    (sent,) = room.isp.relayed
    mark = next(line for line in sent.octets.split(b"\r\n") if line.startswith(b"X-Mailshare-Trace: "))
    assert mark.split(b"; ")[0] == f"X-Mailshare-Trace: {instance}".encode()
    head = b"Received: from a by mx.isp.example; now\r\nTo: Greg <mail@company.example>\r\n"
    room.isp.box.put(head + mark + b"\r\n\r\nround\r\n", "back")
    await office.acts.send_receive()
    (route,) = [event for event in (await office.acts.log(kinds=["route"]))["events"] if event["account"]]  # type: ignore[attr-defined]
    assert route["data"]["targets"] == [["greg", "name-L1"]]
    assert "came-back" in {code for code, _ in route["data"]["steps"]}


@pytest_twisted.ensureDeferred
async def test_why_tells_the_whole_way_of_mail_in_both_directions(room: Room) -> None:
    """In: account, name, copy, who read it. Out: who, what was rewritten, the provider's words. By every kind of id."""
    room.write("ACCOUNT" + user("andrew", more='cc = ["greg"]') + user("greg"))
    office = await room.start()
    room.isp.arrive('"Andrew" <mail@company.example>', "a", "b")
    await office.acts.send_receive()
    await deferToThread(read_all, port(office, "pop3"), "andrew")
    letter = "Message-ID: <7@here.example>\r\n"
    await deferToThread(send, port(office, "smtp"), "greg", ["bob@far.example"], letter)
    await office.acts.send_receive()
    routes = (await office.acts.log(kinds=["route"]))["events"]
    came = next(line["trace"] for line in routes if line["account"])  # type: ignore[attr-defined]
    (incoming,) = await office.acts.why(id=came)
    words = "\n".join(incoming["words"])  # type: ignore[arg-type]
    for part in (
        "collected from mail@company.example at 127.0.0.1", "in the run ", "-> mailbox of andrew",
        "-> mailbox of greg: a copy", "andrew deleted it over POP3 from 127.0.0.1",
    ):  # fmt: skip
        assert part in words
    (outgoing,) = await office.acts.why(id="7@here.example")
    words = "\n".join(outgoing["words"])  # type: ignore[arg-type]
    for part in ("handed in by greg", "the From field was made right", "the provider took it", "250 Message taken"):
        assert part in words
    (row,) = outgoing["outbox"]  # type: ignore[misc]
    (same,) = await office.acts.why(id=str(row["id"]))
    assert same["trace"] == outgoing["trace"]


@pytest_twisted.ensureDeferred
async def test_what_an_administrator_does_stands_in_the_audit(room: Room) -> None:
    """Who holds back a row leaves a line in the message's chain and in the file of the audit, which is kept longer."""
    room.write("ACCOUNT" + user("andrew"))
    office = await room.start()
    await deferToThread(send, port(office, "smtp"), "andrew", ["bob@far.example"], "Message-ID: <8@here.example>\r\n")
    (row,) = await office.acts.outbox()
    await office.acts.steer(act="hold", ids=[row["id"]])  # type: ignore[list-item]
    (told,) = await office.acts.why(id="8@here.example")
    assert any("an administrator kept it back" in line for line in told["words"])  # type: ignore[attr-defined]
    assert "is kept back (row" in told["words"][-1]  # type: ignore[index]
    await office.stopService()
    (audit,) = (room.folder / "var" / "journal").glob("audit-*.jsonl")
    assert [json.loads(line)["kind"] for line in audit.read_text().splitlines()] == ["admin.hold"]
