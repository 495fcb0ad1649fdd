"""A document as a PDF: tagged, archivable (PDF/A-3a, PDF/UA-1), the same bytes each time.

`page_view.py` decides every word, number and date, `document.typ` how they look. What people wrote
crosses over as JSON strings and is shown as text, so no name can be read as markup.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import structlog

import tallystick
from tallystick.documents import fonts
from tallystick.documents.document import InvoiceDocument, PaymentState, Receipt
from tallystick.documents.einvoice.cii import cii
from tallystick.documents.einvoice.compose import einvoice_of
from tallystick.documents.einvoice.facturx import marked
from tallystick.documents.labels import FALLBACK, words
from tallystick.documents.line_view import View
from tallystick.documents.page_view import printed
from tallystick.documents.sheet import Sheet
from tallystick.documents.typesetting import (
    ARCHIVAL,
    FAILURES,
    compiled,
    is_drawable,
    without_glyph,
)
from tallystick.documents.writer import Writer
from tallystick.kernel.errors import Unavailable

LOCALES_CACHED_MAX: Final = 256
NO_GLYPH: Final = "\ufffd"  # what stands where no font has a letter
_UNPRINTABLE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PNG: Final = b"\x89PNG"

log = structlog.get_logger()


def render(
    document: InvoiceDocument, payment: PaymentState | None, logo: bytes | None = None
) -> bytes:
    """Return the document as PDF bytes: A4, the same bytes for the same input and fonts.

    A credit note has no payment. `logo` is a PNG or an SVG; one that can not be drawn is left out
    and logged. It is archivable and tagged for screen readers; a letter that no installed font
    can draw is printed as U+FFFD.

    It keeps one core busy for 20 ms, with 500 lines for 400; call it in a thread.
    Raises Unavailable `rendering_failed`, SetupError, UnknownLocale and UnknownCurrency.
    """
    return _rendered(document, payment, None, logo, None)


def render_receipt(document: InvoiceDocument, receipt: Receipt, logo: bytes | None = None) -> bytes:
    """Return the receipt of a payment for this invoice; as `render` does."""
    return _rendered(document, None, receipt, logo, None)


def render_facturx(
    document: InvoiceDocument, payment: PaymentState | None, logo: bytes | None = None
) -> bytes:
    """Return the document as `render` does, as a Factur-X / ZUGFeRD invoice, profile EN 16931.

    What is printed and the XML in it are of one document. Raises Conflict `einvoice_data_missing`
    besides.
    """
    xml = cii(einvoice_of(document))
    return marked(_rendered(document, payment, None, logo, xml))


def pdf_etag(pdf: bytes) -> str:
    """Return the strong ETag of these bytes, in its quotes (RFC 9110, 8.8.3)."""
    return f'"{hashlib.sha256(pdf).hexdigest()}"'


@cache
def look_version() -> bytes:
    """Return a hash of all that decides the look: a new template renders old invoices anew."""
    digest = hashlib.sha256(f"{tallystick.__version__} {fonts.versions()}".encode())
    _digest_folder(digest, files("tallystick.documents"))
    return digest.digest()


def _digest_folder(digest: "hashlib._Hash", folder: Traversable) -> None:
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.is_dir() and file.name != "__pycache__":
            _digest_folder(digest, file)
        elif file.name.endswith((".py", ".typ", ".json")):
            digest.update(file.read_bytes())


def _rendered(
    document: InvoiceDocument,
    payment: PaymentState | None,
    receipt: Receipt | None,
    logo: bytes | None,
    xml: bytes | None,
) -> bytes:
    locale = _legible(document.locale, document.currency)
    write = Writer(document.currency, locale, ZoneInfo(document.timezone))
    view = _printable(printed(Sheet(document, payment, receipt, words(locale), write)))
    countries = (document.customer.country, document.seller.country)
    inputs = {"fonts": fonts.families(document.locale, countries)}
    if xml is not None:
        inputs["xml"] = xml.decode()
    try:
        return _compile(view, inputs, logo)
    except FAILURES:  # its message quotes the customer's text, which no log should hold
        log.warning("document_drawn_again", number=document.number, account=document.account_id)
    return _compile_again(view, inputs, logo)


def _compile(view: View, inputs: Mapping[str, str], logo: bytes | None) -> bytes:
    given = {**inputs, "document": msgspec.json.encode(view).decode()}
    if logo is None:
        return compiled("document.typ", given, ARCHIVAL)
    name = "logo.png" if logo.startswith(_PNG) else "logo.svg"
    return compiled("document.typ", {**given, "logo": name}, ARCHIVAL, (name, logo))


def _compile_again(view: View, inputs: Mapping[str, str], logo: bytes | None) -> bytes:
    """Return it without the letters that have no glyph, if need be without the logo too."""
    missing = without_glyph(msgspec.json.encode(view).decode())
    if missing:
        view = _replaced(view, str.maketrans(dict.fromkeys(missing, NO_GLYPH)))
    try:
        return _compile(view, inputs, logo)
    except FAILURES as error:
        if logo is None:
            raise rendering_failed() from error
    try:
        return _compile(view, inputs, None)
    except FAILURES as error:
        raise rendering_failed() from error


def rendering_failed() -> Unavailable:
    """Return the error of a document that could not be drawn; why is in the log."""
    return Unavailable(
        "rendering_failed",
        "The document could not be drawn; it is unchanged. Try again later, and if it stays so"
        " tell whoever runs this installation to look in the log.",
    )


@lru_cache(maxsize=LOCALES_CACHED_MAX)
def _legible(locale: str, currency: str) -> str:
    """Return the locale if the fonts have its letters, else English (nobody has Tibetan)."""
    if is_drawable(Writer(currency, locale, ZoneInfo("UTC")).sample()):
        return locale
    log.warning("document_locale_without_font", locale=locale, currency=currency)
    return FALLBACK


def _printable(value: View) -> View:
    """Return the same data with a space for each control character: PDF/A and XML allow none."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(" ", value)
    return _mapped(value, _printable)


def _replaced(value: View, table: dict[int, str]) -> View:
    if isinstance(value, str):
        return value.translate(table)
    return _mapped(value, lambda item: _replaced(item, table))


def _mapped(value: View, change: Callable[[View], View]) -> View:
    if isinstance(value, list):
        return [change(item) for item in value]
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    return value
