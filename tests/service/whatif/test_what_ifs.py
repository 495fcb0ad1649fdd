"""What-ifs over stored usage: held to numbers reckoned by hand, and to the invoices themselves."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Tier
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.whatif import reading, service
from tallystick.whatif.model import Result, Status, Summary, WhatIf

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
TENTH = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


def fee(amount: str, currency: str = "EUR") -> FlatPrice:
    return FlatPrice(currency=currency, code="fee", amount=Decimal(amount))


def calls(first: str, then: str, **more: Any) -> GraduatedPrice:
    tiers = (Tier(up_to=Decimal(100), unit=Decimal(first)), Tier(up_to=None, unit=Decimal(then)))
    return GraduatedPrice(currency="EUR", code="calls", meter="calls", tiers=tiers, **more)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def result_of(what_if: WhatIf) -> Result:
    assert what_if.status is Status.DONE, what_if.error
    assert what_if.result is not None
    return what_if.result


def summary_of(what_if: WhatIf) -> Summary:
    (one,) = result_of(what_if).summaries
    return one


async def three_accounts(world: World) -> list[Any]:
    """Ada: 150 calls and 1 seat, then 1 seat still; Bob: 20 calls, once; Cem: nothing at all."""
    ada, bob, cem = [await world.member(name) for name in ("ada", "bob", "cem")]
    await world.use(ada, 150, TENTH)
    await world.use(ada, 1, TENTH, "seat")
    await world.use(bob, 20, TENTH)
    return [ada, bob, cem]


async def test_it_is_what_a_hand_reckons(world: World) -> None:
    """Now: fee 10; calls 0.10 to a hundred, then 0.05, at least 3; seats 2 each.

    Draft: fee 12; all calls 0.04; no seats.

    | account | January now           | draft      | February now    | draft |
    | ada     | 10 + 10 + 2.50 + 2    | 12 + 6     | 10 + 3 + 2      | 12    |
    | bob     | 10 + 2 + 1            | 12 + 0.80  | 10 + 3          | 12    |
    | cem     | 10 + 3                | 12         | 10 + 3          | 12    |
    """
    ada, bob, cem = await three_accounts(world)
    draft = await world.version([fee("12"), calls("0.04", "0.04")])
    asked = await world.ask(plan_version_id=draft.plan_version_id)

    rows = {(row.account_id, row.period.start): row for row in await world.outcomes(asked)}
    assert {
        (account.name, at.month): (row.now.minor, row.then.minor)
        for account in (ada, bob, cem)
        for at, row in ((at, rows[account.account_id, at]) for at in (JANUARY, FEBRUARY))
    } == {
        ("ada", 1): (2450, 1800), ("ada", 2): (1500, 1200),
        ("bob", 1): (1300, 1280), ("bob", 2): (1300, 1200),
        ("cem", 1): (1300, 1200), ("cem", 2): (1300, 1200),
    }  # fmt: skip
    lines = rows[ada.account_id, JANUARY].lines
    assert [(line.price_code, line.quantity, line.now, line.then) for line in lines] == [
        ("fee", 1, eur(1000), eur(1200)),
        ("calls", 150, eur(1250), eur(600)),
        ("seats", 1, eur(200), None),
    ]
    whole = summary_of(asked)
    assert (whole.now, whole.then, whole.difference) == (eur(9150), eur(7880), eur(-1270))
    assert (whole.account_count, whole.period_count) == (3, 6)
    assert (whole.more_count, whole.less_count, whole.same_count) == (0, 3, 0)
    # Ada -9.50, Cem -2.00, Bob -1.20: a third each.
    assert [one.minor for one in whole.deciles] == [-950] * 3 + [-200] * 3 + [-120] * 3
    assert whole.raised is None
    assert whole.lowered is not None
    assert (whole.lowered.account_id, whole.lowered.difference) == (ada.account_id, eur(-950))
    assert [(one.price_code, one.now.minor, one.then.minor) for one in whole.lines] == [
        ("fee", 6000, 7200),
        ("calls", 2750, 680),
        ("seats", 400, 0),
    ]


async def test_what_it_costs_now_is_what_the_invoices_say(world: World) -> None:
    accounts = await three_accounts(world)
    await world.bill()
    asked = await world.ask(draft=world.new_version([fee("1")]))
    for account in accounts:
        invoices = await world.invoices(account)
        rows = await world.outcomes(asked, account.account_id)
        assert [(one.period_start, one.period_end, one.subtotal) for one in invoices] == [
            (row.period.start, row.period.end, row.now) for row in rows
        ]
        assert len(rows) == 2


async def test_a_price_by_groups_is_compared_group_by_group(world: World) -> None:
    """Tier by tier each region begins anew: 60 and 60 at 0.10 are 12.00, 120 at once 11.00."""
    by_region = calls("0.10", "0.05", group_by=("region",))
    grouped = await world.version([by_region], code="regions")
    ada = await world.member("ada", grouped)
    for region in ("eu", "us"):
        await world.use(ada, 60, TENTH, region=region)
    await world.bill()
    (january, february) = await world.invoices(ada)
    asked = await world.ask(draft=world.new_version([calls("0.10", "0.05")]))
    rows = await world.outcomes(asked)
    assert [row.now for row in rows] == [january.subtotal, february.subtotal] == [eur(1200), eur(0)]
    assert [row.then for row in rows] == [eur(1100), eur(0)]
    (line,) = rows[0].lines
    assert (line.quantity, line.now, line.then) == (120, eur(1200), eur(1100))
    assert summary_of(await world.ask(plan_version_id=grouped.plan_version_id)).difference.is_zero()


async def test_the_same_version_differs_by_nothing(world: World) -> None:
    await three_accounts(world)
    asked = await world.ask(plan_version_id=world.pro.plan_version_id)
    whole = summary_of(asked)
    assert whole.difference == eur(0)
    assert whole.same_count == whole.account_count == 3
    assert set(whole.deciles) == {eur(0)}
    for row in await world.outcomes(asked):
        assert all(line.now == line.then for line in row.lines)


async def test_accounts_are_chosen_by_name_by_plan_or_all(world: World) -> None:
    basic = await world.version([fee("5")], code="basic")
    ada, bob = await world.member("ada"), await world.member("bob", basic)
    draft = world.new_version([fee("12")])
    both = await world.ask(draft=draft)
    on_pro = await world.ask(draft=draft, plan_code="pro")
    named = await world.ask(draft=draft, account_ids=(bob.account_id,))
    assert [one.account_count for one in (both, on_pro, named)] == [2, 1, 1]
    assert {row.account_id for row in await world.outcomes(on_pro)} == {ada.account_id}
    assert {row.account_id for row in await world.outcomes(named)} == {bob.account_id}
    assert summary_of(named).now == eur(1000)


async def test_only_whole_periods_that_have_ended_count(world: World) -> None:
    account = await world.member("ada", at=datetime(2026, 1, 15, 8, tzinfo=UTC))
    asked = await world.ask(draft=world.new_version([fee("1")]), end=NEXT_YEAR)
    (row,) = await world.outcomes(asked)
    assert row.period.start == datetime(2026, 1, 15, 8, tzinfo=UTC)
    assert row.period.end == datetime(2026, 2, 15, tzinfo=UTC)
    later = await world.ask(draft=world.new_version([fee("1")]), start=FEBRUARY)
    assert result_of(later).summaries == ()
    assert account.account_id == row.account_id


async def test_a_period_that_was_cut_short_counts_as_it_was_billed(world: World) -> None:
    ada = await world.member("ada")
    end = datetime(2026, 2, 11, tzinfo=UTC)
    async with world.db.transaction(WRITER) as conn:
        running = await subscriptions.current_subscription(conn, ada.account_id)
        assert running is not None
        await changing.cancel_now(conn, ada.account_id, running.subscription_id, end)
    await world.use(ada, 50, end - timedelta(days=1))
    await world.use(ada, 50, end)
    await world.bill()
    asked = await world.ask(draft=world.new_version([fee("1")]))
    rows = await world.outcomes(asked)
    assert [row.now for row in rows] == [one.subtotal for one in await world.invoices(ada)]
    assert rows[-1].period.end == end
    # 11 of 28 days, the last one counts; 50 calls.
    assert rows[-1].now == eur(393 + 500)


STARTS = {
    "plain": Start(),
    "three of them": Start(quantity=3),
    "with the calendar": Start(billing_time="calendar"),
    "a trial first": Start(trial_days=20),
    "three, a trial, the calendar": Start(quantity=3, trial_days=20, billing_time="calendar"),
    "an end that is known": Start(ends_at=datetime(2026, 3, 8, 9, tzinfo=UTC)),
}


@pytest.mark.parametrize("billing", ["in_advance", "in_arrears"])
@pytest.mark.parametrize("begun", STARTS.values(), ids=STARTS)
async def test_however_it_began_each_period_costs_what_was_billed_for_it(
    world: World, begun: Start, billing: str
) -> None:
    plan = await world.version(
        [fee("31"), calls("0.10", "0.05")],
        code="b",
        billing=billing,
        minimum_commitment={"EUR": Decimal(60)},
    )
    began = datetime(2026, 1, 12, 8, tzinfo=UTC)
    ada = await world.member("ada", plan, began, begun=begun)
    await world.use(ada, 150, TENTH + timedelta(days=5))
    await world.bill()
    asked = await world.ask(plan_version_id=plan.plan_version_id, end=NEXT_YEAR)
    lines = [line for invoice in await world.invoices(ada) for line in invoice.lines]
    rows = await world.outcomes(asked)
    assert rows
    for row in rows:
        billed = [
            line.amount.minor
            for line in lines
            if line.period_start is not None and row.period.contains(line.period_start)
        ]
        assert (row.now.minor, row.then.minor) == (sum(billed), sum(billed))
    assert sum(row.now.minor for row in rows) > 0


async def test_another_price_is_shared_as_the_present_one(world: World) -> None:
    """31.00 for three from the 12th: 20 of 31 days are 60.00; of 15.50, 30.00."""
    plan = await world.version([fee("31")], code="b", billing="in_advance")
    calendar = Start(quantity=3, billing_time="calendar")
    await world.member("ada", plan, datetime(2026, 1, 12, 8, tzinfo=UTC), begun=calendar)
    asked = await world.ask(draft=world.new_version([fee("15.50")]))
    rows = await world.outcomes(asked)
    assert [(row.now.minor, row.then.minor) for row in rows] == [(6000, 3000), (9300, 4650)]


async def test_what_was_paused_or_changed_is_skipped_with_its_reason(world: World) -> None:
    ada, bob = await world.member("ada"), await world.member("bob")
    dearer = await world.version([fee("20")])
    middle = datetime(2026, 1, 20, tzinfo=UTC)
    async with world.db.transaction(WRITER) as conn:
        for account in (ada, bob):
            on = await subscriptions.current_subscription(conn, account.account_id)
            assert on is not None
            name = (conn, account.account_id, on.subscription_id)
            if account is ada:
                await changing.change_terms(
                    *name, plan=dearer, quantity=None, when="now", now=middle
                )
            else:
                await changing.pause(*name, middle)
    await world.bill()
    asked = await world.ask(draft=world.new_version([fee("12")]))
    assert result_of(asked).skipped == {"paused": 2, "terms_changed": 1}
    (row,) = await world.outcomes(asked)
    assert (row.account_id, row.period.start) == (ada.account_id, FEBRUARY)
    assert (row.now, row.then) == (eur(2000), eur(1200))


async def test_what_can_not_be_compared_is_counted_with_its_reason(world: World) -> None:
    await world.member("ada")
    yearly = await world.version([fee("99")], code="yearly", interval="year")
    dollars = await world.version([fee("9", "USD")], code="us", currency="USD")
    await world.member("bob", yearly)
    await world.member("cem", dollars, currency="USD")
    asked = await world.ask(draft=world.new_version([fee("12")]))
    assert result_of(asked).skipped == {"interval_differs": 1, "plan_not_in_currency": 1}
    assert summary_of(asked).account_count == 1
    assert asked.done_count == asked.account_count == 3


async def test_many_batches_are_the_same_as_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_accounts(world)
    draft = await world.version([fee("12"), calls("0.04", "0.04")])
    whole = await world.ask(plan_version_id=draft.plan_version_id)
    begun = await world.start(plan_version_id=draft.plan_version_id)
    read = reading.read_batch

    async def one_by_one(*arguments: Any) -> Any:
        return await read(*arguments, accounts_max=1)

    monkeypatch.setattr(service, "read_batch", one_by_one)
    await world.work()
    parts = await world.look(begun)
    assert parts.done_count == 3
    assert parts.result == whole.result
    assert await world.outcomes(parts) == await world.outcomes(whole)


async def test_its_progress_is_seen_and_it_goes_on_where_a_worker_died(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three_accounts(world)
    begun = await world.start(draft=world.new_version([fee("12")]))
    read = reading.read_batch
    reads = 0

    async def dies_at_the_second(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        if reads == 2:
            raise KeyboardInterrupt
        return await read(*arguments, accounts_max=1)

    monkeypatch.setattr(service, "read_batch", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        await world.work()
    half = await world.look(begun)
    assert (half.status, half.done_count, half.account_count) == (Status.RUNNING, 1, 3)
    assert half.result is None
    await world.work()
    done = await world.look(begun)
    assert done.done_count == 3
    assert summary_of(done).period_count == 6 == len(await world.outcomes(done))


async def test_rows_are_filtered_by_account_and_by_direction(world: World) -> None:
    ada, bob, _ = await three_accounts(world)
    dear = await world.ask(draft=world.new_version([fee("14")]))
    assert [row.account_id for row in await world.outcomes(dear, change="less")] == [
        row.account_id for row in await world.outcomes(dear, ada.account_id)
    ]
    assert {row.difference.minor for row in await world.outcomes(dear, change="more")} == {100}
    assert len(await world.outcomes(dear, bob.account_id, "more")) == 2
    assert await world.outcomes(dear, change="same") == ()


async def test_one_that_can_not_be_gone_through_fails_with_its_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.member("ada")
    begun = await world.start(draft=world.new_version([fee("12")]))

    async def refuse(*_: Any) -> Any:
        raise Conflict("meter_missing", "The meter is gone.")

    monkeypatch.setattr(service, "read_batch", refuse)
    await world.work()
    ended = await world.look(begun)
    assert (ended.status, ended.error) == (Status.FAILED, "meter_missing: The meter is gone.")


async def test_what_can_not_be_asked_is_refused(world: World) -> None:
    draft = world.new_version([fee("12")])
    with pytest.raises(BadInput, match="to"):
        await world.start(draft=draft, start=MARCH, end=MARCH)
    with pytest.raises(NotFound, match="plan"):
        await world.start(draft=draft, plan_code="nope")
    with pytest.raises(NotFound):
        await world.start(plan_version_id=UUID(int=9))
    unknown = PerUnitPrice(currency="EUR", code="x", meter="nope", unit=Decimal(1))
    with pytest.raises(BadInput) as refused:
        await world.start(draft=world.new_version([unknown]))
    assert [fault.field for fault in refused.value.errors] == ["prices[0].meter"]


async def need(world: World, what_if: WhatIf, version_id: UUID, percent: str) -> None:
    async with world.db.transaction(WRITER) as conn:
        await service.need_variance(conn, version_id, what_if.what_if_id, Decimal(percent))


async def test_a_version_that_differs_by_more_than_was_set_is_refused(world: World) -> None:
    """Ada and Cem pay 13.00 a month; a fee of 13.26 is 2 percent more."""
    await world.member("ada")
    await world.member("cem")
    draft = await world.version([fee("13.26")])
    asked = await world.ask(plan_version_id=draft.plan_version_id)
    await need(world, asked, draft.plan_version_id, "2")
    with pytest.raises(Conflict) as refused:
        await need(world, asked, draft.plan_version_id, "1.999999")
    assert refused.value.code == "plan_variance_too_high"
    assert refused.value.extra["variances"] == [
        {
            "currency": "eur",
            "now_cents": 5200,
            "then_cents": 5304,
            "difference_cents": 104,
            "difference_percent": "2.00",
        }
    ]


async def test_only_a_finished_what_if_of_the_same_version_vouches(world: World) -> None:
    draft = await world.version([fee("12")])
    empty = await world.ask(plan_version_id=draft.plan_version_id)
    await world.member("ada")
    running = await world.start(plan_version_id=draft.plan_version_id)
    for what_if, version, code in (
        (empty, draft, "what_if_empty"),
        (running, draft, "what_if_not_done"),
        (running, world.pro, "what_if_of_another_version"),
    ):
        with pytest.raises(Conflict) as refused:
            await need(world, what_if, version.plan_version_id, "100")
        assert refused.value.code == code


async def test_old_ones_are_forgotten_with_their_rows(world: World) -> None:
    await world.member("ada")
    asked = await world.ask(draft=world.new_version([fee("12")]))
    world.now += service.KEEP
    await world.work()
    assert (await world.look(asked)).status is Status.DONE
    world.now += timedelta(seconds=1)
    await world.work()
    with pytest.raises(NotFound):
        await world.look(asked)
    async with world.db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT count(*) FROM what_if_rows") == 0
