"""What usage costs, from events to the lines of an invoice, against numbers reckoned by hand."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter
from tallystick.corrections.effect import Reading, Watched, compare
from tallystick.invoices import recompute
from tallystick.invoices.explain import invoice_explanations, line_explanation
from tallystick.invoices.model import Invoice
from tallystick.invoices.usage_changes import issued_usage_lines, rate_again
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.metering import service as metering
from tallystick.pricing.validate import read_price
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.current_usage import current_usage
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Subscription

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


async def test_late_usage_is_rated_by_group_and_a_new_group_is_not_forgotten(world: World) -> None:
    """1 more in EU costs 2.00, 5 where no line was 10.00: the minimum adds 12.00 less."""
    account = await sold(
        world, {"model": "per_unit", "unit": "2", "group_by": ["region"], "minimum": "20"}
    )
    await send(world, account, {"n": 1, "region": "eu"}, {"n": 1, "region": "us"})
    await billed(world, account)

    async def reading() -> tuple[Watched, Reading]:
        async with world.db.transaction(WRITER) as conn:
            meters = {"calls": await catalog.get_meter(conn, "calls")}
            issued = await issued_usage_lines(conn, account.account_id, ["calls"], START)
            found = await rate_again(conn, account.account_id, issued, meters)
        return Watched(meters, issued, None, ()), Reading({}, found)

    watched, before = await reading()
    await send(world, account, {"n": 1, "region": "eu"}, {"n": 5, "region": "asia"})
    _, after = await reading()
    effect = compare(watched, before, after, END, timedelta(days=400))
    assert [
        (one.kind, one.billed.minor, one.old.minor, one.new.minor) for one in effect.billed
    ] == [
        ("usage", 200, 200, 400),
        ("minimum", 1600, 1600, 400),
        ("usage", 0, 0, 1000),
    ]


async def test_usage_of_a_filter_has_the_filters_price(world: World) -> None:
    """EU costs 0.20, gold in the US 0.05, all else 0.10, and no more than 4.00 in all."""
    account = await sold(
        world,
        {
            "model": "per_unit",
            "unit": "0.10",
            "maximum": "4",
            "filters": [
                {"values": {"region": ["eu"]}, "price": {"unit": "0.20"}},
                {"values": {"region": ["us", "ca"], "tier": ["gold"]}, "price": {"unit": "0.05"}},
            ],
        },
    )
    await send(
        world,
        account,
        {"n": "10", "region": "eu", "tier": "gold"},
        {"n": "1", "region": "eu"},
        {"n": "7", "region": "us", "tier": "gold"},
        {"n": "4", "region": "ca", "tier": "gold"},
        {"n": "20", "region": "us", "tier": "iron"},
        {"n": "2"},
    )
    invoice = await billed(world, account)
    assert told(invoice) == [
        ("Calls (region eu)", Decimal(11), 220),
        ("Calls (region us or ca, tier gold)", Decimal(11), 55),
        ("Calls", Decimal(22), 220),
        ("Calls: down to the maximum", Decimal(1), -95),
    ]
    assert invoice.lines[3].kind == "maximum"


async def test_filters_and_groups_make_a_line_for_each_pair_that_was_used(world: World) -> None:
    filters = [{"values": {"tier": ["gold"]}, "price": {"unit": "1"}}]
    account = await sold(
        world,
        {"model": "per_unit", "unit": "2", "filters": filters, "group_by": ["region"]},
    )
    await send(
        world,
        account,
        {"n": "1", "region": "eu", "tier": "gold"},
        {"n": "2", "region": "eu", "tier": "iron"},
        {"n": "4", "region": "us", "tier": "gold"},
    )
    assert told(await billed(world, account)) == [
        ("Calls (tier gold, region eu)", Decimal(1), 100),
        ("Calls (tier gold, region us)", Decimal(4), 400),
        ("Calls (region eu)", Decimal(2), 400),
    ]


TIERS = [{"up_to": "10", "unit": "2", "flat": "1"}, {"up_to": None, "unit": "1.5", "flat": "3"}]


@pytest.mark.parametrize(
    ("price", "used", "minor"),
    [
        ({"model": "package", "size": "10", "amount": "2.50", "free": "5"}, "26", 750),
        ({"model": "volume", "tiers": TIERS}, "10", 2100),
        ({"model": "volume", "tiers": TIERS}, "10.2", 1830),
        (
            {"model": "capacity", "tiers": [{"up_to": "10", "amount": "5"},
                                            {"up_to": None, "amount": "9"}]},
            "10.5",
            900,
        ),
        (
            {"model": "block", "size": "100", "tiers": [{"up_to_blocks": "2", "amount": "3"},
                                                        {"up_to_blocks": None, "amount": "2"}]},
            "301",
            1000,
        ),
        ({"model": "percentage", "rate": "1.5", "free_amount": "100"}, "1100.10", 1500),
        (
            {"model": "per_unit", "unit": "3", "custom_unit": {"code": "credits", "rate": "0.015"},
             "included": "1"},
            "11",
            45,
        ),
    ],
)  # fmt: skip
async def test_each_model_bills_what_its_rules_say(
    world: World, price: dict[str, Any], used: str, minor: int
) -> None:
    account = await sold(world, price)
    await send(world, account, {"n": used})
    assert told(await billed(world, account)) == [("Calls", Decimal(used), minor)]


async def test_a_price_in_a_unit_of_its_own_is_explained_in_both(world: World) -> None:
    """11 at 3 credits are 33 credits, at 0.015 EUR each."""
    custom = {"code": "credits", "rate": "0.015"}
    account = await sold(world, {"model": "per_unit", "unit": "3", "custom_unit": custom})
    await send(world, account, {"n": "11"})
    invoice = await billed(world, account)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        (found,) = await invoice_explanations(conn, invoice)
    assert found.steps == (
        "11 \u00d7 3 credits = 33 credits",
        "from credits to EUR: 33 \u00d7 \u20ac0.015 = \u20ac0.495",
    )
    assert found.derivation.custom is not None
    assert found.derivation.custom.amount == Decimal(33)
    assert found.line.amount.minor == 50


SEATS = NewMeter(
    code="seats",
    name="Seats",
    unit="seats",
    event_type="calls",
    aggregation="sum",
    property="n",
    recurring=True,
    allow_negative=True,
)
FEE: dict[str, Any] = {"currency": "EUR", "code": "fee", "model": "flat", "amount": "14"}
CALL: dict[str, Any] = {"currency": "EUR", "code": "calls", "meter": "calls", "model": "per_unit"}


async def committed(world: World, call: dict[str, Any], **fee: Any) -> Subscription:
    """An account on a plan that commits to 56.00 a period, with 3 calls of its own on day 2."""
    async with world.db.transaction(WRITER) as conn:
        await metering.create_meter(conn, CALLS, START)
    prices = [read_price({**FEE, **fee}), read_price({**CALL, "unit": "1", **call})]
    plan = await world.plan(prices, minimum_commitment={"EUR": Decimal(56)})
    account = await world.account()
    made: Subscription = await world.subscribe(account, plan)
    await send(world, account, {"n": 3})
    return made


async def lines(world: World) -> list[tuple[str, str, int]]:
    await world.bill(END)
    rows = await world.rows(
        "SELECT kind, description, amount_minor FROM invoice_lines ORDER BY invoice_id, position"
    )
    async with world.db.transaction(WRITER) as conn:
        found = [one async for one in recompute.differences(conn, None, lambda _: None)]
    assert found == []
    return [tuple(row) for row in rows]


async def test_a_commitment_counts_fees_and_usage_and_bills_the_rest(world: World) -> None:
    """14.00 and 3.00, up to the call's minimum of 5.00: 37.00 are missing to 56.00."""
    await committed(world, {"minimum": "5"})
    assert await lines(world) == [
        ("subscription", "Pro", 1400),
        ("usage", "Calls", 300),
        ("minimum", "Calls: up to the minimum", 200),
        ("minimum", "Pro: up to the commitment", 3700),
    ]


