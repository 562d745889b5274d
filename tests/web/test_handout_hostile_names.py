"""Whatever somebody is called: no file that is handed out breaks, and nothing of a name becomes a setting."""

from __future__ import annotations

import configparser
import json
import plistlib
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st

from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.web.handout import (
    FORMATS,
    Certificate,
    Door,
    Handout,
    Identity,
    autodiscover,
    fetchmail,
    getmail,
    mobileconfig,
    mpop,
    msmtp,
    page,
    render,
    slip,
    thunderbird,
    user_autoconfig,
)
from mailshare.web.handout.description import Authority

HOST = "mail.office.example"
DOORS = (
    Door(protocol="pop3", host=HOST, port=995, tls="implicit"),
    Door(protocol="smtp", host=HOST, port=465, tls="implicit"),
)
GREG = Handout(
    hostname=HOST,
    login="greg",
    display_name="Greg",
    identities=(Identity(Address("mail", "company.example"), ("Greg <mail@company.example>",)),),
    doors=DOORS,
    certificate=Certificate(names=(HOST,), authority=Authority(b"root", "CN=Office\n[options]\ndelete = true")),
)
names = st.text(max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"; rm -rf / #',
        "]]>&amp;<!--",
        "\u202egreg\u202c",
        "greg\npassword stolen\r\n",
        "Gr\udce9g",
        "\x00\x1b[31m",
        "\ufffe\uffff",
        "*/ user_pref('a', 1); //",
        "a\u2028b\u2029c\x85d",
    ]
)
exact_texts = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"]), min_size=1, max_size=40
)


def visible(text: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in text)


def settings_of(text: str) -> list[str]:
    """The lines that a program acts on."""
    return [line for line in text.splitlines() if not line.lstrip().startswith(("#", ";", "//"))]


@given(names)
@example("<script>")
def test_any_name_goes_through_every_form(name: str):
    """XML and property lists parse back to the harmless name; other files keep the settings that they have for Greg."""
    handout = evolve(GREG, display_name=name)
    assert visible(handout.name)
    root = ET.fromstring(user_autoconfig(handout).encode())
    assert root[0].findtext("displayName") == handout.name
    answer = ET.fromstring(autodiscover(handout).encode())
    assert [one.text for one in answer.iter() if one.tag.endswith("}DisplayName")] == [handout.name]
    profile = plistlib.loads(mobileconfig(handout).encode())
    assert profile["PayloadContent"][0]["EmailAccountName"] == handout.name
    for form in ("msmtp", "mpop", "fetchmail", "getmail", "srv"):
        assert settings_of(render(handout, form).text) == settings_of(render(GREG, form).text)
    assert json.loads(render(handout, "page").text) == page(handout)
    for form in FORMATS:
        text = render(handout, form).text
        assert text.encode()
        assert all(visible(line) for line in text.replace("\t", " ").split("\n"))


@given(exact_texts)
@example("a<b>&'\"]]>")
@example("#%$\\")
def test_any_login_arrives_as_it_is(login: str):
    """Quotes, backslashes, markup and 8-bit in a login are written so that each format gives the same login back."""
    handout = evolve(GREG, login=login)
    provider = ET.fromstring(user_autoconfig(handout).encode())[0]
    assert {one.text for one in provider.iter("username")} == {login}
    answer = ET.fromstring(autodiscover(handout).encode())
    assert {one.text for one in answer.iter() if one.tag.endswith("}LoginName")} == {login}
    profile = plistlib.loads(mobileconfig(handout).encode())
    assert profile["PayloadContent"][0]["IncomingMailServerUsername"] == login
    assert profile["PayloadIdentifier"].isascii()
    for made in (msmtp(handout), mpop(handout)):
        (line,) = [one for one in made.split("\n") if one.startswith("user ")]
        assert line == f'user "{login}"'
    prefs = dict(
        json.loads(f"[{line.removeprefix('user_pref(').removesuffix(');')}]")
        for line in thunderbird(handout).split("\n")
        if line.startswith("user_pref(")
    )
    assert prefs["mail.server.server1.userName"] == prefs["mail.smtpserver.smtp1.username"] == login
    assert thunderbird(handout).split("\n")[-2].isascii()


