"""Everything that the manager says is there in French and German, and the same facts stand in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_twisted

from mailshare.web.catalogues import LOCALES, Catalogue, Entry, read_entries
from mailshare.web.languages import FIELDS, LANGUAGES, Language, language_of
from tests.web.conftest import House
from tests.web.gathered_words import Said, bare_words, gathered
from tests.web.test_manager_pages import SCREENS

OTHERS = [tag for tag in LANGUAGES if tag != "en"]
_PLACES = re.compile(r"\{\d\}|%\(\w+\)s|</?\w+>")
_HOW = "run `python -m tests.web.gathered_words`, then fill in the empty msgstr of mailshare/web/locale/*/*.po"


def entries(language: str) -> dict[str, Entry]:
    """All catalogues of a language together."""
    return {
        one.one: one
        for path in sorted((Path(LOCALES) / language).glob("*.po"))
        for one in read_entries(path.read_text("utf-8"))
    }


@pytest.fixture(scope="module")
def said() -> dict[str, Said]:
    return {text: one for catalogue in gathered().values() for text, one in catalogue.items()}


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_the_manager_is_translated(language: str, said: dict[str, Said]) -> None:
    """In templates, in the code of the pages, and in what the rooms behind them refuse or tell."""
    known = entries(language)
    missing = [
        f"{one.where} says {text!r}, which has no {language} translation"
        for text, one in said.items()
        if text not in known or not all(known[text].said) or known[text].many != one.many
    ]
    assert not missing, f"{_HOW}\n" + "\n".join(missing)


def test_no_words_stand_in_a_template_outside_of_the_catalogues() -> None:
    """Neither as text nor in an attribute that is read out: they go into ``{{ _("...") }}``."""
    bare = [f'{one.where} has the words {one.text!r}; write {{{{ _("...") }}}} around them' for one in bare_words()]
    assert not bare, "\n".join(bare)


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_places_and_marks_of_its_sentence(language: str) -> None:
    """What is put in is put in in every language, and markup that stands in a sentence stays the same."""
    for one in entries(language).values():
        for text, form in zip((one.one, one.many or one.one), one.said * 2, strict=False):
            assert set(_PLACES.findall(form)) == set(_PLACES.findall(text)), one


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_left_in_a_catalogue_that_nobody_says(language: str, said: dict[str, Said]) -> None:
    """So that translators do not work for nothing."""
    assert not [one for one in entries(language) if one not in said], _HOW


def test_a_sentence_of_another_room_is_known_again_with_its_facts() -> None:
    """The most telling shape wins; facts are put where the language wants them; unknown sentences stay."""
    french = Catalogue(
        [
            Entry("There is no {1}", "", ("Il n'y a pas de {1}",)),
            Entry("There is no user {1} in {2}", "", ("Dans {2}, pas d'utilisateur {1}",)),
            Entry("the store is full", "", ("la base est pleine",)),
        ]
    )
    there = "Dans mail@isp.example, pas d'utilisateur greg"
    assert french.sentence("There is no user greg in mail@isp.example") == there
    assert french.sentence("There is no thing") == "Il n'y a pas de thing"
    assert french.sentence("a@b.example: the store is full; 550 no") == "a@b.example: la base est pleine; 550 no"
    assert french.sentence("The weather is fine") == "The weather is fine"
    assert french.sentence("There is no {1}{2}") == "Il n'y a pas de {1}{2}"


def test_a_mistake_is_told_by_the_words_beside_its_field() -> None:
    """Not by the name of the setting, in English neither; other words before a colon stay."""
    english, french, _ = _languages()
    assert english.told("quota: -5 is too small; the least is 0") == (
        "Octets the mailbox may hold; 0 = no bound: -5 is too small; the least is 0"
    )
    forward = french.told("forward[0]: 'x' has no domain; write mail@company.example")
    assert forward.startswith("Transféré à l’extérieur, à: 'x' n’a pas de domaine")
    two = french.told("threshold: -1 is too small; the least is 0; domains[0]: '!!' is not a domain")
    assert two.endswith("le minimum est 0; Domaines, pour un domaine entier: '!!' n’est pas un domaine")
    assert english.told("550: no such user") == "550: no such user"


def test_every_field_has_the_words_that_stand_beside_it(said: dict[str, Said]) -> None:
    """The same as in the templates, so that they are found on the page."""
    assert not [words for words in FIELDS.values() if words not in said]


def test_looking_for_a_sentence_takes_no_longer_for_a_hostile_one() -> None:
    """Parts are looked for once, from left to right: nothing is tried again and again."""
    many = Catalogue([Entry("{1}: {2}, {3}; {4} x", "", ("{1}{2}{3}{4}",))])
    hostile = ": , ; " * 300
    assert many.sentence(hostile + "y") == hostile + "y"
    assert many.sentence(": " * 100_000).startswith(": : ")


def _languages() -> Iterator[Language]:
    for tag in LANGUAGES:
        yield Language(tag, ZoneInfo("Europe/Berlin"), lambda: 1_795_000_000_000_000)


def test_dates_numbers_and_sizes_are_written_as_the_language_writes_them() -> None:
    """In the server's zone, on 24 hours, with how long ago and the distance from UTC beside it."""
    english, french, german = _languages()
    moment = "2026-11-18T11:03:06Z"
    assert [one.local(moment) for one in (english, french, german)] == [
        "2026-11-18 12:03:06", "18/11/2026 12:03:06", "18.11.2026 12:03:06",
    ]  # fmt: skip
    assert [one.size(3_412_345) for one in (english, french, german)] == ["3.4\xa0MB", "3,4\xa0Mo", "3,4\xa0MB"]
    assert [one.number(12_345) for one in (english, french, german)] == ["12,345", "12\u202f345", "12.345"]
    assert german.day("2026-11-18") == "18.11.2026"
    assert german.day("<b>") == "<b>"
    assert german.local("") == ""
    ahead = Language("de", UTC, lambda: 1_795_000_000_000_000)
    assert ahead.ago("2026-11-18T11:03:06Z").endswith("(UTC+00:00)")
    assert ahead.ago("2027-01-01T00:00:00Z").startswith("in ")
    assert french.ago("2026-01-01T00:00:00Z").startswith("il y a ")


