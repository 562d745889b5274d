"""What the configuration says about wrong files."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from attrs import fields

from mailshare.config import BrokenConfig, Problem, load_config, parse_config
from mailshare.core import sorting_options
from mailshare.core.provider_options import PROVIDER_OPTIONS, ProviderOptions

SIX = """\
[server]
hostnam = "x"
data = "var"

[listen]
pop3 = [
  "tcp:8110:interface=127.0.0.1",
  "tcp:99500",
]

[limits]
recipients = 5

[[account]]
address = "mail@company.example"
collect = "pop4://x"
timetable = [{ days = "mon-fro", from = "07:00", to = "19:00", every = 5 }]

[[user]]
name = "andrew"
accounts = ["mail@compny.example"]
"""


def problems(text: str, tmp_path: Path) -> list[Problem]:
    with pytest.raises(BrokenConfig) as caught:
        parse_config(text, str(tmp_path / "mailshare.toml"))
    return [problem for problem in caught.value.problems if not problem.warning]


def test_six_mistakes_are_all_named_with_their_lines(tmp_path: Path) -> None:
    """Nobody shall mend a file mistake by mistake."""
    found = {(problem.line, problem.key) for problem in problems(SIX, tmp_path)}
    assert found == {
        (2, "server.hostnam"),
        (8, "listen.pop3[1]"),
        (12, "limits.recipients"),
        (16, "account[0].collect"),
        (17, "account[0].timetable[0].days"),
        (21, "user[0].accounts[0]"),
    }


def test_a_problem_shows_its_line_a_caret_and_a_hint(tmp_path: Path) -> None:
    """The text alone is enough to find and mend it."""
    first = problems(SIX, tmp_path)[0]
    assert str(first).splitlines() == [
        "mailshare.toml:2: server.hostnam: unknown key",
        '    hostnam = "x"',
        "    ^",
        "    did you mean 'hostname'?",
    ]


_KEYED = '[[destination]]\nname = "a"\naddress = "p@b.example"\nkey_id = "k"\nkey = { env = "K" }\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[server\n", 1, "is not TOML"),
        (_KEYED + 'signature = "EdDSA"\nencrypt = true\n', 7, "needs a shared secret"),
        (_KEYED + 'printer_key = "AAAA"\n', 6, "a shared secret signs both ways"),
        (_KEYED + 'signature = "EdDSA"\nprinter_key = "AAAA"\n', 7, "is no Ed25519 public key"),
        ("# deep\n[" + "a." * 9000 + "b]\n", 2, "more than 20 names"),
        ("[listen]\npop3s = ['tcp:995']\n", 2, "TLS from the first octet"),
        ("[listen]\npop3 = ['tls:/nowhere:8110']\n", 2, "does not exist"),
        ("[listen]\nsubmission = ['tcp:587']\n", 2, "needs STARTTLS"),
        ("[listen]\npop3 = ['tcp:8110']\nsmtp = ['tcp:8110']\n", 3, "already taken"),
        ("[listen]\npop3 = ['carrier:8110']\n", 2, "no kind of listener"),
        ("[listen]\npop3 = 'tcp:8110'\n", 2, "is not a list"),
        ("[trusted]\nnetworks = ['10.0.0.1/8']\n", 2, "not a network"),
        ("[server]\nzone = 'Europe/Berlim'\n", 2, "not a time zone"),
        ("[server]\nhostname = 'a b'\n", 2, "not a host name"),
        ("[store]\nurl = 'postgresql://x'\n", 2, "no PostgreSQL"),
        ("[server]\nfrom_policy = 'enforced'\n", 2, "did you mean 'enforce'"),
        ("[log]\ndays = true\n", 2, "not a whole number"),
        ("[[user]]\nnames = ['x']\n", 1, "name is missing"),
        ("[[user]]\nname = 'ADMIN3'\n", 2, "reserved"),
        ("[[user]]\nname = 'a b'\n", 2, "cannot be a login"),
        ("[[user]]\nname = 'a'\n[[user]]\nname = 'A'\n", 4, "declared twice"),
        ("[[user]]\nname = 'a'\ncc = ['a']\n", 3, "own cc list"),
        ("[[user]]\nname = 'a'\ncc = ['b']\n", 3, "no [[user]] here"),
        ("[[user]]\nname = 'a'\npassword = { env = 'X', file = 'y' }\n", 3, "exactly one of"),
        ("[[user]]\nname = 'a'\npassword = { file = 'absent' }\n", 3, "cannot be read"),
        ("[[account]]\naddress = 'mail'\n", 2, "no domain"),
        ("[[account]]\naddress = 'mail@x.example'\nmode = 'domain'\n", 3, "needs domains"),
        ("[[account]]\naddress = 'm@x.example'\ncollect = 'submissions://x@y.example'\n", 3, "smtp is not for this"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { folders = 'INBOX' }\n", 3, '"automatic", or a list'),
        ("[[account]]\naddress = 'm@x.example'\noptions = { folders = ['A', { role = 'junk' }] }\n", 3, "is no folder"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { folders = [{ name = 'A', role = 'x' }] }\n", 3, "role 'x'"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { folders = ['inbox', 'INBOX'] }\n", 3, "twice"),
        ("[[account]]\naddress = 'mail@x.example'\npassword = { hash = '$argon2id$' }\n", 3, "password itself"),
        ("[[account]]\naddress = 'm@x.example'\ntimetable = [{ from = '25:00' }]\n", 3, "not a time of day"),
        ("[[account]]\naddress = 'm@x.example'\ntimetable = [{ evry = 3 }]\n", 3, "unknown key"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { tag_work = true }\n", 3, "did you mean 'tags_work'"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { unknown = 'drop' }\n", 3, "none of reject"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { max_size = 'big' }\n", 3, "a whole number, 0 or more"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { session_messages = 0 }\n", 3, "1 or more"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { look_sooner = 'no' }\n", 3, "true or false"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { prefix_map = { '(' = 'x' } }\n", 3, "not a pattern"),
        ("[[account]]\naddress = 'm@x.example'\ncollect = 'pop.isp.example'\n", 3, "write pop3s://login@host"),
        ("[[account]]\naddress = 'm@x.example'\nrelay = 'pop3s://isp.example'\n", 3, "write submissions://login@host"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { public_rate = 'ten' }\n", 3, "a whole number"),
        ("[[account]]\naddress = 'm@x.example'\noptions = { ignore_names = 7 }\n", 3, "a list of texts"),
        ("[[account]]\naddress = 'm@x.example'\ntimetable = { every = 3 }\n", 3, "write [{ ... }]"),
        ("[[user]]\nname = 'a'\npassword = ''\n", 3, "the password is empty"),
        ("[listen]\nsmtp = ['tcp:25:interface=300.1.1.1']\n", 2, "not an address of this machine"),
        ("[listen]\npop3 = ['tcp:8110:interface=127.0.0.1']\nsmtp = ['tcp:8110']\n", 3, "already taken"),
        ("[listen]\npop3 = ['tcp:8110']\n[demonstration]\nisp = true\npop3 = 8110\n", 5, "already taken"),
        ("[server]\nhostname = mail.office.example\n", 2, "texts stand in quotes"),
        ("[[user]]\nname = 'a'\n[user]\n", 3, "two brackets"),
        ("[[fax_line]]\nname = 'x'\n", 1, "kind is missing"),
        ("[[fax_line]]\nname = 'x'\nkind = 'lop'\n", 3, "did you mean 'loop'?"),
        ("[[fax_line]]\nname = 'x'\nkind = 'loop'\noptions = { pace = 1 }\n", 4, "no option of the kind loop"),
        ("[fax]\ntolls = ['premum']\n", 2, "did you mean 'premium'?"),
        ("[fax]\ncountry = 'Germany'\n", 2, "two letters"),
        ("[[fax_contact]]\nname = 'x'\nmembers = ['y']\n", 3, "is none of"),
        ("[[fax_route]]\nto = ['a b']\n", 2, "neither a login name nor a mail address"),
        ("[[printer]]\nname = 'x'\n", 1, "device is missing"),
        ("[[printer]]\nname = 'x'\ndevice = 'dir:x'\nallow = ['@']\n", 4, "is no domain"),
        ("[[printer]]\nname = 'x'\ndevice = 'dir:x'\naddresses = ['a b']\n", 4, "is no mail address"),
        ("[[printer]]\nname = 'x'\ndevice = 'dir:x'\nkeys = [{ id = 'k' }]\n", 4, "either a shared secret or"),
        ("[[printer]]\nname = 'x'\ndevice = 'dir:x'\nkeys = [{ id = 'k', public = 'eA==' }]\n", 4, "no Ed25519"),
        ("[printr]\nname = 'x'\n", 1, "unknown key"),
        ("[account]\naddress = 'm@x.example'\n", 1, "two brackets"),
    ],
)
def test_each_kind_of_mistake_is_named_where_it_is(text: str, line: int, words: str, tmp_path: Path) -> None:
    """Every check points at its line with a sentence that says what is wrong."""
    (problem,) = problems(text, tmp_path)
    assert (problem.line, words in str(problem)) == (line, True), str(problem)


def test_every_option_of_sorting_is_known() -> None:
    """What the core reads may be written, and nothing else."""
    from mailshare.config import checks

    read = set(re.findall(r'get\("(\w+)"', inspect.getsource(sorting_options)))
    assert set(checks._OPTIONS) == read


def test_every_option_towards_the_provider_is_known() -> None:
    """The list of names is that of the fields that are read."""
    assert set(PROVIDER_OPTIONS) == {one.name for one in fields(ProviderOptions)}


def test_a_password_file_open_to_others_is_refused(tmp_path: Path) -> None:
    """A secret that everybody can read is none."""
    secret = tmp_path / "andrew"
    secret.write_text("x\n")
    secret.chmod(0o644)
    (problem,) = problems("[[user]]\nname = 'a'\npassword = { file = 'andrew' }\n", tmp_path)
    assert "chmod 600" in problem.text


@pytest.mark.parametrize("password", ["'x'", "{ env = 'NO_SUCH_VARIABLE_HERE' }", "{ credential = 'x' }"])
def test_what_works_but_is_unwise_or_cannot_be_seen_from_here_is_a_warning(password: str, tmp_path: Path) -> None:
    """A literal password works; variables and credentials may be there when the server starts."""
    config = parse_config(f"[[user]]\nname = 'a'\npassword = {password}\n", str(tmp_path / "m.toml"))
    assert [(one.line, one.warning) for one in config.warnings] == [(3, True)]


def test_folders_of_a_pop3_account_are_a_warning(tmp_path: Path) -> None:
    """They are read when the account is changed to IMAP; until then they do nothing."""
    text = "[[account]]\naddress = 'm@x.example'\ncollect = '{}://m@x.example'\noptions = {{ folders = ['INBOX'] }}\n"
    found = parse_config(text.format("pop3s"), str(tmp_path / "m.toml")).warnings
    assert ["POP3 has one folder" in one.text for one in found] == [True]
    assert parse_config(text.format("imaps"), str(tmp_path / "m.toml")).warnings == ()


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """No traceback for a wrong path."""
    with pytest.raises(BrokenConfig, match="cannot be read: No such file"):
        load_config(str(tmp_path / "absent.toml"))


def test_mistakes_in_a_long_file_are_found_quickly_and_rightly(tmp_path: Path) -> None:
    """The line is right in a file of thousands of lines, and nothing but its own table is searched."""
    users = "".join(f"[[user]]\nname = 'u{number}'\nnames = ['User {number}']\n\n" for number in range(1280))
    found = problems(users + "[[user]]\nname = 'x'\nenabled = 'yes'\n", tmp_path)
    assert [(problem.line, problem.key) for problem in found] == [(1280 * 4 + 3, "user[1280].enabled")]


def test_a_rule_needs_an_account_and_users_that_are_there(tmp_path: Path) -> None:
    """Every mistake in a [[rule]] is named by its key, with the likely word."""
    (tmp_path / "m.toml").write_text(
        '[[account]]\naddress = "mail@company.example"\n[[user]]\nname = "greg"\n'
        '[[rule]]\naccount = "mial@company.example"\nmatch = "a@b.example"\nusers = ["gregg", "public1"]\n'
        '[[rule]]\naccount = "mail@company.example"\nmatch = "A@b.example"\nkind = "form"\nusers = ["greg"]\n'
        '[[rule]]\naccount = "mail@company.example"\nmatch = "c@b.example"\n'
        '[[rule]]\naccount = "mail@company.example"\nmatch = "C@b.example"\nusers = ["greg"]\n'
        '[[rule]]\nusers = ["greg"]\n'
    )
    with pytest.raises(BrokenConfig) as caught:
        load_config(str(tmp_path / "m.toml"))
    text = str(caught.value)
    for words in ("mial@company.example", "did you mean 'greg'", "form", "needs users", "declared twice"):
        assert words in text, text
    assert "'public1'" not in text


def test_two_listeners_may_share_a_port_on_different_addresses(tmp_path: Path) -> None:
    """Only the same address, or one that means all of them, is in the way."""
    text = "[listen]\npop3 = ['tcp:8110:interface=127.0.0.1']\nsmtp = ['tcp:8110:interface=127.0.0.2']\n"
    assert parse_config(text, str(tmp_path / "m.toml")).warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[device]]\nname = 'a'\nnetworks = ['192.168.1.300']\nuser = 'x'", "is not a network"),
        ("[[device]]\nname = 'a'\nnetworks = []\nuser = 'x'", "needs an address"),
        ("[[device]]\nname = 'a'\nnetworks = ['10.0.0.1']\nuser = 'x'\nrecipients = ['boss']", "is no recipient"),
        ("[[device]]\nname = 'a'\nuser = 'x'", "networks is missing"),
        ("[[user]]\nname = 'a'\nforward = ['b']", "has no domain"),
        ("[[user]]\nname = 'a'\nlocal_only = true\nforward = ['b@x.example']", "cannot forward to the outside"),
        ("[[user]]\nname = 'a'\nforward = ['m@c.example']\n[[account]]\naddress = 'm@c.example'", "of this office"),
        ("[[user]]\nname = 'a'\nquota = -1", "too small"),
    ],
)
def test_mistakes_about_devices_and_mailboxes_are_named(text: str, words: str, tmp_path: Path) -> None:
    """Each in a sentence of its own."""
    with pytest.raises(BrokenConfig, match=words):
        parse_config(text, str(tmp_path / "m.toml"))


def test_a_device_of_nobody_is_a_warning(tmp_path: Path) -> None:
    """It may be somebody whom a command made; a typing error is shown all the same."""
    text = "[trusted]\ndevices = { '192.168.1.77' = 'scaner' }\n[[user]]\nname = 'scanner'\nenabled = false\n"
    (warning,) = parse_config(text, str(tmp_path / "m.toml")).warnings
    assert (warning.line, "did you mean 'scanner'?" in str(warning)) == (2, True)


@pytest.mark.parametrize("text", ["[[account]]\naddress = 5", "[[user]]\nname = 5", "[[rule]]\naccount = 5\nmatch = 5"])
def test_a_required_text_of_another_kind_is_a_mistake_with_its_line(text: str, tmp_path: Path) -> None:
    """Not an error of this program: the key, the line and what was expected are told."""
    found = problems(text + "\n", tmp_path)
    assert any(problem.line == 2 and "is not a text in quotes" in problem.text for problem in found)


def test_fax_names_and_numbers_that_cannot_be_meant_are_warned_of(tmp_path: Path) -> None:
    """People of the store are not known here, so only what looks like a slip of one of this file is named."""
    text = """
[server]
hostname = "mail.office.example"
[[user]]
name = "anna"
password = { env = "NOWHERE" }
[fax]
country = "DE"
senders = ["ana", "anna", "somebody", "*"]
[[fax_line]]
name = "line"
kind = "loop"
numbers = ["030555", "+4930555", "*"]
"""
    told = [(one.text, one.hint) for one in parse_config(text, str(tmp_path / "m.toml")).warnings]
    assert ("ana is no [[user]] of this file", "did you mean 'anna'?") in told
    assert [words for words, _ in told if "somebody" in words or "no [[user]]" in words] == [
        "ana is no [[user]] of this file"
    ]
    assert [words.split()[0] for words, _ in told if "has no plus" in words] == ["030555"]
