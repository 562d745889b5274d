"""Tables of people: what spreadsheets write is understood, and what is written is read again."""

from __future__ import annotations

import pytest

from mailshare.core.people_files import WRITTEN, read_people, text_of, written_people

_USER = {
    "name": "andrew", "names": ["Andrew Smith", "Andy"], "accounts": ["mail@company.example"], "cc": ["greg"],
    "enabled": True, "quota": 1000, "quota_messages": 0, "forward": ["a@far.example"], "local_only": False,
}  # fmt: skip


@pytest.mark.parametrize("mark", ["\t", ";", ","])
def test_lines_without_headings_are_login_name_and_password(mark: str) -> None:
    """Whatever parts the cells; lines keep their numbers over empty ones and over a cell of several lines."""
    found = read_people(f'ann{mark}Ann Lee\n\nbob{mark}"Bob\nBrown"{mark}secret\ncarl\n')
    assert [(one.line, one.facts) for one in found] == [
        (1, {"name": "ann", "full_name": "Ann Lee"}),
        (3, {"name": "bob", "full_name": "Bob\nBrown", "password": "secret"}),
        (5, {"name": "carl"}),
    ]
    (quoted,) = read_people(f'ann{mark} "Lee{mark} Ann"{mark} secret')
    assert quoted.facts == {"name": "ann", "full_name": f"Lee{mark} Ann", "password": "secret"}


def test_headings_say_what_a_column_sets() -> None:
    """In any order; what is wrong is told of its line, and the other lines stand."""
    found = read_people("enabled;login;quota;copies\nno;ann;500;greg, eve\nperhaps;bob;1;\nyes;carl;much;\nyes;;1;\n")
    assert found[0].facts == {"enabled": False, "name": "ann", "quota": 500, "cc": ["greg", "eve"]}
    assert [one.fault for one in found] == [
        "", "'perhaps' is neither yes nor no", "'much' is no number; 0 = no bound", "The login is missing",
    ]  # fmt: skip
    assert "There is no column 'shoes'" in read_people("login,shoes\nann,42\n")[0].fault
    assert "more than 3 columns" in read_people("ann,Ann,secret,more\n")[0].fault


def test_what_is_written_is_read_again() -> None:
    """All that can be set but the password; no cell is a formula to a program for tables."""
    (back,) = read_people(written_people([_USER]))
    assert back.facts == {
        "name": "andrew", "full_name": "Andrew Smith", "names": ["Andy"], "accounts": ["mail@company.example"],
        "cc": ["greg"], "enabled": True, "quota": 1000, "quota_messages": 0, "forward": ["a@far.example"],
        "local_only": False,
    }  # fmt: skip
    assert written_people([]).strip() == ",".join(WRITTEN)
    assert "andrew, =1+1," in written_people([{**_USER, "names": ["=1+1"]}])


def test_files_of_windows_and_of_spreadsheets_are_text() -> None:
    """A mark of its beginning, and letters in the code page of Windows."""
    assert text_of("\ufeffann,Änn".encode()) == "ann,Änn"
    assert text_of("ann,Änn".encode("cp1252")) == "ann,Änn"
    assert read_people("ann\x00,x")[0].line == 1
    assert read_people("") == read_people("\n;;\n") == []
