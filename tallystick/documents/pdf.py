"""An invoice as a PDF: tagged, archivable (PDF/A-3a, PDF/UA-1), the same bytes each time.

`pdf_view.py` decides every word, number and date, `invoice.typ` how they look. What people wrote
crosses over as JSON strings and is shown as text, so no name can be read as markup.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
import structlog
import typst

from tallystick.documents.document import InvoiceDocument, PaymentState
from tallystick.documents.pdf_view import LANGUAGE, View, Writer, printed
from tallystick.kernel.errors import SetupError

Standard: TypeAlias = Literal["a-3a", "a-3b", "ua-1"]
ARCHIVAL: tuple[Standard, ...] = ("a-3a", "ua-1")
FONT = "Inter"
FONT_GROUP = "fontpkg.family"  # the entry points under which font packages announce themselves
LOCALES_CACHED_MAX = 256
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

log = structlog.get_logger()
_one_at_a_time = Lock()  # a typst compiler refuses a second caller with "Already borrowed"


def render(document: InvoiceDocument, payment: PaymentState) -> bytes:
    """Return the invoice as PDF bytes: A4, the same bytes for the same input and fonts.

    It is archivable and tagged for screen readers. Where somebody's text has a character that no
    installed font can draw this is impossible: then it is a plain tagged PDF 1.7 with a box in
    its place, and the log says `invoice_pdf_not_archival`. Numbers and dates are never boxes:
    where the fonts do not suffice for the locale they are written in English.

    It keeps one core busy for 20 ms, with 500 lines for 400; call it in a thread.
    Raises SetupError when the font package is missing, UnknownLocale and UnknownCurrency.
    """
    zone = ZoneInfo(document.timezone)
    locale = _legible(document.locale, document.currency)
    view = printed(document, payment, Writer(document.currency, locale, zone))
    inputs = {"invoice": msgspec.json.encode(_printable(view)).decode()}
    try:
        return _compile("invoice.typ", inputs, ARCHIVAL)
    except typst.TypstError:  # its message quotes the customer's text, which no log should hold
        log.warning(
            "invoice_pdf_not_archival", number=document.number, account_id=document.account_id
        )
        return _compile("invoice.typ", inputs, ())


def pdf_etag(pdf: bytes) -> str:
    """Return the strong ETag of these bytes, in its quotes (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(pdf).hexdigest()}"'


@lru_cache(maxsize=LOCALES_CACHED_MAX)
def _legible(locale: str, currency: str) -> str:
    """Return the locale if the fonts have its letters, else English (Japanese needs 年 and ￥)."""
    sample = Writer(currency, locale, ZoneInfo("UTC")).sample()
    try:
        _compile("glyphs.typ", {"sample": sample}, ("a-3b",))
    except typst.TypstError:
        log.warning("invoice_locale_without_font", locale=locale, currency=currency)
        return LANGUAGE
    return locale


def _compile(template: str, inputs: Mapping[str, str], standards: Sequence[Standard]) -> bytes:
    with _one_at_a_time:
        pdf = _compiler().compile(
            _templates() / template,
            format="pdf",
            sys_inputs={**inputs, "fonts": _font_names()},
            pdf_standards=[*standards],
            timestamp=0,  # never the clock: the template dates the file by the day of issue
        )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no bytes for a PDF")
    return pdf


@cache
def _compiler() -> typst.Compiler:
    """Return the compiler with its fonts read, 30 ms of work: one for the life of the process.

    No system font takes part, or two machines would make two different files. Typst brings a few
    fonts of its own (among them some for Hebrew and Arabic), asked where the packages have none.
    """
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=_font_folders()
    )
    return typst.Compiler(root=_templates(), font_paths=fonts, ignore_system_fonts=True)


@cache
def _font_names() -> str:
    """Return the families of the installed packages as JSON, the house font first."""
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=_font_folders()
    )
    return msgspec.json.encode(sorted(fonts.families(), key=lambda name: name != FONT)).decode()


def _font_folders() -> list[str]:
    packages = {entry.name: entry for entry in entry_points(group=FONT_GROUP)}
    if FONT.lower() not in packages:
        raise SetupError("font_missing", "Install the package fontpkg-inter to print invoices.")
    return [str(files(packages[name].load())) for name in sorted(packages)]


def _templates() -> Path:
    return Path(str(files("tallystick.documents")))


def _printable(value: View) -> View:
    """Return the same data with a space for each control character: PDF/A and XML allow none."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return value
