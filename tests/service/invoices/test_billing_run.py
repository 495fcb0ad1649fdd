import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tallystick.documents.document import decode
from tallystick.invoices import finalize
from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER, Connection
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE, REVENUE, TAX_PAYABLE
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status as SubscriptionStatus

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


def fee(amount: str = "49", currency: str = "EUR") -> tuple[FlatPrice, ...]:
    return (FlatPrice(currency=currency, code="fee", amount=Decimal(amount)),)


def calls() -> tuple[PerUnitPrice, ...]:
    return (PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(1)),)


@contextmanager
def counting(patch: pytest.MonkeyPatch, sent: list[int]) -> Iterator[None]:
    """Count the statements that are sent meanwhile into the last of `sent`."""
    with patch.context() as inside:
        for name in ("execute", "fetch", "fetchval", "fetchrow"):
            inside.setattr(asyncpg.Connection, name, _counted(name, sent))
        yield


def _counted(name: str, sent: list[int]) -> Any:
    real = getattr(asyncpg.Connection, name)

    async def run(*inputs: Any, **named: Any) -> Any:
        sent[-1] += 1
        return await real(*inputs, **named)

    return run


async def numbers(world: World) -> list[str]:
    rows = await world.rows("SELECT number FROM invoices ORDER BY number")
    return [row["number"] for row in rows]


async def balances(world: World, account_id: UUID) -> dict[str, int]:
    rows = await world.rows(
        "SELECT ledger_account, sum(amount)::bigint AS amount FROM ledger_postings"
        " WHERE account_id = $1 GROUP BY 1",
        account_id,
    )
    return {row["ledger_account"]: row["amount"] for row in rows}


async def events(world: World, account_id: UUID) -> list[str]:
    rows = await world.rows(
        "SELECT kind FROM outbox WHERE account_id = $1 AND kind LIKE 'invoice.%'"
        " ORDER BY outbox_id",
        account_id,
    )
    return [row["kind"] for row in rows]


async def test_a_period_becomes_an_invoice_with_fee_and_usage(world: World) -> None:
    account, invoice = await world.billed_account(tax_name="TVA", tax_percent=Decimal(20))
    assert (invoice.number, invoice.status) == ("INV-2026-000001", Status.OPEN)
    assert (invoice.issued_at, invoice.created_at) == (END, END)
    assert invoice.due_at == END + timedelta(days=14)
    assert (invoice.period_start, invoice.period_end) == (START, END)
    assert [(line.kind, line.position, line.amount.minor) for line in invoice.lines] == [
        ("subscription", 1, 4900),
        ("usage", 2, 3000),
    ]
    assert invoice.lines[1].quantity == 1500
    assert (invoice.subtotal, invoice.tax) == (Money(7900, "EUR"), Money(1580, "EUR"))
    assert invoice.total == invoice.due == Money(9480, "EUR")
    assert await balances(world, account.account_id) == {
        RECEIVABLE: 9480,
        REVENUE: -7900,
        TAX_PAYABLE: -1580,
    }
    assert await events(world, account.account_id) == ["invoice.finalized"]


async def test_the_event_names_the_invoice(world: World) -> None:
    _, invoice = await world.billed_account()
    (row,) = await world.rows("SELECT payload FROM outbox WHERE kind LIKE 'invoice.%'")
    assert msgspec.json.decode(row["payload"]) == {"invoice_id": str(invoice.invoice_id)}


async def test_what_it_says_is_frozen_with_it(world: World) -> None:
    account, invoice = await world.billed_account(timezone="Europe/Paris", name="Ada & Söhne")
    (row,) = await world.rows("SELECT document FROM invoices")
    document = decode(row["document"])
    assert document.number == invoice.number
    assert document.customer.name == account.name
    assert document.seller.name == "Seller"
    assert document.total_minor == invoice.total.minor


