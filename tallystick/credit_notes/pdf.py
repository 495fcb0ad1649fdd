"""Credit notes as PDF: the same bytes for what was frozen, so nothing has to be kept."""

import hashlib
from uuid import UUID

import msgspec

from tallystick.credit_notes.service import note_document
from tallystick.documents.document import InvoiceDocument, encode
from tallystick.documents.files import beside_the_loop
from tallystick.documents.pdf import look_version, render
from tallystick.issuers import service as issuers
from tallystick.kernel.db import Connection


class PrintableNote(msgspec.Struct, frozen=True):
    """A note that can be drawn; `etag` is strong: it stands for document, picture and look."""

    document: InvoiceDocument
    logo: bytes | None
    etag: str

    async def draw(self) -> bytes:
        """Return the PDF, drawn in a thread; raises Unavailable `rendering_failed`."""
        return await beside_the_loop(lambda: render(self.document, None, self.logo))


async def printable_note(conn: Connection, account_id: UUID, credit_note_id: UUID) -> PrintableNote:
    """Return what is printed of a note; raises NotFound."""
    document = await note_document(conn, account_id, credit_note_id)
    logo = (await issuers.get_logo(conn, document.logo)).content if document.logo else None
    digest = hashlib.sha256(look_version())
    digest.update(encode(document))
    return PrintableNote(document, logo, f'"{digest.hexdigest()}"')
