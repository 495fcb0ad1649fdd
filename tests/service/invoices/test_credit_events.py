"""Credits that come with a plan's periods, with a paid invoice, and with a top-up."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion, PlanCredits, PlanVersion
from tallystick.credit_events import CreditEvents
from tallystick.credits import packages, service
from tallystick.credits.model import Package, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.invoices import credit_purchase
from tallystick.invoices import service as invoices
from tallystick.invoices.biller import bill_now
from tallystick.invoices.credit_purchase import purchase
from tallystick.invoices.events import InvoicePaid
from tallystick.invoices.model import Invoice
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.outbox import Event, Teller
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing

from .conftest import END, SELLER, START, World

NEXT_END = datetime.fromisoformat("2026-03-31T00:00:00+00:00")


class Giver:
    """The handlers of credit events, told by hand at an instant of choice."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = START
        clock: Clock = lambda: self.now  # noqa: E731 - the present of this test
        self.events = CreditEvents(world.db, clock, SELLER)

    async def tell(self) -> None:
        handlers = {
            "subscription.started": self.events.on_period_began,
            "subscription.renewed": self.events.on_period_began,
            "subscription.changed": self.events.on_period_began,
            "invoice.paid": self.events.on_invoice_paid,
            "credits.top_up_due": self.events.on_top_up_due,
        }
        teller = Teller(self.world.db, handlers)
        later = datetime.fromisoformat("2126-01-01T00:00:00+00:00")
        while await teller.run_due(later):
            pass

    async def available(self, account: Account, at: datetime | None = None) -> Decimal:
        async with self.world.db.transaction(WRITER) as conn:
            found = await service.balance(conn, account.account_id, at or self.now)
        return Decimal(found.available) / 100_000

    async def package(self, credits_: int = 100, amount: int = 900) -> Package:
        new = packages.NewPackage(
            code="small", name="Small", units=credits_ * 100_000, currency="EUR",
            amount_minor=amount,
        )  # fmt: skip
        async with self.world.db.transaction(WRITER) as conn:
            return await packages.create_package(conn, new, START)

    async def buy(self, account: Account, package: Package, key: str = "k") -> Invoice:
        async with self.world.db.transaction(WRITER) as conn:
            package_id = package.credit_package_id
            return await purchase(conn, account, package_id, seller=SELLER, key=key, at=self.now)

    async def pay(self, invoice: Invoice) -> None:
        async with self.world.db.transaction(WRITER) as conn:
            ids = invoice.account_id, invoice.invoice_id
            await invoices.settle(conn, *ids, invoice.due, self.now)

    async def reverse(
        self, invoice: Invoice, key: str = "dispute", refunded_minor: int | None = None
    ) -> int:
        async with self.world.db.transaction(WRITER) as conn:
            ids = invoice.account_id, invoice.invoice_id
            return await credit_purchase.reverse(
                conn, *ids, key=key, at=self.now, refunded_minor=refunded_minor
            )

    async def use(self, account: Account, amount: str, key: str) -> None:
        credits_ = CreditService(self.world.db)
        wanted = Deduct(
            account_id=account.account_id, key=key, at=self.now, operation="write",
            credits=Decimal(amount),
        )  # fmt: skip
        await credits_.deduct(wanted)
        await credits_.close()

    async def paid_again(self, invoice: Invoice) -> None:
        payload = msgspec.json.encode(InvoicePaid(invoice.invoice_id))
        await self.events.on_invoice_paid(
            Event(invoice.account_id, 1, "invoice.paid", payload, "", 1)
        )


@pytest.fixture
def giver(world: World) -> Giver:
    return Giver(world)


async def plan(world: World, amount: int = 100, code: str = "pro", **credits_: Any) -> PlanVersion:
    new = NewPlanVersion(
        plan_code=code,
        plan_name="Pro",
        currency="EUR",
        interval="month",
        prices=(FlatPrice(currency="EUR", code="fee", amount=Decimal(49)),),
        credits=PlanCredits(amount=Decimal(amount), **credits_),
    )
    async with world.db.transaction(WRITER) as conn:
        return await catalog.create_plan_version(conn, new, START)


