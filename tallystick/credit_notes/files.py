"""Credit notes as files: drawn when first read, and again when they become void."""

from uuid import UUID

import msgspec

from tallystick.credit_notes import file_store
from tallystick.credit_notes.model import Status
from tallystick.credit_notes.service import get_note, note_document
from tallystick.documents.document import PaymentState
from tallystick.documents.files import DocumentFile, Form, Printable, drawn
from tallystick.invoices.files import logo_of
from tallystick.kernel.db import Database, account_scope


class NoteFile(msgspec.Struct, frozen=True):
    """A note's file, and the number by which it is named."""

    number: str
    file: DocumentFile


async def note_file(
    db: Database, account_id: UUID, credit_note_id: UUID, form: Form = "pdf"
) -> NoteFile:
    """Return the note as a file, kept until it becomes void or pages get a new look.

    It is drawn between two transactions, as invoices are. Raises NotFound, Conflict
    `einvoice_data_missing`, Unavailable `rendering_failed`.
    """
    async with db.transaction(account_scope(account_id)) as conn:
        note = await get_note(conn, account_id, credit_note_id)
        document = await note_document(conn, account_id, credit_note_id)
        state = PaymentState("void") if note.status is Status.VOID else None
        wanted = Printable(document, state, form)
        file = await file_store.find(conn, account_id, credit_note_id, form, wanted.source)
        logo = None if file else await logo_of(conn, document)
    if file is None:
        file = await drawn(wanted, logo)
        async with db.transaction(account_scope(account_id)) as conn:
            await file_store.save(
                conn, account_id, credit_note_id, file, form=form, source=wanted.source
            )
    return NoteFile(document.number, file)
