"""The compiler of typst: one for the life of the process, one document at a time."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Final, Literal, TypeAlias

import typst

from tallystick.documents import fonts

Standard: TypeAlias = Literal["a-3a", "a-3b", "ua-1"]
ARCHIVAL: Final[tuple[Standard, ...]] = ("a-3a", "ua-1")
FAILURES: Final = (RuntimeError, OSError)  # what typst raises, its TypstError among it
TEMPLATES: Final = ("document.typ", "glyphs.typ")
LETTERS_CACHED_MAX: Final = 4096
PROBES_MAX: Final = 200  # tries in which letters without a glyph are found; 3 ms each
_PLAIN: Final = frozenset(map(chr, range(0x20, 0x250)))  # Latin, which the house font has
_NEVER: Final = (
    "Cc",
    "Cs",
    "Co",
    "Cn",
)  # controls, halves, private use, unassigned: PDF/A has none
_one_at_a_time = Lock()  # a typst compiler refuses a second caller with "Already borrowed"


def compiled(
    template: str,
    inputs: Mapping[str, str],
    standards: Sequence[Standard],
    picture: tuple[str, bytes] | None = None,
) -> bytes:
    """Return a template filled with the inputs, as PDF. Raises `FAILURES`.

    `picture` is a file name and its bytes, there for the template while it compiles: as an input
    it would have to be text, which costs 35 ms for 350 KB.
    """
    with _one_at_a_time:
        folder = _folder()
        if picture:
            (folder / picture[0]).write_bytes(picture[1])
        try:
            pdf = _compiler().compile(
                folder / template,
                format="pdf",
                sys_inputs=dict(inputs),
                pdf_standards=[*standards],
                timestamp=0,  # never the clock: the template dates the file by the day of issue
            )
        finally:
            if picture:
                (folder / picture[0]).unlink()
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no bytes for a PDF")
    return pdf


def without_glyph(text: str) -> frozenset[str]:
    """Return the letters of the text that no installed font can draw."""
    unusual = sorted({*text} - _PLAIN - {"\n"})
    never = {letter for letter in unusual if unicodedata.category(letter) in _NEVER}
    asked = "".join(letter for letter in unusual if letter not in never)
    return frozenset(never) | _missing(asked)


def is_drawable(text: str) -> bool:
    """Tell whether the installed fonts have all letters of the text."""
    try:
        compiled("glyphs.typ", {"sample": text, "fonts": fonts.families("en", ())}, ("a-3b",))
    except FAILURES:
        return False
    return True


@lru_cache(maxsize=LETTERS_CACHED_MAX)
def _missing(letters: str) -> frozenset[str]:
    """Return those that can not be drawn, by halves; beyond the bound all the rest counts so."""
    missing: set[str] = set()
    left = [letters] if letters else []
    for _ in range(PROBES_MAX):
        if not left:
            break
        part = left.pop()
        if is_drawable(part):
            continue
        if len(part) == 1:
            missing.add(part)
        else:
            left += [part[: len(part) // 2], part[len(part) // 2 :]]
    return frozenset(missing.union(*left))


@cache
def _compiler() -> typst.Compiler:
    """Return the compiler with its fonts read, 40 ms of work."""
    found = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=fonts.folders()
    )
    return typst.Compiler(root=_folder(), font_paths=found, ignore_system_fonts=True)


@cache
def _room() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tallystick-documents-")


def _folder() -> Path:
    """Return a folder that goes with the process: the templates, and room for a logo.

    They are put there again where a machine sweeps its old files while the process runs.
    """
    folder = Path(_room().name)
    folder.mkdir(exist_ok=True)
    for name in TEMPLATES:
        if not (folder / name).is_file():
            (folder / name).write_bytes((files("tallystick.documents") / name).read_bytes())
    return folder