async def test_each_period_gives_its_credits_and_takes_the_last_ones(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    await world.subscribe(account, await plan(world))
    await giver.tell()
    await giver.tell()
    assert await giver.available(account) == 100
    assert await giver.available(account, END) == 0
    giver.now = END
    await world.bill(END)
    await giver.tell()
    assert await giver.available(account) == 100


@pytest.mark.parametrize(
    ("rule", "after_one", "after_two"),
    [
        ({"rollover": "none"}, 100, 100),
        ({"rollover": "all"}, 160, 260),
        ({"rollover": "all", "rollover_periods": 1}, 160, 200),
        ({"rollover": "up_to", "rollover_max": Decimal(25)}, 125, 150),
        ({"rollover": "up_to", "rollover_max": Decimal(25), "rollover_periods": 1}, 125, 125),
    ],
)
async def test_what_is_left_rolls_over_by_the_plans_rule(
    giver: Giver, world: World, rule: dict[str, Any], after_one: int, after_two: int
) -> None:
    account = await world.account()
    await world.subscribe(account, await plan(world, **rule))
    await giver.tell()
    await giver.use(account, "40", "u")
    for end, expected in ((END, after_one), (NEXT_END, after_two)):
        giver.now = world.wall = end
        await world.bill(end)
        await giver.tell()
        assert await giver.available(account) == expected


async def test_a_change_in_the_middle_gives_each_plans_share(giver: Giver, world: World) -> None:
    account = await world.account()
    small, large = [await plan(world, 100 * size, code=f"p{size}") for size in (1, 3)]
    begun = await world.subscribe(account, small)
    await giver.tell()
    assert await giver.available(account) == 100
    giver.now = START + (END - START) / 2
    one = (account.account_id, begun.subscription_id)
    async with world.db.transaction(WRITER) as conn:
        await changing.change_terms(
            conn, *one, plan=large, quantity=None, when="now", now=giver.now
        )
        await bill_now(conn, *one, now=giver.now, seller=SELLER)
    for _ in range(2):
        await giver.tell()
    assert await giver.available(account) == 200


async def test_a_period_that_is_over_when_it_is_told_gives_nothing(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    await world.subscribe(account, await plan(world))
    giver.now = END + timedelta(days=1)
    await giver.tell()
    assert await world.rows("SELECT 1 FROM credit_grants") == []


async def test_a_plan_that_can_not_give_so_is_refused(world: World) -> None:
    with pytest.raises(BadInput) as refused:
        await plan(world, rollover="up_to", rollover_periods=0)
    assert [fault.field for fault in refused.value.errors] == [
        "credits.rollover_max",
        "credits.rollover_periods",
    ]


async def test_a_purchase_gives_once_when_its_invoice_is_paid(giver: Giver, world: World) -> None:
    account = await world.account(tax_name="TVA", tax_percent=Decimal(20))
    invoice = await giver.buy(account, await giver.package())
    assert (invoice.total.minor, invoice.lines[0].kind) == (1080, "credit_purchase")
    assert (await giver.buy(account, await giver_package(giver))).invoice_id == invoice.invoice_id
    assert await giver.available(account) == 0
    await giver.pay(invoice)
    await giver.tell()
    await giver.paid_again(invoice)
    assert await giver.available(account) == 100


async def giver_package(giver: Giver) -> Package:
    async with giver.world.db.transaction(WRITER) as conn:
        (found,) = await packages.list_packages(conn, "EUR", active_only=True)
    return found


async def test_a_reversal_takes_exactly_what_is_unspent_and_once(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    invoice = await giver.buy(account, await giver.package())
    await giver.pay(invoice)
    await giver.tell()
    await giver.use(account, "30", "u")
    assert [await giver.reverse(invoice), await giver.reverse(invoice)] == [7_000_000, 7_000_000]
    assert await giver.available(account) == 0


async def test_a_reversal_that_comes_before_the_payment_is_told_leaves_nothing(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    invoice = await giver.buy(account, await giver.package())
    await giver.pay(invoice)
    assert await giver.reverse(invoice) == 0
    await giver.tell()
    assert await giver.available(account) == 0


async def test_a_refund_in_part_takes_its_share_back_and_a_later_one_the_rest(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    invoice = await giver.buy(account, await giver.package())
    with pytest.raises(Conflict) as early:
        await giver.reverse(invoice, "refund 1", 225)
    assert early.value.code == "purchase_not_granted"
    await giver.pay(invoice)
    await giver.tell()
    await giver.use(account, "30", "u")
    for _ in range(2):
        assert await giver.reverse(invoice, "refund 1", 225) == 2_500_000
    assert await giver.available(account) == 45
    assert await giver.reverse(invoice, "refund 2", 675) == 4_500_000
    assert await giver.available(account) == 0
    with pytest.raises(BadInput):
        await giver.reverse(invoice, "refund 3", 901)


async def test_an_invoice_that_bought_no_credits_has_none_to_reverse(
    giver: Giver, world: World
) -> None:
    account = await world.account()
    await world.subscribe(account, await plan(world))
    await world.bill(END)
    with pytest.raises(NotFound) as unknown:
        await giver.reverse((await world.invoices(account))[0])
    assert unknown.value.code == "credit_purchase_not_found"


async def test_a_key_that_bought_another_package_is_a_conflict(giver: Giver, world: World) -> None:
    account = await world.account()
    first = await giver.package()
    await giver.buy(account, first)
    other = packages.NewPackage(code="large", name="Large", units=1, currency="EUR", amount_minor=1)
    async with world.db.transaction(WRITER) as conn:
        large = await packages.create_package(conn, other, START)
    with pytest.raises(Conflict):
        await giver.buy(account, large)


async def watched(giver: Giver, world: World, month_max: int) -> Account:
    account = await world.account()
    first = await giver.buy(account, package := await giver.package(10))
    await giver.pay(first)
    await giver.tell()
    wanted = Settings(
        top_up_below=500_000,
        top_up_package_id=package.credit_package_id,
        top_up_month_max_minor=month_max,
    )
    async with world.db.transaction(WRITER) as conn:
        await service.set_settings(conn, account.account_id, wanted, START)
    return account


async def top_ups(world: World) -> list[str]:
    rows = await world.rows("SELECT status FROM credit_purchases WHERE is_top_up ORDER BY 1")
    return [row["status"] for row in rows]


async def test_one_top_up_is_in_flight_however_often_credits_are_used(
    giver: Giver, world: World
) -> None:
    account = await watched(giver, world, 10_000)
    for number in range(8):
        await giver.use(account, "1", f"u{number}")
        await giver.tell()
    assert await top_ups(world) == ["open"]
    newest = (await world.invoices(account))[-1]
    await giver.pay(newest)
    await giver.tell()
    assert await giver.available(account) == 12
    assert await top_ups(world) == ["granted"]


async def test_a_top_up_that_does_not_suffice_is_followed_by_another(
    giver: Giver, world: World
) -> None:
    account = await watched(giver, world, 10_000)
    async with world.db.transaction(WRITER) as conn:
        held = await service.settings(conn, account.account_id)
        more = msgspec.structs.replace(held, top_up_below=3_000_000)
        await service.set_settings(conn, account.account_id, more, START)
    await giver.tell()
    await giver.pay((await world.invoices(account))[-1])
    await giver.tell()
    assert await top_ups(world) == ["granted", "open"]


async def test_top_ups_end_at_the_months_maximum(giver: Giver, world: World) -> None:
    account = await watched(giver, world, 1_800)
    for number in range(40):
        await giver.use(account, "1", f"u{number}") if await giver.available(account) >= 1 else None
        await giver.tell()
        for invoice in await world.invoices(account):
            if invoice.due.minor:
                await giver.pay(invoice)
        await giver.tell()
    assert await top_ups(world) == ["granted", "granted"]
    assert await giver.available(account) == 0


async def test_a_top_up_is_not_bought_for_a_closed_package(giver: Giver, world: World) -> None:
    account = await watched(giver, world, 10_000)
    package = await giver_package(giver)
    async with world.db.transaction(WRITER) as conn:
        off = packages.NewPackage(
            code="small", name="Small", units=1, currency="EUR", amount_minor=1, is_active=False
        )
        await packages.save_package(conn, package.credit_package_id, off)
        assert await accounts.get_account(conn, account.account_id)
    await giver.use(account, "6", "u")
    await giver.tell()
    assert await top_ups(world) == []