def test_one_of_something_is_said_otherwise_than_several() -> None:
    """French counts nothing as one, German and English as several."""
    english, french, german = _languages()
    words = ("%(n)s message", "%(n)s messages")
    assert [english.counted(*words, n) for n in (0, 1, 2)] == ["0 messages", "1 message", "2 messages"]
    assert [french.counted(*words, n) for n in (0, 1, 2)] == ["0 message", "1 message", "2 messages"]
    assert [german.counted(*words, n) for n in (0, 1, 2)] == ["0 Nachrichten", "1 Nachricht", "2 Nachrichten"]


@pytest.mark.parametrize(
    ("chosen", "accepted", "spoken"),
    [
        ("fr", "de", "fr"),
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "en;q=0.3, fr-CA;q=0.7", "fr"),
        ("", "it,es;q=0.9", "en"),
        ("", "fr;q=0", "en"),
        ("", "fr;q=nan, de;q=1e9", "en"),
        ("<script>", "," * 5000, "en"),
    ],
)  # fmt: skip
def test_the_language_is_the_chosen_one_or_the_one_liked_best(chosen: str, accepted: str, spoken: str) -> None:
    """By weight and not by place; what is not spoken here is passed over."""
    assert language_of(chosen, accepted) == spoken


@pytest_twisted.ensureDeferred
async def test_a_browser_reads_the_language_it_asks_for_and_may_choose_another(house: House) -> None:
    """By its header, before anybody logs in; by a button in the page; kept for whoever is logged in."""
    browser, stranger = await house.admin(), house.browser()
    page = await stranger.get("/login", Accept_Language="de-DE,de;q=0.9")
    assert '<html lang="de"' in page.text
    assert "Passwort verloren?" in page.text
    chosen = await stranger.post("/language", {"language": "fr"}, Referer="http://x/login")
    assert chosen.header("Location") == "/login"
    assert stranger.cookie == "ms-language=fr"
    assert '<html lang="fr"' in (await stranger.get("/login", Accept_Language="de")).text
    await browser.post("/language", {"language": "fr"})
    assert "Tableau de bord" in (await browser.get("/")).text
    assert (await browser.post("/language", {"language": "xx"})).code == 303
    refused = await browser.post("/users/new", {"name": "eve adams"})
    assert "ne peut pas être un identifiant" in refused.text
    assert (await browser.post("/language", {"language": "en"}, Origin="http://evil.example")).code == 403


@pytest_twisted.ensureDeferred
@pytest.mark.parametrize("language", OTHERS)
async def test_every_screen_is_shown_in_every_language(house: House, language: str) -> None:
    """With its tag, and without a word of the English navigation."""
    browser = await house.admin()
    await browser.post("/settings/mine", {"language": language, "theme": ""})
    for path in SCREENS:
        page = await browser.get(path)
        assert page.code == 200, path
        assert f'<html lang="{language}"' in page.text, path
        assert not re.search(r">\s*(Dashboard|Save|Users|Add|Delete)\s*<", page.text), path
