"""The words on a page in the languages of `languages/`, one JSON file a language.

English has every label; what another language lacks is said in English. A language that has no
file is English altogether. "zh" is simplified Chinese: who writes traditional gets English.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import msgspec
from babel import Locale
from babel.core import UnknownLocaleError

from tallystick.money.errors import UnknownLocale

FALLBACK: Final = "en"
LOCALES_CACHED_MAX: Final = 256
_OTHER_SCRIPT: Final = {"zh": "Hant"}


class Words(msgspec.Struct, frozen=True):
    """The labels of one language, and the way in which it is written."""

    language: str
    labels: Mapping[str, str]
    is_right_to_left: bool

    def __getitem__(self, name: str) -> str:
        return self.labels[name]


@lru_cache(maxsize=LOCALES_CACHED_MAX)
def words(locale: str) -> Words:
    """Return the labels for a locale ("de-AT"). Raises UnknownLocale."""
    try:
        wanted = Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError) as error:
        raise UnknownLocale(
            f"{locale[:32]!r} is not a known locale; send one such as de-DE."
        ) from error
    language = wanted.language
    is_other_script = wanted.script is not None and _OTHER_SCRIPT.get(language) == wanted.script
    if language not in languages() or is_other_script:
        language = FALLBACK
    direction = Locale.parse(language).text_direction
    return Words(language, {**_table(FALLBACK), **_table(language)}, direction == "rtl")


@cache
def languages() -> frozenset[str]:
    """Return the languages that have labels, by ISO 639-1."""
    names = (file.name for file in (files("tallystick.documents") / "languages").iterdir())
    return frozenset(name.removesuffix(".json") for name in names if name.endswith(".json"))


@cache
def _table(language: str) -> Mapping[str, str]:
    file = files("tallystick.documents") / "languages" / f"{language}.json"
    return msgspec.json.decode(file.read_bytes(), type=dict[str, str])
