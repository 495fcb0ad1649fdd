"""A subscription that a gateway renews: each of its news once, in our books."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.invoices.model import Status as InvoiceStatus
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.outbox import Teller
from tallystick.kernel.paging import PageRequest
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID
from tallystick.money.amount import Money
from tallystick.payments import service as payments
from tallystick.payments.events import PAYMENT_FAILED
from tallystick.payments.gateway_schedule import (
    News,
    ended_by_gateway,
    failed_at_gateway,
    renewed_by_gateway,
)
from tallystick.pricing.model import FlatPrice
from tallystick.subscription_events import SubscriptionEvents
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import ScheduleOwner, Status, Subscription
from tallystick.subscriptions.periods import Period

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


def day(month: int, number: int = 1) -> datetime:
    return datetime(2026, month, number, tzinfo=UTC)


JANUARY, FEBRUARY = Period(day(1), day(1, 31)), Period(day(1, 31), day(3, 2))


class World:
    """One account on a plan of 49.00 that CCBill renews every thirty days."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def furnish(self, owner: ScheduleOwner = "ccbill") -> None:
        fee = FlatPrice(currency="USD", code="fee", amount=Decimal(49))
        new = NewPlanVersion(
            plan_code="pro", plan_name="Pro", currency="USD", interval="month", prices=(fee,)
        )
        asked = NewAccount(name="A", email="a@example.com", currency="USD", country="US")
        start = Start(schedule_owner=owner, external_id="01" if owner != "tallystick" else None)
        async with self.db.transaction(WRITER) as conn:
            plan = await catalog.create_plan_version(conn, new, day(1))
            self.account: Account = await create_account(conn, asked, day(1))
            self.on = await subscriptions.subscribe(conn, self.account, plan, day(1), start)

    def news(self, event_id: str, period: Period = JANUARY) -> News:
        return News(
            account_id=self.account.account_id, subscription_id=self.on.subscription_id,
            event_id=event_id, period=period, reference=f"t-{event_id}",
        )  # fmt: skip

    async def renewed(
        self, news: News, received: Money | None = None, now: datetime | None = None
    ) -> Invoice | None:
        async with self.db.transaction(WRITER) as conn:
            at = now or news.period.start
            return await renewed_by_gateway(conn, news, received, seller=SELLER, now=at)

    async def failed(self, news: News) -> Invoice | None:
        async with self.db.transaction(WRITER) as conn:
            made = await failed_at_gateway(
                conn, news, "card_declined", seller=SELLER, now=news.period.start
            )
        events = SubscriptionEvents(self.db, lambda: news.period.start)
        await Teller(self.db, {PAYMENT_FAILED: events.on_payment_failed}).run_due(day(12))
        return made

    async def ended(self, news: News) -> Subscription:
        async with self.db.transaction(WRITER) as conn:
            return await ended_by_gateway(conn, news, seller=SELLER, now=news.period.end)

    async def state(self) -> tuple[Subscription, list[Invoice], list[tuple[str, int]]]:
        page = PageRequest(limit=100)
        account_id = self.account.account_id
        async with self.db.transaction(WRITER) as conn:
            on = await subscriptions.get_subscription(conn, account_id, self.on.subscription_id)
            found = await invoices.list_invoices(conn, account_id, None, page)
            paid = await payments.list_payments(conn, account_id, page)
        return on, list(found.items[::-1]), [(one.status, one.amount_minor) for one in paid.items]


@pytest.fixture
async def world(db: Database) -> World:
    made = World(db)
    await made.furnish()
    return made


async def test_a_renewal_is_an_invoice_that_is_paid_and_counts_once(world: World) -> None:
    first = await world.renewed(world.news("e1"))
    assert first is not None
    assert (first.status, first.total.minor) == (InvoiceStatus.PAID, 4900)
    assert (first.period_start, first.period_end) == (JANUARY.start, JANUARY.end)
    assert await world.renewed(world.news("e1")) is None
    await world.renewed(world.news("e2", FEBRUARY))
    on, made, paid = await world.state()
    assert (on.period_start, on.period_end, on.period_index) == (*_edges(FEBRUARY), 1)
    assert on.next_bill_at is None
    assert [one.total.minor for one in made] == [4900, 4900]
    assert paid == [("succeeded", 4900)] * 2
    async with world.db.transaction(WRITER) as conn:
        kinds = await conn.fetch("SELECT kind FROM outbox WHERE kind LIKE 'subscription.%'")
    assert [row["kind"] for row in kinds].count("subscription.renewed") == 2


async def test_what_the_gateway_could_not_take_is_owed_until_it_takes_it(world: World) -> None:
    made = await world.failed(world.news("e1"))
    assert made is not None
    assert (made.status, made.due.minor) == (InvoiceStatus.OPEN, 4900)
    on, _, paid = await world.state()
    assert (on.status, paid) == (Status.PAST_DUE, [("failed", 4900)])
    later = await world.renewed(world.news("e2"))
    assert later is not None
    assert (later.invoice_id, later.status) == (made.invoice_id, InvoiceStatus.PAID)
    assert len((await world.state())[1]) == 1


async def test_another_amount_than_the_price_is_booked_as_it_came(world: World) -> None:
    less = await world.renewed(world.news("e1"), Money(4000, "USD"))
    assert less is not None
    assert (less.status, less.due.minor) == (InvoiceStatus.OPEN, 900)
    more = await world.renewed(world.news("e2", FEBRUARY), Money(5000, "USD"))
    assert more is not None
    assert more.status is InvoiceStatus.PAID
    async with world.db.transaction(WRITER) as conn:
        (owed,) = await ledger.receivable_sums(conn, world.account.account_id)
        prepaid = await ledger.balance(conn, world.account.account_id, PREPAID, "USD")
    assert owed.owed - owed.paid == 900
    assert prepaid == -100


async def test_an_end_that_the_gateway_tells_ends_it_once(world: World) -> None:
    await world.renewed(world.news("e1"))
    ended = await world.ended(world.news("e9"))
    assert (ended.status, ended.ends_at) == (Status.CANCELED, JANUARY.end)
    assert (await world.ended(world.news("e9"))).revision == ended.revision
    with pytest.raises(Conflict, match="canceled already"):
        await world.renewed(world.news("e10", FEBRUARY))


async def test_news_of_a_period_that_is_over_is_refused(world: World) -> None:
    await world.renewed(world.news("e2", FEBRUARY))
    with pytest.raises(Conflict, match="later period"):
        await world.renewed(world.news("e1"))
    with pytest.raises(BadInput):
        await world.renewed(world.news("e3", Period(day(2), day(2))))


async def test_news_of_what_we_renew_ourselves_are_refused(db: Database) -> None:
    ours = World(db)
    await ours.furnish("tallystick")
    with pytest.raises(Conflict, match="we bill it"):
        await ours.renewed(ours.news("e1"))


def _edges(period: Period) -> tuple[datetime, datetime]:
    return period.start, period.end
