"""Address books as Thunderbird, Google and Outlook write them: with the columns that their documents name."""

from __future__ import annotations

import pytest

from mailshare.core.book_files import decoded, read_book

THUNDERBIRD = (
    "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email,Screen Name,Work Phone,Home Phone,"
    "Fax Number,Pager Number,Mobile Number,Organization,Notes\r\n"
    'Ann,Lee,"Lee, Ann",ann,ann@lee.example,,,+49 30 1,,+49 30 5550210,,,"Lee, Ltd","two\r\nlines"\r\n'
    "Bob,,,,bob@lee.example,,,,,,,,,\r\n"
)
GOOGLE = (
    "First Name,Middle Name,Last Name,Organization Name,Labels,E-mail 1 - Label,E-mail 1 - Value,Phone 1 - Label,"
    "Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\n"
    'Ann,,Lee,"Lee, Ltd",* myContacts,Work,ann@lee.example ::: a@lee.example,Mobile,+49 170 1,Work Fax,'
    "+49 30 5550210\n"
)
GOOGLE_BEFORE = (
    "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,"
    "Organization 1 - Name\n"
    'Ann Lee,Ann,Lee,* Work,ann@lee.example,Work Fax,+49 30 5550210,"Lee, Ltd"\n'
)
OUTLOOK = (
    '"Title","First Name","Middle Name","Last Name","Suffix","Company","Job Title","Business Fax","Business Phone",'
    '"Home Fax","E-mail Address","E-mail Type"\r\n'
    '"Ms","Ann","","Lee","","Lee, Ltd","Owner","+49 30 5550210","+49 30 1","","ann@lee.example","SMTP"\r\n'
)
OUTLOOK_GERMAN = (
    '"Anrede";"Vorname";"Nachname";"Firma";"Fax geschäftlich";"E-Mail-Adresse"\r\n'
    '"Frau";"Ann";"Lee";"Lee, Ltd";"+49 30 5550210";"ann@lee.example"\r\n'
)
LDIF = (
    "dn: cn=Ann Lee,mail=ann@lee.example\r\nobjectclass: top\r\nobjectclass: person\r\n"
    "objectclass: mozillaAbPersonAlpha\r\n"
    "givenName: Ann\r\nsn: Lee\r\ncn: Ann Lee\r\nmozillaNickname: ann\r\nmail: ann@lee.example\r\no:: TGVlLCBMdGQ=\r\n"
    "facsimileTelephoneNumber: +49 30\r\n  5550210\r\n\r\n"
    "dn: cn=list\r\nobjectclass: groupOfNames\r\ncn: list\r\nmember: cn=Ann Lee,mail=ann@lee.example\r\n\r\n"
)
CARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann Lee\r\nN:Lee;Ann;;;\r\nORG:Lee\\, Ltd\r\n"
    "item1.TEL;TYPE=WORK;TYPE=FAX:+49 30 5550210\r\n"
    "EMAIL;TYPE=INTERNET:ann@lee.example\r\nPHOTO;ENCODING=B;TYPE=JPEG:/9j/4AAQ\r\n Skw==\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=B6rg=\r\n=20Maier\r\n"
    "TEL;WORK;FAX:+49 30 5550211\r\nPHOTO;ENCODING=BASE64;JPEG:/9j/4A==\r\nEMAIL:j@lee.example\r\nEND:VCARD\r\n"
)
ANN = ("Ann Lee", "Lee, Ltd", "ann@lee.example", "+49 30 5550210")


@pytest.mark.parametrize(
    ("text", "others"),
    [
        pytest.param(THUNDERBIRD.replace('"Lee, Ann"', "Ann Lee"), ["bob"], id="thunderbird"),
        pytest.param(GOOGLE, [], id="google"),
        pytest.param(GOOGLE_BEFORE, [], id="google-before"),
        pytest.param(OUTLOOK, [], id="outlook"),
        pytest.param(OUTLOOK_GERMAN, [], id="outlook-german"),
        pytest.param(LDIF, [], id="ldif"),
        pytest.param(CARD, ["j.rg.maier"], id="vcard"),
    ],
)
def test_the_same_person_comes_out_of_each(text: str, others: list[str]) -> None:
    """Name, company, mail and fax; never a telephone, and Mr or Ms is nobody's name."""
    found = read_book(text)
    first, *rest = found
    assert (first.title, first.company, first.mail, first.number.replace("  ", " ")) == ANN
    assert [one.name.partition("@")[0].partition(".lee")[0] for one in rest] == others


def test_a_picture_that_ends_in_an_equals_sign_swallows_nothing() -> None:
    """Only values that are said to be quoted-printable go on behind one."""
    assert [one.mail for one in read_book(CARD)] == ["ann@lee.example", "j@lee.example"]
    assert read_book(CARD)[1].title == "Jörg Maier"


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_files_are_read_in_what_they_are_written_in(coding: str) -> None:
    """Outlook writes what Windows writes."""
    assert decoded("Müller".encode(coding)) == "Müller"
