"""Finance approves or rejects what customers say they paid by hand."""

from tallystick.accounts.model import Account
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.ids import show
from tallystick.money.amount import Money
from tallystick.payments import approvals, service
from tallystick.payments.approvals import ByHand
from tallystick.payments.model import PaymentStatus

from .conftest import NOW, World
from .test_staff_invoice_pages import billed

PAGE = "/staff/approvals"


async def told(world: World) -> tuple[Account, Invoice, str]:
    """Return account, invoice, and the page that decides its payment."""
    account, invoice, _ = await billed(world)
    by_hand = ByHand(
        invoice_id=invoice.invoice_id,
        method_code="bank_transfer",
        amount=Money(12500, "EUR"),
        reference="SEPA 4711",
        proof_note="receipt <12>",
    )
    async with world.services.db.transaction(WRITER) as conn:
        payment = await approvals.record_manual_payment(
            conn, account.account_id, by_hand, request_key="k", at=NOW
        )
    return account, invoice, f"{PAGE}/{show('payment', payment.payment_id)}"


async def state(world: World, account: Account, invoice: Invoice) -> tuple[Status, int]:
    async with world.services.db.transaction(account_scope(account.account_id)) as conn:
        found = await invoices.get_invoice(conn, account.account_id, invoice.invoice_id)
    return found.status, found.due.minor


async def test_a_payment_is_approved_with_what_came(world: World) -> None:
    account, invoice, page = await told(world)
    await world.enter(await world.person(staff_role="finance"))
    assert PAGE in (await world.http.get("/staff/billing")).text
    listed = (await world.http.get(PAGE)).text
    assert "SEPA 4711" in listed
    assert "receipt &lt;12&gt;" in listed
    done = await world.post(page, amount="100.00", reason="on Friday", decision="approve")
    assert done.headers["location"] == f"{PAGE}?done=approved"
    assert await state(world, account, invoice) == (Status.OPEN, 2500)
    again = await world.http.get(page)
    assert again.headers["location"] == f"{PAGE}?done=decided"
    assert "Nothing waits." in (await world.http.get(PAGE)).text


async def test_a_payment_that_never_came_is_rejected(world: World) -> None:
    account, invoice, page = await told(world)
    await world.enter(await world.person(staff_role="finance"))
    done = await world.post(page, amount="", reason="not there", decision="reject")
    assert done.headers["location"] == f"{PAGE}?done=rejected"
    assert await state(world, account, invoice) == (Status.OPEN, 12500)
    async with world.services.db.transaction(WRITER) as conn:
        assert await service.awaiting_approval(conn) == ()


async def test_what_can_not_be_decided_is_asked_again(world: World) -> None:
    account, invoice, page = await told(world)
    await world.enter(await world.person(staff_role="finance"))
    for wrong in ({"reason": " "}, {"amount": "0"}, {"amount": "much"}, {"amount": "-1"}):
        asked = {"amount": "", "reason": "x", "decision": "approve", **wrong}
        assert (await world.post(page, **asked)).status_code == 422
    assert await state(world, account, invoice) == (Status.OPEN, 12500)
    async with world.services.db.transaction(WRITER) as conn:
        (waiting,) = await service.awaiting_approval(conn)
    assert waiting.status is PaymentStatus.PENDING_APPROVAL
    await world.enter(await world.person(staff_role="support"))
    assert (await world.http.get(PAGE)).status_code == 403