async def test_a_commitment_counts_a_fee_that_was_paid_in_advance(world: World) -> None:
    await committed(world, {}, billing="in_advance")
    assert [line for line in await lines(world) if line[0] == "minimum"] == [
        ("minimum", "Pro: up to the commitment", 3900)
    ]


async def test_a_part_of_a_period_has_its_share_of_minimum_and_commitment(world: World) -> None:
    """15 of 28 days, with the last: 7.50 of the fee, 15.00 of the minimum, 30.00 in all."""
    made = await committed(world, {"minimum": "28"})
    at = START + timedelta(days=14, hours=12)
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, made.account_id, made.subscription_id, at)
    assert [line[::2] for line in await lines(world)] == [
        ("proration", 750),
        ("usage", 300),
        ("minimum", 1200),
        ("minimum", 750),
    ]


async def test_a_first_calendar_month_pays_minimum_and_seats_for_its_days(world: World) -> None:
    """12 of 31 days: 31 seats at 3.00 are 36.00, the minimum of 155.00 is 60.00."""
    joined = datetime(2026, 1, 20, 15, tzinfo=UTC)
    async with world.db.transaction(WRITER) as conn:
        await metering.create_meter(conn, SEATS, START)
    told_price = {**CALL, "meter": "seats", "unit": "3", "prorate": True, "minimum": "155"}
    plan, account = await world.plan([read_price(told_price)]), await world.account()
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        start = Start(billing_time="calendar")
        await subscriptions.subscribe(conn, account, plan, joined, start)
    await send(world, account, {"n": 31, "at": -10.8})
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        running = await current_usage(conn, account.account_id, joined + timedelta(days=1))
    await world.bill(datetime(2026, 2, 1, tzinfo=UTC))
    invoice = await world.invoice(account)
    assert [line.amount.minor for line in invoice.lines] == [3600, 2400]
    assert running is not None
    assert running.report.total_overage_cost.minor == 6000


