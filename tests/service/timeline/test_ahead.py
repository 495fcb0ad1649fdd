"""What is shown of the future is what comes: previews and timelines held against real billing."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.biller import bill_now
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.model import Invoice
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Subscription
from tallystick.timeline import ahead, preview
from tallystick.timeline.preview import Asked, Preview

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
MIDWAY = datetime(2026, 2, 10, 15, tzinfo=UTC)
SELLER = Party("Seller")
FEES = {"small": "10", "large": "31.01", "trial": "20"}
Line = tuple[str, str, int]


class Shop:
    """A plan in advance, a larger one, one with a trial, and an account on a test clock."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock_id = new_id()

    async def open(self) -> "Shop":
        async with self.db.transaction(WRITER) as conn:
            for code, fee in FEES.items():
                price = FlatPrice(
                    currency="EUR", code="fee", amount=Decimal(fee), billing="in_advance"
                )
                new = NewPlanVersion(
                    plan_code=code, plan_name=code, currency="EUR", interval="month",
                    prices=(price,), trial_days=14 if code == "trial" else 0,
                )  # fmt: skip
                await catalog.create_plan_version(conn, new, START)
            await test_clocks.create(conn, self.clock_id, "c", START, START)
            new_account = NewAccount(
                name="A", email="a@example.com", currency="EUR", country="FR",
                timezone="Europe/Paris", tax_name="VAT", tax_percent=Decimal(20),
                test_clock_id=self.clock_id,
            )  # fmt: skip
            self.account: Account = await accounts.create_account(conn, new_account, START)
        return self

    @property
    def account_id(self) -> UUID:
        return self.account.account_id

    async def subscribe(self, plan: str = "small", **start: Any) -> Subscription:
        async with self.db.transaction(WRITER) as conn:
            version = await catalog.current_plan_version(conn, plan)
            made = await subscriptions.subscribe(conn, self.account, version, START, Start(**start))
        await self.bill(START)
        return made

    async def bill(self, now: datetime) -> None:
        run = BillingRun(self.db, lambda: now, SELLER)
        while await run.run_due(now, self.clock_id):
            pass

    async def bill_until(self, end: datetime) -> None:
        """Bill at each instant at which something is due, as an advance does."""
        run = BillingRun(self.db, lambda: end, SELLER)
        while (at := await run.next_at(self.clock_id)) is not None and at <= end:
            await run.run_due(at, self.clock_id)

    async def preview(self, asked: Asked, now: datetime = MIDWAY) -> Preview:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            return await preview.preview(conn, self.account, asked, now)

    async def timeline(self, now: datetime, end: datetime) -> Sequence[ahead.Item]:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            return await ahead.timeline(conn, self.account, now, end)

    async def invoices(self) -> list[Invoice]:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            found = await invoices.list_invoices(
                conn, self.account_id, None, PageRequest(limit=100)
            )
        return list(found.items[::-1])

    async def bill_change(self, made: Subscription, now: datetime) -> None:
        async with self.db.transaction(WRITER) as conn:
            await bill_now(conn, self.account_id, made.subscription_id, now=now, seller=SELLER)

    async def counts(self) -> list[int]:
        tables = ("subscriptions", "invoices", "outbox", "ledger_entries", "number_series")
        async with self.db.transaction(WRITER) as conn:
            return [await conn.fetchval(f"SELECT count(*) FROM {one}") for one in tables]  # noqa: S608 - names of ours


@pytest.fixture
async def shop(db: Database) -> Shop:
    return await Shop(db).open()


def lines(lines_of: Any) -> list[Line]:
    return [(one.kind, one.description, one.amount.minor) for one in lines_of]


def planned_lines(found: Preview) -> list[list[Line]]:
    return [lines(one.invoice.lines) for one in found.now if one.invoice]


