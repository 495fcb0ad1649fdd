"""What subscriptions are billed: in advance, in part, after changes; to the cent."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices.biller import bill_now
from tallystick.invoices.events import INVOICE_FINALIZED, INVOICE_PAID
from tallystick.invoices.explain import line_explanation
from tallystick.invoices.model import Invoice
from tallystick.invoices.service import settle as settle_invoice
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.outbox import Event, Teller
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.subscription_events import SubscriptionEvents
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Status, Subscription

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
World = Any  # the fixture's class stands in conftest.py, which tests can not import


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


async def plan(world: World, code: str, amount: str, **more: Any) -> PlanVersion:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount), billing="in_advance")
    new = NewPlanVersion(
        plan_code=code,
        plan_name=code.title(),
        currency="EUR",
        interval=more.pop("interval", "month"),
        prices=(fee,),
        **more,
    )
    async with world.db.transaction(WRITER) as conn:
        return await catalog.create_plan_version(conn, new, day(1, 1))


async def begin(
    world: World, account: Account, version: PlanVersion, at: datetime, **start: Any
) -> Subscription:
    async with world.db.transaction(WRITER) as conn:
        made = await subscriptions.subscribe(conn, account, version, at, Start(**start))
    return await settle(world, made, at)


async def settle(world: World, of: Subscription, at: datetime) -> Subscription:
    async with world.db.transaction(WRITER) as conn:
        return await bill_now(conn, of.account_id, of.subscription_id, now=at, seller=SELLER)


async def change(world: World, of: Subscription, at: datetime, **to: Any) -> Subscription:
    async with world.db.transaction(WRITER) as conn:
        await changing.change_terms(
            conn,
            of.account_id,
            of.subscription_id,
            plan=to.get("plan"),
            quantity=to.get("quantity"),
            when=to.get("when"),
            now=at,
        )
    return await settle(world, of, at)


def lines(invoice: Invoice) -> list[tuple[str, str, int]]:
    return [(line.kind, line.description, line.amount.minor) for line in invoice.lines]


async def recomputed(world: World, invoice: Invoice) -> bool:
    async with world.db.transaction(account_scope(invoice.account_id)) as conn:
        explained = [
            await line_explanation(
                conn, invoice.account_id, invoice.invoice_id, line.invoice_line_id
            )
            for line in invoice.lines
        ]
    return all(one.is_same for one in explained)


async def test_a_price_in_advance_is_billed_at_the_start_and_at_each_period(world: World) -> None:
    account = await world.account()
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 31))
    assert begun.next_bill_at == day(2, 28)
    await world.bill(day(3, 1))
    first, second = await world.invoices(account)
    assert [lines(one) for one in (first, second)] == [[("subscription", "Pro", 3100)]] * 2
    assert (first.period_start, first.period_end) == (day(1, 31), day(2, 28))
    assert (second.lines[0].period_start, second.lines[0].period_end) == (day(2, 28), day(3, 31))


async def test_a_calendar_month_joined_late_is_a_share_of_it(world: World) -> None:
    account = await world.account()
    version = await plan(world, "pro", "31")
    await begin(world, account, version, day(1, 20, 9), billing_time="calendar")
    invoice = await world.invoice(account)
    assert lines(invoice) == [("proration", "Pro: 12 of 31 days", 1200)]
    assert await recomputed(world, invoice)


async def test_an_upgrade_gives_the_unused_back_and_bills_the_rest(world: World) -> None:
    account = await world.account()
    small, large = await plan(world, "small", "31"), await plan(world, "large", "62")
    begun = await begin(world, account, small, day(1, 1))
    after = await change(world, begun, day(1, 11, 15), plan=large)
    assert (after.plan_version_id, after.change_at) == (large.plan_version_id, None)
    _, invoice = await world.invoices(account)
    assert lines(invoice) == [
        ("proration", "Small: unused, given back", -2100),
        ("proration", "Large: 21 of 31 days", 4200),
    ]
    assert await recomputed(world, invoice)
    async with world.db.transaction(WRITER) as conn:
        terms = await subscriptions.terms_of(conn, account.account_id, begun.subscription_id)
    assert [one.starts_at for one in terms] == [day(1, 1), day(1, 11, 15)]


async def test_a_downgrade_waits_for_the_periods_end(world: World) -> None:
    account = await world.account()
    small, large = await plan(world, "small", "31"), await plan(world, "large", "62")
    begun = await begin(world, account, large, day(1, 1))
    waiting = await change(world, begun, day(1, 11, 15), plan=small)
    assert (waiting.plan_version_id, waiting.change_at) == (large.plan_version_id, day(2, 1))
    await world.bill(day(2, 1))
    assert [lines(one) for one in await world.invoices(account)] == [
        [("subscription", "Large", 6200)],
        [("subscription", "Small", 3100)],
    ]


async def test_more_seats_are_billed_from_their_day_on(world: World) -> None:
    account = await world.account()
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 1), quantity=2)
    await change(world, begun, day(1, 22), quantity=5)
    first, second = await world.invoices(account)
    assert (first.lines[0].quantity, first.total.minor) == (2, 6200)
    assert [line.amount.minor for line in second.lines] == [-2000, 5000]
    assert await recomputed(world, first)
    assert await recomputed(world, second)


async def test_what_is_left_when_it_ends_comes_off_later_invoices(world: World) -> None:
    account = await world.account(tax_name="TVA", tax_percent=Decimal(20))
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 1))
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, account.account_id, begun.subscription_id, day(1, 10, 12))
    ended = await settle(world, begun, day(1, 10, 12))
    assert (ended.status, ended.next_bill_at) == (Status.CANCELED, None)
    _, closing = await world.invoices(account)
    assert [amount for _, _, amount in lines(closing)] == [-2100, 2100]
    assert closing.total.minor == 0
    await begin(world, account, await plan(world, "other", "50"), day(2, 1))
    _, _, later = await world.invoices(account)
    assert [amount for _, _, amount in lines(later)] == [5000, -2100]
    assert (later.subtotal.minor, later.tax.minor) == (2900, 580)
    assert await recomputed(world, later)
    (row,) = await world.rows("SELECT left_minor FROM invoice_adjustments")
    assert row["left_minor"] == 0


@pytest.mark.parametrize(("remainder", "kept"), [("refund", [("refund", 2100)]), ("none", [])])
async def test_the_rest_may_be_refunded_or_kept(
    world: World, remainder: Any, kept: list[tuple[str, int]]
) -> None:
    account = await world.account()
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 1))
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(
            conn, account.account_id, begun.subscription_id, day(1, 10, 12), remainder
        )
    await settle(world, begun, day(1, 10, 12))
    rows = await world.rows("SELECT kind, left_minor FROM invoice_adjustments")
    assert [tuple(row) for row in rows] == kept


@pytest.mark.parametrize("paid", [0, 1000, 3100])
async def test_what_is_refunded_is_paid_back_once_by_notes_of_what_billed_it(
    world: World, paid: int
) -> None:
    account = await world.account()
    whose = account.account_id
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 1))
    first = await world.invoice(account)
    ended = day(1, 10, 12)
    async with world.db.transaction(WRITER) as conn:
        if paid:
            await settle_invoice(conn, whose, first.invoice_id, Money(paid, "EUR"), day(1, 2))
        await changing.cancel_now(conn, whose, begun.subscription_id, ended, "refund")
    await settle(world, begun, ended)
    for _ in range(2):
        events = SubscriptionEvents(world.db, lambda: ended)
        await events.on_ended(Event(whose, 1, "subscription.ended", b"{}", "", 1))
    (note,) = await world.rows("SELECT * FROM credit_notes")
    assert (note["invoice_id"], note["total_minor"]) == (first.invoice_id, 2100)
    owed = 3100 - paid
    assert note["offset_minor"] == min(owed, 2100)
    assert note["refund_minor"] == 2100 - min(owed, 2100) <= paid
    refunds = await world.rows("SELECT amount_minor FROM refunds")
    assert sum(row["amount_minor"] for row in refunds) == note["refund_minor"]
    left = await world.rows("SELECT left_minor FROM invoice_adjustments")
    assert [row["left_minor"] for row in left] == [0]


async def test_a_trial_is_free_and_then_bills_the_rest_of_the_period(world: World) -> None:
    account = await world.account()
    version = await plan(world, "pro", "31", trial_days=14)
    begun = await begin(world, account, version, day(1, 1, 9))
    assert (begun.status, begun.next_bill_at) == (Status.TRIALING, day(1, 15, 9))
    assert await world.invoices(account) == ()
    after = await settle(world, begun, day(1, 15, 9))
    assert after.status is Status.ACTIVE
    assert lines(await world.invoice(account)) == [("proration", "Pro: 17 of 31 days", 1700)]


@pytest.mark.parametrize(
    ("trial_end", "status"), [("cancel", Status.CANCELED), ("pause", Status.PAUSED)]
)
async def test_a_trial_may_end_without_a_payment_method(
    world: World, trial_end: Any, status: Status
) -> None:
    account = await world.account()
    version = await plan(world, "pro", "31", trial_days=14)
    begun = await begin(world, account, version, day(1, 1), trial_end=trial_end)

    async def no_method(*_: Any) -> bool:
        return False

    async with world.db.transaction(WRITER) as conn:
        after = await bill_now(
            conn,
            account.account_id,
            begun.subscription_id,
            now=day(1, 20),
            seller=SELLER,
            has_method=no_method,
        )
    assert after.status is status
    assert await world.invoices(account) == ()


async def test_a_pause_gives_back_and_resuming_bills_again(world: World) -> None:
    account = await world.account()
    begun = await begin(world, account, await plan(world, "pro", "31"), day(1, 1))
    one = (account.account_id, begun.subscription_id)
    async with world.db.transaction(WRITER) as conn:
        await changing.pause(conn, *one, day(1, 10, 12), day(1, 22))
    paused = await settle(world, begun, day(1, 10, 12))
    assert (paused.status, paused.next_bill_at) == (Status.PAUSED, day(1, 22))
    again = await settle(world, begun, day(1, 22))
    assert (again.status, again.next_bill_at) == (Status.ACTIVE, day(2, 1))
    assert [[line.amount.minor for line in one.lines] for one in await world.invoices(account)] == [
        [3100],
        [-2100, 2100],
        [1000, -1000],
    ]


async def test_a_yearly_plan_bills_its_usage_every_month(world: World) -> None:
    account = await world.account()
    version = await plan(world, "pro", "365", interval="year", usage_interval="month")
    begun = await begin(world, account, version, day(1, 1))
    assert begun.next_bill_at == day(2, 1)
    assert (begun.advance_until, (await world.invoice(account)).total.minor) == (
        datetime(2027, 1, 1, tzinfo=UTC),
        36500,
    )


async def test_several_plans_at_once_and_each_of_them_once(world: World) -> None:
    account = await world.account()
    await begin(world, account, await plan(world, "pro", "31"), day(1, 1))
    await begin(world, account, await plan(world, "extra", "7"), day(1, 1))
    assert [one.total.minor for one in await world.invoices(account)] == [3100, 700]


async def test_what_starts_later_waits_and_what_started_before_is_caught_up(world: World) -> None:
    account = await world.account()
    later = await begin(
        world, account, await plan(world, "pro", "31"), day(1, 1), starts_at=day(2, 1)
    )
    assert (later.status, later.next_bill_at) == (Status.PENDING, day(2, 1))
    assert (await settle(world, later, day(2, 1))).status is Status.ACTIVE
    back = await world.account()
    await begin(world, back, await plan(world, "old", "31"), day(4, 2), starts_at=day(1, 1))
    starts = [one.period_start for one in await world.invoices(back)]
    assert starts == [day(month, 1) for month in (1, 2, 3, 4)]


async def test_one_that_must_be_paid_first_begins_with_the_payment(world: World) -> None:
    account = await world.account()
    version = await plan(world, "pro", "31")
    waiting = await begin(world, account, version, day(1, 1), must_pay_first=True)
    assert (waiting.status, waiting.next_bill_at) == (Status.INCOMPLETE, None)
    invoice = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        await settle_invoice(conn, account.account_id, invoice.invoice_id, invoice.total, day(1, 2))

    async def no_handler(_: Event) -> None:
        pass

    starter = SubscriptionEvents(world.db, lambda: day(1, 2))
    handlers = {INVOICE_PAID: starter.on_invoice_paid, INVOICE_FINALIZED: no_handler}
    await Teller(world.db, handlers).run_due(datetime(2126, 1, 1, tzinfo=UTC))
    active = await world.subscription(waiting)
    assert (active.status, active.next_bill_at) == (Status.ACTIVE, day(2, 1))
