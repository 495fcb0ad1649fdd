"""Subscriptions that CCBill renews: begun, renewed, failed, cancelled, ended, in our books."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tallystick.accounts.model import Account
from tallystick.accounts.service import get_account
from tallystick.invoices import monthly
from tallystick.invoices import service as invoices
from tallystick.kernel.db import WRITER
from tallystick.kernel.paging import PageRequest
from tallystick.payments import methods, schedules
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.sold import plan_of
from tests.service.payments.conftest import SELLER

if TYPE_CHECKING:
    from tests.service.ccbill.conftest import CcbillWorld

REBILLS_FAIL = "4000000000000341"


class Shop:
    """One account that subscribes by the month."""

    def __init__(self, world: "CcbillWorld", account: UUID) -> None:
        self.world = world
        self.account = account
        self.subscription: UUID

    async def subscribe(self, minor: int = 1800) -> Any:
        """Do what `POST /subscribe-monthly` does."""
        world, now = self.world, self.world.clock()
        async with world.db.transaction(WRITER) as conn:
            who: Account = await get_account(conn, self.account)
            plan = await monthly.monthly_plan(conn, minor, "USD", now)
            begun = await monthly.begin(
                conn, who, plan, now=now, seller=SELLER, has_method=methods.has_method
            )
            assert begun.invoice is not None
            sold = await plan_of(conn, begun.on)
            assert await schedules.wish(
                conn, begun.on, sold, begun.invoice, gateway="ccbill", now=now
            )
        self.subscription = begun.on.subscription_id
        key = f"s:{minor}:{now}"
        paid = await world.collector.pay_invoice(
            self.account, begun.invoice.invoice_id, request_key=key
        )
        return paid.payment

    async def on(self) -> Subscription:
        async with self.world.db.transaction(WRITER) as conn:
            return await subscriptions.get_subscription(conn, self.account, self.subscription)

    async def books(self) -> list[tuple[str, int]]:
        """Return all invoices, oldest first: status and what is due."""
        async with self.world.db.transaction(WRITER) as conn:
            page = await invoices.list_invoices(conn, self.account, None, PageRequest(limit=100))
        return [(one.status.value, one.due.minor) for one in page.items[::-1]]

    async def sale(self) -> dict[str, Any]:
        (only,) = await self.world.sales()
        return only

    async def days(self, count: int, *kinds: str) -> None:
        """Let days pass at CCBill too, and hear of these events."""
        heard = {kind: self.world.events.kinds().count(kind) for kind in kinds}
        await self.world.pass_time(timedelta(days=count))
        for kind in kinds:
            await self.world.events.wait(kind, heard[kind] + 1)
        await self.world.settle_down()


@pytest.fixture
async def shop(world: "CcbillWorld") -> Shop:
    account = await world.account(autopay=False)
    await world.save_card(account)
    return Shop(world, account)


async def test_the_first_payment_hands_the_schedule_over_to_ccbill(shop: Shop) -> None:
    payment = await shop.subscribe()
    assert payment.status == "succeeded"
    await shop.world.settle_down()
    sale, on = await shop.sale(), await shop.on()
    assert (on.status, on.schedule_owner, on.external_id) == (Status.ACTIVE, "ccbill", sale["id"])
    assert on.next_bill_at is None
    terms = sale["terms"]
    assert (terms["initial_price"], terms["recurring_price"]) == ("18.00", "18.00")
    assert (terms["initial_period"], terms["recurring_period"], terms["rebills"]) == (
        (on.period_end.date() - on.period_start.date()).days, 30, 99,
    )  # fmt: skip
    assert await shop.books() == [("paid", 0)]


async def test_a_renewal_is_an_invoice_and_a_payment_in_our_books_once(shop: Shop) -> None:
    await shop.subscribe()
    await shop.world.settle_down()
    await shop.days(32, "RenewalSuccess")
    assert await shop.books() == [("paid", 0)] * 2
    assert await shop.world.settled_entries(shop.account) == 2
    assert await shop.world.balances(shop.account) == (0, 0)
    for delivery in shop.world.events.deliveries:
        await shop.world.inbox.receive("ccbill", delivery, shop.world.clock())
    await shop.world.settle_down()
    assert await shop.books() == [("paid", 0)] * 2
    (newest, _) = (await shop.world.payments(shop.account))[::-1]
    sale = await shop.sale()
    assert (newest.reference or "").startswith(f"{sale['id']}/")


async def test_a_renewal_that_fails_is_owed_with_ccbills_retry_date_until_it_is_paid(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account, REBILLS_FAIL)
    shop = Shop(world, account)
    await shop.subscribe()
    await world.settle_down()
    await shop.days(32, "RenewalFailure")
    on = await shop.on()
    assert on.status is Status.PAST_DUE
    assert await shop.books() == [("paid", 0), ("open", 1800)]
    async with world.db.transaction(WRITER) as conn:
        kept = await schedules.schedule_of(conn, account, shop.subscription)
    assert kept is not None
    assert kept.retry_at is not None
    sale = await shop.sale()
    await world.happens(sale["id"], "fail")
    await world.happens(sale["id"], "renew")
    await world.events.wait("RenewalSuccess")
    await world.settle_down()
    assert await shop.books() == [("paid", 0), ("paid", 0)]
    assert (await shop.on()).status is Status.ACTIVE


async def test_what_ccbill_gives_up_ends(world: "CcbillWorld") -> None:
    account = await world.account(autopay=False)
    await world.save_card(account, REBILLS_FAIL)
    shop = Shop(world, account)
    await shop.subscribe()
    await world.settle_down()
    await shop.days(45, "RenewalFailure", "Expiration")
    assert (await shop.on()).status is Status.CANCELED
    assert await shop.books() == [("paid", 0), ("open", 1800)]


async def test_the_first_rebill_told_before_its_sale_is_booked_when_the_sale_is(
    shop: Shop,
) -> None:
    """66.98: the sale's webhook comes only after that of the first rebill."""
    payment = await shop.subscribe(6698)
    assert payment.status == "succeeded"
    await shop.world.settle_down()
    await shop.days(32, "RenewalSuccess", "UpSaleSuccess")
    assert await shop.books() == [("paid", 0)] * 2
    assert await shop.world.settled_entries(shop.account) == 2