def unescaped(text: str) -> str:
    """What fetchmail reads between quotes: a backslash, x and two digits are an octet."""
    assert text.isascii()
    octets, place = bytearray(), 0
    while place < len(text):
        if text[place] == "\\":
            assert text[place + 1] == "x"
            octets.append(int(text[place + 2 : place + 4], 16))
            place += 4
        else:
            assert text[place] != '"'
            octets.append(ord(text[place]))
            place += 1
    return octets.decode()


@given(exact_texts, exact_texts)
def test_fetchmail_gets_login_and_password_back(login: str, password: str):
    """Its quoting by octets loses nothing and ends nowhere early."""
    text = fetchmail(evolve(GREG, login=login), password=password)
    lines = dict(line.strip().split(" ", 1) for line in text.splitlines() if line.startswith(("  user", "  password")))
    assert unescaped(lines["user"][1:-1]) == login
    assert unescaped(lines["password"][1:-1]) == password


@given(exact_texts, exact_texts)
def test_getmail_gets_login_and_password_back_or_nothing(login: str, password: str):
    """Read as getmail reads it; what its file cannot hold (blanks at the ends) is refused."""
    handout = evolve(GREG, login=login)
    if login != login.strip() or password != password.strip():
        with pytest.raises(PeerFault, match="blanks"):
            getmail(handout, password=password)
        return
    parser = configparser.RawConfigParser()
    parser.read_string(getmail(handout, password=password))
    assert dict(parser["retriever"])["username"] == login
    assert dict(parser["retriever"])["password"] == password
    assert parser.sections() == ["retriever", "destination", "options"]


@pytest.mark.parametrize(
    "hidden", ["\n", "\r", "\x00", "\u202e", "\u200b", "\x85", "\u2028", "\ud800", "\uffff", "\x7f"]
)
def test_exact_values_with_hidden_characters_are_refused(hidden: str):
    """A login, password or file name with a line end in it would become a setting of its own."""
    with pytest.raises(PeerFault, match="login"):
        evolve(GREG, login=f"a{hidden}b")
    for form in ("mobileconfig", "msmtp", "mpop", "fetchmail", "getmail"):
        with pytest.raises(PeerFault):
            render(GREG, form, password=f"a{hidden}b")
    for form in ("msmtp", "mpop", "fetchmail", "getmail"):
        with pytest.raises(PeerFault):
            render(GREG, form, authority=f"/a{hidden}b")


@pytest.mark.parametrize("host", ["", "a b", "a\nb", "<script>", 'a"b', "[192.0.2.1]", "a/b", "-"])
def test_host_names_are_host_names(host: str):
    """What is no host name never comes into a file."""
    with pytest.raises(ConfigFault, match="not a host name"):
        evolve(GREG, hostname=host)
    with pytest.raises(ConfigFault, match="not a host name"):
        evolve(DOORS[0], host=host)


def test_too_long_for_a_program_is_refused():
    """Long lines are cut by msmtp and mpop; half a password would be refused by the server again and again."""
    for form in ("msmtp", "mpop"):
        with pytest.raises(PeerFault, match="too long"):
            render(GREG, form, password="p" * 500)
    assert "p" * 500 in render(GREG, "getmail", password="p" * 500).text


@given(names)
def test_usable_addresses_are_shown_without_tricks(name: str):
    """They come from names of users, and go into pages and onto paper."""
    identity = Identity(Address("mail", "company.example"), (f"{name} <mail@company.example>",))
    handout = evolve(GREG, identities=(identity,))
    assert visible(slip(handout).replace("\n", ""))
    assert all(visible(one) for row in page(handout)["addresses"] for one in row["usable"])
