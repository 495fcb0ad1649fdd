"""A document as a file, in each form in which it can be had, drawn beside the event loop."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final, Literal, TypeAlias, get_args

import msgspec
import structlog

from tallystick.documents.document import InvoiceDocument, PaymentState, encode
from tallystick.documents.einvoice.cii import cii
from tallystick.documents.einvoice.compose import einvoice_of
from tallystick.documents.einvoice.ubl import ubl
from tallystick.documents.pdf import (
    look_version,
    pdf_etag,
    render,
    render_facturx,
    rendering_failed,
)
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError

Form: TypeAlias = Literal["pdf", "facturx", "cii", "ubl", "peppol"]
"""The page; the page with its XML in it; the XML alone in three forms (`peppol` is UBL too)."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)
PDF: Final = "application/pdf"
XML: Final = "application/xml"

log = structlog.get_logger()


class DocumentFile(msgspec.Struct, frozen=True):
    """The bytes of a document and their strong ETag, in its quotes."""

    content: bytes
    etag: str


class Printable(msgspec.Struct, frozen=True):
    """All that a file is made of. A credit note has no payment but that it is void."""

    document: InvoiceDocument
    payment: PaymentState | None
    form: Form = "pdf"

    @property
    def source(self) -> bytes:
        """Return a hash of it all, and of what decides the look: equal ones make equal files."""
        state = msgspec.json.encode((self.form, self.payment))
        digest = hashlib.sha256(look_version())
        digest.update(state)
        digest.update(encode(self.document))
        return digest.digest()


async def drawn(wanted: Printable, logo: bytes | None) -> DocumentFile:
    """Return the file, made in a thread: 20 ms a page. `logo` is the picture the document names.

    Raises Unavailable `rendering_failed`, Conflict `einvoice_data_missing` (all forms but `pdf`).
    """
    content = await beside_the_loop(lambda: _content(wanted, logo))
    return DocumentFile(content, pdf_etag(content))


async def beside_the_loop(draw: Callable[[], bytes]) -> bytes:
    """Return what is drawn in a thread; whatever goes wrong there is one clear error.

    Raises Unavailable `rendering_failed`, and the domain's own errors as they are.
    """
    try:
        return await asyncio.to_thread(draw)
    except (TallystickError, MoneyError):
        raise
    except Exception as error:
        log.exception("document_not_drawn")
        raise rendering_failed() from error


def _content(wanted: Printable, logo: bytes | None) -> bytes:
    document = wanted.document
    match wanted.form:
        case "pdf":
            return render(document, wanted.payment, logo)
        case "facturx":
            return render_facturx(document, wanted.payment, logo)
        case "cii":
            return cii(einvoice_of(document))
        case "ubl":
            return ubl(einvoice_of(document))
        case "peppol":
            return ubl(einvoice_of(document, "peppol"), "peppol")
