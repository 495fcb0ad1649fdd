"""Which fonts draw a document: those of installed packages alone, in an order by its language.

Inter for Latin, Greek and Cyrillic, Noto for the other scripts (manimgx-fonts has them as Noto
publishes them, manimgx-fonts-cjk the Han letters with the shapes of each country), and any
fontpkg package that is installed besides. All are under the SIL Open Font License, whose text
lies in each package. No system font takes part, or two machines would make two different files.
"""

from collections.abc import Sequence
from functools import cache
from importlib import metadata
from importlib.resources import files
from typing import Final

import msgspec
import typst

from tallystick.kernel.errors import SetupError

HOUSE: Final = "Inter"
FONT_GROUP: Final = (
    "fontpkg.family"  # the entry points under which font packages announce themselves
)
NOTO: Final = ("manimgx_fonts", "manimgx_fonts_cjk")
_HAN: Final = "Noto Sans CJK "
_HAN_OF_LANGUAGE: Final = {"ja": "JP", "ko": "KR", "zh": "SC"}
_HAN_OF_COUNTRY: Final = {"JP": "JP", "KR": "KR", "TW": "TC", "HK": "HK", "MO": "HK"}
# What is asked last: a big file that is read only where nothing else has the letter.
_LAST: Final = (_HAN, "Noto Sans Symbols", "Noto Emoji")


def families(locale: str, countries: Sequence[str | None]) -> str:
    """Return the families as JSON, the first one that has a letter draws it.

    One Han letter has another shape in Japan, Korea, China and Taiwan: the locale decides, where
    it does not the first of the countries.
    """
    return _families(_han(locale, countries))


def _han(locale: str, countries: Sequence[str | None]) -> str:
    language, *rest = locale.replace("-", "_").split("_")
    if language == "zh" and {"TW", "HK", "MO", "Hant"} & {*rest}:
        return _HAN_OF_COUNTRY.get(rest[-1], "TC")
    known = [_HAN_OF_COUNTRY[code] for code in countries if code in _HAN_OF_COUNTRY]
    return _HAN_OF_LANGUAGE.get(language, (*known, "SC")[0])


@cache
def _families(han: str) -> str:
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=folders()
    )

    def rank(name: str) -> tuple[bool, int, bool, str]:
        last = [place for place, begin in enumerate(_LAST, 1) if name.startswith(begin)]
        return (name != HOUSE, last[0] if last else 0, name != _HAN + han, name)

    return msgspec.json.encode(sorted(fonts.families(), key=rank)).decode()


@cache
def folders() -> list[str]:
    """Return where the fonts lie. Raises SetupError where a package of ours is missing."""
    packages = {entry.name: entry for entry in metadata.entry_points(group=FONT_GROUP)}
    if HOUSE.lower() not in packages:
        raise SetupError("font_missing", "Install the package fontpkg-inter to print invoices.")
    found = [str(files(packages[name].load())) for name in sorted(packages)]
    try:
        return found + [str(files(name)) for name in NOTO]
    except ModuleNotFoundError as error:
        name = str(error.name).replace("_", "-")
        raise SetupError(
            "font_missing", f"Install the package {name} to print invoices."
        ) from error


@cache
def versions() -> str:
    """Return what is installed, by package and version: other fonts make other files."""
    entries = metadata.entry_points(group=FONT_GROUP)
    names = {entry.dist.name for entry in entries if entry.dist} | {*NOTO}
    return " ".join(f"{name} {metadata.version(name)}" for name in sorted(names))