async def test_a_commitment_over_a_quarter_counts_the_usage_of_all_its_invoices(
    world: World,
) -> None:
    """42.00 and 3.00 in February, 10.00 in March: 95.00 are missing to 150.00, at the end."""
    async with world.db.transaction(WRITER) as conn:
        await metering.create_meter(conn, CALLS, START)
    prices = [read_price({**FEE, "amount": "42"}), read_price({**CALL, "unit": "1"})]
    more = {"interval": "quarter", "usage_interval": "month"}
    plan = await world.plan(prices, minimum_commitment={"EUR": Decimal(150)}, **more)
    account = await world.account()
    await world.subscribe(account, plan)
    await send(world, account, {"n": 3}, {"n": 10, "at": 40})
    await world.bill(datetime(2026, 3, 31, tzinfo=UTC))
    assert [line[2] for line in await lines(world)] == [300, 1000]
    await world.bill(datetime(2026, 5, 1, tzinfo=UTC))
    assert [line[2] for line in await lines(world)] == [300, 1000, 4200, 0, 9500]


async def test_usage_that_meets_the_commitment_is_billed_alone(world: World) -> None:
    await committed(world, {"unit": "20"})
    assert [line[2] for line in await lines(world)] == [1400, 6000]


async def test_a_percentage_by_events_takes_them_in_their_order(world: World) -> None:
    """2% plus 0.30, the first 2 events up to 100 free, at least 0.50 and at most 5.00 each.

    40 and 60 are free; 5 would cost 0.40 and costs 0.50; 100 cost 2.30; 1,000 would cost 20.30 and
    cost 5.00.
    """
    account = await sold(
        world,
        {
            "model": "percentage",
            "rate": "2",
            "fixed": "0.30",
            "free_events": "2",
            "free_amount": "100",
            "min": "0.5",
            "max": "5",
        },
    )
    await send(
        world,
        account,
        *(
            {"n": n, "at": at}
            for n, at in (("1000", 5), ("60", 2), ("5", 3), ("40", 1), ("100", 4))
        ),
    )
    invoice = await billed(world, account)
    assert told(invoice) == [("Calls", Decimal(1205), 780)]
    (stored,) = await world.rows(
        "SELECT derivation -> 'use' -> 'events' AS events FROM invoice_lines"
    )
    events = json.loads(stored["events"])
    assert (events["event_count"], events["free_event_count"], events["most_count"]) == (5, 2, 1)


async def test_a_fixed_fee_is_due_for_each_event_of_a_group(world: World) -> None:
    account = await sold(
        world, {"model": "percentage", "rate": "1", "fixed": "0.25", "group_by": ["region"]}
    )
    await send(
        world,
        account,
        {"n": "100", "region": "eu"},
        {"n": "50", "region": "eu"},
        {"n": "10", "region": "us"},
    )
    assert told(await billed(world, account)) == [
        ("Calls (region eu)", Decimal(150), 200),
        ("Calls (region us)", Decimal(10), 35),
    ]


