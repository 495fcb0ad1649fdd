"""The account's credit notes; their files are in `downloads.py`."""

from typing import Final

from litestar import get

from tallystick.accounts.model import Account
from tallystick.api.answers import pagination
from tallystick.api.credit_note_answers import NoteAnswer, NoteList, note_answer
from tallystick.api.services import Services
from tallystick.credit_notes import service
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.paging import PageRequest

TAGS: Final = ["Credit notes"]
READ: Final = {"permission": "billing:read"}


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


ACCOUNT_ROUTES: Final = (list_credit_notes, read_credit_note)
