"""One invoice for all that an account is due at one instant."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.documents.document import decode
from tallystick.invoices import recompute
from tallystick.invoices.explain import invoice_explanations
from tallystick.kernel.db import WRITER, account_scope
from tallystick.ledger.model import RECEIVABLE
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Subscription
from tallystick.timeline import ahead

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


def fee(amount: str) -> FlatPrice:
    return FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))


def per_call(unit: str) -> PerUnitPrice:
    return PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(unit))


async def begin(world: World, account: Account, plan: PlanVersion, **start: Any) -> Subscription:
    async with world.db.transaction(WRITER) as conn:
        return await subscriptions.subscribe(conn, account, plan, START, Start(**start))


async def owed(world: World, account: Account) -> int:
    (row,) = await world.rows(
        "SELECT coalesce(sum(amount), 0)::bigint AS owed FROM ledger_postings"
        " WHERE account_id = $1 AND ledger_account = $2",
        account.account_id,
        RECEIVABLE,
    )
    return int(row["owed"])


async def test_what_is_due_together_stands_on_one_invoice_by_subscription(world: World) -> None:
    account = await world.account(tax_name="TVA", tax_percent=Decimal(20))
    seats = await begin(world, account, await world.plan([fee("10")], "seats"), quantity=3)
    calls = await begin(world, account, await world.plan([fee("5"), per_call("1")], "calls"))
    await world.use(account, "7", START)
    await world.bill(END)
    invoice = await world.invoice(account)
    assert invoice.subscription_ids == (seats.subscription_id, calls.subscription_id)
    assert invoice.subscription_id is None
    assert [(one.subscription_id, one.amount.minor) for one in invoice.lines] == [
        (seats.subscription_id, 3000),
        (calls.subscription_id, 500),
        (calls.subscription_id, 700),
    ]
    assert (invoice.subtotal.minor, invoice.total.minor) == (4200, 5040)
    assert await owed(world, account) == 5040
    (row,) = await world.rows("SELECT document FROM invoices")
    headings = [line.heading for line in decode(row["document"]).lines]
    assert headings == ["Seats", "Calls", "Calls"]
    bills = await world.rows("SELECT subscription_id, bill_index, invoice_id FROM invoice_bills")
    assert {tuple(one) for one in bills} == {
        (seats.subscription_id, 0, invoice.invoice_id),
        (calls.subscription_id, 0, invoice.invoice_id),
    }


async def test_each_line_is_explained_and_computed_again(world: World) -> None:
    account = await world.account()
    for code in ("one", "two"):
        priced = per_call("1") if code == "one" else per_call("2")
        bounded = PerUnitPrice(
            currency="EUR", code="calls", meter="api_calls", unit=priced.unit, minimum=Decimal(50)
        )
        await begin(world, account, await world.plan([bounded], code))
    await world.use(account, "7", START)
    await world.bill(END)
    invoice = await world.invoice(account)
    assert [one.amount.minor for one in invoice.lines] == [700, 4300, 1400, 3600]
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        explained = await invoice_explanations(conn, invoice)
    assert [(one.heading, one.is_same) for one in explained] == [
        ("One", True), ("One", True), ("Two", True), ("Two", True),
    ]  # fmt: skip
    async with world.db.transaction(WRITER) as conn:
        assert [one async for one in recompute.differences(conn, None, lambda _: None)] == []


async def test_what_asks_for_its_own_invoice_has_it(world: World) -> None:
    account = await world.account()
    await begin(world, account, await world.plan([fee("1")], "one"))
    alone = await begin(
        world, account, await world.plan([fee("2")], "two"), invoice_separately=True
    )
    await begin(world, account, await world.plan([fee("4")], "three"))
    await world.bill(END)
    found = {one.subscription_id: one.total.minor for one in await world.invoices(account)}
    assert found == {None: 500, alone.subscription_id: 200}


async def test_what_is_due_at_another_instant_has_another_invoice(world: World) -> None:
    account = await world.account()
    one, two = await world.plan([fee("1")], "one"), await world.plan([fee("2")], "two")
    await world.subscribe(account, one)
    await world.subscribe(account, two, START + timedelta(days=1))
    await world.bill(END + timedelta(days=10))
    totals = [invoice.total.minor for invoice in await world.invoices(account)]
    assert totals == [100, 200]


async def test_late_bills_of_one_instant_are_not_mixed_with_the_next(world: World) -> None:
    account = await world.account()
    for code, amount in (("one", "1"), ("two", "2")):
        await begin(world, account, await world.plan([fee(amount)], code))
    await world.bill(datetime(2026, 5, 1, tzinfo=UTC))
    found = await world.invoices(account)
    assert [invoice.total.minor for invoice in found] == [300] * 3
    assert len({invoice.period_end for invoice in found}) == 3


async def test_one_that_can_not_be_billed_is_parked_alone(world: World) -> None:
    account = await world.account()
    good = await begin(world, account, await world.plan([fee("1")], "good"))
    bad = await begin(world, account, await world.plan([per_call("1000000")], "bad"))
    await world.use(account, "9" * 15, START)
    await world.bill(END)
    invoice = await world.invoice(account)
    assert (invoice.subscription_id, invoice.total.minor) == (good.subscription_id, 100)
    parked = await world.subscription(bad)
    assert parked.bill_error == "amount_too_large: The amount is too large to be billed."
    assert (await world.subscription(good)).bill_error is None


async def test_what_only_together_is_too_much_is_billed_one_by_one(world: World) -> None:
    account = await world.account()
    most = fee("9" + "0" * 14)
    begun = [
        await begin(world, account, await world.plan([most], code), quantity=100)
        for code in ("one", "two")
    ]
    await world.bill(END)
    invoice = await world.invoice(account)
    assert invoice.subscription_ids == (begun[0].subscription_id,)
    parked = await world.subscription(begun[1])
    assert (parked.bill_error or "").startswith("ledger_amount_out_of_range: ")


async def test_credit_of_one_pays_for_the_other_and_the_rest_is_kept(world: World) -> None:
    account = await world.account()
    advance = FlatPrice(currency="EUR", code="fee", amount=Decimal(28), billing="in_advance")
    paid = await begin(world, account, await world.plan([advance], "paid"))
    await world.bill(START)
    await begin(
        world, account, await world.plan([fee("5")], "other"), ends_at=START + timedelta(14)
    )
    async with world.db.transaction(WRITER) as conn:
        end = START + timedelta(14)
        await changing.end_at(conn, account.account_id, paid.subscription_id, end, now=START)
    await world.bill(START + timedelta(days=14))
    _, invoice = await world.invoices(account)
    assert invoice.total.minor == 0
    assert [line.amount.minor for line in invoice.lines] == [-1300, 268, 1032]
    assert [line.subscription_id for line in invoice.lines][2] is None


async def test_a_refund_does_not_pay_for_another_subscription(world: World) -> None:
    account = await world.account()
    advance = FlatPrice(currency="EUR", code="fee", amount=Decimal(28), billing="in_advance")
    paid = await begin(world, account, await world.plan([advance], "paid"))
    await world.bill(START)
    end = START + timedelta(14)
    await begin(world, account, await world.plan([fee("5")], "other"), ends_at=end)
    async with world.db.transaction(WRITER) as conn:
        await changing.end_at(
            conn, account.account_id, paid.subscription_id, end, now=START, remainder="refund"
        )
    await world.bill(end)
    assert sorted(one.total.minor for one in await world.invoices(account)) == [0, 268, 2800]
    (row,) = await world.rows("SELECT kind, amount_minor FROM invoice_adjustments")
    assert tuple(row) == ("refund", 1300)


async def test_workers_at_once_never_split_an_account(world: World) -> None:
    plans = [await world.plan([fee("1")], f"p{at}") for at in range(3)]
    accounts = [await world.account() for _ in range(12)]
    for account in accounts:
        for plan in plans:
            await world.subscribe(account, plan)

    async def worker(batch_max: int) -> None:
        while await world.run(batch_max=batch_max).run_due(END, None):
            pass

    await asyncio.gather(*(worker(batch_max) for batch_max in (1, 2, 4, 5)))
    await world.bill(END)
    for account in accounts:
        assert len((await world.invoice(account)).subscription_ids) == 3


async def test_a_bill_that_was_invoiced_is_not_invoiced_with_others_again(world: World) -> None:
    account = await world.account()
    one = await begin(world, account, await world.plan([fee("1")], "one"))
    await world.bill(END)
    await begin(world, account, await world.plan([fee("2")], "two"))
    await world.rows(
        "UPDATE subscriptions SET period_index = 0, period_start = $1, period_end = $2,"
        " next_bill_at = $2, bill_index = 0 WHERE subscription_id = $3",
        START,
        END,
        one.subscription_id,
    )
    await world.bill(END)
    assert [invoice.total.minor for invoice in await world.invoices(account)] == [100, 200]


@pytest.mark.parametrize("separately", [False, True])
async def test_the_timeline_shows_the_invoices_that_come(world: World, separately: bool) -> None:  # noqa: FBT001
    account = await world.account()
    await begin(world, account, await world.plan([fee("1")], "one"))
    await begin(world, account, await world.plan([fee("2")], "two"), invoice_separately=separately)
    until = datetime(2026, 4, 1, tzinfo=UTC)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        seen = await ahead.timeline(conn, account, START, until)
    shown = [(one.at, one.subscription_ids, one.total) for one in seen if one.kind == "invoice"]
    for at in sorted({at for at, _, _ in shown}):
        await world.bill(at)
    billed = [
        (one.issued_at, one.subscription_ids, one.total) for one in await world.invoices(account)
    ]
    assert sorted(shown) == sorted(billed)
    assert len(shown) == (4 if separately else 2)
