"""Two offices in two processes poll each other over a line between them; either is killed in the middle of a call: a
page that one has confirmed lies there, and what the other has not heard confirmed is still in its box."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_peers.office import script
from real_peers.running import wait_until
from real_peers.warm import finished

from tests.test_fax_two_processes import TEXT, House

SECONDS = 120.0
LINE = """kind = "loop"
calls = ["+49*"]
options = {{ speed = {speed}, listen = "unix:{folder}/line", trunks = {{ "{far}" = "unix:{there}/line" }} }}
[[fax_box]]
name = "board"
to = ["anna"]
code = "4711"
poll = "12"
[[fax_route]]
subaddress = "1"
to = ["box:board"]
"""


def command(house: House, *words: str) -> str:
    told = finished(script("mailshare"), "-c", str(house.folder / "m.toml"), *words)
    assert told.returncode == 0, told.stderr
    return str(told.stdout.decode())


@pytest.fixture
def pair(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Callable[[float], tuple[House, House]]]:
    """Two offices that reach each other over a line of such a speed."""
    made: list[House] = []

    def make(speed: float) -> tuple[House, House]:
        names = {"left": "+49305550101", "right": "+49305550102"}
        for name, other in (("left", "right"), ("right", "left")):
            house = House(tmp_path / name, name, names[name], free_port(), free_port())
            place = {"folder": house.folder, "there": tmp_path / other, "far": names[other]}
            house.write(LINE.format(speed=speed, **place))
            made.append(house)
            house.start()
        return made[0], made[1]

    yield make
    for house in made:
        house.server.stop()


def in_box(house: House) -> int:
    [box] = json.loads(command(house, "fax", "boxes", "--json"))
    return int(box["waiting"])


def fill(house: House, other: House, faxes: int) -> None:
    """Faxes of three pages each, no two alike, into the box of an office."""
    for number in range(faxes):
        other.sends(f"{house.number}/T33S=1", TEXT.replace("page", f"fax {number} page"))
        wait_until(lambda: in_box(house) == number + 1, "the fax in the box", SECONDS, house.server.log)  # noqa: B023


def polls(house: House, other: House) -> None:
    words = ("fax", "poll", other.number, "--sep", "12", "--pwd", "4711", "--to", "ben", "--as", "anna")
    assert "fetches it for ben" in command(house, *words)


def tried_again(house: House) -> None:
    """What waits for its next try is tried now."""
    for row in json.loads(command(house, "fax", "queue", "--json")):
        if row["state"] in ("queued", "deferred"):
            command(house, "outbox", "retry", str(row["id"]))


def test_two_offices_poll_each_other(pair: Callable[[float], tuple[House, House]]) -> None:
    """Both ways at once: each gets what lies in the other's box, bit for bit, and both boxes are empty then."""
    left, right = pair(0.0)
    fill(left, right, 1)
    fill(right, left, 2)
    for one, other in ((left, right), (right, left)):
        polls(one, other)
    wait_until(left.faxes, "the fax at the left", SECONDS, left.server.log)
    wait_until(right.faxes, "the fax at the right", SECONDS, right.server.log)
    assert ([len(one) for one in left.faxes()], [len(one) for one in right.faxes()]) == ([6], [3])
    for house in (left, right):
        wait_until(lambda: in_box(house) == 0, "an empty box", SECONDS, house.server.log)  # noqa: B023
    [six] = left.faxes()
    assert len({page.data for page in six if page is not None}) == 6


@pytest.mark.parametrize("victim", ["who polls", "who is polled", "both"])
def test_a_kill_in_the_middle_of_a_poll_loses_no_page(
    pair: Callable[[float], tuple[House, House]], victim: str
) -> None:
    """Killed once a page has come: what was fetched is mail, what was not confirmed is fetched by the next call."""
    left, right = pair(12.0)
    fill(right, left, 2)
    polls(left, right)
    wait_until(lambda: left.kept() >= 2 or left.faxes(), "pages of the poll", SECONDS, left.server.log)
    for house in (left, right):
        if victim == "both" or (house is left) == (victim == "who polls"):
            house.server.kill()
    kept = left.kept()
    for house in (left, right):
        if victim == "both" or (house is left) == (victim == "who polls"):
            house.start()
    ends = time.monotonic() + SECONDS
    while json.loads(command(left, "fax", "queue", "--json")):
        assert time.monotonic() < ends, left.server.log.read_text(errors="replace")[-4000:]
        tried_again(left)
        time.sleep(0.2)
    wait_until(lambda: left.kept() == 0, "mails of all pages", SECONDS, left.server.log)
    wait_until(lambda: in_box(right) == 0, "an empty box", SECONDS, right.server.log)
    pages = [page for mail in left.faxes() for page in mail]
    assert len({page.data for page in pages if page is not None}) == 6
    assert len(pages) <= 6 + max(kept, 6)
