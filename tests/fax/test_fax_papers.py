"""What a fax machine prints: transmission reports and the activity journal; forecasts; many recipients at once."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from click.testing import CliRunner

from mailshare.assembly.shapes import moment
from mailshare.core.errors import NoSuchJob, PolicyRefusal
from mailshare.core.values import QueueState
from mailshare.fax.report_pdf import activity_journal, transmission_report
from tests.fax.test_fax_office import FAX, GATEWAY, hands_in, letter, line_of, settled
from tests.house import House


def words_of(pdf: bytes) -> str:
    """Everything that is written in a file."""
    document = pypdfium2.PdfDocument(BytesIO(pdf))
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


async def test_a_report_tells_of_every_call_and_shows_the_first_page(house: House) -> None:
    """U17: number, time, result, pages, calls; a picture of the page; the same from the journal of all of them."""
    office = await house.start(FAX)
    await house.smtp(hands_in(f"FAX=+49305550203@{GATEWAY}", letter("x", "one\f two\f three", "Umsätze — 売上")))
    await house.smtp(hands_in(f"FAX=+49305550100@{GATEWAY}", letter("x")))
    await settled(house)
    rows = await office.store.queue.items(agent="fax", open_only=False)
    number = next(row.id for row in rows if row.params["number"] == "+49305550203")
    answer = await office.acts.fax_report(id=number)
    pdf = base64.b64decode(str(answer["data"]))
    told = words_of(pdf)
    for word in (f"fax {number}", "+49305550203", "sent: All 3 pages", "The call broke off", "3/3", "anna", "pretend"):
        assert word in told
    assert b"/Subtype /Image" in pdf
    with pytest.raises(NoSuchJob):
        await office.acts.fax_report(id=4711)
    journal = await office.acts.fax_activity(days=2, pdf=True)
    lines: Any = journal["rows"]
    assert sorted((one["way"], one["number"]) for one in lines) == [
        ("in", "+49305550100"),
        ("out", "+49305550100"),
        ("out", "+49305550203"),
    ]
    broken = next(one for one in lines if one["number"] == "+49305550203")
    assert (broken["tries"], broken["pages"], broken["result"]) == (2, "3/3", "sent")
    paper = words_of(base64.b64decode(str(journal["data"])))
    assert "+49305550203" in paper
    for one in lines:
        assert str(one["at"])[:19].replace("T", " ") in paper  # whole, and not cut to fit
    whole_row = next(row for row in rows if row.id == number)
    whole: Any = await office.acts.fax_show(id=number)
    assert (whole["pages"], whole["confirmed"]) == (3, 3)
    assert whole["expires"] == moment(whole_row.queued + 12 * 3_600_000_000)  # fax.lifetime, and not that of mails


def test_what_is_too_long_is_cut_and_nothing_is_lost_without_saying_so() -> None:
    """Long values stay in their cells; a journal of years says how much it leaves out; odd characters do no harm."""
    calls = [{"at": "y" * 300, "result": "z"}]
    pdf = transmission_report([("Subject", "x" * 500 + "\x00\n")], calls, b"", title="T" * 300)
    assert "..." in words_of(pdf)
    rows = [{"at": str(number), "number": "+1"} for number in range(2003)]
    assert "3 more are not shown" in words_of(activity_journal(rows, title="J"))


async def test_a_forecast_sends_nothing(house: House, tmp_path: Path) -> None:
    """Pages, seconds and cost for each number; what would be too dear is marked, and refused when it is sent."""
    prices = "prices = { local = 0.5, international = 9.0 }\nmost_cost = 5"
    office = await house.start(FAX.replace("[fax]", f"[fax]\n{prices}"))
    paper = tmp_path / "paper.txt"
    paper.write_text("one\ftwo")
    to = ["+49305550200", "+12025550123"]
    answer = await office.acts.fax_send(file=str(paper), to=to, user="anna", forecast=True)
    near, far = answer["forecast"]  # type: ignore[misc]
    assert (near["number"], near["pages"], near["cost"], near["too_dear"]) == ("+49305550200", 2, 0.5, False)
    assert (far["cost"], far["too_dear"]) == (9.0, True)
    assert near["seconds"] > 16
    assert await office.acts.fax_queue(all=True) == []
    with pytest.raises(PolicyRefusal, match="would cost about 9"):
        await office.acts.fax_send(file=str(paper), to=to, user="anna")


async def test_two_hundred_recipients_in_one_mail_are_two_hundred_faxes(house: House) -> None:
    """G13: a group of the book among them, some twice, each number once; one document for all."""
    numbers = [f"+4930555{4000 + number}" for number in range(200)]
    scripts = "\n".join(f'"{number}" = "answers"' for number in numbers)
    group = "".join(f"[[fax_contact]]\nname = 'm{n}'\nnumber = '{numbers[n]}'\n" for n in range(5))
    group += "[[fax_contact]]\nname = 'all'\nmembers = ['m0', 'm1', 'm2', 'm3', 'm4', 'm0']\nshort = '9'\n"
    text = FAX.replace("channels = 4", "channels = 50")
    text = text.replace("[fax_line.options.numbers]", f"[fax_line.options.numbers]\n{scripts}")
    office = await house.start(text.replace("[fax]", "[fax]\nhead = false\nconfirm = false") + group)
    made: list[str] = []
    fax = office._parts.fax.running()
    perform = fax.pages._perform

    async def counted(operation: str, *rest: Any) -> Any:
        made.append(operation)
        return await perform(operation, *rest)

    fax.pages._perform = counted
    to = [f"FAX={number}@{GATEWAY}" for number in numbers[5:]] + [f"9@{GATEWAY}"]
    to += [f"fax={numbers[7].replace('555', '-555.')}@{GATEWAY}", f"all@{GATEWAY}"]  # once more: nobody is called twice
    await house.smtp(hands_in(to, letter("x")))
    await settled(house)
    rows = await office.store.queue.items(agent="fax", open_only=False, limit=1000)
    assert {row.state for row in rows} == {QueueState.DELIVERED}
    assert sorted(str(row.params["number"]) for row in rows) == numbers
    assert sorted(line_of(house).taken) == numbers
    assert made.count("fax-pages") == 1


def test_the_commands_write_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name that is given, for their owner alone; a place that cannot be written is told."""
    from mailshare.cli import main
    from mailshare.cli.calling import Context

    data = base64.b64encode(b"%PDF").decode()

    def ask(_: Context, operation: str, **facts: object) -> object:
        assert operation in ("fax_report", "fax_activity"), facts
        return {"name": "fax-1.pdf", "data": data, "rows": []}

    monkeypatch.setattr(Context, "ask", ask)
    out = tmp_path / "r.pdf"
    done = CliRunner().invoke(main, ["fax", "report", "1", "--out", str(out)])
    assert (done.exit_code, out.read_bytes(), out.stat().st_mode & 0o777) == (0, b"%PDF", 0o600), done.output
    done = CliRunner().invoke(main, ["fax", "activity", "--days", "3", "--out", str(out)])
    assert done.exit_code == 0
    done = CliRunner().invoke(main, ["fax", "report", "1", "--out", str(tmp_path / "no" / "r.pdf")])
    assert done.exit_code != 0
    assert "cannot be written" in done.output
