"""Finance gives a payment back from the page of its invoice."""

from tallystick.accounts.model import Account
from tallystick.credit_notes import refunds
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id, show
from tallystick.money.amount import Money
from tallystick.payments import booking, store
from tallystick.payments.model import Part, Payment, PaymentStatus

from .conftest import NOW, World
from .test_staff_invoice_pages import billed


async def paid(world: World) -> tuple[Account, Invoice, str, str]:
    """Return account, invoice, its page, and the page that gives its payment back."""
    account, invoice, path = await billed(world)
    payment = Payment(
        account_id=account.account_id, payment_id=new_id(), request_key="k", gateway="manual",
        payment_method_id=None, currency="EUR", amount_minor=12500,
        status=PaymentStatus.PENDING_APPROVAL, reference="T-1", failure_code=None, note=None,
        next_attempt_at=None, created_at=NOW, settled_at=None,
        parts=(Part(invoice.invoice_id, 12500),),
    )  # fmt: skip
    async with world.services.db.transaction(WRITER) as conn:
        await store.insert(conn, payment)
        await booking.succeed(conn, payment, Money(12500, "EUR"), "T-1", NOW)
    base = path.rsplit("/invoices/", 1)[0]
    return account, invoice, path, f"{base}/payments/{show('payment', payment.payment_id)}/refund"


async def test_a_payment_is_given_back_in_part_with_a_reason(world: World) -> None:
    account, invoice, path, refund = await paid(world)
    await world.enter(await world.person(staff_role="finance"))
    assert refund in (await world.http.get(path)).text
    form = (await world.http.get(refund)).text
    assert "€125.00 of the payment can be given back" in form
    told = {"key": "k1", "left": "12500", "amount": "25.00", "reason": "Late"}
    done = await world.post(refund, **told)
    assert done.headers["location"] == f"{path}?done=refund"
    after = (await world.http.get(done.headers["location"])).text
    assert "what became of its refund" in after
    assert "pay it back by hand" in after
    async with world.services.db.transaction(WRITER) as conn:
        (wish,) = await refunds.refunds_of_invoice(conn, account.account_id, invoice.invoice_id)
    assert wish.amount.minor == 2500


async def test_what_can_not_be_given_back_is_asked_again(world: World) -> None:
    account, invoice, _, refund = await paid(world)
    await world.enter(await world.person(staff_role="finance"))
    good = {"key": "k1", "left": "12500", "amount": "1.00", "reason": "x"}
    for wrong, status, words in (
        ({"amount": "125.01"}, 409, "Only 12500"),
        ({"amount": "<b>"}, 422, "&lt;b&gt;"),
        ({"amount": "0"}, 422, "1 or more"),
        ({"reason": " "}, 422, "characters"),
        ({"key": ""}, 422, "open the page again"),
        ({"left": "1"}, 409, "look at it again"),
    ):
        answer = await world.post(refund, **{**good, **wrong})
        assert answer.status_code == status
        assert words in answer.text
    async with world.services.db.transaction(WRITER) as conn:
        found = await refunds.refunds_of_invoice(conn, account.account_id, invoice.invoice_id)
    assert found == ()
    await world.enter(await world.person(staff_role="support"))
    assert (await world.http.get(refund)).status_code == 403