async def test_a_rebill_of_a_sale_whose_answer_was_lost_waits_for_its_subscription(
    shop: Shop,
) -> None:
    world = shop.world
    world.events.take = None
    await world.arm("drop_reply", path="/transactions/*", method="POST")
    payment = await shop.subscribe()
    assert payment.status == "processing"
    await world.http.post("/_sim/clock/advance", json={"seconds": 32 * 86_400})
    await world.events.wait("RenewalSuccess")
    renewal = next(d for d in world.events.deliveries if d.query["eventType"] == "RenewalSuccess")
    await world.inbox.receive("ccbill", renewal, world.clock())
    await world.inbox_worker.run_due(world.clock())
    (row,) = await world.inbox_rows()
    assert (row["status"], row["error"]) == ("parked", "subscription_unknown")
    world.ahead += timedelta(minutes=3)
    await world.settle_down()
    assert await shop.books() == [("paid", 0)] * 2
    (row,) = await world.inbox_rows()
    assert row["status"] == "done"
    assert len(await world.sales()) == 1


async def test_a_cancellation_at_ccbill_keeps_what_is_paid_and_an_expiration_ends_it(
    shop: Shop,
) -> None:
    await shop.subscribe()
    await shop.world.settle_down()
    sale = await shop.sale()
    await shop.world.happens(sale["id"], "cancel")
    await shop.world.events.wait("Cancellation")
    await shop.world.settle_down()
    on = await shop.on()
    assert (on.status, on.cancel_at_period_end, on.ends_at) == (Status.ACTIVE, True, on.period_end)
    await shop.days(33, "Expiration")
    assert (await shop.on()).status is Status.CANCELED
    assert await shop.books() == [("paid", 0)]


async def test_a_moved_date_and_a_reactivation_are_followed(shop: Shop) -> None:
    await shop.subscribe()
    await shop.world.settle_down()
    sale, was = await shop.sale(), await shop.on()
    later = (was.period_end + timedelta(days=12)).date().isoformat()
    await shop.world.happens(sale["id"], "change-date", next_renewal_date=later)
    await shop.world.events.wait("BillingDateChange")
    await shop.world.settle_down()
    moved = await shop.on()
    assert moved.period_end.date().isoformat() == later
    await shop.world.happens(sale["id"], "expire")
    await shop.world.events.wait("Expiration")
    await shop.world.settle_down()
    assert (await shop.on()).status is Status.CANCELED
    await shop.world.happens(sale["id"], "reactivate")
    await shop.world.events.wait("UserReactivation")
    await shop.world.settle_down()
    alive = await shop.on()
    assert (alive.status, alive.ends_at) == (Status.ACTIVE, None)


async def test_a_schedule_without_an_answer_is_asked_for_once_alone(shop: Shop) -> None:
    world = shop.world
    world.events.take = None
    await world.arm("drop_reply", path="/transactions/*", method="POST")
    payment = await shop.subscribe()
    attempt = await world.attempt(payment)
    assert attempt.outcome == "unknown"
    world.renew_adapter()
    world.ahead += timedelta(minutes=3)
    await world.settle_down()
    assert [one["id"] for one in await world.sales()] == [(await shop.on()).external_id]


async def test_a_sale_that_comes_to_light_after_its_subscription_ended_is_not_rebilled(
    shop: Shop,
) -> None:
    world = shop.world
    world.events.take = None
    await world.arm("drop_reply", path="/transactions/*", method="POST")
    await shop.subscribe()
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, shop.account, shop.subscription, world.clock())
    world.ahead += timedelta(minutes=3)
    await world.settle_down()
    sale, on = await shop.sale(), await shop.on()
    assert (on.status, on.external_id) == (Status.CANCELED, sale["id"])
    assert sale["cancelled_at"] is not None
    assert await world.settled_entries(shop.account) == 1


async def test_a_first_invoice_that_is_paid_in_another_way_leaves_the_schedule_to_us(
    shop: Shop,
) -> None:
    world = shop.world
    await world.arm("status", path="/transactions/*", method="POST", status=400, code=200000)
    refused = await shop.subscribe()
    assert (refused.status, refused.invoice_id is not None) == ("failed", True)
    await world.settle_down()
    other = await world.invoice(shop.account, 500)
    for payment in await world.collector.pay_balance(shop.account, request_key="all"):
        assert payment.payment.status == "succeeded"
    await world.settle_down()
    on = await shop.on()
    assert (on.status, on.schedule_owner, on.external_id) == (Status.ACTIVE, "tallystick", None)
    assert on.next_bill_at == on.period_end
    assert (await world.get_invoice(shop.account, other)).status == "paid"
