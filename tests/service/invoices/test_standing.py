"""Whether a subscription is paid for: it expires, falls behind, and catches up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices.biller import bill_now
from tallystick.invoices.events import INVOICE_FINALIZED, INVOICE_PAID
from tallystick.invoices.model import Invoice
from tallystick.invoices.service import settle
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id
from tallystick.kernel.outbox import Teller
from tallystick.payments import booking, store
from tallystick.payments.events import PAYMENT_FAILED
from tallystick.payments.model import Part, Payment, PaymentStatus
from tallystick.pricing.model import FlatPrice
from tallystick.subscription_events import SubscriptionEvents
from tallystick.subscription_standing import Standings
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Status, Subscription

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
DUE = BEGAN + timedelta(days=14)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def begin(world: World, **start: Any) -> tuple[Account, Subscription]:
    """An account on a plan of 31 a month in advance, with its first invoice due on the 15th."""
    account = await world.account()
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(31), billing="in_advance")
    plan = await world.plan([fee], f"p{new_id().hex[-6:]}")
    async with world.db.transaction(WRITER) as conn:
        made = await subscriptions.subscribe(conn, account, plan, BEGAN, Start(**start))
        named = account.account_id, made.subscription_id
        on = await bill_now(conn, *named, now=BEGAN, seller=SELLER)
    await tell(world, BEGAN)
    return account, on


async def tell(world: World, now: datetime) -> None:
    events = SubscriptionEvents(world.db, lambda: now)
    handlers = {
        INVOICE_PAID: events.on_invoice_paid,
        INVOICE_FINALIZED: events.on_invoice_finalized,
        PAYMENT_FAILED: events.on_payment_failed,
    }
    await Teller(world.db, handlers).run_due(datetime(2126, 1, 1, tzinfo=UTC))


async def standing(world: World, one: Subscription, now: datetime) -> Status:
    await tell(world, now)
    while await Standings(world.db, SELLER, lambda: now).run_due(now, None):
        pass
    async with world.db.transaction(WRITER) as conn:
        found = await subscriptions.get_subscription(conn, one.account_id, one.subscription_id)
    return found.status


async def pay(world: World, account: Account, at: datetime) -> None:
    invoice: Invoice = (await world.invoices(account))[-1]
    async with world.db.transaction(WRITER) as conn:
        await settle(conn, account.account_id, invoice.invoice_id, invoice.due, at)


async def wish(world: World, account: Account, status: PaymentStatus) -> Payment:
    invoice: Invoice = (await world.invoices(account))[-1]
    payment = Payment(
        account_id=account.account_id, payment_id=new_id(),
        request_key=f"k{new_id()}", gateway="manual", payment_method_id=None,
        currency=invoice.currency, amount_minor=invoice.due.minor,
        status=status, reference="r", failure_code=None, note=None,
        next_attempt_at=None, created_at=BEGAN, settled_at=None,
        parts=(Part(invoice.invoice_id, invoice.due.minor),),
    )  # fmt: skip
    async with world.db.transaction(WRITER) as conn:
        assert await store.insert(conn, payment)
    return payment


async def decline(world: World, account: Account, code: str = "card_declined") -> None:
    payment = await wish(world, account, PaymentStatus.PENDING_APPROVAL)
    async with world.db.transaction(WRITER) as conn:
        await booking.fail(conn, payment, code, hard=False)


async def test_an_unpaid_invoice_lets_it_fall_behind_on_its_due_date_until_it_is_paid(
    world: World,
) -> None:
    account, one = await begin(world)
    assert await standing(world, one, DUE - timedelta(seconds=1)) is Status.ACTIVE
    assert await standing(world, one, DUE) is Status.PAST_DUE
    assert await standing(world, one, DUE + timedelta(days=1)) is Status.PAST_DUE
    await pay(world, account, DUE + timedelta(days=2))
    assert await standing(world, one, DUE + timedelta(days=2)) is Status.ACTIVE


async def test_what_is_paid_in_time_never_falls_behind(world: World) -> None:
    account, one = await begin(world)
    await pay(world, account, BEGAN)
    assert await standing(world, one, DUE + timedelta(days=1)) is Status.ACTIVE


async def test_a_declined_payment_lets_it_fall_behind_at_once(world: World) -> None:
    account, one = await begin(world)
    await decline(world, account)
    assert await standing(world, one, BEGAN) is Status.PAST_DUE
    await pay(world, account, BEGAN)
    assert await standing(world, one, BEGAN) is Status.ACTIVE


async def test_a_payment_that_a_person_rejects_is_no_decline(world: World) -> None:
    account, one = await begin(world)
    await decline(world, account, "rejected")
    assert await standing(world, one, BEGAN) is Status.ACTIVE


async def test_an_incomplete_one_expires_when_it_was_not_paid_in_time(world: World) -> None:
    account, one = await begin(world, must_pay_first=True)
    late = BEGAN + timedelta(hours=23)
    assert await standing(world, one, late - timedelta(seconds=1)) is Status.INCOMPLETE
    assert await standing(world, one, late) is Status.CANCELED
    (invoice,) = await world.invoices(account)
    assert (invoice.status, invoice.due.minor) == ("void", 0)
    with pytest.raises(Conflict, match="void"):
        await pay(world, account, late)
    assert await standing(world, one, late + timedelta(days=1)) is Status.CANCELED
    for kind in ("subscription.ended", "invoice.voided"):
        rows = await world.rows("SELECT 1 FROM outbox_done WHERE kind = $1", kind)
        assert len(rows) == 1
    owed = "SELECT sum(amount)::bigint AS minor FROM ledger_postings WHERE ledger_account = $1"
    assert [row["minor"] for row in await world.rows(owed, "receivable")] == [0]


async def test_it_waits_for_a_payment_that_may_have_taken_money(world: World) -> None:
    account, one = await begin(world, must_pay_first=True)
    await wish(world, account, PaymentStatus.PROCESSING)
    late = BEGAN + timedelta(hours=23)
    assert await standing(world, one, late) is Status.INCOMPLETE
    await pay(world, account, late)
    with_news_missing = Standings(world.db, SELLER, lambda: late)
    assert await with_news_missing.run_due(late + timedelta(hours=1), None) == 1
    assert await standing(world, one, late + timedelta(hours=1)) is Status.ACTIVE


async def test_a_wish_that_nobody_tried_ends_with_it(world: World) -> None:
    account, one = await begin(world, must_pay_first=True)
    await wish(world, account, PaymentStatus.PENDING)
    assert await standing(world, one, BEGAN + timedelta(hours=23)) is Status.CANCELED
    assert [row["status"] for row in await world.rows("SELECT status FROM payments")] == [
        "cancelled"
    ]


async def test_an_incomplete_one_that_is_paid_begins_and_stays(world: World) -> None:
    account, one = await begin(world, must_pay_first=True, pay_within=timedelta(hours=1))
    await pay(world, account, BEGAN)
    assert await standing(world, one, BEGAN + timedelta(hours=2)) is Status.ACTIVE


async def test_a_gateways_own_is_never_billed_by_us_and_has_the_gateways_id_once(
    world: World,
) -> None:
    account, one = await begin(world, schedule_owner="ccbill", external_id="0123456789")
    assert (one.next_bill_at, one.status) == (None, Status.ACTIVE)
    assert await world.invoices(account) == ()
    async with world.db.transaction(WRITER) as conn:
        found = await subscriptions.find_by_external_id(conn, "ccbill", "0123456789")
    assert found is not None
    assert found.subscription_id == one.subscription_id
    with pytest.raises(Conflict, match="this id of the gateway"):
        await begin(world, schedule_owner="ccbill", external_id="0123456789")
    for wrong in (
        {"schedule_owner": "ccbill"}, {"external_id": "1"},
        {"schedule_owner": "stripe", "external_id": "a b"},
    ):  # fmt: skip
        with pytest.raises(BadInput) as caught:
            await begin(world, **wrong)
        assert caught.value.errors[0].field == "external_id"