async def test_a_filter_may_need_single_events_where_its_price_does_not(world: World) -> None:
    """1% of 30 is 0.30; in the US 1%, at least 1.00 an event: 2.00 for two."""
    filters = [{"values": {"region": ["us"]}, "price": {"rate": "1", "min": "1"}}]
    account = await sold(world, {"model": "percentage", "rate": "1", "filters": filters})
    await send(world, account, {"n": 30}, {"n": 5, "region": "us"}, {"n": 60, "region": "us"})
    assert told(await billed(world, account)) == [
        ("Calls (region us)", Decimal(65), 200),
        ("Calls", Decimal(30), 30),
    ]


async def test_events_that_say_what_they_cost_are_summed_before_they_are_rounded(
    world: World,
) -> None:
    """0.125 + 0.25 + 1.234 cents: 0.38734; an event without an amount costs nothing."""
    account = await sold(world, {"model": "dynamic"})
    await send(
        world,
        account,
        {"n": 1, "amount": "0.125"},
        {"n": 1, "amount": 0.25},
        {"n": 1, "precise_total_amount_cents": "1.234"},
        {"n": 1, "amount": "much"},
    )
    assert told(await billed(world, account)) == [("Calls", Decimal(4), 39)]


@pytest.mark.parametrize(
    ("price", "minor"),
    [
        # 28 days: 10 seats on all, 4 more on 14, 2 less on the last: 11.9285...
        ({"model": "per_unit", "unit": "7"}, 8350),
        # 12 at the end: the second tier for all, and its flat fee whole: 11.9285... x 1.5 + 3
        ({"model": "volume", "tiers": TIERS}, 2089),
        # 10 in the first tier; above it 4 on 13 days, 2 on one: 21 + 1.9285... x 1.5 + 3
        ({"model": "graduated", "tiers": TIERS}, 2689),
    ],
)
async def test_seats_are_paid_for_the_days_on_which_they_were_there(
    world: World, price: dict[str, Any], minor: int
) -> None:
    account = await sold(world, {**price, "prorate": True}, SEATS)
    await send(world, account, {"n": 10, "at": -3}, {"n": 4, "at": 14.7}, {"n": -2, "at": 27.1})
    invoice = await billed(world, account)
    assert told(invoice) == [("Seats", Decimal(12), minor)]


async def test_more_groups_than_lines_are_allowed_park_the_subscription(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.metering.price_parts.GROUPS_MAX", 2)
    account = await sold(world, {"model": "per_unit", "unit": "1", "group_by": ["region"]})
    await send(world, account, *({"n": 1, "region": region} for region in "abc"))
    await world.bill(END)
    assert await world.invoices(account) == ()
    (row,) = await world.rows("SELECT bill_error FROM subscriptions")
    assert row["bill_error"].startswith("too_many_groups: Price calls has 3 groups")


@pytest.mark.parametrize("model", [{"model": "per_unit", "unit": "1"}, {"model": "dynamic"}])
async def test_a_property_of_very_many_values_is_refused_before_all_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch, model: dict[str, Any]
) -> None:
    for module in ("price_uses", "usage_store"):
        monkeypatch.setattr(f"tallystick.metering.{module}.GROUP_ROWS_MAX", 2)
    monkeypatch.setattr("tallystick.metering.usage_store.GROUPS_OF_MANY_SPANS_MAX", 2)
    account = await sold(world, {**model, "group_by": ["region"]})
    await send(world, account, *({"n": 1, "region": str(at)} for at in range(30)))
    await world.bill(END)
    (row,) = await world.rows("SELECT bill_error FROM subscriptions")
    assert re.match(r"too_many_groups: .* more than 2 groups by region here", row["bill_error"])


async def test_a_price_is_not_grouped_by_what_its_meter_does_not_keep_apart(world: World) -> None:
    with pytest.raises(BadInput) as caught:
        await sold(world, {"model": "per_unit", "unit": "1", "group_by": ["tier", "color"]})
    assert [(one.field, one.code) for one in caught.value.errors] == [
        ("prices[0].group_by[1]", "not_grouped")
    ]
