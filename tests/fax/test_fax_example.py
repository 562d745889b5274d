"""The example of an office with a fax machine runs as its first lines say."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater

from mailshare.assembly.office import Office, read_again
from mailshare.config import load_config
from tests.house import House

EXAMPLE = Path(__file__).parents[2] / "examples" / "fax_office.toml"


async def test_a_fax_to_oneself_comes_back_as_a_mail(house: House, tmp_path: Path) -> None:
    """The line of the example: a file goes out, its pages come back to ben, and anna is told."""
    path = tmp_path / "fax_office.toml"
    path.write_text(EXAMPLE.read_text().replace("8110", "0").replace("8025", "0"))
    config = load_config(str(path))
    assert not config.warnings or all("password" in str(one) for one in config.warnings)
    house.office = office = Office(config, reactor, reload_config=read_again(config, None))
    house.started.append(office)
    office.startService()
    assert office.started is not None
    await office.started
    paper = tmp_path / "letter.txt"
    paper.write_text("Dear Ben,\n\nthis came over the telephone.\n")
    await office.acts.fax_send(file=str(paper), to=["+49305550100"], user="anna")
    until = reactor.seconds() + 60
    while not (await house.mail_of("ben", "ben") and await house.mail_of("anna", "anna")):
        assert reactor.seconds() < until
        await deferLater(reactor, 0.1)
    [came] = await house.mail_of("ben", "ben")
    kinds = [part.get_content_type() for part in message_from_bytes(came).walk()]
    assert kinds == ["multipart/mixed", "text/plain", "application/pdf", "image/tiff"]
    [report] = await house.mail_of("anna", "anna")
    assert b"Fax delivered successfully. (DSN) letter.txt" in report