CHANGES: dict[str, Asked] = {
    "upgrade": preview.ChangeTerms(plan="large"),
    "more seats": preview.ChangeTerms(quantity=3),
    "downgrade": preview.ChangeTerms(plan="small", quantity=1, when="now"),
    "cancel now": preview.Cancel(when="now"),
    "cancel at an instant": preview.Cancel(when=MIDWAY + timedelta(days=40)),
    "cancel later": preview.Cancel(),
    "pause": preview.Pause(),
}


async def do(shop: Shop, asked: Asked, subscription_id: UUID) -> None:
    account_id = shop.account_id
    async with shop.db.transaction(WRITER) as conn:
        match asked:
            case preview.ChangeTerms():
                plan = None
                if asked.plan:
                    plan = await catalog.current_plan_version(conn, asked.plan)
                await changing.change_terms(
                    conn, account_id, subscription_id, plan=plan, quantity=asked.quantity,
                    when=asked.when, now=MIDWAY,
                )  # fmt: skip
            case preview.Cancel(when="now"):
                await changing.cancel_now(conn, account_id, subscription_id, MIDWAY)
            case preview.Cancel(when=datetime() as ends_at):
                await changing.end_at(conn, account_id, subscription_id, ends_at, now=MIDWAY)
            case preview.Cancel():
                await changing.cancel_at_period_end(conn, account_id, subscription_id, MIDWAY)
            case preview.Pause():
                await changing.pause(conn, account_id, subscription_id, MIDWAY)


@pytest.mark.parametrize("name", list(CHANGES))
async def test_a_preview_is_what_the_change_then_invoices_to_the_cent(
    shop: Shop, name: str
) -> None:
    first = ("large", 2) if name == "downgrade" else ("small", 2)
    made = await shop.subscribe(first[0], quantity=first[1])
    before, counted = len(await shop.invoices()), await shop.counts()
    seen = await shop.preview(CHANGES[name])
    assert await shop.counts() == counted
    await do(shop, CHANGES[name], made.subscription_id)
    await shop.bill_change(made, MIDWAY)
    real = (await shop.invoices())[before:]
    assert planned_lines(seen) == [lines(one.lines) for one in real]
    assert [one.invoice.total for one in seen.now if one.invoice] == [one.total for one in real]
    await shop.bill_until(MIDWAY + timedelta(days=70))
    later = (await shop.invoices())[before + len(real) :]
    if seen.next is None or seen.next.invoice is None:
        assert later == []
        return
    # The number of an invoice that is to come is not known yet: it is no part of the comparison.
    shown, real_lines = seen.next.invoice.lines, later[0].lines
    assert [(one.kind, one.amount) for one in shown] == [
        (one.kind, one.amount) for one in real_lines
    ]
    assert (seen.next.at, seen.next.invoice.total) == (later[0].issued_at, later[0].total)


async def test_a_preview_of_a_beginning_shows_the_first_invoices(shop: Shop) -> None:
    seen = await shop.preview(preview.Subscribe(plan="small"), START)
    assert planned_lines(seen) == [[("subscription", "small", 1000)]]
    assert seen.now[0].invoice is not None
    assert seen.now[0].invoice.total.minor == 1200
    trial = await shop.preview(preview.Subscribe(plan="trial"), START)
    assert trial.now == ()
    assert trial.next is not None
    assert trial.next.at == START + timedelta(days=14)
    assert await shop.invoices() == []


BEGINNINGS = {
    "later": Start(starts_at=START + timedelta(days=3)),
    "from another day on": Start(anchor_on=date(2026, 1, 20)),
    "after a trial": Start(trial_days=5),
    "for a while": Start(ends_at=START + timedelta(days=20)),
}


@pytest.mark.parametrize("name", list(BEGINNINGS))
async def test_a_preview_of_a_beginning_is_what_is_then_invoiced(shop: Shop, name: str) -> None:
    start = BEGINNINGS[name]
    seen = await shop.preview(preview.Subscribe(plan="small", start=start), START)
    await shop.subscribe(**msgspec.structs.asdict(start))
    await shop.bill_until(START + timedelta(days=70))
    shown = [*seen.now, *([seen.next] if seen.next else [])]
    real = (await shop.invoices())[: len(shown)]
    assert shown
    assert [(one.at, one.invoice.total) for one in shown] == [
        (one.issued_at, one.total) for one in real
    ]


