"""The account's credit notes, and their PDF."""

from typing import Any, Final

from litestar import Request, Response, get

from tallystick.accounts.model import Account
from tallystick.api.answers import pagination
from tallystick.api.conditional import etag_matches
from tallystick.api.credit_note_answers import NoteAnswer, NoteList, note_answer
from tallystick.api.services import Services
from tallystick.credit_notes import service
from tallystick.credit_notes.pdf import printable_note
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.paging import PageRequest

TAGS: Final = ["Credit notes"]
READ: Final = {"permission": "billing:read"}
PDF_ANSWERS: Final = {
    "200": {
        "description": "The credit note.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@get("/credit-notes", opt=READ, tags=TAGS, summary="Credit notes")
async def list_credit_notes(services: Services, account: Account, paging: PageRequest) -> NoteList:
    """List the account's credit notes, newest first."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_notes(conn, account.account_id, paging)
    base = services.settings.public_url
    answers = [note_answer(note, base) for note in found.items]
    return NoteList(answers, pagination(found), found.total)


@get("/credit-notes/{credit_note_id:str}", opt=READ, tags=TAGS, summary="A credit note")
async def read_credit_note(credit_note_id: str, services: Services, account: Account) -> NoteAnswer:
    """Return one credit note with its lines and taxes."""
    wanted = ids.parse("credit_note", credit_note_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        note = await service.get_note(conn, account.account_id, wanted)
    return note_answer(note, services.settings.public_url)


@get(
    "/credit-notes/{credit_note_id:str}/pdf",
    opt={**READ, "responses": PDF_ANSWERS},
    tags=TAGS,
    summary="A credit note as PDF",
)
async def read_credit_note_pdf(
    credit_note_id: str, request: Request[Any, Any, Any], services: Services, account: Account
) -> Response[bytes]:
    """Return the PDF; with `If-None-Match` and nothing changed, 304 without drawing it."""
    wanted = ids.parse("credit_note", credit_note_id)
    known = request.headers.get("if-none-match", "").encode()
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        printable = await printable_note(conn, account.account_id, wanted)
    headers = {"Cache-Control": "private, no-cache", "ETag": printable.etag}
    if known and etag_matches(known, printable.etag.encode()):
        return Response(b"", status_code=304, headers=headers)
    name = printable.document.number
    headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    return Response(await printable.draw(), media_type="application/pdf", headers=headers)


ACCOUNT_ROUTES: Final = (list_credit_notes, read_credit_note, read_credit_note_pdf)