async def test_usage_outside_of_the_half_open_period_is_not_billed(world: World) -> None:
    account = await world.account()
    per_call = PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(1))
    await world.subscribe(account, await world.plan([per_call]))
    instant = timedelta(microseconds=1)
    for at, count in ((START - instant, "1"), (START, "10"), (END - instant, "100"), (END, "1000")):
        await world.use(account, count, at)
    await world.bill(END)
    assert (await world.invoice(account)).total == Money(11000, "EUR")


async def test_nothing_is_billed_before_the_period_has_ended(world: World) -> None:
    account = await world.account()
    await world.subscribe(account, await world.plan(fee()))
    assert await world.bill(END - timedelta(microseconds=1)) == 0
    assert await world.invoices(account) == ()


async def test_running_twice_bills_once(world: World) -> None:
    account, invoice = await world.billed_account()
    assert await world.bill(END) == 0
    assert await world.invoice(account) == invoice


async def test_even_a_subscription_put_back_by_hand_is_not_billed_twice(world: World) -> None:
    account, invoice = await world.billed_account()
    await world.rows(
        "UPDATE subscriptions SET period_index = 0, period_start = $1, period_end = $2,"
        " next_bill_at = $2, bill_index = 0",
        START,
        END,
    )
    assert await world.bill(END) == 1
    assert await world.invoice(account) == invoice
    assert await events(world, account.account_id) == ["invoice.finalized"]
    assert (await balances(world, account.account_id))[RECEIVABLE] == invoice.total.minor
    (row,) = await world.rows("SELECT next_number FROM number_series")
    assert row["next_number"] == 2
    (moved,) = await world.rows("SELECT period_start, bill_error FROM subscriptions")
    assert tuple(moved) == (END, None)


async def test_two_workers_at_once_bill_each_account_once_without_a_gap(world: World) -> None:
    plan = await world.plan(fee())
    accounts = [await world.account() for _ in range(24)]
    for account in accounts:
        await world.subscribe(account, plan)

    async def worker() -> None:
        run = world.run(batch_max=3)
        while await run.run_due(END, None):
            pass

    await asyncio.gather(*(worker() for _ in range(4)))
    await world.bill(END)  # what one of them skipped while another held it
    assert await numbers(world) == [f"INV-2026-{n:06d}" for n in range(1, 25)]
    for account in accounts:
        assert await balances(world, account.account_id) == {RECEIVABLE: 4900, REVENUE: -4900}
        assert await events(world, account.account_id) == ["invoice.finalized"]


async def test_one_that_can_not_be_billed_is_parked_and_the_others_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await world.plan(fee())
    good, bad, better = [await world.account() for _ in range(3)]
    begun = [await world.subscribe(one, plan) for one in (good, bad, better)]
    post_all = ledger.post_all

    async def refuse_one(conn: Connection, entries: Any) -> None:
        if bad.account_id in {account_id for account_id, _ in entries}:
            await conn.execute("SELECT 1 / 0")
        await post_all(conn, entries)

    monkeypatch.setattr(ledger, "post_all", refuse_one)
    assert await world.bill(END) == 3
    assert await world.invoices(bad) == ()
    assert await numbers(world) == ["INV-2026-000001", "INV-2026-000002"]
    parked = await world.subscription(begun[1])
    assert parked.bill_error == "DivisionByZeroError: division by zero"
    assert (parked.bill_try_count, parked.bill_retry_at) == (1, END + timedelta(seconds=2))
    assert parked.period_index == 0
    assert await events(world, bad.account_id) == []

    monkeypatch.undo()
    assert await world.bill(END) == 0
    world.wall = END + timedelta(seconds=2)
    assert await world.bill(END) == 1
    assert (await world.invoice(bad)).number == "INV-2026-000003"
    healed = await world.subscription(begun[1])
    assert (healed.bill_error, healed.bill_try_count) == (None, 0)


