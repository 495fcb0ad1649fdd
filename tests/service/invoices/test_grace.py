"""The grace period: a billed period is a draft that still moves, and is billed once."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog import offers
from tallystick.catalog import service as catalog
from tallystick.catalog.offer_model import NewCoupon
from tallystick.documents.document import Party, decode
from tallystick.invoices import drafts, service, store
from tallystick.invoices.biller import bill_now
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.closing import void_invoice
from tallystick.invoices.draft_lines import NewLine
from tallystick.invoices.drafts import DraftWork
from tallystick.invoices.late_events import LateEvents
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.terms import Terms
from tallystick.issuers import service as issuers
from tallystick.kernel.db import STAFF, WRITER, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice, PerUnitPrice, Price
from tallystick.subscriptions import changing
from tallystick.subscriptions.model import Status as SubscriptionStatus
from tallystick.subscriptions.model import Subscription

START = datetime.fromisoformat("2026-01-31T00:00:00+00:00")
END = datetime.fromisoformat("2026-02-28T00:00:00+00:00")
SECOND_END = datetime.fromisoformat("2026-03-31T00:00:00+00:00")
GRACE = timedelta(hours=48)
OVER = END + GRACE
SELLER = Party("Seller")
UNSEEN = "SELECT max(tx) >= (SELECT upto FROM usage_late_mark) AS unseen FROM usage_events"
SETUP = NewLine(description="Setup", amount=Money(5000, "EUR"))
COUPON = NewCoupon(code="half", name="Half", percent=Decimal(50))
World = Any  # the fixture's class stands in conftest.py, which tests can not import


def prices(fee: str, call: str, billing: str = "in_arrears") -> list[Price]:
    return [
        FlatPrice(currency="EUR", code="fee", amount=Decimal(fee), billing=billing),  # type: ignore[arg-type]
        PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(call)),
    ]


async def begin(
    world: World, *, billing: str = "in_arrears", grace_hours: int | None = 48, **account: Any
) -> tuple[Account, Subscription]:
    """An account on a fee of 10 and calls of 1, of which it used 7 in the first period."""
    made = await world.account(grace_hours=grace_hours, **account)
    on = await world.subscribe(made, await world.plan(prices("10", "1", billing)))
    await world.use(made, "7", START + timedelta(days=1))
    return made, on


async def finalized(world: World, now: datetime) -> int:
    return int(await DraftWork(world.db, SELLER).run_due(now, None))


async def late(world: World) -> None:
    """Look until all that came was looked at: what ran meanwhile anywhere must have ended."""
    while (await world.rows(UNSEEN))[0]["unseen"]:
        await LateEvents(world.db).run_once(world.wall)
        await asyncio.sleep(0.01)


def amounts(invoice: Invoice) -> list[tuple[str, int]]:
    return [(line.kind, line.amount.minor) for line in invoice.lines]


async def test_a_period_is_a_draft_until_its_grace_is_over(world: World) -> None:
    account, on = await begin(world)
    await world.bill(END)
    draft = await world.invoice(account)
    assert (draft.status, draft.number, draft.finalize_at) == (Status.DRAFT, None, OVER)
    assert amounts(draft) == [("subscription", 1000), ("usage", 700)]
    assert (await world.subscription(on)).period_start == END
    assert await world.rows("SELECT FROM ledger_entries") == []
    assert await finalized(world, OVER - timedelta(seconds=1)) == 0
    assert await finalized(world, OVER) == 1
    final = await world.invoice(account)
    assert (final.invoice_id, final.status, final.issued_at) == (
        draft.invoice_id, Status.OPEN, OVER,
    )  # fmt: skip
    assert (final.number, final.total.minor) == ("INV-2026-000001", 1700)
    assert await finalized(world, OVER) == 0


async def test_without_grace_it_is_issued_at_once(world: World) -> None:
    account, _ = await begin(world, grace_hours=0)
    await world.bill(END)
    assert (await world.invoice(account)).status is Status.OPEN


async def test_an_account_follows_its_issuer_unless_it_says_otherwise(world: World) -> None:
    async with world.db.transaction(WRITER) as conn:
        default = await issuers.follow_settings(conn, SELLER, START)
        await issuers.change_issuer(conn, default.issuer_id, {"grace_hours": 24})
    follows, on = await begin(world, grace_hours=None)
    waits, _ = await begin_twin(world, on, grace_hours=48)
    at_once, _ = await begin_twin(world, on)
    await world.bill(END)
    assert (await world.invoice(follows)).finalize_at == END + timedelta(hours=24)
    assert (await world.invoice(waits)).finalize_at == OVER
    assert (await world.invoice(at_once)).status is Status.OPEN


async def test_late_usage_counts_into_the_draft_and_into_no_adjustment(world: World) -> None:
    account, _ = await begin(world)
    await world.bill(END)
    await world.use(account, "5", END - timedelta(days=1))
    await world.use(account, "100", END)
    await late(world)
    assert amounts(await world.invoice(account)) == [("subscription", 1000), ("usage", 1200)]
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        assert await service.draft_sums(conn, account.account_id) == {"EUR": 2200}
    async with world.db.transaction(STAFF) as conn:
        (shown,) = (
            await service.list_invoices(conn, account.account_id, None, PageRequest(limit=9))
        ).items
    assert shown == await world.invoice(account)
    await finalized(world, OVER)
    assert amounts(await world.invoice(account)) == [("subscription", 1000), ("usage", 1200)]
    await late(world)
    await world.bill(SECOND_END)
    await finalized(world, SECOND_END + GRACE)
    _, second = await world.invoices(account)
    assert amounts(second) == [("subscription", 1000), ("usage", 10000)]


async def test_usage_after_the_grace_is_an_adjustment_of_the_next_draft(world: World) -> None:
    account, _ = await begin(world)
    await world.bill(END)
    await finalized(world, OVER)
    await world.use(account, "5", END - timedelta(days=1))
    await late(world)
    await world.bill(SECOND_END)
    _, draft = await world.invoices(account)
    expected = [("subscription", 1000), ("usage", 0), ("adjustment", 500)]
    assert (draft.status, amounts(draft)) == (Status.DRAFT, expected)
    await finalized(world, SECOND_END + GRACE)
    assert amounts((await world.invoices(account))[1]) == expected
    assert await world.rows("SELECT FROM invoice_usage_changes") == []


async def test_staff_add_lines_and_words_that_stay_when_it_is_made_anew(world: World) -> None:
    account, _ = await begin(world, tax_name="TVA", tax_percent=Decimal(20))
    await world.bill(END)
    draft = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        more = await drafts.add_lines(conn, account, draft.invoice_id, [SETUP], END)
        await drafts.change_terms(conn, account, draft.invoice_id, Terms(memo="Thanks"), END)
    assert (more.subtotal.minor, more.total.minor) == (6700, 8040)
    assert more.finalize_at == OVER
    await world.use(account, "3", END - timedelta(days=1))
    shown = await world.invoice(account)
    assert amounts(shown) == [("subscription", 1000), ("usage", 1000), ("one_off", 5000)]
    assert shown.total.minor == 8400
    await finalized(world, OVER)
    final = await world.invoice(account)
    assert (amounts(final), final.total.minor) == (amounts(shown), 8400)
    async with world.db.transaction(WRITER) as conn:
        told = decode(await store.document(conn, account.account_id, final.invoice_id) or "")
    assert (told.memo, len(told.lines)) == ("Thanks", 3)


async def test_staff_make_it_final_before_its_time(world: World) -> None:
    account, _ = await begin(world)
    await world.bill(END)
    draft = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        final = await drafts.finalize(conn, account, draft.invoice_id, seller=SELLER, at=END)
    assert (final.number, final.total.minor) == ("INV-2026-000001", 1700)
    assert await finalized(world, OVER) == 0
    (told,) = await world.rows("SELECT count(*) FROM outbox WHERE kind = 'invoice.finalized'")
    assert told["count"] == 1


async def test_a_drafted_period_is_not_thrown_away_but_voided_when_it_is_final(
    world: World,
) -> None:
    account, _ = await begin(world)
    await world.bill(END)
    draft = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict) as refused:
            await drafts.discard(conn, account.account_id, draft.invoice_id)
    assert refused.value.code == "draft_bills_period"
    await finalized(world, OVER)
    async with world.db.transaction(WRITER) as conn:
        gone = await void_invoice(
            conn, account.account_id, draft.invoice_id, rebill=False, seller=SELLER,
            reason="waived", at=OVER, wall=OVER,
        )  # fmt: skip
    assert gone.invoice.status is Status.VOID
    await world.bill(SECOND_END - timedelta(days=1))
    assert len(await world.invoices(account)) == 1


@pytest.mark.parametrize("billing", ["in_arrears", "in_advance"])
async def test_a_change_in_the_grace_neither_bills_twice_nor_loses(
    world: World, billing: str
) -> None:
    account, on = await begin(world, billing=billing)
    other, twin = await begin_twin(world, on)
    better = await world.plan(prices("31", "2", billing), "better")
    for now in (START, END):
        await world.bill(now)
    at = END + timedelta(hours=6)
    await change(world, on, better, at)
    await change(world, twin, better, at)
    for now in (OVER, SECOND_END, SECOND_END + GRACE):
        await world.bill(now)
        await finalized(world, now)
    mine, theirs = await totals(world, account), await totals(world, other)
    assert mine == theirs


async def begin_twin(
    world: World, on: Subscription, grace_hours: int = 0
) -> tuple[Account, Subscription]:
    """Another account on the same plan with the same usage."""
    async with world.db.transaction(WRITER) as conn:
        plan = await catalog.get_plan_version(conn, on.plan_version_id)
    account = await world.account(grace_hours=grace_hours)
    twin = await world.subscribe(account, plan)
    await world.use(account, "7", START + timedelta(days=1))
    return account, twin


async def change(world: World, on: Subscription, plan: Any, at: datetime) -> None:
    async with world.db.transaction(WRITER) as conn:
        named = on.account_id, on.subscription_id
        await changing.change_terms(conn, *named, plan=plan, quantity=None, when="now", now=at)
        await bill_now(conn, *named, now=at, seller=SELLER)


async def totals(world: World, account: Account) -> int:
    found = await world.invoices(account)
    assert all(one.status is not Status.DRAFT for one in found)
    return sum(one.total.minor for one in found)


async def test_an_end_in_the_grace_leaves_the_draft_and_bills_the_rest(world: World) -> None:
    account, on = await begin(world)
    await world.bill(END)
    at = END + timedelta(hours=6)
    async with world.db.transaction(WRITER) as conn:
        named = on.account_id, on.subscription_id
        await changing.cancel_now(conn, *named, at, None)
        await bill_now(conn, *named, now=at, seller=SELLER)
    assert (await world.subscription(on)).status is SubscriptionStatus.CANCELED
    await finalized(world, OVER)
    first, second = sorted(await world.invoices(account), key=lambda one: one.created_at)
    assert (first.total.minor, first.issued_at) == (1700, OVER)
    assert second.issued_at == at
    assert amounts(second) == [("proration", 32), ("usage", 0)]  # one day of 31


async def test_a_run_that_comes_after_the_grace_issues_at_once(world: World) -> None:
    account, _ = await begin(world)
    await world.bill(OVER)
    assert (await world.invoice(account)).status is Status.OPEN


async def test_over_nothing_it_is_dropped_where_such_are_not_issued(world: World) -> None:
    async with world.db.transaction(WRITER) as conn:
        default = await issuers.follow_settings(conn, SELLER, START)
        await issuers.change_issuer(conn, default.issuer_id, {"zero_rule": "skip"})
    account = await world.account(grace_hours=48)
    await world.subscribe(account, await world.plan(prices("10", "1")[1:]))
    await world.bill(END)
    await finalized(world, OVER)
    assert await world.invoices(account) == ()
    await world.bill(SECOND_END)
    await world.use(account, "2", SECOND_END - timedelta(days=1))
    await finalized(world, SECOND_END + GRACE)
    assert (await world.invoice(account)).total.minor == 200


async def test_two_runs_and_two_finalizers_bill_it_once(world: World) -> None:
    account, _ = await begin(world)
    runs = [BillingRun(world.db, lambda: END, SELLER).run_due(END, None) for _ in range(3)]
    await asyncio.gather(*runs)
    assert sum(await asyncio.gather(*(finalized(world, OVER) for _ in range(3)))) == 1
    assert (await world.invoice(account)).total.minor == 1700


async def test_subscriptions_due_together_share_a_draft(world: World) -> None:
    account, first = await begin(world)
    second = await world.subscribe(account, await world.plan(prices("20", "2"), "more"))
    await world.bill(END)
    draft = await world.invoice(account)
    assert set(draft.subscription_ids) == {first.subscription_id, second.subscription_id}
    await finalized(world, OVER)
    assert (await world.invoice(account)).total.minor == 1000 + 700 + 2000 + 1400


async def test_a_final_one_is_voided_and_billed_anew_with_staffs_lines(world: World) -> None:
    account, _ = await begin(world)
    await world.bill(END)
    draft = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        await drafts.add_lines(conn, account, draft.invoice_id, [SETUP], END)
    await finalized(world, OVER)
    async with world.db.transaction(WRITER) as conn:
        gone = await void_invoice(
            conn, account.account_id, draft.invoice_id, rebill=True, seller=SELLER,
            reason="address", at=OVER, wall=OVER,
        )  # fmt: skip
    assert gone.replacement is not None
    assert amounts(gone.replacement) == [("subscription", 1000), ("usage", 700), ("one_off", 5000)]


async def test_a_coupon_shows_on_the_draft_and_is_used_when_it_is_final(world: World) -> None:
    account, _ = await begin(world)
    async with world.db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, COUPON, START)
        await offers.redeem_coupon(conn, account.account_id, "EUR", COUPON.code, START)
    await world.bill(END)
    draft = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        await drafts.add_lines(conn, account, draft.invoice_id, [SETUP], END)
    expected = [("subscription", 1000), ("usage", 700), ("discount", -850), ("one_off", 5000)]
    assert amounts(await world.invoice(account)) == expected
    ended = "SELECT count(*) FROM coupon_redemptions WHERE ended_at IS NOT NULL"
    assert (await world.rows(ended))[0]["count"] == 0
    await finalized(world, OVER)
    assert amounts(await world.invoice(account)) == expected
    assert (await world.rows(ended))[0]["count"] == 1
    await world.bill(SECOND_END)
    shown = sorted(await world.invoices(account), key=lambda one: one.created_at)[1]
    assert amounts(shown) == [("subscription", 1000), ("usage", 0)]
