"""What the commands print of the journal: one chain, a choice of several, and trouble with the files."""

from __future__ import annotations

from mailshare.cli import screens

ONE = {"title": "0123456789abcdef <a@b>", "words": ["message 0123456789abcdef", "    -> mailbox of greg\x1b[2J"]}
IDLE = dict.fromkeys(("local_sending", "local_receiving", "outgoing", "incoming", "inbox", "outbox"), 0)


def test_one_message_is_told_whole_and_several_are_a_choice() -> None:
    """An ambiguous id lists what it may mean; control characters never reach the terminal."""
    assert list(screens.reasons([ONE])) == ["message 0123456789abcdef", "    -> mailbox of greg?[2J"]
    first, *choices = screens.reasons([ONE, {**ONE, "title": "fedcba9876543210 <a@b>"}])
    assert "ask again" in first
    assert [line.split()[0] for line in choices] == ["0123456789abcdef", "fedcba9876543210"]


def test_the_status_says_that_the_journal_cannot_be_written() -> None:
    """And says nothing of it while it can."""
    answer = {"running": True, "indicators": IDLE, "accounts": []}
    assert not any("journal" in line for line in screens.status({**answer, "journal_error": ""}))
    (line, lamps) = screens.status({**answer, "journal_error": "var/journal: No space left on device"})
    assert line.endswith("mail flows on: var/journal: No space left on device")
    assert lamps.startswith("Local sending: 0")


def test_the_status_says_that_the_store_cannot_write() -> None:
    """And says nothing of it while it can."""
    answer = {"running": True, "indicators": IDLE, "accounts": []}
    assert not any("store" in line for line in screens.status({**answer, "store_error": ""}))
    (line, _) = screens.status({**answer, "store_error": "read-only: the disk did not confirm a sync"})
    assert line == "The store cannot write, so no mail is taken: read-only: the disk did not confirm a sync"
