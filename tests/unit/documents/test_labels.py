import string
from collections.abc import Mapping
from importlib.resources import files

import msgspec
import pytest

from tallystick.documents.labels import languages, words
from tallystick.documents.typesetting import is_drawable
from tallystick.money.errors import UnknownLocale

LANGUAGES = sorted(languages())


def table(language: str) -> Mapping[str, str]:
    file = files("tallystick.documents") / "languages" / f"{language}.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str])


def places(label: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(label) if name)


def test_there_are_labels_for_twelve_languages() -> None:
    assert (
        sorted(["en", "de", "fr", "es", "it", "nl", "pt", "pl", "ja", "zh", "ar", "he"])
        == LANGUAGES
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_says_all_that_english_says_with_the_same_values(language: str) -> None:
    english, own = table("en"), table(language)
    assert own.keys() == english.keys()
    assert {name: places(own[name]) for name in own} == {
        name: places(english[name]) for name in english
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_fonts_have_every_letter_of_the_labels(language: str) -> None:
    assert is_drawable(" ".join(table(language).values()))


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de-AT", "de"),
        ("pt_BR", "pt"),
        ("zh-CN", "zh"),
        ("zh-TW", "en"),
        ("zh-Hant", "en"),
        ("sv-SE", "en"),
        ("he-IL", "he"),
    ],
)
def test_a_locale_has_the_labels_of_its_language_else_english_ones(
    locale: str, language: str
) -> None:
    assert words(locale).language == language


def test_arabic_and_hebrew_are_read_from_right_to_left() -> None:
    rtl = [language for language in LANGUAGES if words(language).is_right_to_left]
    assert rtl == ["ar", "he"]


def test_a_locale_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownLocale):
        words("xx-Nowhere")