async def test_usage_that_no_amount_can_hold_parks_its_account_alone(world: World) -> None:
    per_call = PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(10**6))
    plan = await world.plan([per_call])
    good, bad = await world.account(), await world.account()
    subscription = await world.subscribe(bad, plan)
    await world.subscribe(good, plan)
    await world.use(bad, "9" * 15, START)
    await world.use(good, "2", START)
    await world.bill(END)
    assert (await world.invoice(good)).total == Money(200_000_000, "EUR")
    assert await world.invoices(bad) == ()
    parked = await world.subscription(subscription)
    assert parked.bill_error == "amount_too_large: The amount is too large to be billed."


class CrashError(BaseException):
    """The process dies here: no handler of ours may catch it."""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("issue_store", "insert_issued"),
        ("issuers", "take_numbers"),
        ("ledger", "post_all"),
        ("outbox", "append_all"),
    ],
)
async def test_a_crash_between_two_steps_leaves_nothing_half_written(
    world: World, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    account = await world.account()
    subscription = await world.subscribe(account, await world.plan(fee()))
    before = await world.subscription(subscription)
    where = getattr(finalize, module)
    step = getattr(where, name)

    async def do_and_crash(*inputs: Any, **named: Any) -> None:
        await step(*inputs, **named)
        raise CrashError

    monkeypatch.setattr(where, name, do_and_crash)
    with pytest.raises(CrashError):
        await world.bill(END)
    told = "outbox WHERE kind <> 'subscription.started'"
    for table in ("invoices", "invoice_lines", "number_series", "ledger_entries", told):
        assert await world.rows(f"SELECT 1 FROM {table}") == []  # noqa: S608 -- names above
    assert await world.subscription(subscription) == before

    monkeypatch.undo()
    await world.bill(END)
    assert (await world.invoice(account)).number == "INV-2026-000001"


async def test_a_number_that_was_rolled_back_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await world.plan(fee())
    first, second, third = [await world.account() for _ in range(3)]
    await world.subscribe(first, plan)
    await world.bill(END)
    await world.subscribe(second, plan)

    async def crash(*_inputs: Any) -> None:
        raise CrashError

    monkeypatch.setattr(subscriptions, "advance_all", crash)
    with pytest.raises(CrashError):
        await world.bill(END)
    monkeypatch.undo()
    await world.subscribe(third, plan)
    await world.bill(END)
    assert await numbers(world) == [f"INV-2026-{n:06d}" for n in (1, 2, 3)]


async def test_failures_among_concurrent_workers_leave_no_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await world.plan(fee())
    accounts = [await world.account() for _ in range(20)]
    for account in accounts:
        await world.subscribe(account, plan)
    broken = {account.account_id for account in accounts[::4]}
    post_all = ledger.post_all

    async def refuse_some(conn: Connection, entries: Any) -> None:
        if broken & {account_id for account_id, _ in entries}:  # their numbers are taken by now
            raise ZeroDivisionError
        await post_all(conn, entries)

    monkeypatch.setattr(ledger, "post_all", refuse_some)
    runs = [world.run(batch_max=2) for _ in range(4)]
    for _ in range(5):
        await asyncio.gather(*(run.run_due(END, None) for run in runs))
    assert await numbers(world) == [f"INV-2026-{n:06d}" for n in range(1, 16)]
    monkeypatch.undo()
    world.wall = END + timedelta(minutes=1)
    await world.bill(END)
    assert await numbers(world) == [f"INV-2026-{n:06d}" for n in range(1, 21)]


async def test_missed_periods_are_billed_one_after_another(world: World) -> None:
    account = await world.account()
    subscription = await world.subscribe(account, await world.plan(fee()))
    late = datetime(2026, 5, 1, tzinfo=UTC)
    assert await world.bill(late) == 3
    invoices = await world.invoices(account)
    assert [(one.period_start, one.period_end) for one in invoices] == [
        (START, END),
        (END, datetime(2026, 3, 31, tzinfo=UTC)),
        (datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 4, 30, tzinfo=UTC)),
    ]
    assert {one.issued_at for one in invoices} == {late}
    assert (await world.subscription(subscription)).period_end == datetime(2026, 5, 31, tzinfo=UTC)


