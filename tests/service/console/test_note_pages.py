"""The account sees its credit notes: in a list, and on the invoice."""

from typing import TYPE_CHECKING

from tallystick.credit_notes import service
from tallystick.credit_notes.model import NewNote
from tallystick.documents.document import Party
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.money.amount import Money

from .conftest import NOW

if TYPE_CHECKING:
    from .conftest import World


async def test_a_note_stands_in_the_list_and_on_its_invoice(world: "World") -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "member")))
    assert "There is no credit note" in (await world.http.get("/billing/credit-notes")).text
    async with world.services.db.transaction(WRITER) as conn:
        draft = one_off_draft(
            account, "one_off", Money(1000, "EUR"), description="Work", code="work", at=NOW
        )
        invoice = await issue_one_off(conn, account, draft, seller=Party("Seller"), at=NOW)
        new = NewNote(invoice_id=invoice.invoice_id, reason="duplicate")
        note = await service.issue(conn, account.account_id, new, NOW)
    listed = (await world.http.get("/billing/credit-notes")).text
    assert note.number is not None
    assert note.number in listed
    assert "€10.00 off the amount due" in listed
    page = (await world.http.get(f"/billing/invoices/{show('invoice', invoice.invoice_id)}")).text
    assert note.number in page
    assert "-€10.00" in page