async def test_a_preview_of_a_reactivation_is_what_is_then_invoiced(shop: Shop) -> None:
    made = await shop.subscribe()
    async with shop.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, shop.account_id, made.subscription_id, MIDWAY)
    await shop.bill_change(made, MIDWAY)
    before, later = len(await shop.invoices()), MIDWAY + timedelta(days=90)
    seen = await shop.preview(preview.Reactivate(subscription_id=made.subscription_id), later)
    async with shop.db.transaction(WRITER) as conn:
        await changing.reactivate(conn, shop.account_id, made.subscription_id, later)
    await shop.bill_change(made, later)
    assert planned_lines(seen) == [lines(one.lines) for one in (await shop.invoices())[before:]]
    assert planned_lines(seen)
    with pytest.raises(Conflict) as refused:
        await shop.preview(preview.Reactivate(subscription_id=made.subscription_id), later)
    assert refused.value.code == "subscription_active"


async def test_a_preview_refuses_what_the_change_would_refuse(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.preview(preview.Nothing())
    with pytest.raises(NotFound):
        await shop.preview(preview.Subscribe(plan="none"))
    await shop.subscribe()
    with pytest.raises(Conflict) as refused:
        await shop.preview(preview.Subscribe(plan="small"))
    assert refused.value.code == "already_subscribed"
    with pytest.raises(Conflict):
        await shop.preview(preview.Resume())
    with pytest.raises(Conflict):
        await shop.preview(preview.ChangeTerms(plan="small"))


async def test_a_timeline_lists_the_invoices_that_then_come(shop: Shop) -> None:
    end = START + timedelta(days=200)
    made = await shop.subscribe("trial")
    async with shop.db.transaction(WRITER) as conn:
        later = START + timedelta(days=60)
        plan = await catalog.current_plan_version(conn, "large")
        await changing.change_terms(
            conn, shop.account_id, made.subscription_id, plan=plan, quantity=None, when=later,
            now=START,
        )  # fmt: skip
    shown = await shop.timeline(START, end)
    await shop.bill_until(end)
    real = await shop.invoices()
    coming = [(one.at, one.total) for one in shown if one.kind == "invoice"]
    assert coming == [(one.issued_at, one.total) for one in real]
    assert [one.at for one in shown if one.kind == "trial_end"] == [START + timedelta(days=14)]
    (change,) = [one for one in shown if one.kind == "subscription_change"]
    assert (change.at, change.plan_code) == (later, "large")
    assert list(shown) == sorted(shown, key=lambda one: one.at)


async def test_a_timeline_ends_with_the_subscription(shop: Shop) -> None:
    made = await shop.subscribe()
    async with shop.db.transaction(WRITER) as conn:
        await changing.cancel_at_period_end(conn, shop.account_id, made.subscription_id, MIDWAY)
    shown = await shop.timeline(MIDWAY, MIDWAY + timedelta(days=400))
    assert [one.kind for one in shown] == ["subscription_end"]


async def test_credits_that_will_lapse_are_on_the_timeline(shop: Shop) -> None:
    expires_at = START + timedelta(days=90)
    rolls_at = START + timedelta(days=30)
    given = NewGrant(
        source="manual", units=1_000_000, expires_at=expires_at, cap_at=rolls_at, cap_units=400_000
    )
    async with shop.db.transaction(WRITER) as conn:
        await grants.grant(conn, shop.account_id, given, key="k", at=START)
    shown = await shop.timeline(START, START + timedelta(days=365))
    assert [(one.at, one.kind, one.credits) for one in shown] == [
        (rolls_at, "credits_rollover", Decimal(6)),
        (expires_at, "credits_expire", Decimal(4)),
    ]
    assert await shop.timeline(START, START + timedelta(days=20)) == ()
