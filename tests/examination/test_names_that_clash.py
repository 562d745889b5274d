"""Names that are traps for each other: words of others' names, orders, titles, scripts, several people in one."""

import pytest

from tests.examination.conftest import HOP, Examiner
from tests.examination.harbour import BOX, EVERYBODY, HARBOUR, SHARED

HEBREW = "דוד כהן"
WHOLE = [
    ("Max <{}>", "max name-L1"),
    ("mAX  sTONE <{}>", "max name-L1"),
    ("Maxine <{}>", "maxine name-L1"),
    ("Maxi Stone <{}>", "ADMIN unknown-name"),
    ("Stone <{}>", "ADMIN ambiguous"),
    ("MaxStone <{}>", "ADMIN unknown-name"),
    ("max_stone <{}>", "max name-L3"),
    ("Jean-Luc Martin <{}>", "jeanluc name-L1"),
    ("Jean Luc Martin <{}>", "jeanluc name-L3"),
    ("Martin, Jean-Luc <{}>", "jeanluc name-L3"),
    ('"Martin, Jean-Luc" <{}>', "jeanluc name-L3"),
    ("Jean-Luc <{}>", "ADMIN unknown-name"),
    ("Martin Jean <{}>", "martin name-L1"),
    ("Jean Martin <{}>", "martin name-L3"),
    ("Martin <{}>", "martin name-L1"),
    ("Park <{}>", "park name-L1"),
    ("Kim Park <{}>", "kim name-L1"),
    ("Park Kim <{}>", "kim name-L3"),
    ("Min-jun Park <{}>", "park name-L3"),
    ("Kim Min-jun Park <{}>", "ADMIN ambiguous"),
    ("Wei Li <{}>", "wei name-L1"),
    ("Li Wei <{}>", "liwei name-L1"),
    ('"Li, Wei" <{}>', "ADMIN ambiguous"),
    ("Wei <{}>", "wei name-L1"),
    ("Li <{}>", "ADMIN ambiguous"),
    ("Will May <{}>", "will name-L1"),
    ("May Will <{}>", "may name-L1"),
    ('"May, Will" <{}>', "ADMIN ambiguous"),
    ("Will you read this <{}>", "ADMIN ambiguous"),
    ("José Núñez <{}>", "jose name-L1"),
    ("Jose Nunez <{}>", "jose2 name-L1"),
    ("JOSE NUÑEZ <{}>", "ADMIN ambiguous"),
    ('"Nunez, Jose" <{}>', "ADMIN ambiguous"),
    ("Jose <{}>", "jose name-L1"),
    ("R&D <{}>", "rd name-L1"),
    ('"R & D" <{}>', "ADMIN unknown-name"),
    ("Accounts Payable <{}>", "accounts name-L1"),
    ("Accounts Receivable <{}>", "accounts name-L4"),
    ("Invoice <{}>", "accounts name-L1"),
    ("Old Gone Girl <{}>", "ADMIN former-user"),
    ("Girl, Gone <{}>", "ADMIN former-user"),
    ("Side, Inna <{}>", "ADMIN local-only"),
]
TITLES = [
    ("Mr Martin <{}>", "ADMIN ambiguous"),  # Monsieur Jean-Luc Martin is meant as likely as the login
    ("Dr. Park <{}>", "ADMIN ambiguous"),
    ("Dr. Kim <{}>", "kim name-L4"),
    ("Frau Stone <{}>", "ADMIN ambiguous"),
    ("M. Stone <{}>", "ADMIN unknown-name"),
    ("Herr Stone, Max <{}>", "max name-L4"),
    ("Prof. Dr. Max Stone, MBA <{}>", "max name-L4"),
    ("Attn Max <{}>", "max name-L4"),
    ("Attn: Max <{}>", "max name-L1"),
    ("Dear Max Stone <{}>", "max name-L4"),
    ("Max Power <{}>", "max name-L4"),
    ("Kim Wei <{}>", "ADMIN ambiguous"),
    ("Kim's assistant <{}>", "ADMIN unknown-name"),
    ("Max via Kim <{}>", "max name-L4"),
    ("Max - Harbour Office <{}>", "max name-L4"),
    ('"Max @ Harbour" <{}>', "max name-L4"),
    ("Harbour Office <{}>", "ADMIN no-name"),
    ('"Harbour Office (Max)" <{}>', "ADMIN unknown-name"),
    ("harbour   OFFICE <{}>", "ADMIN no-name"),
    ('"max@elsewhere.example" <{}>', "ADMIN unknown-name"),
    ('"Max <max@elsewhere.example>" <{}>', "max name-L4"),
    ("ADMIN Office <{}>", "ADMIN unknown-name"),
    ("Desk <{}>", "ADMIN no-name"),
    ("Hello <{}>", "ADMIN no-name"),
]
SEVERAL = [
    ("Max, Kim <{}>", "kim name-L1, max name-L1"),
    ("Max, Kim, Wei <{}>", "kim name-L1, max name-L1, wei name-L1"),
    ("Max and Kim <{}>", "kim name-L1, max name-L1"),
    ("Max und Kim <{}>", "kim name-L1, max name-L1"),
    ("Max + Kim <{}>", "kim name-L1, max name-L1"),
    ("Max / Kim <{}>", "kim name-L1, max name-L1"),
    ('"Max; Kim" <{}>', "kim name-L1, max name-L1"),
    ("Max; Kim <{}>", "kim name-L1"),  # a semicolon outside quotes ends a recipient
    ("Max or Kim <{}>", "ADMIN ambiguous"),
    ("Max c/o Kim <{}>", "ADMIN ambiguous"),
    ("R&D, Max <{}>", "max name-L1, rd name-L1"),
    ("R&D & Max <{}>", "max name-L1, rd name-L1"),
    ("Max, Harbour Ltd <{}>", "max name-L1"),
    ('"Max, Harbour Ltd" <{}>', "max name-L1"),
    ('"Stone, Max; Park, Kim" <{}>', "kim name-L3, max name-L3"),  # and not Park, whose login stands in it
    ('"Stone, Max & Park, Kim" <{}>', "kim name-L3, max name-L3"),
    ("Max Stone, Maxine Stone <{}>", "max name-L1, maxine name-L1"),
    ("Max and Maxine Stone <{}>", "max name-L1, maxine name-L1"),
    ("Max, nobody@far.example, Kim <{}>", "kim name-L1"),
    ("Max <x@far.example>, Kim <{}>", "kim name-L1"),
    ("Kim <{0}>, Max <{0}>", "kim name-L1, max name-L1"),
    ("Kim <{0}>, KIM <hello@harbour.example>", "kim name-L1"),
    ("Kim <{0}>, Stone <{0}>", "kim name-L1"),
    ("Team: Max <{0}>, Kim <{0}>;", "kim name-L1, max name-L1"),
    ("Team: Max, Kim <{}>;", "kim name-L1, max name-L1"),
    ("Max, Team: Kim <{}>;", "kim name-L1"),
    ("Kim Park & Max Stone & Nobody <{}>", "kim name-L1, max name-L1"),
    ("PUBLIC <{}>", EVERYBODY),
    ("Public Affairs, Max <{}>", "max name-L1"),
]
SCRIPTS = [
    ("İbrahim Işık <{}>", "ibrahim name-L1"),
    ("Ibrahim Isik <{}>", "ibrahim name-L2"),
    ("Isik, Ibrahim <{}>", "ibrahim name-L3"),
    ("Eva Strauss <{}>", "strauss name-L1"),
    ("EVA STRAUẞ <{}>", "strauss name-L1"),
    ("Νίκος Παππάς <{}>", "nikos name-L1"),
    ("ΝΙΚΟΣ ΠΑΠΠΑΣ <{}>", "nikos name-L2"),
    ("Nikos Pappas <{}>", "nikos name-L4"),
    ("Nguyen Van An <{}>", "an name-L2"),
    ("Văn An Nguyễn <{}>", "an name-L3"),
    ("An Nguyen <{}>", "an name-L4"),
    (f"{HEBREW} <{{}}>", "david name-L1"),
    (f"\u200f{HEBREW}\u200f <{{}}>", "david name-L1"),
    (f"\u2067{HEBREW}\u2069 <{{}}>", "david name-L1"),
    ("כהן דוד <{}>", "david name-L3"),
    ("\u202eenots xaM\u202c <{}>", "ADMIN unknown-name"),
    ("Kim\u200bPark <{}>", "ADMIN unknown-name"),
    ("Kim\u2028Park <{}>", "kim name-L1"),
    ("Kim\u3000Park <{}>", "kim name-L1"),
    ("\u2066Max\u2069 <{}>", "max name-L1"),
    ("M\U000e0061ax <{}>", "max name-L1"),
    ("Max\ufe0f <{}>", "max name-L2"),
    ("𝐊𝐢𝐦 <{}>", "kim name-L1"),
    ("Ⓚⓘⓜ <{}>", "kim name-L1"),
    ("Кim <{}>", "ADMIN unknown-name"),
    ("K\u0301im <{}>", "kim name-L2"),
    ("Kim\u3164 <{}>", "ADMIN unknown-name"),
    ("Max 🚢 <{}>", "max name-L4"),
    ("🚢 <{}>", "ADMIN unknown-name"),
    ("田中\u3000太郎 <{}>", "tanaka name-L1"),
    ("太郎 田中 <{}>", "tanaka name-L3"),
    ("田中太郎 <{}>", "ADMIN unknown-name"),
    ("田中 <{}>", "ADMIN unknown-name"),
]


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office that shares one address."""
    return Examiner(SHARED, HARBOUR)


@pytest.mark.parametrize(("to", "expected"), [*WHOLE, *TITLES, *SEVERAL, *SCRIPTS])
def test_names_that_clash_3_1(office: Examiner, to: str, expected: str):
    """The right person by the right level; whoever might be somebody else as well is ADMIN's."""
    assert office.ask(f"{HOP}From: x@far.example\nTo: {to.format(BOX)}") == expected


@pytest.mark.parametrize(
    ("to", "answers", "expected"),
    [
        ("Stone <{}>", "max", "max ledger"),
        ("Stone <{}>", "kim", "kim ledger"),
        ('"Nunez, Jose" <{}>', "jose2", "jose2 ledger"),
        ("JOSE NUÑEZ <{}>", "jose2", "jose2 ledger"),
        ("Mr Martin <{}>", "max", "max ledger"),
        ("Maxine <{}>", "max", "maxine name-L1"),
        ("desk+maxine@harbour.example", "max", "maxine tag"),
        ("Gone Girl <{}>", "max", "max ledger"),
        ("Maxine, Nobody <{}>", "max", "maxine name-L1"),
        ("Li, Wei, Kim <{}>", "kim", "kim name-L1, wei name-L1"),
    ],
)
def test_the_ledger_parts_and_never_overrules_3_1_5(office: Examiner, to: str, answers: str, expected: str):
    """Between several of one name who asked gets the answer; against a clear name the ledger says nothing."""
    text = f"{HOP}From: x@far.example\nTo: {to.format(BOX)}\nIn-Reply-To: <{answers}-1@office.example>"
    assert office.ask(text) == expected