async def test_periods_end_at_the_accounts_midnight(world: World) -> None:
    account = await world.account(timezone="America/New_York")
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    await world.subscribe(account, await world.plan(fee()), at)
    midnight = datetime(2026, 2, 28, 5, tzinfo=UTC)
    assert await world.bill(midnight - timedelta(seconds=1)) == 0
    assert await world.bill(midnight) == 1
    assert (await world.invoice(account)).period_end == midnight


async def test_the_number_has_the_year_that_is_printed(world: World) -> None:
    account = await world.account(timezone="Europe/Paris")
    await world.subscribe(account, await world.plan(fee()), datetime(2025, 11, 30, 23, tzinfo=UTC))
    await world.bill(datetime(2025, 12, 31, 23, tzinfo=UTC))  # midnight in Paris
    assert (await world.invoice(account)).number == "INV-2026-000001"


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("JPY", "1000.5", 1001), ("KWD", "1.0005", 1001)]
)
async def test_currencies_have_their_own_minor_units(
    world: World, currency: str, amount: str, minor: int
) -> None:
    account = await world.account(currency=currency)
    await world.subscribe(account, await world.plan(fee(amount, currency)))
    await world.bill(END)
    invoice = await world.invoice(account)
    assert invoice.total == Money(minor, currency)
    assert await balances(world, account.account_id) == {RECEIVABLE: minor, REVENUE: -minor}


async def test_an_invoice_over_nothing_is_paid_at_once_and_moves_no_money(world: World) -> None:
    account = await world.account()
    per_call = PerUnitPrice(currency="EUR", code="calls", meter="api_calls", unit=Decimal(1))
    await world.subscribe(account, await world.plan([per_call]))
    await world.bill(END)
    invoice = await world.invoice(account)
    assert (invoice.status, invoice.paid_at, invoice.total.minor) == (Status.PAID, END, 0)
    assert [line.quantity for line in invoice.lines] == [0]
    assert await balances(world, account.account_id) == {}
    assert await events(world, account.account_id) == ["invoice.finalized", "invoice.paid"]


async def test_a_canceled_subscription_is_billed_to_its_end_and_never_again(world: World) -> None:
    account = await world.account()
    new = await world.subscribe(account, await world.plan(fee()))
    middle = datetime(2026, 2, 10, tzinfo=UTC)
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, account.account_id, new.subscription_id, middle)
    assert await world.bill(datetime(2027, 1, 1, tzinfo=UTC)) == 1
    assert (await world.invoice(account)).period_end == middle
    ended = await world.subscription(new)
    assert (ended.status, ended.next_bill_at) == (SubscriptionStatus.CANCELED, None)


async def test_accounts_on_a_test_clock_are_billed_by_it_alone(world: World) -> None:
    account = await world.account(on_clock=True)
    await world.subscribe(account, await world.plan(fee()))
    assert await world.bill(END) == 0
    run = world.run()
    assert (run.kind.name, await run.kind.next_at(account.test_clock_id)) == ("billing", END)
    assert await world.bill(END, account.test_clock_id) == 1
    assert (await world.invoice(account)).issued_at == END
    assert await run.next_at(account.test_clock_id) == datetime(2026, 3, 31, tzinfo=UTC)


async def test_a_batch_reads_and_writes_in_a_constant_number_of_statements(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await world.plan((*fee(), *calls()))
    sent: list[int] = []
    for size in (1, 2, 9):  # the first one makes the issuer
        accounts = [await world.account() for _ in range(size)]
        for account in accounts:
            await world.subscribe(account, plan)
            await world.use(account, "3", START)
        sent.append(0)
        with counting(monkeypatch, sent):
            await world.run().run_due(END, None)
        assert {(await world.invoice(account)).total.minor for account in accounts} == {5200}
    assert sent[1] == sent[2]
