"""What usage costs, from events to the lines of an invoice, against numbers reckoned by hand."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import NewMeter
from tallystick.invoices.explain import line_explanation
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.metering import service as metering
from tallystick.pricing.validate import read_price
from tallystick.subscriptions.current_usage import current_usage

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import
CALLS = NewMeter(
    code="calls",
    name="Calls",
    unit="calls",
    aggregation="sum",
    property="n",
    group_by=("region", "tier"),
)


async def sold(world: World, price: dict[str, Any], meter: NewMeter = CALLS) -> Account:
    """An account that bought a plan with this price alone."""
    async with world.db.transaction(WRITER) as conn:
        await metering.create_meter(conn, meter, START)
    made = read_price({"currency": "EUR", "code": "calls", "meter": meter.code, **price})
    account: Account = await world.account()
    await world.subscribe(account, await world.plan([made]))
    return account


async def send(world: World, account: Account, *events: dict[str, Any]) -> None:
    """Store events a day apart, the first a day after the start; `at` in days says otherwise."""
    async with world.db.transaction(WRITER) as conn:
        await conn.executemany(
            "INSERT INTO usage_events (account_id, key, at, event_type, source, event_id,"
            " properties) VALUES ($1, $2, $3, 'calls', 'test', $4, $5)",
            [
                (
                    account.account_id,
                    uuid4(),
                    START + timedelta(days=event.pop("at", at)),
                    str(uuid4()),
                    json.dumps(event),
                )
                for at, event in enumerate(events, start=1)
            ],
        )


async def billed(world: World, account: Account) -> Invoice:
    """Bill the period, after the running usage was seen to cost the same to the cent."""
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        running = await current_usage(conn, account.account_id, END - timedelta(seconds=1))
    await world.bill(END)
    invoice: Invoice = await world.invoice(account)
    usage = sum(line.amount.minor for line in invoice.lines if line.meter_code)
    assert running is not None
    assert running.report.total_overage_cost.minor == usage
    assert invoice.subtotal.minor == sum(line.amount.minor for line in invoice.lines)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        for line in invoice.lines:
            found = await line_explanation(
                conn, account.account_id, invoice.invoice_id, line.invoice_line_id
            )
            assert found.is_same
    return invoice


def told(invoice: Invoice) -> list[tuple[str, Decimal, int]]:
    return [(line.description, line.quantity, line.amount.minor) for line in invoice.lines]


async def test_each_group_has_a_line_by_tiers_of_its_own(world: World) -> None:
    """Tiers to 100 at 0.10, then 0.05: 150 cost 12.50, 20 cost 2.00, 100.5 cost 10.03 (10.025)."""
    tiers = [{"up_to": "100", "unit": "0.10"}, {"up_to": None, "unit": "0.05"}]
    account = await sold(
        world,
        {"model": "graduated", "tiers": tiers, "group_by": ["region"], "minimum": "30"},
    )
    await send(
        world,
        account,
        {"n": "70", "region": "eu", "tier": "a"},
        {"n": "80", "region": "eu", "tier": "b"},
        {"n": "20"},
        {"n": "100.5", "region": "us"},
    )
    invoice = await billed(world, account)
    assert told(invoice) == [
        ("Calls (region eu)", Decimal(150), 1250),
        ("Calls (region us)", Decimal("100.5"), 1003),
        ("Calls (region none)", Decimal(20), 200),
        ("Calls: up to the minimum", Decimal(1), 547),
    ]
    assert [line.kind for line in invoice.lines] == ["usage", "usage", "usage", "minimum"]


async def test_groups_of_a_linear_price_sum_to_what_all_usage_costs(world: World) -> None:
    account = await sold(
        world, {"model": "per_unit", "unit": "0.25", "group_by": ["region", "tier"]}
    )
    await send(
        world,
        account,
        *({"n": str(n), "region": "eu" if n % 2 else "us", "tier": str(n % 3)} for n in range(13)),
    )
    invoice = await billed(world, account)
    assert len(invoice.lines) == 6
    assert invoice.lines[0].description == "Calls (region eu, tier 0)"
    assert invoice.subtotal.minor == sum(range(13)) * 25


async def test_a_grouped_price_without_usage_has_one_line_over_nothing(world: World) -> None:
    account = await sold(world, {"model": "per_unit", "unit": "1", "group_by": ["region"]})
    assert told(await billed(world, account)) == [("Calls", Decimal(0), 0)]


async def test_more_groups_than_lines_are_allowed_park_the_subscription(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.metering.price_uses.GROUPS_MAX", 2)
    account = await sold(world, {"model": "per_unit", "unit": "1", "group_by": ["region"]})
    await send(world, account, *({"n": 1, "region": region} for region in "abc"))
    await world.bill(END)
    assert await world.invoices(account) == ()
    (row,) = await world.rows("SELECT bill_error FROM subscriptions")
    assert row["bill_error"].startswith("too_many_groups: Price calls has 3 groups")


async def test_a_price_is_not_grouped_by_what_its_meter_does_not_keep_apart(world: World) -> None:
    with pytest.raises(BadInput) as caught:
        await sold(world, {"model": "per_unit", "unit": "1", "group_by": ["tier", "color"]})
    assert [(one.field, one.code) for one in caught.value.errors] == [
        ("prices[0].group_by[1]", "not_grouped")
    ]
